package dsr

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/kernel/neigh"
	"surefoot/internal/lb"
)

// BenchmarkServers measures what a packet costs on one core, by direct server return and by the kernel's other
// ways beside it: a generator (live frames of BPF_PROG_TEST_RUN), the way that is measured, and a counting sink share
// the core; what generator and sink cost alone is subtracted.
func BenchmarkServers(b *testing.B) {
	if os.Getenv("SUREFOOT_BIN") == "" {
		b.Skip("make bench runs this")
	}
	if only, err := regexp.Compile(os.Getenv("SUREFOOT_BENCH")); err != nil || !only.MatchString("dsr") {
		b.Skip("not this case")
	}
	r := newRig(b)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("load average before: %.4s (above 0.5 something else runs here, and the figures tell little)\n", load)
	for b.Loop() {
		r.run(b)
	}
}

// rig is a cable between two interfaces of one namespace: what comes out of gen0 goes into lb0, and back.
type rig struct {
	gen, lb    netlink.Link
	seen       *ebpf.Map
	pass, drop *ebpf.Program
	sink, end  link.Link
	load       func(asm.Instructions) *ebpf.Program
}

func newRig(b *testing.B) *rig {
	runtime.LockOSThread() // and never unlocked: the thread goes with the benchmark, and the namespace with it
	old, err := netns.Get()
	check := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	check(err)
	ns, err := netns.New()
	check(err)
	b.Cleanup(func() { _ = netns.Set(old); _ = ns.Close(); _ = old.Close() })
	for _, line := range []string{
		"ip link set lo up", "ip link add gen0 address 02:00:00:00:00:01 type veth peer name lb0 address 02:00:00:00:00:11", "ip link set gen0 up", "ip link set lb0 up",
		"ip addr add 10.2.0.11/24 dev lb0", "ip neigh add 10.2.0.31 lladdr 02:00:00:00:00:31 dev lb0", "ip neigh add 10.2.0.32 lladdr 02:00:00:00:00:32 dev lb0",
		"sysctl -qw net.ipv4.ip_forward=1", "sysctl -qw net.ipv4.conf.all.rp_filter=0", "sysctl -qw net.ipv4.conf.lb0.rp_filter=0", "sysctl -qw net.ipv4.conf.lb0.send_redirects=0",
		"sysctl -qw net.ipv4.conf.all.send_redirects=0", "ip route add 10.1.0.0/16 via 10.2.0.31",
	} {
		w := strings.Fields(line)
		if out, err := exec.Command(w[0], w[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	r := &rig{}
	r.gen, err = netlink.LinkByName("gen0")
	check(err)
	r.lb, err = netlink.LinkByName("lb0")
	check(err)
	var set unix.CPUSet
	set.Set(runtime.NumCPU() - 1)
	check(unix.SchedSetaffinity(0, &set))
	r.seen, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	check(err)
	load := func(ins asm.Instructions) *ebpf.Program {
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, AttachType: ebpf.AttachXDP, Instructions: ins, License: "Apache-2.0"})
		check(err)
		return p
	}
	r.pass = load(asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()})
	r.drop = load(count(r.seen))
	r.sink, err = link.AttachXDP(link.XDPOptions{Program: r.drop, Interface: r.gen.Attrs().Index, Flags: link.XDPDriverMode})
	check(err)
	r.load = load
	r.end, err = link.AttachXDP(link.XDPOptions{Program: r.pass, Interface: r.lb.Attrs().Index, Flags: link.XDPDriverMode})
	check(err)
	return r
}

// count counts a frame and drops it.
func count(m *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, 0), asm.StoreMem(asm.RFP, -4, asm.R1, asm.Word), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, m.FD()), asm.FnMapLookupElem.Call(), asm.JEq.Imm(asm.R0, 0, "out"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord), asm.Add.Imm(asm.R1, 1), asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("out"), asm.Return(),
	}
}

