package bpf

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// verdicts are what both programs do with a frame: with nil in change, the frame goes to the first backend.
var verdicts = []struct {
	name    string
	frame   func(testing.TB) []byte
	service func(*Service)
	want    Verdict
	why     Reason
}{
	{"a request", of(nil), nil, Sent, none},
	{"a request by IPv6", of6(nil), nil, Sent, none},
	{"any protocol, any port", of(func(f *frame) { f.tcp, f.dport = true, 4711 }), nil, Sent, none},
	{"an echo request", icmp4(8), nil, Sent, none},
	{"an echo request by IPv6", icmp6(128), nil, Sent, none},
	{"IP options", of(func(f *frame) { f.options = 10 }), nil, Sent, none},
	{"a first fragment", of(func(f *frame) { f.more = true }), nil, Sent, none},
	{"a later fragment", of(func(f *frame) { f.offset, f.payload = 185, make([]byte, 100) }), nil, Sent, none},
	{"a later fragment by IPv6", of6(func(f *frame) { f.extend, f.offset, f.payload = []byte{44}, 185, make([]byte, 100) }), nil, Sent, none},
	{"extension headers", of6(func(f *frame) { f.extend = []byte{0, 60, 43} }), nil, Sent, none},
	{"more extension headers than anybody sends", of6(func(f *frame) { f.extend = bytes.Repeat([]byte{60}, 20) }), nil, Sent, none},
	{"a VLAN", of(func(f *frame) { f.tags = []uint16{10} }), nil, Sent, none},
	{"a VLAN in a VLAN", of6(func(f *frame) { f.tags = []uint16{10, 20} }), nil, Sent, none},
	{"three VLANs", of(func(f *frame) { f.tags = []uint16{10, 20, 30} }), nil, Passed, NotIP},
	{"a wrong IP checksum", broken(func(b []byte) { b[24]++ }), nil, Sent, none},
	{"a wrong UDP checksum", broken(func(b []byte) { b[40]++ }), nil, Sent, none},
	{"TTL 1", broken(func(b []byte) { b[22] = 1 }), nil, Sent, none},
	{"padding behind the packet", of(func(f *frame) { f.payload = rrq[:4] }), nil, Sent, none},
	{"a large frame", of(func(f *frame) { f.payload = make([]byte, 3000) }), nil, Sent, none},
	{"for another address", of(func(f *frame) { f.to = clients[0] }), nil, Passed, OtherAddress},
	{"for another node, flooded", of(func(f *frame) { f.dst[5]++ }), nil, Passed, OtherMAC},
	{"for everybody", of(func(f *frame) { f.dst = [6]byte{255, 255, 255, 255, 255, 255} }), nil, Passed, OtherMAC},
	{"on a standby", of(nil), func(s *Service) { s.Active = 0 }, Passed, Standby},
	{"from the service itself", of(func(f *frame) { f.from = f.to }), nil, Dropped, Spoofed},
	{"from the service itself by IPv6", of6(func(f *frame) { f.from = f.to }), nil, Dropped, Spoofed},
	{"from a balancer that is a backend", of(func(f *frame) { f.src = back[2] }), nil, Passed, Balanced},
	{"no backend", of(nil), func(s *Service) { s.Slots = 0 }, Passed, NoBackend},
	{"a backend on this node", of(nil), func(s *Service) { s.Backend[0].Flags |= Local }, Passed, none},
	{"a port that it names", of(nil), only(17, 69), Sent, none},
	{"another port", of(func(f *frame) { f.dport = 70 }), only(17, 69), Passed, OtherPort},
	{"a port of another protocol", of(func(f *frame) { f.tcp = true }), only(17, 69), Passed, OtherPort},
	{"a port of TCP", of(func(f *frame) { f.tcp, f.dport = true, 80 }), only(6, 80), Sent, none},
	{"an echo request where ports are named", icmp4(8), only(17, 69), Passed, OtherPort},
	{"neighbour discovery", icmp6(135), nil, Passed, Neighbour},
	{"a neighbour's answer", icmp6(136), nil, Passed, Neighbour},
	{"ARP", broken(func(b []byte) { b[13] = 6 }), nil, Passed, NotIP},
	{"IP version 5", broken(func(b []byte) { b[14] = 0x55 }), nil, Passed, BadHeader},
	{"a header of 16 bytes", broken(func(b []byte) { b[14] = 0x44 }), nil, Passed, BadHeader},
	{"shorter than its own header", broken(func(b []byte) { b[16], b[17] = 0, 19 }), nil, Passed, BadHeader},
	{"longer than the frame", broken(func(b []byte) { b[16] = 0xff }), nil, Passed, Truncated},
	{"longer than the frame by IPv6", func(t testing.TB) []byte { b := request(true).bytes(t); b[18]++; return b }, nil, Passed, Truncated},
	{"a jumbogram", func(t testing.TB) []byte { b := request(true).bytes(t); b[18], b[19] = 0, 0; return b }, nil, Sent, none},
}

