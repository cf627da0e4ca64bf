package dhcp4

import (
	"encoding/binary"
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

	head    [headerLen]byte
	bootp   bool
	pxe     bool // the client may read the field file whatever option 52 says
	options []entry
	data    []byte // the values of options
	dropped []Code
	over    uint8
}

// entry is one option of a reply.
type entry struct {
	code     Code
	area     uint8 // 0 options, 1 file, 2 sname, see pack
	from, to uint32
}

// Reset begins the reply to a request.
func (w *Writer) Reset(req *View) {
	w.options, w.data, w.dropped, w.over = w.options[:0], w.data[:0], w.dropped[:0], 0
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
	clear(w.head[:])
	w.head[0], w.head[1], w.head[2] = OpReply, req.HType(), req.HLen()
	copy(w.head[4:8], req.b[4:8])     // xid
	copy(w.head[24:28], req.b[24:28]) // giaddr
	copy(w.head[28:44], req.b[28:44])
	if agent, ok := req.Get(RelayAgentInfo); ok {
		w.Put(RelayAgentInfo, agent)
	}
}

// Put adds an option, or replaces the value that it has. The value is copied. A value that is too
// long for one option goes out in parts (RFC 3396).
func (w *Writer) Put(c Code, data []byte) {
	from := len(w.data)
	w.data = append(w.data, data...)
	w.put(c, from)
}

// PutType says what kind of message the reply is.
func (w *Writer) PutType(t MessageType) { w.PutUint8(MessageTypeOption, uint8(t)) }

// PutUint8 adds an option of one byte.
func (w *Writer) PutUint8(c Code, n uint8) {
	from := len(w.data)
	w.data = append(w.data, n)
	w.put(c, from)
}

// PutUint16 adds an option of two bytes.
func (w *Writer) PutUint16(c Code, n uint16) {
	from := len(w.data)
	w.data = binary.BigEndian.AppendUint16(w.data, n)
	w.put(c, from)
}

// PutUint32 adds an option of four bytes.
func (w *Writer) PutUint32(c Code, n uint32) {
	from := len(w.data)
	w.data = binary.BigEndian.AppendUint32(w.data, n)
	w.put(c, from)
}

// PutAddr adds an option of one IPv4 address.
func (w *Writer) PutAddr(c Code, a netip.Addr) {
	from, b := len(w.data), addrBytes(a)
	w.data = append(w.data, b[:]...)
	w.put(c, from)
}

// PutAddrs adds an option that is a list of IPv4 addresses.
func (w *Writer) PutAddrs(c Code, list []netip.Addr) {
	from := len(w.data)
	for _, a := range list {
		b := addrBytes(a)
		w.data = append(w.data, b[:]...)
	}
	w.put(c, from)
}

// PutText adds a text option without a NUL.
func (w *Writer) PutText(c Code, s string) {
	from := len(w.data)
	w.data = append(w.data, s...)
	w.put(c, from)
}

// PutBootFile adds option 67 with a NUL at its end, see Packet.SetBootFile.
func (w *Writer) PutBootFile(name string) {
	from := len(w.data)
	w.data = append(append(w.data, name...), 0)
	w.put(BootFileName, from)
}

// Has reports whether the reply has an option.
func (w *Writer) Has(c Code) bool { return w.find(c) >= 0 }

// Del removes an option if it is there.
func (w *Writer) Del(c Code) {
	if i := w.find(c); i >= 0 {
		w.options = append(w.options[:i], w.options[i+1:]...)
	}
}

func (w *Writer) put(c Code, from int) {
	e := entry{code: c, from: uint32(from), to: uint32(len(w.data))}
	if i := w.find(c); i >= 0 {
		w.options[i] = e
		return
	}
	w.options = append(w.options, e)
}

func (w *Writer) find(c Code) int {
	for i := range w.options {
		if w.options[i].code == c {
			return i
		}
	}
	return -1
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
	if err := w.pack(); err != nil {
		return dst, fmt.Errorf("encode dhcp reply: %w", err)
	}
	start := len(dst)
	dst = append(dst, w.head[:]...)
	h := dst[start : start+headerLen : start+headerLen]
	binary.BigEndian.PutUint16(h[10:], w.Flags)
	putAddr(h[12:], w.CIAddr)
	putAddr(h[16:], w.YIAddr)
	putAddr(h[20:], w.SIAddr)
	w.field(h[snameAt:snameAt+snameLen], w.SName, 2)
	w.field(h[fileAt:fileAt+fileLen], w.File, 1)
	dst = append(dst, magicCookie[:]...)
	dst = w.appendOptions(dst)
	dst = append(dst, byte(End))
	if n := start + minLen - len(dst); n > 0 {
		dst = append(dst, zeros[:n]...)
	}
	return dst, nil
}

// Dropped returns the options that the last Append left out because there was no room, valid until
// Reset.
func (w *Writer) Dropped() []Code { return w.dropped }

// Overloaded reports whether the last Append put options into the fields.
func (w *Writer) Overloaded() (file, sname bool) { return w.over&inFile != 0, w.over&inSName != 0 }
