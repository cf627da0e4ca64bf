package proxydhcp

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// fakeNet takes what a server sends, in place of all three sockets.
type fakeNet struct {
	check func(reply []byte)
	fail  error
	sent  int
}

func (f *fakeNet) take(payload []byte) error {
	f.sent++
	if f.check != nil {
		f.check(payload)
	}
	return f.fail
}

type fakeFrames struct{ *fakeNet }

func (f fakeFrames) Write(b []byte) error {
	d, err := frame.Parse(b)
	if err != nil {
		return err
	}
	return f.take(d.Payload)
}

type fakeIP struct{ *fakeNet }

func (f fakeIP) Write(b []byte) error { return f.take(b[frame.Overhead:]) }

func (f *fakeNet) WriteMsgUDPAddrPort(b, oob []byte, _ netip.AddrPort) (int, int, error) {
	return len(b), len(oob), f.take(b)
}

// wired is a server without sockets, and its one port.
func wired(t testing.TB, site *boot.Site, d Deps) (*Server, *port, *fakeNet) {
	t.Helper()
	s, err := New(Config{Node: "boot1", Site: site, Interfaces: []string{"eth0"}}, d)
	if err != nil {
		t.Fatal(err)
	}
	n := &fakeNet{}
	s.ip = fakeIP{n}
	p := &port{name: "eth0", frames: fakeFrames{n}, reply: n}
	l := testLink()
	p.link.Store(&l)
	return s, p, n
}

