package dhcp4

import (
	"bytes"
	"fmt"
	"net/netip"
)

// packing is what a Writer needs when its options do not fit into the options field.
type packing struct {
	all     []byte // the options as they go on the wire, one behind the other
	entries []entry
	dropped []Code
	over    uint8 // which fields take options, as option 52 says it
}

// entry is one option of a reply, all its parts: a place in all.
type entry struct {
	code     Code
	area     uint8 // 0 options, 1 file, 2 sname, as the bits of option 52
	from, to int
}

const nowhere = 255 // the area of an entry that is dropped, or not placed yet

// pack decides where each option goes that do not all fit into the options field. The more important ones
// are placed before the others (see rank), each into the first of options, file and sname that has
// room for it. Where that leaves one over, the longest are placed first; and where that does too, the
// less important ones that found no room are dropped.
func (w *Writer) pack(room int) error {
	w.list()
	free := [3]int{room, 0, 0}
	if !w.NoOverload {
		// A field ends in an End option and a NUL: some PXE ROMs read it as text whatever option 52
		// says (dnsmasq does the same).
		if w.mayOverloadFile() {
			free[inFile] = fileLen - 2
		}
		if w.mayOverloadSName() {
			free[inSName] = snameLen - 2
		}
		if free[inFile]+free[inSName] > 0 {
			free[0] -= 3 // option 52
		}
	}
	if err := w.placeByRank(free, w.Limit); err != nil || len(w.dropped) == 0 || free[inFile]+free[inSName] == 0 {
		return err
	}
	if w.placeByLength(free) {
		return nil
	}
	return w.placeByRank(free, w.Limit)
}

// list finds the options again, in the order in which they go on the wire.
func (w *Writer) list() {
	w.all = append(append(append(w.all[:0], w.first...), w.middle...), w.last...)
	w.entries = w.entries[:0]
	for i := 0; i < len(w.all); {
		next := i + 2 + int(w.all[i+1])
		if n := len(w.entries); n > 0 && w.entries[n-1].code == Code(w.all[i]) {
			w.entries[n-1].to = next // one more part of it
		} else {
			w.entries = append(w.entries, entry{code: Code(w.all[i]), from: i, to: next})
		}
		i = next
	}
}

func (p *packing) placeByRank(free [3]int, limit int) error {
	p.dropped, p.over = p.dropped[:0], 0
	for level := range leastRank + 1 {
		for i := range p.entries {
			e := &p.entries[i]
			if rank(e.code) != level || p.place(e, &free) {
				continue
			}
			if level == 0 {
				return fmt.Errorf("%s does not fit into %d bytes: %w", e.code, limit, ErrTooLarge)
			}
			p.dropped = append(p.dropped, e.code)
		}
	}
	return nil
}

// placeByLength reports whether it found room for all.
func (p *packing) placeByLength(free [3]int) bool {
	p.dropped, p.over = p.dropped[:0], 0
	for i := range p.entries {
		e := &p.entries[i]
		e.area = nowhere
		if rank(e.code) == 0 && !p.place(e, &free) {
			return false
		}
	}
	for {
		var longest *entry
		for i := range p.entries {
			e := &p.entries[i]
			if e.area == nowhere && (longest == nil || e.to-e.from > longest.to-longest.from) {
				longest = e
			}
		}
		if longest == nil {
			return true
		}
		if !p.place(longest, &free) {
			return false
		}
	}
}

// place puts an option into the first area with room for it. That without which a reply is none goes into
// the options field, which every client reads.
func (p *packing) place(e *entry, free *[3]int) bool {
	n := e.to - e.from
	for area := range free {
		if n <= free[area] && (area == 0 || rank(e.code) > 0) {
			free[area] -= n
			e.area = uint8(area)
			p.over |= uint8(area)
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

// fillFields writes what pack has placed there into the fields of the header h.
func (p *packing) fillFields(h []byte) {
	for _, f := range [...]struct{ area, at, size int }{{inFile, fileAt, fileLen}, {inSName, snameAt, snameLen}} {
		if int(p.over)&f.area == 0 {
			continue
		}
		field := h[f.at : f.at : f.at+f.size]
		for _, e := range p.entries {
			if int(e.area) == f.area {
				field = append(field, p.all[e.from:e.to]...)
			}
		}
		_ = append(field, byte(End))
	}
}

// appendPlaced writes what pack has placed in the options field.
func (p *packing) appendPlaced(dst []byte) []byte {
	pending := p.over != 0 // option 52, behind 53
	for _, e := range p.entries {
		if pending && e.code != MessageTypeOption {
			dst, pending = append(dst, byte(Overload), 1, p.over), false
		}
		if e.area == 0 {
			dst = append(dst, p.all[e.from:e.to]...)
		}
	}
	return dst
}

func putAddr(b []byte, a netip.Addr) {
	x := addrBytes(a)
	copy(b, x[:])
}

// isPXE reports whether the client is a network card's boot ROM, or a program that acts as one.
func isPXE(req *View) bool {
	class, _ := req.Get(VendorClass)
	return bytes.HasPrefix(class, []byte("PXEClient"))
}