// generator writes one of 1024 source addresses and its checksum into a frame, and sends it out. The frame's memory
// is used again and again: what is changed on the way is written anew.
func generator(ifindex int, to netip.Addr) asm.Instructions {
	four := to.As4()
	return asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 0, asm.Word), asm.LoadMem(asm.R8, asm.R1, 4, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7), asm.Add.Imm(asm.R2, 60), asm.JGT.Reg(asm.R2, asm.R8, "drop"),
		asm.StoreImm(asm.R7, 0, 2, asm.Word), asm.StoreImm(asm.R7, 4, 0x1100, asm.Half), asm.StoreImm(asm.R7, 6, 2, asm.Word), asm.StoreImm(asm.R7, 10, 0x0100, asm.Half),
		asm.StoreImm(asm.R7, 22, 17<<8|64, asm.Half), asm.StoreImm(asm.R7, 30, int64(binary.LittleEndian.Uint32(four[:])), asm.Word),
		asm.FnGetPrandomU32.Call(), asm.And.Imm(asm.R0, 1023),
		asm.LoadMem(asm.R3, asm.R7, 42, asm.Half), // the sum of all else stands behind the UDP header
		asm.StoreMem(asm.R7, 28, asm.R0, asm.Half),
		asm.Add.Reg(asm.R3, asm.R0),
		asm.Mov.Reg(asm.R4, asm.R3), asm.RSh.Imm(asm.R4, 16), asm.And.Imm(asm.R3, 0xffff), asm.Add.Reg(asm.R3, asm.R4),
		asm.Mov.Reg(asm.R4, asm.R3), asm.RSh.Imm(asm.R4, 16), asm.Add.Reg(asm.R3, asm.R4),
		asm.Xor.Imm(asm.R3, 0xffff), asm.StoreMem(asm.R7, 24, asm.R3, asm.Half),
		asm.Mov.Imm(asm.R1, int32(ifindex)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("drop"), asm.Return(),
	}
}

