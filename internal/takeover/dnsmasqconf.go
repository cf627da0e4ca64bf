package takeover

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// DnsmasqReservations reads dhcp-host lines: of dnsmasq.conf, of the files that dhcp-hostsfile and
// dhcp-hostsdir name, in which they stand without their key, and of ethers(5) (dnsmasq(8)).
func DnsmasqReservations(file string, data []byte) []Item {
	a := &account{file: file}
	taken := map[netip.Addr]int{}
	others, first := 0, 0
	for i, line := range lines(data) {
		text := strings.TrimSpace(stripComment(line))
		if text == "" {
			continue
		}
		key, value, isKey := strings.Cut(strings.TrimPrefix(text, "--"), "=")
		key = strings.TrimSpace(key)
		switch {
		case isKey && key == "dhcp-host":
			a.dnsmasqHost(i+1, strings.TrimSpace(value), taken)
		case isKey && (key == "conf-file" || key == "conf-dir" || key == "dhcp-hostsfile" || key == "dhcp-hostsdir" || key == "servers-file"):
			if key != "servers-file" {
				a.refuse(i+1, text, "what stands there is not read: name the file as well")
			}
		case text == "read-ethers":
			a.refuse(i+1, text, "ethers is not read: name /etc/ethers as well")
		case isKey && dnsmasqKey.MatchString(key), dnsmasqKey.MatchString(text) && !strings.ContainsAny(text, " ,:"):
			if others++; first == 0 {
				first = i + 1
			}
		case len(strings.Fields(text)) == 2 && !strings.Contains(text, ","):
			a.ethers(i+1, strings.Fields(text), taken)
		default:
			a.dnsmasqHost(i+1, text, taken)
		}
	}
	if others > 0 {
		a.add(first, fmt.Sprintf("%d other settings", others), Left, "no reservations; the first is in this line")
	}
	return a.items
}

var (
	dnsmasqKey  = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	leaseTime   = regexp.MustCompile(`^([0-9]+[smhdwSMHDW]?|infinite)$`)
	anyMAC      = regexp.MustCompile(`^([0-9a-fA-F]{1,2}-)?([0-9a-fA-F*]{1,2}:)+[0-9a-fA-F*]{1,2}$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*)$`)
)

// stripComment drops what follows a # at the beginning of the line or after a blank, outside of quotes.
func stripComment(line string) string {
	quoted := false
	for i, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return line[:i]
		}
	}
	return line
}

func (a *account) dnsmasqHost(line int, text string, taken map[netip.Addr]int) {
	what := "dhcp-host=" + text
	var macs []string
	var r Reservation
	var notes []string
	var id, ignore bool
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		lower := strings.ToLower(part)
		ip, isIP := addr4(part)
		switch {
		case part == "":
		case strings.HasPrefix(lower, "id:"):
			id = true
			if part == "id:*" {
				notes = append(notes, "id:* says what holds here anyway: machines are known by their hardware address")
			} else {
				notes = append(notes, part+" is not taken: machines are known by their hardware address")
			}
		case strings.HasPrefix(lower, "set:"), strings.HasPrefix(lower, "net:"), strings.HasPrefix(lower, "tag:"):
			notes = append(notes, part+" is not taken: write a boot rule, and its name in the column boot")
		case strings.HasPrefix(part, "["):
			notes = append(notes, part+" is of IPv6, and not taken")
		case isIP:
			r.Addrs = append(r.Addrs, ip)
		case lower == "ignore":
			ignore = true
		case anyMAC.MatchString(part):
			macs = append(macs, part)
		case leaseTime.MatchString(lower):
			notes = append(notes, "the lease time "+part+" is not taken: times are those of the network")
		case hostPattern.MatchString(part):
			if r.Name != "" {
				a.refuse(line, what, "%q is a second name", short(part))
				return
			}
			r.Name = part
		default:
			a.refuse(line, what, "%q is not understood", short(part))
			return
		}
	}
	switch {
	case ignore:
		a.refuse(line, what, "a machine that is to be ignored: there is no such thing here; a network answers all machines, or those with a reservation if it has no range")
		return
	case len(macs) == 0 && id:
		a.refuse(line, what, "it has no hardware address: machines are known by that here")
		return
	case len(macs) == 0:
		a.refuse(line, what, "a machine that is known by its name alone: machines are known by their hardware address here")
		return
	}
	for n, text := range macs {
		head, rest, typed := strings.Cut(text, "-")
		if typed && strings.TrimLeft(head, "0") != "1" {
			a.refuse(line, what, "%s is no Ethernet address", text)
			continue
		}
		if typed {
			text = rest
		}
		if strings.Contains(text, "*") {
			a.refuse(line, what, "%s stands for many machines, and a reservation is of one", text)
			continue
		}
		m, err := parseMAC(text)
		if err != nil {
			a.refuse(line, what, "%v", err)
			continue
		}
		one := r
		one.MAC = m
		own := slices.Clone(notes)
		if n > 0 && len(one.Addrs) > 0 {
			own = append(own, fmt.Sprintf("without the address %s, which its first hardware address has: two cards cannot have one address at a time", one.Addrs[0]))
			one.Addrs = nil
			one.Name = ""
		}
		a.once(line, what, one, own, taken)
	}
}

// once reserves an address once in a file.
func (a *account) once(line int, what string, r Reservation, notes []string, taken map[netip.Addr]int) {
	for _, ip := range r.Addrs {
		if first := taken[ip]; first != 0 {
			a.refuse(line, what, "%s is reserved already, in line %d", ip, first)
			return
		}
		taken[ip] = line
	}
	a.reserve(line, what, r, notes)
}

// ethers takes a line of ethers(5): a hardware address, and an address or a name.
func (a *account) ethers(line int, words []string, taken map[netip.Addr]int) {
	what := strings.Join(words, " ")
	m, err := parseMAC(words[0])
	if err != nil {
		a.refuse(line, what, "%v", err)
		return
	}
	r := Reservation{MAC: m}
	var notes []string
	if ip, ok := addr4(words[1]); ok {
		r.Addrs = []netip.Addr{ip}
	} else {
		r.Name = words[1]
		notes = append(notes, "its address stands under its name elsewhere (/etc/hosts): the name is taken alone")
	}
	a.once(line, what, r, notes, taken)
}
