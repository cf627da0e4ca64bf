package takeover

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/lease"
)

// KeaLeases reads memfile lease files of Kea (the Kea ARM, "Lease File"), the oldest first: FILE.completed, or
// FILE.2 and FILE.1, which lease file cleanup leaves behind, then FILE. Kea appends to them, so the last word
// on an address counts.
func KeaLeases(files []Source, now time.Time) []Item {
	a := &account{}
	last := map[netip.Addr]keaRow{}
	var order []netip.Addr
	for _, f := range files {
		a.file = f.Name
		for _, r := range a.keaRows(f.Data) {
			was, had := last[r.addr]
			if !had {
				order = append(order, r.addr)
			}
			r.before = was.before
			if had {
				r.before++
			}
			last[r.addr] = r
		}
	}
	for _, addr := range order {
		a.keaLease(last[addr], now)
	}
	return a.items
}

// Source is a file with its name.
type Source struct {
	Name string
	Data []byte
}

// keaRow is one line.
type keaRow struct {
	file   string
	line   int
	addr   netip.Addr
	get    func(column string) string
	before int // other lines of the same address, before this one
}

func (a *account) keaRows(data []byte) []keaRow {
	var out []keaRow
	var head []string
	for i, line := range lines(data) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		cells := strings.Split(line, ",")
		if head == nil {
			head = cells
			if !slices.Contains(head, "address") || !slices.Contains(head, "expire") {
				a.refuse(i+1, line, "it is not the first line of a lease file of Kea (address,hwaddr,...)")
				return nil
			}
			if slices.Contains(head, "duid") {
				a.refuse(i+1, "the file", "it holds leases of IPv6, which are not taken over")
				return nil
			}
			continue
		}
		get := func(column string) string {
			n := slices.Index(head, column)
			if n < 0 || n >= len(cells) {
				return ""
			}
			return unescapeKea(cells[n])
		}
		ip, ok := addr4(get("address"))
		if !ok || len(cells) < 5 {
			a.refuse(i+1, line, "it is not a line of a lease: the file may have been cut off while it was written")
			continue
		}
		out = append(out, keaRow{file: a.file, line: i + 1, addr: ip, get: get})
	}
	return out
}

// unescapeKea undoes what Kea writes for what would break a line: &#x2c.
func unescapeKea(s string) string {
	if !strings.Contains(s, "&#x") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "&#x")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if len(rest) >= 2 {
			if n, err := strconv.ParseUint(rest[:2], 16, 8); err == nil {
				b.WriteByte(byte(n))
				s = rest[2:]
				continue
			}
		}
		b.WriteString("&#x")
		s = rest
	}
}

// forever is a lifetime that never ends (RFC 2131 3.3).
const forever = 1<<32 - 1

func (a *account) keaLease(r keaRow, now time.Time) {
	a.file = r.file
	what := "lease " + r.addr.String()
	left := func(why string) {
		if r.before > 0 {
			a.add(r.line, what, Left, why, fmt.Sprintf("the last of %d lines of it", r.before+1))
			return
		}
		a.add(r.line, what, Left, why)
	}
	valid, err := strconv.ParseInt(r.get("valid_lifetime"), 10, 64)
	expire, err2 := strconv.ParseInt(r.get("expire"), 10, 64)
	if err != nil || err2 != nil || valid < 0 || valid > forever || expire < 0 || expire > 1<<40 {
		a.refuse(r.line, what, "it does not say when it ends")
		return
	}
	l := Lease{Addr: r.addr, Start: time.Unix(max(expire-valid, 0), 0).UTC(), Expires: time.Unix(expire, 0).UTC(), Host: printable(strings.TrimSuffix(r.get("hostname"), "."))}
	switch state := r.get("state"); {
	case valid == 0:
		left("it was given back or deleted")
		return
	case state == "1":
		a.refuse(r.line, what, "declined: somebody else was seen at the address; look who it is before you give it out")
		return
	case state == "2":
		left("it has run out, and was reclaimed")
		return
	case state == "3":
		left("it was given back")
		return
	case state != "" && state != "0":
		a.refuse(r.line, what, "its state is %q, which is not known", short(state))
		return
	case valid == forever:
		l.Start, l.Expires = now, time.Time{}
	case !l.Expires.After(now):
		left("it ended at " + l.Expires.Format(time.DateTime) + " UTC")
		return
	}
	m, err := parseMAC(r.get("hwaddr"))
	if err != nil {
		if r.get("hwaddr") == "" {
			err = fmt.Errorf("it has no hardware address: machines are known by that here")
		}
		a.refuse(r.line, what, "%v", err)
		return
	}
	l.MAC, l.ID = m, lease.Hardware(1, m[:])
	var notes []string
	if id := r.get("client_id"); id != "" && id != "01:"+m.String() {
		notes = append(notes, "its client identifier is left out: machines are known by their hardware address")
	}
	a.grant(r.line, what, l, notes)
}
