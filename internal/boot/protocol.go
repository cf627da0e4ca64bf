package boot

import (
	"net/netip"
	"slices"
)

// Protocol is a way by which a server hands out files. What is known of a server is known for each:
// its HTTP may be dead while its TFTP is well.
type Protocol string

// The protocols.
const (
	ByTFTP Protocol = "tftp"
	ByHTTP Protocol = "http"
)

// Protocols lists them, the usual one first.
func Protocols() []Protocol { return []Protocol{ByTFTP, ByHTTP} }

// String writes it as people do.
func (p Protocol) String() string {
	switch p {
	case ByTFTP:
		return "TFTP"
	case ByHTTP:
		return "HTTP"
	}
	return string(p)
}

// Speaks reports whether a server hands out files by a protocol.
func (s Server) Speaks(p Protocol) bool {
	return p == ByTFTP && s.TFTP.IsValid() || p == ByHTTP && s.HTTP.IsValid()
}

// UsesHTTP reports whether a client of the rule may ask for the file by HTTP: firmware that boots by
// HTTP, and an iPXE that is given a script.
func (r Rule) UsesHTTP() bool {
	return len(r.When.Firmware) == 0 || slices.ContainsFunc(r.When.Firmware, func(f Firmware) bool {
		return f == FirmwareUEFIHTTP || f == FirmwareIPXE && r.IPXE != IPXEFile
	})
}

// protocol is the way by which a client would get the file from a server: a script names HTTP where
// there is any, and TFTP for the others.
func (w *work) protocol(s Server) Protocol {
	if w.c.Firmware == FirmwareUEFIHTTP || w.d.Answer.Script && s.HTTP.IsValid() {
		return ByHTTP
	}
	return ByTFTP
}

// living returns the server as an answer may name it, if it hands out the file at present. A script
// can do with less: of a server whose HTTP is dead it names the TFTP.
func (w *work) living(s Server, down Down) (Server, bool) {
	by := w.protocol(s)
	if down == nil || !down(s.Name, w.d.Answer.File, by) {
		return s, true
	}
	if w.trace {
		w.step(false, "server "+s.Name, "does not hand out %s by %s at present", w.d.Answer.File, by)
	}
	if by == ByTFTP || w.c.Firmware == FirmwareUEFIHTTP || !s.TFTP.IsValid() || down(s.Name, w.d.Answer.File, ByTFTP) {
		return Server{}, false
	}
	s.HTTP = netip.AddrPort{}
	return s, true
}