// TestFlood gives each port 200,000 damaged and invented packets, through everything but the
// sockets: no panic, no answer to junk, each packet accounted for once, memory bounded.
func TestFlood(t *testing.T) {
	const packets = 200_000
	seeds := seedPayloads(t)
	var now time.Time
	var request []byte // the one at work
	reasons := map[boot.Reason]int{}
	ended, answered := 0, 0
	s, p, net := wired(t, site(nil), Deps{
		Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return now },
		Emit: func(ev boot.Event) {
			reasons[ev.Reason]++
			switch ev.Kind {
			case boot.OfferSent, boot.BootReplySent:
				answered++
				ended++
			case boot.Ignored, boot.RequestSeen:
				ended++
			}
		},
	})
	net.check = func(reply []byte) { checkReply(t, request, reply) }
	rnd := rand.New(rand.NewPCG(7, 67))
	before := heap()
	for i := range packets {
		now = now.Add(20 * time.Millisecond)
		request = mutate(rnd, seeds)
		f := frame.Datagram{
			SrcMAC: boot.MAC{2, 9, 9, 9, 9, 9}, DstMAC: frame.Broadcast, Payload: request,
			Src: netip.MustParseAddrPort("0.0.0.0:68"), Dst: netip.MustParseAddrPort("255.255.255.255:67"),
		}.Frame()
		if i%16 == 0 {
			f[rnd.IntN(len(f))] ^= byte(1 << rnd.IntN(8))
		}
		s.onServerPort(p, f)
		request = mutate(rnd, seeds)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(rnd.IntN(256))}), uint16(rnd.IntN(1<<16)))
		s.onBootPort(p, packet{data: request, from: from, to: netip.MustParseAddrPort("10.77.0.2:4011")})
		if t.Failed() {
			t.Fatalf("packet %d: % x", i, request)
		}
	}
	t.Logf("answered %d of %d; %v", answered, 2*packets, reasons)
	if ended != 2*packets {
		t.Errorf("%d packets are accounted for, want %d", ended, 2*packets)
	}
	if n := reasons[boot.Panicked]; n > 0 {
		t.Errorf("%d panics", n)
	}
	if answered != net.sent || answered == 0 || answered > packets {
		t.Errorf("%d answers told of, %d sent: want the same, some, and the smaller part", answered, net.sent)
	}
	for _, r := range []boot.Reason{boot.Malformed, boot.NotDHCP, boot.NotPXE, boot.NotRequest, boot.NotEthernet, boot.OtherMessage, boot.RateLimited, boot.NoRule} {
		if reasons[r] == 0 {
			t.Errorf("reason %s never came", r)
		}
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// checkReply reads request and reply with an independent decoder: a reply goes to a network
// boot only, and never offers an address.
func checkReply(t *testing.T, request, reply []byte) {
	t.Helper()
	out, err := dhcpv4.FromBytes(reply)
	if err != nil {
		t.Errorf("the reply cannot be decoded: %v", err)
		return
	}
	if out.OpCode != dhcpv4.OpcodeBootReply || !out.YourIPAddr.IsUnspecified() || out.Options.Has(dhcpv4.OptionIPAddressLeaseTime) {
		t.Errorf("not a ProxyDHCP reply: %s", out.Summary())
	}
	if m := out.MessageType(); m != dhcpv4.MessageTypeOffer && m != dhcpv4.MessageTypeAck {
		t.Errorf("a reply of type %s", m)
	}
	in, err := dhcpv4.FromBytes(request)
	if err != nil {
		return // stricter than this codec: it wants an End option
	}
	if in.Options.Has(dhcpv4.OptionOptionOverload) {
		return // the other codec does not look into file and sname
	}
	class := in.ClassIdentifier()
	if !strings.HasPrefix(class, "PXEClient") && !strings.HasPrefix(class, "HTTPClient") {
		t.Errorf("an answer to vendor class %q", class)
	}
}

func seedPayloads(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, f := range files {
		for _, h := range clientPackets(t, f) {
			b, err := h.Packet.Encode(0)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
		}
	}
	return out
}

// mutate makes a packet: random bytes, or a real one that was damaged.
func mutate(rnd *rand.Rand, seeds [][]byte) []byte {
	if rnd.IntN(8) == 0 {
		b := make([]byte, rnd.IntN(600))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	b := append([]byte{}, seeds[rnd.IntN(len(seeds))]...)
	if rnd.IntN(4) == 0 { // another machine
		for i := 28; i < 34; i++ {
			b[i] = byte(rnd.Uint32())
		}
	}
	for range rnd.IntN(4) {
		switch i := rnd.IntN(len(b)); rnd.IntN(4) {
		case 0:
			b[i] ^= byte(1 << rnd.IntN(8))
		case 1:
			b[i] = byte(rnd.Uint32())
		case 2:
			b = b[:max(i, 1)]
		case 3: // options of one packet after those of another
			other := seeds[rnd.IntN(len(seeds))]
			b = append(b[:i:i], other[min(i, len(other)):]...)
		}
		if len(b) == 0 {
			break
		}
	}
	return b
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPanicIsSurvived: a fault while working on a packet is counted, logged with the packet, and
// the next packet is answered.
func TestPanicIsSurvived(t *testing.T) {
	var log strings.Builder
	var reasons []boot.Reason
	bad := true
	s, p, net := wired(t, site(nil), Deps{
		Log:  slog.New(slog.NewTextHandler(&log, nil)),
		Emit: func(ev boot.Event) { reasons = append(reasons, ev.Reason) },
		Down: func(string, string, boot.Protocol) bool {
			if bad {
				panic("a fault")
			}
			return false
		},
	})
	h := clientPackets(t, "testdata/captures/ovmf-pxe4-proxy1.pcap")[2]
	b, err := h.Packet.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	at := packet{data: b, from: h.From, to: h.To}
	s.onBootPort(p, at)
	if len(reasons) != 1 || reasons[0] != boot.Panicked || !strings.Contains(log.String(), "packet=01010600") {
		t.Fatalf("reasons %v, log %q: want one panic, with the packet", reasons, log.String())
	}
	bad = false
	s.onBootPort(p, at)
	if net.sent != 1 {
		t.Errorf("%d replies after the fault, want 1", net.sent)
	}
}

// TestSendFailed: an answer that cannot leave is told as such.
func TestSendFailed(t *testing.T) {
	var last boot.Event
	s, p, net := wired(t, site(nil), Deps{Emit: func(ev boot.Event) { last = ev }})
	net.fail = errors.New("network is down")
	h := clientPackets(t, "testdata/captures/ovmf-pxe4-proxy1.pcap")[2]
	b, err := h.Packet.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	s.onBootPort(p, packet{data: b, from: h.From, to: h.To})
	if last.Kind != boot.BootReplySent || last.Reason != boot.SendFailed || !strings.Contains(last.Detail, "network is down") {
		t.Errorf("event %+v, want send-failed with its cause", last)
	}
}

func TestLimiter(t *testing.T) {
	l, now := newLimiter(), time.Unix(1000, 0)
	mac := boot.MAC{2, 0, 0, 0, 0, 1}
	granted := 0
	for range 100 {
		if l.machine(now, mac) {
			granted++
		}
	}
	if want := int(perMachine().Burst); granted != want {
		t.Errorf("%d of 100 packets at once, want %d", granted, want)
	}
	if !l.machine(now, boot.MAC{2, 0, 0, 0, 0, 2}) {
		t.Error("another machine is refused")
	}
	if !l.machine(now.Add(time.Second), mac) {
		t.Error("refused a second later")
	}
	granted = 0
	for range 2 * int(overall().Burst) {
		if l.any(now) {
			granted++
		}
	}
	if granted != int(overall().Burst) {
		t.Errorf("%d packets at once overall, want %v", granted, overall().Burst)
	}
}

// BenchmarkAnswer is a DISCOVER of UEFI firmware to its offer, sockets excepted.
func BenchmarkAnswer(b *testing.B) {
	now := time.Unix(0, 0)
	s, p, _ := wired(b, site(nil), Deps{Now: func() time.Time { now = now.Add(time.Second); return now }})
	h := clientPackets(b, "testdata/captures/ovmf-pxe4-proxy1.pcap")[0]
	payload, err := h.Packet.Encode(0)
	if err != nil {
		b.Fatal(err)
	}
	f := frame.Datagram{SrcMAC: boot.MAC{2, 9}, DstMAC: frame.Broadcast, Src: h.From, Dst: h.To, Payload: payload}.Frame()
	b.ReportAllocs()
	for b.Loop() {
		s.onServerPort(p, f)
	}
}

// FuzzDecide: no panic, and what is answered can be written.
func FuzzDecide(f *testing.F) {
	for _, b := range seedPayloads(f) {
		f.Add(b, true)
		f.Add(b, false)
	}
	sites := []*boot.Site{site(nil), site(otherStyle)}
	f.Fuzz(func(t *testing.T, b []byte, boots bool) {
		msg, err := dhcp4.Decode(b)
		if err != nil {
			return
		}
		h := Heard{Packet: msg, From: netip.MustParseAddrPort("10.77.0.100:68"), To: netip.MustParseAddrPort("255.255.255.255:67"), Link: testLink()}
		if boots {
			h.To = netip.MustParseAddrPort("10.77.0.2:4011")
		}
		for _, s := range sites {
			o := Decide(h, s, nil)
			_ = o.Detail()
			if (o.Reply == nil) == (o.Reason == boot.Answered) {
				t.Fatalf("reason %s, reply %v", o.Reason, o.Reply)
			}
			if o.Reply == nil {
				continue
			}
			raw, err := o.Reply.Encode(rawsock.MaxFrame)
			if err != nil {
				t.Fatalf("the answer cannot be written: %v", err)
			}
			checkReply(t, b, raw)
		}
	})
}
