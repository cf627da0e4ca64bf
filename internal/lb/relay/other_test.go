package relay

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lb"
	"surefoot/internal/probe"
	wire "surefoot/internal/wire/tftp"
)

// Every backend that another one may have to go on for.
func takers(b []byte) map[string]*scripted {
	return map[string]*scripted{
		"lock-step":          {content: b, options: true, limits: lockStep},
		"no options":         {content: b},
		"odd blocks":         {content: b, options: true, limits: wire.Limits{BlockSize: 1000, WindowSize: 3}},
		"no tsize":           {content: b, options: true, limits: wire.Limits{Refuse: []string{"tsize"}}},
		"no windows":         {content: b, options: true, limits: wire.Limits{Refuse: []string{"windowsize"}}},
		"refuses options":    {content: b, refuse: wire.ErrNegotiation, text: "no"}, // and then everything
		"grants too much":    {content: b, grant: []wire.Option{{Name: "blksize", Value: "9000"}}},
		"grants the unasked": {content: b, grant: []wire.Option{{Name: "multicast", Value: "239.1.1.1,1758,1"}}},
		"tells another size": {content: b, grant: []wire.Option{{Name: "tsize", Value: fmt.Sprint(len(b) + 1)}}},
	}
}

// The options of the second backend are nobody's business but the relay's: the client goes on with what
// it was granted, in the blocks that it was granted, and has the file. From a backend that breaks the
// rules nothing is taken at all: the third one goes on.
func TestOptionsOfTheNextBackendDiffer(t *testing.T) {
	b := content(200_000)
	for _, as := range []probe.Style{probe.IPXE, probe.EDK2, probe.Plain} {
		for name, second := range takers(b) {
			for kind, change := range map[string]func(*Config){"shared": nil, "own": off} {
				t.Run(fmt.Sprint(as, " ", name, " ", kind), func(t *testing.T) {
					t.Parallel()
					second := &scripted{
						content: b, options: second.options, limits: second.limits, grant: second.grant,
						refuse: second.refuse, text: second.text,
					}
					first := &scripted{content: b, options: true, stopAt: 60}
					s := startAt(t, patient(), change, first.start(t), second.start(t), real(t, map[string][]byte{"f": b}, nil))
					res := s.get("f", as)
					if res.Fault != nil || res.SHA256 != hashOf(b) {
						if name == "tells another size" && res.Fault != nil && strings.Contains(res.Fault.Text, "different files") {
							return // b1 and b3 failed to answer in time on a busy machine, so nobody agrees with b1's part
						}
						t.Fatalf("%d bytes, %v", res.Size, res.Fault)
					}
					want := map[probe.Style]string{
						probe.IPXE: "blksize=1432 tsize=200000", probe.EDK2: "blksize=1468 windowsize=4", probe.Plain: "",
					}[as]
					if !sameOptions(res.Granted, want) {
						t.Errorf("granted %q, want %q", res.Granted, want)
					}
					from := s.ends(1)[0].Backend
					if bad := second.grant != nil || second.refuse != 0; bad && strings.Contains(from, "b2") {
						t.Errorf("%s was taken from, which broke the rules", from)
					} else if !bad && from != "b1, then b2" && from != "b2" {
						t.Errorf("it came from %q", from)
					}
				})
			}
		}
	}
}

