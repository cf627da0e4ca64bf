package dsr

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/kernel/neigh"
	"surefoot/internal/lb"
)

// The kernel gives every client the backend that Go says, the first time and when it repeats its request.
func TestTheKernelDealsAsGoDoes(t *testing.T) {
	require(t, "root", os.Geteuid() == 0)
	path, err := bpf.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer path.Close()
	own := [6]byte{2, 0, 0, 0, 0, 1}
	for _, by := range []lb.Scheduler{lb.Maglev, lb.Rendezvous} {
		for _, alive := range [][]int{{0}, {0, 1, 2, 3, 4}, {1, 4}} {
			var tables []lb.Table
			known := map[netip.Addr]hop{}
			at := map[string]neigh.Interface{}
			for _, vip := range []string{vip4, vip6} {
				tb := table(vip, by, alive...)
				for i := 4; i <= 5; i++ {
					b := tb.Service.Backends[0]
					b.Name += string(rune('a' + i))
					a := b.TFTP.Addr().AsSlice()
					a[len(a)-1] = byte(0x30 + i)
					x, _ := netip.AddrFromSlice(a)
					b.TFTP = netip.AddrPortFrom(x, 69)
					b.Weight = i
					tb.Service.Backends = append(tb.Service.Backends, b)
				}
				for i, b := range tb.Service.Backends {
					known[b.TFTP.Addr()] = hop{mac: [6]byte{2, 0, 0, 0, 1, byte(i)}, up: true}
				}
				at[tb.Service.Name] = neigh.Interface{MAC: own}
				tables = append(tables, tb)
			}
			next, _ := compile(nil, tables, at, known)
			if err := path.Replace(next); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(uint64(len(alive)), uint64(len(by)))) // other clients each time: these are remembered
			for n := range 300 {
				tb := tables[n%2]
				deal, err := lb.NewDeal(&tb.Service, alive)
				if err != nil {
					t.Fatal(err)
				}
				from, frame := rrq(random, own, tb.Service.Listen.Addr())
				way := []bpf.Way{bpf.XDP, bpf.TCX}[n/2%2]
				_, out, err := path.Try(way, frame)
				if err != nil {
					t.Fatal(err)
				}
				first := deal.First(from)
				if int(out[5]) != first {
					t.Fatalf("%s, %s: the kernel says %d, Go says %d", by, from, out[5], first)
				}
				key := bpf.Client{Service: bpf.Addr(tb.Service.Listen.Addr().As16()), From: bpf.Addr(from.As16())}
				last := first
				for try := 1; try <= 3; try++ {
					k, ok := path.Kept(key)
					if !ok {
						t.Fatalf("%s is not remembered", from)
					}
					k.Asked = bpf.Clock() - uint64(time.Second)
					if err := path.Set(key, k); err != nil {
						t.Fatal(err)
					}
					_, out, err = path.Try(way, frame)
					if err != nil {
						t.Fatal(err)
					}
					want := deal.Other(from, last, try)
					if int(out[5]) != want {
						t.Fatalf("%s, %s, repetition %d after %d: the kernel says %d, Go says %d", by, from, try, last, out[5], want)
					}
					last = want
				}
			}
		}
	}
}

// rrq is a request of a random client.
func rrq(random *rand.Rand, own [6]byte, vip netip.Addr) (netip.Addr, []byte) {
	payload := []byte("\x00\x01f\x00octet\x00")
	eth := append(append(append([]byte{}, own[:]...), 2, 0, 0, 0, 9, 9), 8, 0)
	udp := []byte{8, 22, 0, 69, 0, byte(8 + len(payload)), 0, 0}
	if vip.Is4() {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], random.Uint32())
		ip := []byte{0x45, 0, 0, byte(28 + len(payload)), 0, 0, 0, 0, 64, 17, 0, 0}
		ip = append(append(ip, a[:]...), vip.AsSlice()...)
		return netip.AddrFrom4(a), append(append(append(eth, ip...), udp...), payload...)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:], random.Uint64())
	binary.BigEndian.PutUint64(a[8:], random.Uint64())
	eth[12], eth[13] = 0x86, 0xdd
	ip := []byte{0x60, 0, 0, 0, 0, byte(8 + len(payload)), 17, 64}
	ip = append(append(ip, a[:]...), vip.AsSlice()...)
	return netip.AddrFrom16(a), append(append(append(eth, ip...), udp...), payload...)
}
