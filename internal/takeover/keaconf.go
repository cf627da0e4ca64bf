package takeover

import (
	"fmt"
	"strings"
)

// KeaReservations reads the reservations of a Kea configuration (the Kea ARM, "Host Reservations in
// DHCPv4"): global ones, and those of subnets in shared networks or not.
func KeaReservations(file string, data []byte) []Item {
	a := &account{file: file}
	root, includes, err := parseKea(data)
	for line, text := range includes {
		a.refuse(line, text, "what it includes is not read: name that file as well")
	}
	if err != nil {
		a.refuse(1, "the configuration", "it is not understood: %v", err)
		return a.items
	}
	dhcp4 := root.get("Dhcp4")
	if root.get("Dhcp6") != nil {
		a.refuse(root.get("Dhcp6").line, "Dhcp6", "IPv6 is not taken over")
	}
	switch {
	case dhcp4 == nil && (root.kind == '[' || root.get("reservations") != nil || root.get("subnet4") != nil || root.get("shared-networks") != nil):
		dhcp4 = root // a part that a configuration includes
		if root.kind == '[' {
			a.keaHosts(root, "")
			return a.items
		}
	case dhcp4 == nil:
		a.refuse(1, "the configuration", "it has no Dhcp4")
		return a.items
	}
	for _, key := range []string{"hosts-database", "hosts-databases"} {
		if n := dhcp4.get(key); n != nil {
			a.refuse(n.line, key, "reservations in a database are not read: export them (SELECT ... FROM hosts)")
		}
	}
	a.keaHosts(dhcp4.get("reservations"), "global")
	a.keaSubnets(dhcp4.get("subnet4"))
	for _, n := range dhcp4.get("shared-networks").each() {
		if r := n.get("reservations"); r != nil {
			a.keaHosts(r, "shared network "+n.get("name").text())
		}
		a.keaSubnets(n.get("subnet4"))
	}
	others, first := 0, 0
	for _, f := range dhcp4.fields {
		switch f.name {
		case "reservations", "subnet4", "shared-networks", "hosts-database", "hosts-databases":
		default:
			if others++; first == 0 {
				first = f.val.line
			}
		}
	}
	if others > 0 {
		a.add(first, fmt.Sprintf("%d settings of Dhcp4", others), Left, "no reservations; the first is in this line")
	}
	return a.items
}

func (a *account) keaSubnets(list *node) {
	for _, n := range list.each() {
		a.add(n.line, "subnet "+n.get("subnet").text(), Left, "only its reservations are read")
		a.keaHosts(n.get("reservations"), "subnet "+n.get("subnet").text())
	}
}

func (a *account) keaHosts(list *node, where string) {
	for _, n := range list.each() {
		a.keaHost(n, where)
	}
}

func (a *account) keaHost(n *node, where string) {
	id := ""
	for _, k := range []string{"hw-address", "client-id", "duid", "circuit-id", "flex-id"} {
		if id == "" && n.get(k) != nil {
			id = k + " " + n.get(k).text()
		}
	}
	what := strings.TrimSpace("reservation " + id)
	if where != "" {
		what += " in " + where
	}
	var r Reservation
	var notes []string
	if n.kind != '{' {
		a.refuse(n.line, what, "it is no object")
		return
	}
	for _, f := range n.fields {
		text := f.val.text()
		switch f.name {
		case "hw-address":
			m, err := parseMAC(keaMAC(text))
			if err != nil {
				a.refuse(f.val.line, what, "%v", err)
				return
			}
			r.MAC = m
		case "ip-address":
			ip, ok := addr4(text)
			if !ok {
				a.refuse(f.val.line, what, "%q is not an IPv4 address", short(text))
				return
			}
			if !ip.IsUnspecified() {
				r.Addrs = append(r.Addrs, ip)
			}
		case "hostname":
			r.Name = text
		case "next-server", "boot-file-name", "server-hostname":
			if text != "" && text != "0.0.0.0" {
				notes = append(notes, f.name+" "+short(text)+" is not taken: which file a machine gets is said by boot rules, or by the column boot")
			}
		case "client-id", "duid", "circuit-id", "flex-id":
			notes = append(notes, f.name+" is not taken: machines are known by their hardware address")
		case "option-data", "client-classes":
			if len(f.val.list) > 0 {
				notes = append(notes, f.name+" is not taken: write it with its network or its boot rule")
			}
		case "user-context", "comment":
			notes = append(notes, f.name+" is not taken")
		case "subnet-id", "ip-addresses", "prefixes", "excluded-prefixes":
			notes = append(notes, f.name+" is not taken")
		default:
			notes = append(notes, f.name+" is not known here, and not taken")
		}
	}
	switch {
	case r.MAC.IsZero():
		a.refuse(n.line, what, "it has no hw-address: machines are known by their hardware address here")
		return
	case len(r.Addrs) == 0 && r.Name == "":
		notes = append(notes, "it has neither address nor name")
	case len(r.Addrs) == 0:
		notes = append(notes, "it has no ip-address: its name is taken alone")
	}
	a.reserve(n.line, what, r, notes)
}

// keaMAC drops the hardware type that may stand before the address: 1:52:54:00:12:34:56 is none of Kea's, but
// hw-address may be written without colons.
func keaMAC(s string) string {
	if len(s) == 12 && !strings.ContainsAny(s, ":-.") {
		return s[:2] + ":" + s[2:4] + ":" + s[4:6] + ":" + s[6:8] + ":" + s[8:10] + ":" + s[10:]
	}
	return s
}