// benchFrame is an ACK of a TFTP client, or its request.
func benchFrame(to netip.Addr, request bool) []byte {
	f := make([]byte, 80)
	copy(f, []byte{2, 0, 0, 0, 0, 0x11, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 66, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 0, 0})
	copy(f[30:], to.AsSlice())
	copy(f[34:], []byte{8, 22, 0x9c, 0x40, 0, 46, 0, 0})
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.LittleEndian.Uint16(f[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.LittleEndian.PutUint16(f[42:], uint16(sum))
	if request {
		f[36], f[37] = 0, 69
	}
	return f
}

// measure sends n frames, and returns what each cost until the sink had it.
func (r *rig) measure(b *testing.B, p *ebpf.Program, frame []byte, n int) time.Duration {
	before := r.count(b)
	began := time.Now()
	_, err := p.Run(&ebpf.RunOptions{Data: frame, Repeat: uint32(n), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES, BatchSize: 64})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	got, last := uint64(0), time.Now()
	for got < uint64(n) && time.Since(last) < 100*time.Millisecond {
		if now := r.count(b) - before; now != got {
			got, last, took = now, time.Now(), time.Since(began)
		}
	}
	if got < uint64(n)*99/100 {
		fmt.Printf("  (%d of %d frames arrived)\n", got, n)
	}
	return took
}

func (r *rig) count(b *testing.B) (n uint64) {
	var each []uint64
	if err := r.seen.Lookup(uint32(0), &each); err != nil {
		b.Fatal(err)
	}
	for _, x := range each {
		n += x
	}
	return n
}

func (r *rig) run(b *testing.B) {
	vip, direct := netip.MustParseAddr("10.2.0.20"), netip.MustParseAddr("10.2.0.31")
	const n = 1_000_000
	nft := func(text string) func() func() {
		return func() func() {
			cmd := exec.Command("nft", "-f", "-")
			cmd.Stdin = strings.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("nft: %v: %s", err, out)
			}
			undo := r.attach(b, r.pass)
			return func() { undo(); _ = exec.Command("nft", "flush", "ruleset").Run() }
		}
	}
	rows := []struct {
		name  string
		setup func() func()
		to    netip.Addr
		asks  bool
	}{
		{"generator and sink alone", func() func() { return r.attach(b, r.drop) }, vip, false},
		{"dsr by xdp, maglev", r.dsr(b, bpf.XDP, lb.Maglev), vip, false},
		{"dsr by xdp, round-robin", r.dsr(b, bpf.XDP, lb.RoundRobin), vip, false},
		{"dsr by tcx, maglev", r.dsr(b, bpf.TCX, lb.Maglev), vip, false},
		{"dsr by tcx, round-robin", r.dsr(b, bpf.TCX, lb.RoundRobin), vip, false},
		{"the kernel forwards, no balancing", func() func() { return r.attach(b, r.pass) }, direct, false},
		{"nftables fwd, jhash", nft(`table netdev d { chain in { type filter hook ingress device "lb0" priority -500;
			ip daddr != 10.2.0.20 accept
			ether saddr set 02:00:00:00:00:11 ether daddr set jhash ip saddr mod 2 map { 0 : 02:00:00:00:00:31, 1 : 02:00:00:00:00:32 } fwd to "lb0"
			}
			}`), vip, false},
		{"nftables fwd, turns and persistence", nft(`table netdev d {
			map be { type mark : ether_addr; elements = { 1 : 02:00:00:00:00:31, 2 : 02:00:00:00:00:32 } }
			map p { type ipv4_addr : mark; flags dynamic,timeout; timeout 100s; size 65535; }
			chain in { type filter hook ingress device "lb0" priority -500;
			ip daddr != 10.2.0.20 accept
			meta mark set ip saddr map @p
			meta mark 0 meta mark set numgen inc mod 2 offset 1
			update @p { ip saddr timeout 100s : meta mark }
			ether saddr set 02:00:00:00:00:11 ether daddr set meta mark map @be fwd to "lb0"
			}
			}`), vip, false},
		{"nftables DNAT", nft(`table ip l { chain n { type nat hook prerouting priority dstnat;
			ip daddr 10.2.0.20 dnat to jhash ip saddr mod 2 map { 0 : 10.2.0.31, 1 : 10.2.0.32 }
			}
			}`), vip, false},
		{"nftables DNAT, requests with the TFTP helper", nft(`table ip l { ct helper t { type "tftp" protocol udp; }
			chain h { type filter hook prerouting priority -150; ip daddr 10.2.0.20 udp dport 69 ct helper set "t"
			}
			chain n { type nat hook prerouting priority dstnat;
			ip daddr 10.2.0.20 udp dport 69 dnat to jhash ip saddr mod 2 map { 0 : 10.2.0.31, 1 : 10.2.0.32 }
			}
			}`), vip, true},
		{"dsr by xdp, maglev, requests", r.dsr(b, bpf.XDP, lb.Maglev), vip, true},
	}
	took := make([][]time.Duration, len(rows))
	for range 5 {
		for i, row := range rows {
			undo := row.setup()
			frame := benchFrame(row.to, row.asks)
			p := r.load(generator(r.gen.Attrs().Index, row.to))
			r.measure(b, p, frame, n/20) // warm
			took[i] = append(took[i], r.measure(b, p, frame, n))
			_ = p.Close()
			undo()
		}
	}
	// The best and not the median: what disturbs a round only makes it longer.
	fmt.Printf("\ndsr       packets on one core, generator and sink included: the best of 5 rounds of a million\n  %-46s %10s %10s\n", "", "kpps", "ns/packet")
	base := 0.0
	for i, row := range rows {
		slices.Sort(took[i])
		each := float64(took[i][0].Nanoseconds()) / n
		if i == 0 {
			base = each
		}
		fmt.Printf("  %-46s %10.0f %10.0f\n", row.name, 1e6/each, each-base)
	}
}

// attach puts a program on the balancer's end of the cable.
func (r *rig) attach(b *testing.B, p *ebpf.Program) func() {
	if err := r.end.Update(p); err != nil {
		b.Fatal(err)
	}
	return func() {}
}

// dsr lets our own programs work there.
func (r *rig) dsr(b *testing.B, way bpf.Way, by lb.Scheduler) func() func() {
	return func() func() {
		path, err := bpf.Open("")
		if err != nil {
			b.Fatal(err)
		}
		tb := table(vip4, by, 0, 1)
		known := map[netip.Addr]hop{}
		for i, x := range tb.Service.Backends {
			known[x.TFTP.Addr()] = hop{mac: [6]byte{2, 0, 0, 0, 0, byte(0x31 + i)}, up: true}
		}
		next, _ := compile(nil, []lb.Table{tb}, map[string]neigh.Interface{tb.Service.Name: {MAC: [6]byte{2, 0, 0, 0, 0, 0x11}}}, known)
		if err := path.Replace(next); err != nil {
			b.Fatal(err)
		}
		if way == bpf.XDP {
			r.attach(b, path.Program(way))
			return func() { _ = path.Close() }
		}
		r.attach(b, r.pass)
		l, err := link.AttachTCX(link.TCXOptions{Interface: r.lb.Attrs().Index, Program: path.Program(way), Attach: ebpf.AttachTCXIngress})
		if err != nil {
			b.Fatal(err)
		}
		return func() { _ = l.Close(); _ = path.Close() }
	}
}
