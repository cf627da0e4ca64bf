package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/lab"
)

// delivery is a way in which the node names servers to a client.
type delivery struct {
	name  string
	one   bool // it names the first server alone
	ask   func() ([]string, error)
	fetch func(r *steering, server string) *exec.Cmd // as a client does that was told of the server
	at    time.Time                                  // when it answered as awaited
}

// names reports whether these servers are named, and no other; of a delivery that names one, the first.
func (d *delivery) names(got []string, servers ...*victim) bool {
	if d.one {
		servers = servers[:1]
	}
	var want []string
	for _, s := range servers {
		want = append(want, s.addr)
	}
	slices.Sort(want)
	return slices.Equal(slices.Sorted(slices.Values(got)), want)
}

// waysToAsk are the deliveries. Each question comes from a machine that the node has never seen.
func (r *steering) waysToAsk() []*delivery {
	node := netip.MustParseAddr(lab.NodeAddr(0).String())
	var machines atomic.Uint32
	mac := func() []byte { return binary.BigEndian.AppendUint32([]byte{2, 7}, machines.Add(1)) }

	rom := r.broadcastSocket()
	binl := r.udpSocket("n4")
	names := r.udpSocket("n4")
	web := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, network, addr string) (c net.Conn, err error) {
		err = r.Inside("n4", func() error {
			c, err = net.DialTimeout("tcp4", addr, time.Second)
			return err
		})
		return c, err
	}}}
	// exchange sends a packet and waits for the first answer to it that says who the server is.
	exchange := func(c *net.UDPConn, to netip.AddrPort, packet []byte) ([]string, error) {
		if _, err := c.WriteToUDPAddrPort(packet, to); err != nil {
			return nil, err
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		buf := make([]byte, 2048)
		for {
			n, _, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return nil, err
			}
			b := buf[:n]
			if n < 240 || b[0] != 2 || !bytes.Equal(b[4:8], packet[4:8]) || !bytes.Equal(b[16:20], make([]byte, 4)) {
				continue // the DHCP server's offer of an address, or an answer to another question
			}
			server := netip.AddrFrom4([4]byte(b[20:24])).String() // siaddr
			if sname := string(bytes.TrimRight(b[44:108], "\x00")); sname != server {
				return nil, fmt.Errorf("siaddr is %s, and sname %q", server, sname)
			}
			return []string{server}, nil
		}
	}
	return []*delivery{
		{
			name: "offer", one: true,
			ask: func() ([]string, error) {
				return exchange(rom, netip.MustParseAddrPort("255.255.255.255:67"), bootpRequest(1, mac(), 0, netip.IPv4Unspecified()))
			},
			fetch: func(r *steering, server string) *exec.Cmd {
				return exec.Command("tftp", "-m", "binary", server, "-c", "get", steerName, filepath.Join(r.Dir, "fetched"))
			},
		},
		{
			name: "port 4011", one: true,
			ask: func() ([]string, error) {
				return exchange(binl, netip.AddrPortFrom(node, 4011), bootpRequest(3, mac(), 7, lab.NodeAddr(3)))
			},
			fetch: func(r *steering, server string) *exec.Cmd {
				return exec.Command("curl", "-sS", "--max-time", "10", "-o", filepath.Join(r.Dir, "fetched"), "tftp://"+server+"/"+steerName)
			},
		},
		{
			name: "iPXE script",
			ask: func() ([]string, error) {
				res, err := web.Get(fmt.Sprintf("http://%s:8067/boot.ipxe?mac=%s&arch=bios", node, net.HardwareAddr(mac())))
				if err != nil {
					return nil, err
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				var out []string
				for _, m := range regexp.MustCompile(`(?m)^imgfetch .* tftp://([0-9.]+)/`+steerName).FindAllSubmatch(text, -1) {
					out = append(out, string(m[1]))
				}
				return out, err
			},
			fetch: func(r *steering, server string) *exec.Cmd {
				return exec.Command("curl", "-sS", "--max-time", "10", "-o", filepath.Join(r.Dir, "fetched"), "tftp://"+server+"/"+steerName)
			},
		},
		{
			name: "DNS name",
			ask: func() ([]string, error) {
				q := new(dns.Msg).SetQuestion("pvs.boot.e2e.", dns.TypeA)
				b, err := q.Pack()
				if err == nil {
					_, err = names.WriteToUDPAddrPort(b, netip.AddrPortFrom(node, 53))
				}
				_ = names.SetReadDeadline(time.Now().Add(time.Second))
				for err == nil {
					buf := make([]byte, 2048)
					var n int
					if n, _, err = names.ReadFromUDPAddrPort(buf); err != nil {
						break
					}
					var a dns.Msg
					if err = a.Unpack(buf[:n]); err != nil || a.Id != q.Id {
						continue
					}
					var out []string
					for _, rr := range a.Answer {
						if rec, ok := rr.(*dns.A); ok {
							out = append(out, rec.A.String())
						}
					}
					return out, nil
				}
				return nil, err
			},
			fetch: func(r *steering, server string) *exec.Cmd {
				return exec.Command("tftp", "-m", "binary", server, "-c", "get", steerName, filepath.Join(r.Dir, "fetched"))
			},
		},
	}
}