func of(change func(*frame)) func(testing.TB) []byte  { return made(false, change) }
func of6(change func(*frame)) func(testing.TB) []byte { return made(true, change) }

func made(six bool, change func(*frame)) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		f := request(six)
		if change != nil {
			change(&f)
		}
		return f.bytes(t)
	}
}

func only(protocol uint8, port uint16) func(*Service) {
	return func(s *Service) {
		s.Ports, s.Only[0] = 1, Port{Protocol: protocol, Number: port<<8 | port>>8}
	}
}

func broken(change func([]byte)) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		b := request(false).bytes(t)
		change(b)
		return b
	}
}

func icmp4(typ uint8) func(testing.TB) []byte {
	return func(t testing.TB) []byte { return control(t, false, typ, 0, make([]byte, 40)) }
}

func icmp6(typ uint8) func(testing.TB) []byte {
	return func(t testing.TB) []byte { return control(t, true, typ, 0, make([]byte, 40)) }
}

func TestVerdicts(t *testing.T) {
	p := open(t)
	for _, c := range verdicts {
		for _, way := range ways() {
			t.Run(c.name+"/"+string(way), func(t *testing.T) {
				both(t, p, c.service)
				in := c.frame(t)
				v, out, why := try(t, p, way, in)
				if v != c.want || why != c.why {
					t.Errorf("%s (%s), want %s (%s)", v, why, c.want, c.why)
				}
				want := in
				if c.want == Sent {
					want = sent(in, back[0])
				}
				if !bytes.Equal(out, want) {
					t.Errorf("went out as\n%x, want\n%x", out, want)
				}
			})
		}
	}
}

// A frame that ends early, wherever, goes to the kernel or, when only what stands behind the packet is missing, on.
func TestTruncated(t *testing.T) {
	p := open(t)
	both(t, p, nil)
	for _, f := range []frame{request(false), request(true), {six: true, src: router, dst: own, from: clients[1], to: vips[1], extend: []byte{0, 60, 44}, sport: 1, dport: 69, payload: rrq}} {
		whole := f.bytes(t)
		for n := 14; n < len(whole); n++ {
			for _, way := range ways() {
				if way == TCX && (n < 34 || f.six && n < 54) {
					continue // the test run makes no such packet
				}
				v, out, why := try(t, p, way, whole[:n])
				if v != Passed || why != Truncated && why != NotIP {
					t.Errorf("%s, %d bytes of %d: %s (%s)", way, n, len(whole), v, why)
				}
				if !bytes.Equal(out, whole[:n]) {
					t.Errorf("%s, %d bytes: was changed", way, n)
				}
			}
		}
	}
	// The same with headers that admit how short they are: forwarded without a look at what is not there.
	whole := request(false).bytes(t)
	for n := 34; n < len(whole); n++ {
		b := slices.Clone(whole[:n])
		binary.BigEndian.PutUint16(b[16:], uint16(n-14))
		for _, way := range ways() {
			_ = p.Forget(Client{vips[0].As16(), clients[0].As16()}) // else it repeats its request
			if v, out, _ := try(t, p, way, b); v != Sent || !bytes.Equal(out, sent(b, back[0])) {
				t.Errorf("%s, a packet of %d bytes: %s", way, n-14, v)
			}
		}
	}
}

// An ICMP error goes to the backend whose packet it is about, whoever sends it.
func TestErrorsFollowTheClient(t *testing.T) {
	p := open(t)
	both(t, p, nil)
	for n, six := range []bool{false, true} {
		if err := p.Set(Client{vips[n].As16(), clients[n].As16()}, Kept{Seen: Clock(), ID: 9, Backend: 2}); err != nil {
			t.Fatal(err)
		}
		f := request(six)
		f.from, f.to = f.to, f.from
		cause := f.bytes(t)[14:]
		typ := uint8(3)
		if six {
			typ = 2 // packet too big
		}
		b := control(t, six, typ, 0, cause)
		from := netip.MustParseAddr("10.1.0.1").AsSlice()
		at := 14 + 12
		if six {
			from, at = netip.MustParseAddr("fd01::1").AsSlice(), 14+8
		}
		copy(b[at:], from)
		for _, way := range ways() {
			if v, out, _ := try(t, p, way, b); v != Sent || !bytes.Equal(out, sent(b, back[2])) {
				t.Errorf("%s: %s to %x, want the backend of the client", way, v, out[:6])
			}
		}
	}
}
