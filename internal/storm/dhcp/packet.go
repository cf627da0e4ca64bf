package dhcp

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// Where things are in a frame of ours.
const (
	payloadAt = 14 + 20 + 8
	udpSumAt  = 14 + 20 + 6
	xidAt     = payloadAt + 4
	secsAt    = payloadAt + 8
	chaddrAt  = payloadAt + 28
	optionsAt = payloadAt + 240
)

// kind is a message that the machines send, as a whole frame in which only a few bytes differ from
// machine to machine.
type kind struct {
	frame        []byte
	idAt, wantAt int // of option 61's MAC, and of option 50; 0: not there
	serverAt     int // of option 54
}

// messages makes the frames.
func (c *Config) messages(own, server boot.MAC) map[wire.MessageType]*kind {
	out := map[wire.MessageType]*kind{}
	for _, t := range []wire.MessageType{wire.Discover, wire.Request} {
		out[t] = c.message(t, own, server)
	}
	return out
}

func (c *Config) message(t wire.MessageType, own, server boot.MAC) *kind {
	p := &wire.Packet{Op: wire.OpRequest}
	p.SetMAC(c.First)
	if c.Broadcast {
		p.Flags = wire.FlagBroadcast
	}
	p.SetType(t)
	// What is behind these has no fixed place.
	k := &kind{}
	at := optionsAt + 3
	put := func(code wire.Code, n int, lead ...byte) int {
		p.Set(code, append(lead, make([]byte, n)...))
		here := at + 2 + len(lead)
		at = here + n
		return here
	}
	if t == wire.Request {
		k.wantAt = put(wire.RequestedAddress, 4)
		if c.What != Again {
			k.serverAt = put(wire.ServerID, 4)
		}
	}
	if c.ClientID {
		k.idAt = put(wire.ClientID, 6, wire.HTypeEthernet)
	}
	p.Set(wire.ParameterList, []byte{1, 3, 6, 15, 26, 28, 51, 54, 58, 59, 66, 67})
	p.Set(wire.MaxMessageSize, []byte{5, 192})
	if c.PXE {
		p.SetText(wire.VendorClass, "PXEClient:Arch:00007:UNDI:003016")
		p.Set(wire.ClientArch, []byte{0, 7})
		p.Set(wire.ClientNDI, []byte{1, 3, 16})
	}
	d := frame.Datagram{
		SrcMAC: own, DstMAC: frame.Broadcast,
		Src: netip.AddrPortFrom(netip.IPv4Unspecified(), wire.ClientPort),
		Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), wire.ServerPort),
	}
	if c.Relay.IsValid() {
		p.GIAddr, p.Hops = c.Relay, 1
		d.DstMAC = server
		d.Src, d.Dst = netip.AddrPortFrom(c.Relay, wire.ServerPort), netip.AddrPortFrom(c.Server, wire.ServerPort)
	}
	b, err := p.Encode(0)
	if err != nil {
		panic(err) // of constants
	}
	d.Payload = b
	k.frame = d.Frame()
	// No checksum, which RFC 768 allows: it would differ from machine to machine.
	k.frame[udpSumAt], k.frame[udpSumAt+1] = 0, 0
	return k
}

// fill is what differs.
type fill struct {
	mac          boot.MAC
	xid          uint32
	secs         uint16
	want, server [4]byte
}

// append writes the message of one machine at the end of b.
func (k *kind) append(b []byte, f fill, direct bool) []byte {
	from := len(b)
	b = append(b, k.frame...)
	x := b[from:]
	if direct {
		copy(x[6:], f.mac[:])
	}
	binary.BigEndian.PutUint32(x[xidAt:], f.xid)
	binary.BigEndian.PutUint16(x[secsAt:], f.secs)
	copy(x[chaddrAt:], f.mac[:])
	if k.idAt > 0 {
		copy(x[k.idAt:], f.mac[:])
	}
	if k.wantAt > 0 {
		copy(x[k.wantAt:], f.want[:])
	}
	if k.serverAt > 0 {
		copy(x[k.serverAt:], f.server[:])
	}
	return b
}

// of says what a machine writes into secs so long after its first packet.
func (s Secs) of(since time.Duration) uint16 {
	n := uint16(min(since/time.Second, math.MaxUint16))
	switch s {
	case SecsZero:
		return 0
	case SecsPXE4:
		return n + 4
	case SecsSwap:
		return n<<8 | n>>8
	}
	return n
}