// boot starts machines one after the other by every delivery: each asks, and downloads from the first
// server that it is told, with a client that is not ours.
func (r *steering) boot(n int) error {
	for range n {
		for _, d := range r.deliveries {
			servers, err := d.ask()
			if err != nil || len(servers) == 0 {
				return fmt.Errorf("a machine asked for the %s: %q, %w", d.name, servers, err)
			}
			to := filepath.Join(r.Dir, "fetched")
			if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			cmd := d.fetch(r, servers[0])
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := r.Inside("n4", cmd.Start); err != nil {
				return err
			}
			err = cmd.Wait()
			if got, readErr := os.ReadFile(to); err != nil || readErr != nil || !bytes.Equal(got, steerContent()) {
				return fmt.Errorf("%s, of the %s: %d bytes came, %w: %s", strings.Join(cmd.Args, " "), d.name, len(got), errors.Join(err, readErr), said.String())
			}
		}
		r.machines++
	}
	return nil
}

// broadcastSocket is a client's without an address: of port 68, on the one interface.
func (r *steering) broadcastSocket() *net.UDPConn {
	r.t.Helper()
	var c net.PacketConn
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		ctlErr := raw.Control(func(fd uintptr) { err = syscall.BindToDevice(int(fd), "eth0") })
		return errors.Join(err, ctlErr)
	}}
	err := r.Inside("n4", func() (err error) {
		c, err = lc.ListenPacket(r.ctx, "udp4", ":68")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// bootpRequest is a DISCOVER (1) or REQUEST (3) as PXE firmware of an architecture sends it
// (RFC 2131 section 2, RFC 4578).
func bootpRequest(kind byte, mac []byte, arch byte, from netip.Addr) []byte {
	b := make([]byte, 240)
	b[0], b[1], b[2] = 1, 1, 6
	binary.BigEndian.PutUint32(b[4:], rand.Uint32())
	b[10] = 0x80 // broadcast
	copy(b[12:], from.AsSlice())
	copy(b[28:], mac)
	binary.BigEndian.PutUint32(b[236:], 0x63825363)
	b = append(b, 53, 1, kind)
	b = append(b, 55, 8, 1, 3, 6, 43, 54, 60, 66, 67)
	b = append(b, 57, 2, 5, 0xc0)
	b = append(b, 93, 2, 0, arch)
	b = append(b, 94, 3, 1, 3, 16)
	b = append(b, 97, 17, 0)
	b = append(append(b, mac...), make([]byte, 10)...)
	class := fmt.Sprintf("PXEClient:Arch:%05d:UNDI:003016", arch)
	b = append(append(b, 60, byte(len(class))), class...)
	return append(b, 255)
}
