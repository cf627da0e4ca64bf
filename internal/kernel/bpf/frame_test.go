package bpf

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var (
	own     = [6]byte{2, 0, 0x0a, 2, 0, 0x11}
	router  = [6]byte{2, 0, 0x0a, 2, 0, 1}
	back    = [][6]byte{{2, 0, 0x0a, 2, 0, 0x31}, {2, 0, 0x0a, 2, 0, 0x32}, {2, 0, 0x0a, 2, 0, 0x33}}
	vips    = []netip.Addr{netip.MustParseAddr("10.2.0.20"), netip.MustParseAddr("fd02::20")}
	clients = []netip.Addr{netip.MustParseAddr("10.1.0.10"), netip.MustParseAddr("fd01::10")}
)

// open loads the programs, for this test alone.
func open(t testing.TB) *Path {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	p, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// service has three living backends, the first of which has all slots.
func service() *Service {
	s := &Service{MAC: own, Active: 1, Port: 69 << 8, Backends: 3, Slots: MaxSlots, Timeout: 1e11}
	for i := range 3 {
		s.Backend[i] = Backend{MAC: back[i], Flags: Alive, ID: uint32(i) + 7, Counter: uint16(i)}
	}
	s.Finish()
	return s
}

// both follow the same for IPv4 and IPv6, the latter with counters of its own.
func both(t testing.TB, p *Path, change func(*Service)) {
	t.Helper()
	all := map[Addr]*Service{}
	for n, v := range vips {
		s := service()
		for i := range 3 {
			s.Backend[i].Counter += uint16(3 * n)
		}
		if change != nil {
			change(s)
		}
		s.Finish()
		all[v.As16()] = s
	}
	if err := p.Replace(all); err != nil {
		t.Fatal(err)
	}
	for n := range vips {
		if err := p.Forget(Client{vips[n].As16(), clients[n].As16()}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(6) {
		if err := p.Clear(i); err != nil {
			t.Fatal(err)
		}
	}
}

// frame describes a packet from a client to the service.
type frame struct {
	six      bool
	src, dst [6]byte
	from, to netip.Addr
	tags     []uint16 // VLANs, the outermost first
	options  int      // words of IPv4 options
	extend   []byte   // next headers of IPv6 extensions of 8 bytes each
	offset   uint16   // of a fragment, in units of 8 bytes
	more     bool
	sport    uint16
	dport    uint16
	payload  []byte
	tcp      bool
	syn      bool
}

var rrq = append([]byte{0, 1}, []byte("boot.bin\x00octet\x00tsize\x000\x00")...)

// request is an RRQ of the first client.
func request(six bool) frame {
	f := frame{six: six, src: router, dst: own, from: clients[0], to: vips[0], sport: 2070, dport: 69, payload: rrq}
	if six {
		f.from, f.to = clients[1], vips[1]
	}
	return f
}

func (f frame) bytes(t testing.TB) []byte {
	t.Helper()
	proto, typ := layers.IPProtocolUDP, layers.EthernetTypeIPv4
	if f.six {
		typ = layers.EthernetTypeIPv6
	}
	first := typ
	if len(f.tags) > 0 {
		first = layers.EthernetTypeDot1Q
	}
	stack := []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: f.src[:], DstMAC: f.dst[:], EthernetType: first}}
	for i, v := range f.tags {
		next := layers.EthernetTypeDot1Q
		if i == len(f.tags)-1 {
			next = typ
		}
		stack = append(stack, &layers.Dot1Q{VLANIdentifier: v, Priority: 5, Type: next})
	}
	var inner []gopacket.SerializableLayer
	var ip gopacket.NetworkLayer
	udp := &layers.UDP{SrcPort: layers.UDPPort(f.sport), DstPort: layers.UDPPort(f.dport)}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(f.sport), DstPort: layers.TCPPort(f.dport), SYN: f.syn, ACK: !f.syn}
	if f.tcp {
		proto = layers.IPProtocolTCP
	}
	if f.six {
		x := &layers.IPv6{Version: 6, HopLimit: 17, NextHeader: proto, SrcIP: f.from.AsSlice(), DstIP: f.to.AsSlice()}
		ip = x
		var ext []byte
		for i, h := range f.extend {
			next := byte(proto)
			if i+1 < len(f.extend) {
				next = f.extend[i+1]
			}
			b := make([]byte, 8)
			b[0] = next
			if h == 44 {
				binary.BigEndian.PutUint16(b[2:], f.offset<<3)
			}
			ext = append(ext, b...)
		}
		stack = append(stack, x)
		if len(ext) > 0 {
			x.NextHeader = layers.IPProtocol(f.extend[0])
			stack = append(stack, gopacket.Payload(ext))
		}
	} else {
		x := &layers.IPv4{Version: 4, TTL: 17, Id: 3, Protocol: proto, SrcIP: net.IP(f.from.AsSlice()), DstIP: net.IP(f.to.AsSlice()), FragOffset: f.offset}
		if f.more {
			x.Flags = layers.IPv4MoreFragments
		}
		for range f.options {
			x.Options = append(x.Options, layers.IPv4Option{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}) // router alert
		}
		ip = x
		stack = append(stack, x)
	}
	switch {
	case f.offset > 0:
	case f.tcp:
		_ = tcp.SetNetworkLayerForChecksum(ip)
		inner = append(inner, tcp)
	default:
		_ = udp.SetNetworkLayerForChecksum(ip)
		inner = append(inner, udp)
	}
	stack = append(append(stack, inner...), gopacket.Payload(f.payload))
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// control is an ICMP message in the place of what stands behind the IP header.
func control(t testing.TB, six bool, typ, code uint8, body []byte) []byte {
	f := request(six)
	f.payload = nil
	b := f.bytes(t)
	head := 14 + 20
	if six {
		head = 14 + 40
	}
	b = append(b[:head:head], append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, body...)...)
	if six {
		b[14+6] = 58
		binary.BigEndian.PutUint16(b[14+4:], uint16(len(b)-head))
	} else {
		b[14+9] = 1
		binary.BigEndian.PutUint16(b[14+2:], uint16(len(b)-14))
	}
	return b
}

// sent is the frame as a backend gets it: nothing but two MACs differs.
func sent(b []byte, to [6]byte) []byte {
	out := slices.Clone(b)
	copy(out, to[:])
	copy(out[6:], own[:])
	return out
}

// ways are the programs.
func ways() []Way { return []Way{XDP, TCX} }

// try shows a frame to a program, and returns which reason was counted for it, -1 for none.
func try(t testing.TB, p *Path, way Way, b []byte) (Verdict, []byte, Reason) {
	t.Helper()
	before, err := p.NotForwarded()
	if err != nil {
		t.Fatal(err)
	}
	v, out, err := p.Try(way, b)
	if err != nil {
		t.Fatalf("%s, %d bytes: %v", way, len(b), err)
	}
	after, err2 := p.NotForwarded()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	why := Reason(0xffffffff)
	for r, n := range after {
		if n != before[r] {
			why = r
		}
	}
	return v, out, why
}

const none = Reason(0xffffffff)