func sameOptions(a, b string) bool {
	count := map[string]int{}
	for _, o := range strings.Fields(a) {
		count[o]++
	}
	for _, o := range strings.Fields(b) {
		count[o]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// Block numbers wrap after 65535. A backend that dies there, in windows, costs no byte: neither on its own side,
// nor on that of the next one, whose numbers wrap elsewhere, nor on the client's.
func TestGoesOnWhereNumbersWrap(t *testing.T) {
	const bs = 8 // the least: so the wrap is at 524 kB
	b := content(bs*65536 + 70_000)
	small := wire.Limits{BlockSize: bs, WindowSize: 16}
	for _, c := range []struct { // each is 65,000 packets and more
		name   string
		stop   int64
		second *scripted
	}{
		{"just before, then other blocks", 65535, &scripted{content: b, options: true}},
		{"just after, then the same blocks", 65537, &scripted{content: b, options: true, limits: small}},
		{"a window later, then no options", 65536 + 17, &scripted{content: b}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := &scripted{content: b, options: true, limits: small, stopAt: c.stop}
			s := startAt(t, patient(), off, first.start(t), c.second.start(t))
			s.want("f", probe.IPXE, b)
			select {
			case <-first.stopped:
			default:
				t.Skip("this machine is too busy: the first backend never came so far")
			}
		})
	}
}

// The client's own numbers wrap, in windows, while the backend changes.
func TestClientsNumbersWrap(t *testing.T) {
	const bs = 8
	b := content(bs*65536 + 70_000)
	first := &scripted{content: b, options: true, stopAt: bs * 65530 / blockSize}
	s := startAt(t, patient(), off, first.start(t), real(t, map[string][]byte{"f": b}, nil))
	c, err := dial(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := newReceiver("f", "octet", false)
	m.asked = []wire.Option{{Name: "blksize", Value: fmt.Sprint(bs)}, {Name: "windowsize", Value: "64"}}
	m.last = wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: "f", Mode: "octet", Options: m.asked})
	to, reply := s.r.Addr(), m.last
	var got []byte
	for buf := make([]byte, 600); ; {
		if reply != nil {
			if _, err := c.WriteToUDPAddrPort(reply, to); err != nil {
				t.Fatal(err)
			}
		}
		if m.done {
			break
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		var data []byte
		if reply, data, err = m.receive(buf[:n]); err != nil {
			t.Fatal(err)
		}
		to, got = from, append(got, data...)
	}
	if hashOf(got) != hashOf(b) || m.block <= 65536 {
		t.Errorf("another content of %d bytes, after block %d", len(got), m.block)
	}
	if ends := s.ends(1); ends[0].Backend != "b1, then b2" && ends[0].Backend != "b2" {
		t.Errorf("told: %+v", ends)
	}
}

// A backend that is slow with each request, and all there is, is waited for in the later rounds.
func TestSlowBackendIsWaitedFor(t *testing.T) {
	slow := &scripted{content: content(20_000), options: true, slow: 450 * time.Millisecond}
	s := start(t, nil, slow.start(t))
	s.want("f", probe.IPXE, slow.content)
}

// A backend that is slow in mid-transfer, but delivers to somebody, is not left: to begin anew elsewhere
// would be more work for all.
func TestSlowBackendIsNotLeft(t *testing.T) {
	b := content(30_000)
	p := usualPace()
	p.patience[0], p.slowest = 500*time.Millisecond, 20*time.Second
	for _, delivers := range []bool{true, false} {
		slow := &scripted{content: b, options: true, pause: 800 * time.Millisecond}
		other := &scripted{content: b, options: true}
		s := startAt(t, p, off, slow.start(t), other.start(t))
		s.r.stats.mu.Lock()
		of := s.r.stats.at("b1")
		s.r.stats.mu.Unlock()
		done := make(chan struct{})
		go func() { // what others are sent
			for tick := time.NewTicker(20 * time.Millisecond); delivers; {
				select {
				case now := <-tick.C:
					of.heard.Store(now.UnixNano())
				case <-done:
					return
				}
			}
		}()
		s.want("f", probe.IPXE, b)
		close(done)
		if left := len(other.asked()) > 0; left == delivers {
			t.Errorf("it delivers to others: %v; it was left: %v", delivers, left)
		}
	}
}

// Nothing but a pace like this keeps the promises of docs/relay.md.
func TestPace(t *testing.T) {
	p := usualPace()
	if p.patience[0]*2 >= time.Second {
		t.Error("two dead backends cost a client its first time-out")
	}
	if p.sorryAfter >= 10*time.Second {
		t.Error("plain ROMs give up before they are told")
	}
	if p.firstResend >= p.patience[0]/2 {
		t.Error("a lost packet makes a backend look dead")
	}
}

// A client behind a stateful firewall, or a NAT without a helper, hears one port only: the one it asked. It is a
// connected socket that shows it, and the backend may die meanwhile.
func TestSinglePortBehindAFirewall(t *testing.T) {
	b := content(100_000)
	first := &scripted{content: b, options: true, stopAt: 30}
	s := start(t, func(c *Config) { c.Ports.Single = true; c.Cache = 0 }, first.start(t), real(t, map[string][]byte{"f": b}, nil))
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.r.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send := func(b []byte) {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: "f", Mode: "octet"}))
	var got []byte
	buf := make([]byte, 600)
	for want := uint16(1); ; {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		p, err := wire.ParsePacket(buf[:n])
		if err != nil || p.Op != wire.OpDATA {
			t.Fatalf("%+v, %v", p, err)
		}
		if p.Block != want {
			continue
		}
		got = append(got, p.Data...)
		send(wire.AppendACK(nil, want))
		want++
		if len(p.Data) < 512 {
			break
		}
	}
	if hashOf(got) != hashOf(b) {
		t.Errorf("another content of %d bytes", len(got))
	}
}

// Many at once on a single port while their backend dies: nobody gets another one's blocks.
func TestSinglePortManyClients(t *testing.T) {
	all := map[string][]byte{}
	for i := range 30 {
		all[fmt.Sprint("f", i)] = content(50_000 + i)
	}
	s := start(t, func(c *Config) { c.Ports.Single = true; c.Service.Scheduler = lb.Rendezvous }, dead(t), real(t, all, nil), real(t, all, nil))
	type outcome struct {
		name string
		res  probe.Result
	}
	out := make(chan outcome)
	for name := range all {
		go func() { out <- outcome{name, s.get(name, probe.IPXE)} }()
	}
	for range all {
		o := <-out
		if o.res.Fault != nil || o.res.SHA256 != hashOf(all[o.name]) {
			t.Errorf("%s: %d bytes, %v", o.name, o.res.Size, o.res.Fault)
		}
	}
	for _, ev := range s.ends(len(all)) {
		if ev.Reason != boot.Done {
			t.Errorf("told: %+v", ev)
		}
	}
}
