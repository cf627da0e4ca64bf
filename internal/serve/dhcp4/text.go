package dhcp4

import (
	"encoding/hex"
	"net/netip"

	wire "surefoot/internal/wire/dhcp4"
)

// What is kept of texts that a client or relay sends, in bytes.
const (
	maxHost    = 64
	maxClass   = 64
	maxCircuit = 64
)

// hostName is option 12 as far as it can be printed. It goes to disk and to pages.
func (d *Decider) hostName(v *wire.View) string {
	b := v.Text(wire.HostName)
	if b = b[:min(len(b), maxHost)]; !isText(b) {
		return ""
	}
	return string(b)
}

// printable writes a circuit as text, or in hexadecimal.
func (d *Decider) printable(b []byte) string {
	if isText(b) {
		return d.names.Text(b[:min(len(b), maxCircuit)])
	}
	var room [maxCircuit]byte
	return d.names.Text(hex.AppendEncode(room[:0], b[:min(len(b), maxCircuit/2)]))
}

func isText(b []byte) bool {
	for _, x := range b {
		if x < 0x20 || x > 0x7e {
			return false
		}
	}
	return true
}

// maxTexts bounds the addresses whose text is kept.
const maxTexts = 1024

// textOf writes an address, once for each.
func (d *Decider) textOf(a netip.Addr) string {
	if s, ok := d.texts[a]; ok {
		return s
	}
	if len(d.texts) >= maxTexts {
		clear(d.texts)
	}
	s := a.String()
	d.texts[a] = s
	return s
}
