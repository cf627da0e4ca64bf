package dhcp6

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// maxRelays is through how many relays a packet may have come: one that has been through 8 is not relayed any
// more (RFC 8415 section 7.6, HOP_COUNT_LIMIT), so that it reaches the server through 9 at most.
const maxRelays = 9

const (
	headerLen = 4  // type and transaction
	relayLen  = 34 // type, hops, link and peer
)

// Relay is what one relay says of a packet that it forwarded (RFC 8415 section 9).
type Relay struct {
	Hops       uint8
	Link, Peer netip.Addr // in the client's network; whom the relay had it from
	Options    Options
}

// LinkLayer is the client's hardware address as its first relay saw it (RFC 6939), nil if it does not say.
func (r *Relay) LinkLayer() (htype uint16, addr []byte) {
	b, ok := r.Options.Get(ClientLinkLayer)
	if !ok || len(b) < 3 {
		return 0, nil
	}
	return binary.BigEndian.Uint16(b), b[2:]
}

// View reads a packet where it lies. It points into the bytes that Parse was given, and so does everything that
// its methods return: neither may be used once the buffer is filled again. A View is reused for one packet after
// another and then allocates nothing; the zero value is an empty one.
type View struct {
	b      []byte // the packet, nil if there is none
	msg    []byte // the client's message in it
	relays [maxRelays]Relay
	n      int
}

// errNested is the answer to relays within relays without end.
var errNested = errors.New("more relays than a packet may go through")

// Parse reads a client's or server's packet, with the relays' messages around it. It refuses what is cut short, at
// every depth that the rest of this package reads. After an error the View is empty.
func (v *View) Parse(b []byte) error {
	v.b, v.msg, v.n = b, b, 0
	if err := v.parse(); err != nil {
		v.b, v.msg, v.n = nil, nil, 0
		return fmt.Errorf("decode dhcpv6 packet: %w", err)
	}
	return nil
}

func (v *View) parse() error {
	for {
		if len(v.msg) < headerLen {
			return fmt.Errorf("%d bytes, the header has %d", len(v.msg), headerLen)
		}
		t := MessageType(v.msg[0])
		if t != RelayForward && t != RelayReply {
			return checkOptions(v.Options())
		}
		if v.n == maxRelays {
			return errNested
		}
		if len(v.msg) < relayLen {
			return fmt.Errorf("%d bytes, a relay's header has %d", len(v.msg), relayLen)
		}
		r := &v.relays[v.n]
		*r = Relay{
			Hops: v.msg[1], Link: netip.AddrFrom16([16]byte(v.msg[2:])), Peer: netip.AddrFrom16([16]byte(v.msg[18:])),
			Options: v.msg[relayLen:],
		}
		if err := r.Options.check(); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		inner, ok := r.Options.Get(RelayMessage)
		if !ok {
			return fmt.Errorf("%s carries no message", t)
		}
		if len(inner) > 0 && (MessageType(inner[0]) == RelayForward || MessageType(inner[0]) == RelayReply) && inner[0] != v.b[0] {
			return fmt.Errorf("%s within %s", MessageType(inner[0]), t)
		}
		v.n++
		v.msg = inner
	}
}

// checkOptions looks at the options of a message and of the identity associations in it.
func checkOptions(o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	for c, b := range o.All() {
		if c != IANA && c != IATA && c != IAPD {
			continue
		}
		ia, ok := parseIA(c, b)
		if !ok {
			return fmt.Errorf("%s of %d bytes", c, len(b))
		}
		if err := ia.Options.check(); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		for c, b := range ia.Options.All() {
			if c == IAAddress && len(b) < 24 {
				return fmt.Errorf("%s of %d bytes", c, len(b))
			}
		}
		for a := range ia.Addresses() {
			if err := a.Options.check(); err != nil {
				return fmt.Errorf("%s: %w", IAAddress, err)
			}
		}
	}
	return nil
}

// Len returns how long the packet is, in bytes.
func (v *View) Len() int { return len(v.b) }

// Bytes returns the packet.
func (v *View) Bytes() []byte { return v.b }

// Type is what the client's message is.
func (v *View) Type() MessageType { return MessageType(v.msg[0]) }

// XID is the number of the exchange, 24 bits.
func (v *View) XID() uint32 { return binary.BigEndian.Uint32(v.msg) & (1<<24 - 1) }

// Options are the client's.
func (v *View) Options() Options { return v.msg[headerLen:] }

// Relays are those that the packet came through, the last one, which sent it to the server, in front.
func (v *View) Relays() []Relay { return v.relays[:v.n] }

// First is the relay that heard the client, nil without any.
func (v *View) First() *Relay {
	if v.n == 0 {
		return nil
	}
	return &v.relays[v.n-1]
}

// Link is an address in the network of the client: what the relay nearest to it says that says any (RFC 8415
// section 13.1; a relay that looks at nothing but layer 2 leaves it unspecified, RFC 6221). The zero value
// means that no relay says, or that there is none.
func (v *View) Link() netip.Addr {
	for i := v.n - 1; i >= 0; i-- {
		if a := v.relays[i].Link; !a.IsUnspecified() {
			return a
		}
	}
	return netip.Addr{}
}

// ClientID is the client's DUID, nil without one.
func (v *View) ClientID() DUID {
	b, _ := v.Options().Get(ClientID)
	return DUID(b)
}

// ServerID is the DUID of the server that is asked, nil without one.
func (v *View) ServerID() DUID {
	b, _ := v.Options().Get(ServerID)
	return DUID(b)
}
