package dhcp6

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// maxPacket is the longest payload of a UDP datagram that is written, in bytes. Servers keep replies below 1280
// where they can; nothing here fragments.
const maxPacket = 65527

var errLong = errors.New("encode dhcpv6 packet: longer than a datagram")

// Writer appends a packet to a buffer, and allocates nothing but what that needs. Begin, then options and IAs in
// their order, then End.
type Writer struct {
	b     []byte
	start int            // of the packet in b
	open  [maxRelays]int // where the lengths of the relay message options are
	n     int
	ia    int // where the length of the IA that is being written is
	bad   error
}

// Begin begins a message at the end of dst: without relays the message itself, and otherwise the messages to
// the relays that forwarded the packet in v, in the same order, each with what it is to get back.
func (w *Writer) Begin(dst []byte, v *View, t MessageType) {
	*w = Writer{b: dst, start: len(dst)}
	for i := range v.Relays() {
		w.relay(&v.relays[i], RelayReply)
	}
	w.header(t, v.XID())
}

// BeginMessage begins a message that answers none.
func (w *Writer) BeginMessage(dst []byte, t MessageType, xid uint32) {
	*w = Writer{b: dst, start: len(dst)}
	w.header(t, xid)
}

func (w *Writer) header(t MessageType, xid uint32) {
	w.b = binary.BigEndian.AppendUint32(w.b, uint32(t)<<24|xid&(1<<24-1))
}

// relay writes the message to one relay up to the message in it (RFC 8415 sections 9.2 and 19.3): Interface-Id goes
// back as it came, so does the option that says that the relay has another port (RFC 8357 section 5.2), and what
// the relay asks to have back (RFC 4994).
func (w *Writer) relay(r *Relay, t MessageType) {
	if w.n == maxRelays {
		w.bad = errNested
		return
	}
	w.b = append(w.b, byte(t), r.Hops)
	link, peer := r.Link.As16(), r.Peer.As16()
	w.b = append(w.b, link[:]...)
	w.b = append(w.b, peer[:]...)
	echo, _ := r.Options.Get(EchoRequest)
	for c, data := range r.Options.All() {
		switch {
		case c == RelayMessage || c == EchoRequest:
		case c == InterfaceID || c == RelayPort || names(echo, c):
			w.Put(c, data)
		}
	}
	w.open[w.n] = w.begin(RelayMessage)
	w.n++
}

// begin writes an option's head and returns where its length is.
func (w *Writer) begin(c Code) int {
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(c))
	w.b = append(w.b, 0, 0)
	return len(w.b) - 2
}

// end fills in the length that is at a place.
func (w *Writer) end(at int) {
	n := len(w.b) - at - 2
	if n > 0xffff {
		w.bad = errLong
	}
	binary.BigEndian.PutUint16(w.b[at:], uint16(n))
}

// Put writes an option.
func (w *Writer) Put(c Code, data []byte) {
	at := w.begin(c)
	w.b = append(w.b, data...)
	w.end(at)
}

// PutText writes an option of a text.
func (w *Writer) PutText(c Code, s string) {
	at := w.begin(c)
	w.b = append(w.b, s...)
	w.end(at)
}

// PutUint32 writes an option of a number.
func (w *Writer) PutUint32(c Code, n uint32) {
	at := w.begin(c)
	w.b = binary.BigEndian.AppendUint32(w.b, n)
	w.end(at)
}

// PutAddrs writes an option of addresses.
func (w *Writer) PutAddrs(c Code, list []netip.Addr) {
	at := w.begin(c)
	for _, a := range list {
		b := a.As16()
		w.b = append(w.b, b[:]...)
	}
	w.end(at)
}

// PutCodes writes an option request.
func (w *Writer) PutCodes(c Code, list ...Code) {
	at := w.begin(c)
	for _, x := range list {
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(x))
	}
	w.end(at)
}

// PutStatus writes a status code.
func (w *Writer) PutStatus(s Status, text string) {
	at := w.begin(StatusCode)
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(s))
	w.b = append(w.b, text...)
	w.end(at)
}

// PutClass writes a vendor class of one text (RFC 8415 section 21.16).
func (w *Writer) PutClass(enterprise uint32, text string) {
	at := w.begin(VendorClass)
	w.b = binary.BigEndian.AppendUint32(w.b, enterprise)
	w.texts(text)
	w.end(at)
}

// PutTexts writes an option of texts with their lengths, as boot file parameters and user classes are (RFC 5970
// section 3.2, RFC 8415 section 21.15).
func (w *Writer) PutTexts(c Code, list ...string) {
	at := w.begin(c)
	w.texts(list...)
	w.end(at)
}

func (w *Writer) texts(list ...string) {
	for _, s := range list {
		if len(s) > 0xffff {
			w.bad = errLong
			return
		}
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(s)))
		w.b = append(w.b, s...)
	}
}

// BeginIA begins an identity association; what is written until EndIA is in it.
func (w *Writer) BeginIA(ia IA) {
	w.ia = w.begin(ia.Code)
	w.b = binary.BigEndian.AppendUint32(w.b, ia.IAID)
	if ia.Code != IATA {
		w.b = binary.BigEndian.AppendUint32(w.b, ia.T1)
		w.b = binary.BigEndian.AppendUint32(w.b, ia.T2)
	}
}

// PutAddress writes an address into the identity association.
func (w *Writer) PutAddress(a netip.Addr, preferred, valid uint32) {
	at := w.begin(IAAddress)
	b := a.As16()
	w.b = append(w.b, b[:]...)
	w.b = binary.BigEndian.AppendUint32(w.b, preferred)
	w.b = binary.BigEndian.AppendUint32(w.b, valid)
	w.end(at)
}

// EndIA ends the identity association.
func (w *Writer) EndIA() { w.end(w.ia) }

// End ends the packet and returns the buffer with it.
func (w *Writer) End() ([]byte, error) {
	for w.n > 0 {
		w.n--
		w.end(w.open[w.n])
	}
	switch {
	case w.bad != nil:
		return nil, w.bad
	case len(w.b)-w.start > maxPacket:
		return nil, errLong
	}
	return w.b, nil
}

// Forward wraps a packet as a relay does that heard it, at the end of dst: link is its address in the network of
// whom it had it from, peer.
func Forward(dst []byte, hops uint8, link, peer netip.Addr, options Options, packet []byte) ([]byte, error) {
	w := Writer{b: dst, start: len(dst)}
	w.b = append(w.b, byte(RelayForward), hops)
	l, p := link.As16(), peer.As16()
	w.b = append(append(w.b, l[:]...), p[:]...)
	w.b = append(w.b, options...)
	w.Put(RelayMessage, packet)
	return w.End()
}
