package journal

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"surefoot/internal/boot"
)

// maxText bounds, in bytes, each text that a stranger may have chosen.
const maxText = 256

// clean makes an event's texts short and printable. File names, vendor classes and error texts
// come from whoever sends a packet, and end in terminals, logs and a web page.
func clean(ev *boot.Event) {
	for _, s := range []*string{&ev.File, &ev.Detail, &ev.Options, &ev.Quirk, &ev.Peer, &ev.Local, &ev.Network, &ev.Rule, &ev.Server, &ev.Backend, &ev.Version, &ev.Template} {
		*s = printable(*s)
	}
}

// printable escapes control characters, invalid UTF-8 and what turns text around, as Go writes
// them in a string, and cuts what is too long.
func printable(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			plain = false
			break
		}
	}
	if plain && len(s) <= maxText {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		piece := s[:n]
		if r == utf8.RuneError && n == 1 || !strconv.IsPrint(r) {
			piece = strings.Trim(strconv.Quote(piece), `"`)
		}
		if b.Len()+len(piece) > maxText-len("...") {
			b.WriteString("...")
			break
		}
		b.WriteString(piece)
		s = s[n:]
	}
	return b.String()
}

// namesIPXE reports whether a file looks like iPXE itself, by the names it is commonly given.
func namesIPXE(file string) bool {
	file = strings.ToLower(file)
	for _, word := range []string{"ipxe", "snponly", "undionly", "snp.efi"} {
		if strings.Contains(file, word) {
			return true
		}
	}
	return false
}
