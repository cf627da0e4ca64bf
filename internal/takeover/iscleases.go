package takeover

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/lease"
)

// ISCLeases reads dhcpd.leases (dhcpd.leases(5)): a log to which dhcpd appends, so the last word on an
// address counts. What the file of one server of a failover pair says of its peer's leases counts, too.
func ISCLeases(file string, data []byte, now time.Time) []Item {
	a := &account{file: file}
	r := &iscReader{data: data, line: 1, bad: func(line int, what string) {
		a.refuse(line, what, "it is not understood: the file may have been cut off while it was written")
	}}
	list := r.statements(0)
	last, before := map[netip.Addr]int{}, map[netip.Addr]int{}
	for i, s := range list {
		if s.is("lease") && s.has {
			if ip, ok := addr4(s.at(1)); ok {
				if _, had := last[ip]; had {
					before[ip]++
				}
				last[ip] = i
			}
		}
	}
	for i, s := range list {
		switch {
		case s.is("lease") && s.has:
			ip, ok := addr4(s.at(1))
			if !ok {
				a.refuse(s.line, s.String(), "it is not of an IPv4 address")
			} else if last[ip] == i {
				a.iscLease(s, ip, before[ip], now)
			}
		case s.is("host"):
			a.add(s.line, s.String(), Refused, "a reservation made while dhcpd ran (OMAPI): import the file as reservations as well")
		case s.is("lease6"), s.is("ia-na"), s.is("ia-ta"), s.is("ia-pd"):
			a.add(s.line, s.String(), Refused, "it is of IPv6, which is not taken over")
		case s.is("failover"), s.is("server-duid"), s.is("authoring-byte-order"), s.is("group"), s.is("class"), s.is("subclass"):
			a.add(s.line, s.String(), Left, "it is no lease")
		default:
			a.refuse(s.line, s.String(), "it is not understood")
		}
	}
	return a.items
}

// iscLease accounts for the last word on an address.
func (a *account) iscLease(s stmt, ip netip.Addr, before int, now time.Time) {
	what := "lease " + ip.String()
	l := Lease{Addr: ip}
	var notes []string
	state, mac, uid, abandoned, ends := "", "", "", false, false
	for _, x := range s.block {
		var err error
		switch {
		case x.is("starts"):
			l.Start, err = iscTime(x)
		case x.is("ends"):
			ends = true
			l.Expires, err = iscTime(x)
		case x.is("binding", "state"):
			state = strings.ToLower(x.at(2))
		case x.is("abandoned"):
			abandoned = true
		case x.is("hardware", "ethernet"):
			mac = x.at(2)
		case x.is("hardware"):
			mac = x.at(1) + " " + x.at(2)
		case x.is("uid"):
			uid = x.at(1)
			if len(x.words) > 1 && !x.words[1].quoted { // old ones are written as 1:52:54:...
				uid = octets(uid)
			}
		case x.is("client-hostname"):
			l.Host = printable(x.at(1))
		case x.is("set", "vendor-class-identifier"):
			l.Class = printable(x.at(len(x.words) - 1))
		}
		if err != nil {
			a.refuse(x.line, what, "%v", err)
			return
		}
	}
	again := ""
	if before > 0 {
		again = fmt.Sprintf("the last of %d records of it", before+1)
	}
	left := func(why string) {
		if again != "" {
			a.add(s.line, what, Left, why, again)
			return
		}
		a.add(s.line, what, Left, why)
	}
	switch {
	case abandoned || state == "abandoned":
		a.add(s.line, what, Refused, "abandoned: somebody else was seen at the address; look who it is before you give it out")
		return
	case state != "" && state != "active":
		left("its state is " + state)
		return
	case !ends:
		a.refuse(s.line, what, "it does not say when it ends")
		return
	case !l.Expires.IsZero() && !l.Expires.After(now):
		left("it ended at " + l.Expires.Format(time.DateTime) + " UTC")
		return
	}
	m, err := parseMAC(mac)
	if err == nil {
		l.MAC, l.ID = m, lease.Hardware(1, m[:])
		if uid != "" && uid != "\x01"+string(m[:]) {
			notes = append(notes, "its client identifier is left out: machines are known by their hardware address")
		}
	} else {
		a.refuse(s.line, what, "%v", err)
		return
	}
	a.grant(s.line, what, l, notes)
}

// iscTime reads "W YYYY/MM/DD HH:MM:SS", which is UTC, "epoch SECONDS", or never: the zero time.
func iscTime(s stmt) (time.Time, error) {
	switch {
	case strings.EqualFold(s.at(1), "never"):
		return time.Time{}, nil
	case strings.EqualFold(s.at(1), "epoch"):
		n, err := strconv.ParseInt(s.at(2), 10, 64)
		if err != nil || n < 0 || n > 1<<40 {
			return time.Time{}, fmt.Errorf("%q is no time", short(s.String()))
		}
		return time.Unix(n, 0).UTC(), nil
	}
	t, err := time.Parse("2006/01/02 15:04:05", s.at(2)+" "+s.at(3))
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time", short(s.String()))
	}
	return t, nil
}

// octets reads 1:52:54:0:12:34:56.
func octets(s string) string {
	var out []byte
	for p := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return s
		}
		out = append(out, byte(n))
	}
	return string(out)
}
