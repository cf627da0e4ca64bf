package dhcp4

import (
	"fmt"
	"net/netip"
)

// ethernetMTU bounds what a client may ask for by option 57: replies are not fragmented.
const ethernetMTU = 1500

// udpOverIPv4 is what the two headers take of the size that option 57 speaks of, in bytes.
const udpOverIPv4 = 28

// Writer composes the reply to a request. It is used for one reply after another and then allocates
// nothing: Reset begins one, the fields and Put* say what is in it, Append writes it.
//
// Reset keeps what a reply repeats of its request: the transaction, the hardware address, the relay
// and its option 82, which goes back to the byte at the very end (RFC 3046 section 2.2).
type Writer struct {
	Flags                  uint16     // the request's; a relayed NAK sets the broadcast flag (RFC 2131 section 4.3.2)
	CIAddr, YIAddr, SIAddr netip.Addr // zero after Reset
	SName, File            string     // at most MaxSName and MaxFile bytes

	// Limit is the most that the reply may have without IP and UDP headers. Reset sets it: what
	// option 57 allows, 548 without it (RFC 2131 section 2), 1472 at most; 300 for BOOTP.
	Limit int
	// NoOverload keeps options out of the fields sname and file. Reset sets it for BOOTP.
	NoOverload bool

	head  [snameAt]byte // the header as far as its addresses
	bootp bool
	pxe   bool      // the client may read the field file whatever option 52 says
	has   [4]uint64 // which options there are, a bit each
	// Options as they go on the wire, parts and all: 53, the others in their order, 82.
	first, middle, last []byte

	packing // for what does not fit
}

// Reset begins the reply to a request, which Parse has read without an error.
func (w *Writer) Reset(req *View) {
	w.first, w.middle, w.last, w.has = w.first[:0], w.middle[:0], w.last[:0], [4]uint64{}
	w.dropped, w.over = w.dropped[:0], 0
	w.CIAddr, w.YIAddr, w.SIAddr = netip.Addr{}, netip.Addr{}, netip.Addr{}
	w.SName, w.File = "", ""
	w.Flags = req.Flags()
	w.bootp = req.BOOTP()
	w.NoOverload = w.bootp
	w.pxe = isPXE(req)
	w.Limit = min(req.MaxSize(), ethernetMTU) - udpOverIPv4
	if w.bootp {
		w.Limit = minLen // RFC 951: the packet of BOOTP has one size
	}
	w.head = [snameAt]byte(req.b[:snameAt])
	w.head[0], w.head[3] = OpReply, 0 // no hops
	w.head[8], w.head[9] = 0, 0       // no secs
	if agent, ok := req.Get(RelayAgentInfo); ok {
		w.Put(RelayAgentInfo, agent)
	}
}

// Put adds an option; one that is there is replaced, and moves behind the others. The value is copied. One
// that is too long for one option goes out in parts (RFC 3396).
func (w *Writer) Put(c Code, data []byte) {
	b := w.begin(c)
	*b = appendValue(*b, c, data)
}

// PutType says what kind of message the reply is.
func (w *Writer) PutType(t MessageType) {
	b := w.begin(MessageTypeOption)
	*b = append(*b, byte(MessageTypeOption), 1, byte(t))
}

// PutUint16 adds an option of two bytes.
func (w *Writer) PutUint16(c Code, n uint16) {
	b := w.begin(c)
	*b = append(*b, byte(c), 2, byte(n>>8), byte(n))
}

