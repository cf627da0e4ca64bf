// Package takeover reads what other DHCP servers keep, their reservations and their leases, so that
// a site can change over to Surefoot without a machine changing its address: the files of ISC dhcpd,
// Kea and dnsmasq, and ethers(5).
//
// It is pure: bytes in, an account of them out. Every object of a file is in the account once, with
// what became of it: taken, taken with a change, left because it is no reservation or lease that
// counts, or refused, with the reason. It decides nothing of what the site makes of it.
package takeover

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// Verdict is what became of an object.
type Verdict string

// The verdicts.
const (
	Taken   Verdict = "taken"
	Changed Verdict = "changed" // taken, but not all of it, or in another form
	Left    Verdict = "left"    // it is no reservation, or a lease that has ended
	Refused Verdict = "refused" // it is one, and cannot be taken over
)

// Item is the account of one object of a file. Of Reservation and Lease one is set if it is taken.
type Item struct {
	File        string       `json:"file"`
	Line        int          `json:"line"`
	What        string       `json:"what"` // the object, as its file calls it
	Verdict     Verdict      `json:"verdict"`
	Why         []string     `json:"why,omitempty"`
	Reservation *Reservation `json:"reservation,omitempty"`
	Lease       *Lease       `json:"lease,omitempty"`
}

// Reservation binds a machine to an address or a name.
type Reservation struct {
	MAC   boot.MAC     `json:"mac"`
	Addrs []netip.Addr `json:"ips,omitempty"` // one of each network, where the file knows several
	Name  string       `json:"name,omitempty"`
}

// Lease is a lease as another server gave it.
type Lease struct {
	Addr           netip.Addr `json:"ip"`
	ID             lease.ID   `json:"id"`
	MAC            boot.MAC   `json:"mac"`
	Start, Expires time.Time  // Expires is zero if it never ends
	Host, Class    string
}

// account collects items.
type account struct {
	file  string
	items []Item
}

func (a *account) add(line int, what string, v Verdict, why ...string) *Item {
	a.items = append(a.items, Item{File: a.file, Line: max(line, 1), What: short(what), Verdict: v, Why: why})
	return &a.items[len(a.items)-1]
}

// refuse is add of what is refused.
func (a *account) refuse(line int, what, format string, args ...any) {
	a.add(line, what, Refused, fmt.Sprintf(format, args...))
}

// reserve adds a reservation; notes are what of it is not taken.
func (a *account) reserve(line int, what string, r Reservation, notes []string) {
	if name, changed := foldName(r.Name); changed {
		if name == "" {
			notes = append(notes, fmt.Sprintf("the name %q has no letters that names have here, and is left out", short(r.Name)))
		} else {
			notes = append(notes, fmt.Sprintf("the name %q becomes %s", short(r.Name), name))
		}
		r.Name = name
	}
	v := Taken
	if len(notes) > 0 {
		v = Changed
	}
	a.add(line, what, v, notes...).Reservation = &r
}

// grant adds a lease.
func (a *account) grant(line int, what string, l Lease, notes []string) {
	v := Taken
	if len(notes) > 0 {
		v = Changed
	}
	a.add(line, what, v, notes...).Lease = &l
}

// short makes a text of a stranger's file printable and not too long.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 100 {
		return string(r[:97]) + "..."
	}
	return s
}

// maxName is how long names are here.
const maxName = 63

// foldName makes a name of letters, digits, dots, dashes and underscores, and says whether it had to.
func foldName(s string) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '.' || r == '-' || r == '_':
			if b.Len() > 0 { // a name begins with a letter or digit
				b.WriteRune(r)
			}
		default:
			if b.Len() > 0 {
				b.WriteByte('-')
			}
		}
	}
	out := b.String()
	if len(out) > maxName {
		out = out[:maxName]
	}
	return out, out != s
}

// parseMAC reads a MAC address in the spellings of these files: pairs may lack their zero (ethers, dhcpd).
func parseMAC(s string) (boot.MAC, error) {
	if parts := strings.Split(s, ":"); len(parts) == 6 {
		for i, p := range parts {
			if len(p) == 1 {
				parts[i] = "0" + p
			}
		}
		s = strings.Join(parts, ":")
	}
	m, err := boot.ParseMAC(s)
	switch {
	case err != nil:
		return m, fmt.Errorf("%q is not the address of an Ethernet card", short(s))
	case m.IsZero() || m[0]&1 != 0:
		return m, fmt.Errorf("%s is not one machine's address", m)
	}
	return m, nil
}

// addr4 reads an IPv4 address.
func addr4(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Is4()
}

// printable keeps what may stand in a record of what a machine said of itself.
func printable(s string) string {
	out := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return out[:min(len(out), 64)]
}

// lines are the lines of a file without their ends.
func lines(data []byte) []string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	return strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
}

// tally counts what is left of a kind, so that a thousand options are one line of the report.
type tally struct {
	line, n int
	what    string
}
