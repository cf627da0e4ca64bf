package takeover

import (
	"strconv"
	"strings"
	"time"

	"surefoot/internal/lease"
)

// DnsmasqLeases reads dnsmasq.leases: a line for each lease, with its end in seconds, the hardware address, the
// address, the host name and the client identifier. What follows the line "duid" is of IPv6.
func DnsmasqLeases(file string, data []byte, now time.Time) []Item {
	a := &account{file: file}
	six := false
	for i, line := range lines(data) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			continue
		case f[0] == "duid":
			six = true
			a.add(i+1, line, Left, "the server's own identifier, of IPv6")
			continue
		case six:
			a.refuse(i+1, line, "it is of IPv6, which is not taken over")
			continue
		}
		a.dnsmasqLease(i+1, line, f, now)
	}
	return a.items
}

func (a *account) dnsmasqLease(line int, text string, f []string, now time.Time) {
	if len(f) < 4 {
		a.refuse(line, text, "it is not a line of a lease: the file may have been cut off while it was written")
		return
	}
	ends, err := strconv.ParseInt(f[0], 10, 64)
	ip, ok := addr4(f[2])
	if err != nil || ends < 0 || ends > 1<<40 || !ok {
		a.refuse(line, text, "it is not a line of a lease")
		return
	}
	what := "lease " + ip.String()
	l := Lease{Addr: ip, Start: now.UTC().Truncate(time.Second)}
	if ends > 0 { // 0 never ends
		l.Expires = time.Unix(ends, 0).UTC()
		if !l.Expires.After(now) {
			a.add(line, what, Left, "it ended at "+l.Expires.Format(time.DateTime)+" UTC")
			return
		}
	}
	mac := f[1]
	if kind, rest, typed := strings.Cut(mac, "-"); typed {
		if strings.TrimLeft(kind, "0") != "1" {
			a.refuse(line, what, "%s is no Ethernet address", short(mac))
			return
		}
		mac = rest
	}
	m, err := parseMAC(mac)
	if err != nil {
		a.refuse(line, what, "%v", err)
		return
	}
	l.MAC, l.ID = m, lease.Hardware(1, m[:])
	if f[3] != "*" {
		l.Host = printable(f[3])
	}
	var notes []string
	if len(f) > 4 && f[4] != "*" && f[4] != "01:"+m.String() {
		notes = append(notes, "its client identifier is left out: machines are known by their hardware address")
	}
	a.grant(line, what, l, notes)
}