// PutUint32 adds an option of four bytes.
func (w *Writer) PutUint32(c Code, n uint32) {
	b := w.begin(c)
	*b = append(*b, byte(c), 4, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// PutAddr adds an option of one IPv4 address.
func (w *Writer) PutAddr(c Code, a netip.Addr) {
	b, x := w.begin(c), addrBytes(a)
	*b = append(*b, byte(c), 4, x[0], x[1], x[2], x[3])
}

// PutAddrs adds an option that is a list of IPv4 addresses.
func (w *Writer) PutAddrs(c Code, list []netip.Addr) {
	b := w.begin(c)
	at := len(*b)
	*b = append(*b, byte(c), 0)
	for _, a := range list {
		x := addrBytes(a)
		*b = append(*b, x[0], x[1], x[2], x[3])
	}
	seal(b, at)
}

// PutText adds a text option without a NUL.
func (w *Writer) PutText(c Code, s string) {
	b := w.begin(c)
	at := len(*b)
	*b = append(append(*b, byte(c), 0), s...)
	seal(b, at)
}

// PutBootFile adds option 67 with a NUL at its end, see Packet.SetBootFile.
func (w *Writer) PutBootFile(name string) {
	b := w.begin(BootFileName)
	at := len(*b)
	*b = append(append(append(*b, byte(BootFileName), 0), name...), 0)
	seal(b, at)
}

// Has reports whether the reply has an option.
func (w *Writer) Has(c Code) bool { return w.has[c>>6]&(1<<(c&63)) != 0 }

// Del removes an option if it is there.
func (w *Writer) Del(c Code) {
	if !w.Has(c) {
		return
	}
	w.has[c>>6] &^= 1 << (c & 63)
	b := w.part(c)
	for i := 0; i < len(*b); {
		next := i + 2 + int((*b)[i+1])
		if Code((*b)[i]) == c {
			*b = append((*b)[:i], (*b)[next:]...)
			continue
		}
		i = next
	}
}

// begin returns where an option is to be appended.
func (w *Writer) begin(c Code) *[]byte {
	if w.Has(c) {
		w.Del(c)
	}
	w.has[c>>6] |= 1 << (c & 63)
	return w.part(c)
}

// part is where an option belongs.
func (w *Writer) part(c Code) *[]byte {
	switch c {
	case MessageTypeOption:
		return &w.first
	case RelayAgentInfo:
		return &w.last
	}
	return &w.middle
}

// seal fills in the length of the option that begins at a place and goes on to the end, and writes it in
// parts if it has to.
func seal(b *[]byte, at int) {
	n := len(*b) - at - 2
	if n <= 255 {
		(*b)[at+1] = byte(n)
		return
	}
	whole := append([]byte{}, (*b)[at+2:]...)
	*b = appendValue((*b)[:at], Code((*b)[at]), whole)
}

// Append writes the reply at the end of dst: option 53 first and 82 last, the others in the order in
// which they were added, an End option, and zeros up to 300 bytes. What does not fit is dealt with
// as pack says; Dropped and Overloaded tell of it. It fails if even the options without
// which a reply is none do not fit (ErrTooLarge), and if a field is too long for its text.
func (w *Writer) Append(dst []byte) ([]byte, error) {
	if len(w.SName) > MaxSName {
		return dst, fmt.Errorf("encode dhcp reply: sname of %d bytes, %d fit", len(w.SName), MaxSName)
	}
	if len(w.File) > MaxFile {
		return dst, fmt.Errorf("encode dhcp reply: file of %d bytes, %d fit", len(w.File), MaxFile)
	}
	for _, c := range [...]Code{Pad, Overload, End} {
		if w.Has(c) {
			return dst, fmt.Errorf("encode dhcp reply: %s is not for callers to set", c)
		}
	}
	w.dropped, w.over = w.dropped[:0], 0
	room := w.Limit - optionsAt - 1 // End
	fits := len(w.first)+len(w.middle)+len(w.last) <= room
	if !fits {
		if err := w.pack(room); err != nil {
			return dst, fmt.Errorf("encode dhcp reply: %w", err)
		}
	}
	start := len(dst)
	dst = append(dst, w.head[:]...)
	dst = append(dst, make([]byte, optionsAt-snameAt)...) // no allocation: the compiler clears room in dst
	h := dst[start : start+optionsAt]
	h[10], h[11] = byte(w.Flags>>8), byte(w.Flags)
	putAddr(h[12:], w.CIAddr)
	putAddr(h[16:], w.YIAddr)
	putAddr(h[20:], w.SIAddr)
	if w.over&inSName == 0 {
		copy(h[snameAt:], w.SName)
	}
	if w.over&inFile == 0 {
		copy(h[fileAt:], w.File)
	}
	copy(h[headerLen:], magicCookie[:])
	if fits {
		dst = append(append(append(dst, w.first...), w.middle...), w.last...)
	} else {
		w.fillFields(h)
		dst = w.appendPlaced(dst)
	}
	dst = append(dst, byte(End))
	if n := start + minLen - len(dst); n > 0 {
		dst = append(dst, make([]byte, n)...)
	}
	return dst, nil
}

// Dropped returns the options that the last Append left out because there was no room, valid until
// Reset.
func (w *Writer) Dropped() []Code { return w.dropped }

// Overloaded reports whether the last Append put options into the fields.
func (w *Writer) Overloaded() (file, sname bool) { return w.over&inFile != 0, w.over&inSName != 0 }
