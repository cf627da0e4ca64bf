package dhcp4

import (
	"bytes"
	"fmt"
	"net/netip"
)

// zeros is what packets are padded with.
var zeros [minLen]byte

// pack decides where each option goes. While all fit into the options field, that is where they go.
// Else the more important ones are placed before the others (see rank), each into the first of
// options, file and sname that has room for it. Where that leaves one over, the longest are placed
// first; and where that does too, the less important ones that found no room are dropped.
func (w *Writer) pack() error {
	w.dropped, w.over = w.dropped[:0], 0
	room := w.Limit - optionsAt - 1 // End
	total := 0
	for i := range w.options {
		e := &w.options[i]
		e.area = 0
		if e.code == Pad || e.code == End || e.code == Overload {
			return fmt.Errorf("%s is not for callers to set", e.code)
		}
		total += encodedLen(int(e.to - e.from))
	}
	if total <= room {
		return nil
	}
	return w.squeeze(room)
}

const nowhere = 255 // an entry's area if it is dropped

func (w *Writer) squeeze(room int) error {
	free := [3]int{room, 0, 0}
	if !w.NoOverload {
		// A field ends in an End option and a NUL: some PXE ROMs read it as text whatever option 52
		// says (dnsmasq does the same).
		if w.mayOverloadFile() {
			free[1] = fileLen - 2
		}
		if w.mayOverloadSName() {
			free[2] = snameLen - 2
		}
		if free[1]+free[2] > 0 {
			free[0] -= 3 // option 52
		}
	}
	if err := w.placeByRank(free); err != nil || len(w.dropped) == 0 || free[1]+free[2] == 0 {
		return err
	}
	if w.placeByLength(free) {
		return nil
	}
	return w.placeByRank(free)
}

func (w *Writer) placeByRank(free [3]int) error {
	w.dropped, w.over = w.dropped[:0], 0
	for level := range leastRank + 1 {
		for i := range w.options {
			e := &w.options[i]
			if rank(e.code) != level {
				continue
			}
			if !w.place(e, &free, level == 0) {
				if level == 0 {
					return fmt.Errorf("%s does not fit into %d bytes: %w", e.code, w.Limit, ErrTooLarge)
				}
				w.dropped = append(w.dropped, e.code)
			}
		}
	}
	return nil
}

// placeByLength reports whether it found room for all.
func (w *Writer) placeByLength(free [3]int) bool {
	w.dropped, w.over = w.dropped[:0], 0
	for i := range w.options {
		e := &w.options[i]
		e.area = nowhere
		if rank(e.code) == 0 && !w.place(e, &free, true) {
			return false
		}
	}
	for {
		var longest *entry
		for i := range w.options {
			e := &w.options[i]
			if e.area == nowhere && (longest == nil || e.to-e.from > longest.to-longest.from) {
				longest = e
			}
		}
		if longest == nil {
			return true
		}
		if !w.place(longest, &free, false) {
			return false
		}
	}
}

// place puts an option into the first area with room for it; what a reply is none without goes into the
// options field, which every client reads.
func (w *Writer) place(e *entry, free *[3]int, vital bool) bool {
	n := encodedLen(int(e.to - e.from))
	for area := range free {
		if n <= free[area] && (area == 0 || !vital) {
			free[area] -= n
			e.area = uint8(area)
			w.over |= uint8(area) // inFile is 1 and inSName 2, as the areas
			return true
		}
	}
	e.area = nowhere
	return false
}

// mayOverloadFile reports whether nobody misses the text of the field file. A PXE ROM may read the
// field whatever option 52 says, and EDK2 does not read it then (F4): the name has to be in option 67.
func (w *Writer) mayOverloadFile() bool {
	return w.Has(BootFileName) || w.File == "" && !w.pxe
}

func (w *Writer) mayOverloadSName() bool { return w.SName == "" || w.Has(TFTPServerName) }

const leastRank = 4

// rank is how little a client misses an option, 0 if a reply without it is none.
func rank(c Code) int {
	switch c {
	case MessageTypeOption, ServerID, LeaseTime, SubnetMask, RelayAgentInfo:
		return 0
	case Router, ClasslessRoutes, MicrosoftRoutes, ClientID, RenewalTime, RebindingTime, // to be on the network
		VendorClass, VendorSpecific, BootFileName, TFTPServerName, ClientUUID: // to boot
		return 1
	case TFTPServers, RootPath, BootFileSize, RLPServer, IPXE, PXELinuxMagic, PXELinuxConfig, PXELinuxPrefix, PXELinuxReboot, Message:
		return 2
	case DNSServer, DomainName, HostName, InterfaceMTU, BroadcastAddress:
		return 3
	}
	return leastRank
}

// encodedLen is what an option with a value of n bytes takes, in parts if it has to.
func encodedLen(n int) int { return n + 2*max(1, (n+254)/255) }

// field writes text or options into one of the header's fields.
func (w *Writer) field(f []byte, text string, area uint8) {
	if w.over&area == 0 {
		copy(f, text)
		return
	}
	out := f[:0]
	for i := range w.options {
		if w.options[i].area == area {
			out = w.appendEntry(out, &w.options[i])
		}
	}
	_ = append(out, byte(End))
}

// appendOptions writes the options field.
func (w *Writer) appendOptions(dst []byte) []byte {
	if i := w.find(MessageTypeOption); i >= 0 {
		dst = w.appendEntry(dst, &w.options[i])
	}
	if w.over != 0 {
		dst = append(dst, byte(Overload), 1, w.over)
	}
	agent := -1
	for i := range w.options {
		e := &w.options[i]
		switch {
		case e.code == MessageTypeOption || e.area != 0:
		case e.code == RelayAgentInfo:
			agent = i
		default:
			dst = w.appendEntry(dst, e)
		}
	}
	if agent >= 0 {
		dst = w.appendEntry(dst, &w.options[agent])
	}
	return dst
}

func (w *Writer) appendEntry(dst []byte, e *entry) []byte {
	return appendValue(dst, e.code, w.data[e.from:e.to])
}

func putAddr(b []byte, a netip.Addr) {
	x := addrBytes(a)
	copy(b, x[:])
}

// isPXE reports whether the client is a network card's boot ROM, or a program that acts as one.
func isPXE(req *View) bool {
	return bytes.HasPrefix(req.Text(VendorClass), []byte("PXEClient"))
}
