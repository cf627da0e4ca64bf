package watch

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
	"surefoot/internal/wire/dhcp4"
)

// The forms of a DISCOVER, by its flags (RFC 2131 section 4.1: without the broadcast flag the answer
// goes to the client's MAC address).
const (
	flagsUnicast   = "0"
	flagsBroadcast = "0x8000"
)

// asked is what one round of DISCOVERs brought: those of UEFI firmware in both forms, and one of a
// BIOS ROM, which some PXE services answer alone.
type asked struct {
	uefi, bios probe.Result
}

// fault is why it could not be asked at all.
func (a *asked) fault() *probe.Fault {
	for _, r := range []*probe.Result{&a.uefi, &a.bios} {
		if f := r.Fault; f != nil && (f.Code == probe.LocalError || f.Code == probe.Interrupted) {
			return f
		}
	}
	return nil
}

// judge says what a round showed: it fills in everything that is in the offers.
func (c *Discovery) judge(a *asked, own link.Link, l *Look) {
	for i, r := range []*probe.Result{&a.uefi, &a.bios} {
		for _, o := range r.Offers {
			c.add(l, o, []string{"UEFI", "BIOS"}[i], own)
		}
	}
	l.Missing = nil
	for _, e := range c.Expect {
		if e.Is4() && !slices.ContainsFunc(l.Services, func(s Service) bool { return s.Server == e.String() }) {
			l.Missing = append(l.Missing, e.String())
		}
	}
	addresses := map[string]bool{} // forms to which an address was offered
	for _, o := range a.uefi.Offers {
		if o.Address == "" {
			continue
		}
		addresses[o.Flags] = true
		if after := time.Duration(o.After); l.Response == 0 || after < l.Response {
			l.Response = max(after, 1)
		}
	}
	switch {
	case len(addresses) == 0:
		l.silent()
	case !addresses[flagsUnicast]:
		l.deaf(flagsUnicast)
	case !addresses[flagsBroadcast]:
		l.deaf(flagsBroadcast)
	default:
		l.State, l.Text, l.Hints = Answered, "an address is offered by "+strings.Join(l.offering(), ", "), nil
	}
}

// add notes an offer under who made it.
func (c *Discovery) add(l *Look, o probe.Offer, kind string, own link.Link) {
	i := slices.IndexFunc(l.Services, func(s Service) bool { return s.Server == o.Server && s.From == o.From && s.MAC == o.MAC })
	if i < 0 {
		l.Services = append(l.Services, Service{Server: o.Server, From: o.From, MAC: o.MAC, Known: c.known(o.Server, own)})
		i = len(l.Services) - 1
	}
	s := &l.Services[i]
	s.Address = s.Address || o.Address != ""
	s.Boot = s.Boot || o.Boots()
	file := o.BootFile()
	if file != "" && !slices.Contains(s.Files, file) {
		s.Files = append(s.Files, file)
	}
	text := words(o, file)
	if s.Known == "" && o.Boots() {
		text += told(o) // of a stranger, all that may help to find out who it is
	}
	if o.Boots() {
		text = "to " + kind + " machines: " + text
	}
	if !slices.Contains(s.Offers, text) {
		s.Offers = append(s.Offers, text)
	}
	if kind == "UEFI" && !slices.Contains(s.Flags, o.Flags) {
		s.Flags = append(s.Flags, o.Flags)
	}
}

// words say what is offered.
func words(o probe.Offer, file string) string {
	text := o.Class.Text()
	if o.Address != "" {
		text = strings.Replace(text, "an address", "the address "+o.Address, 1)
	}
	if file != "" {
		text += ", the file " + file
		if o.Next != "" {
			text += " on " + o.Next
		}
	}
	return text
}

// told are the options by which an offer directs the boot.
func told(o probe.Offer) string {
	var out []string
	for _, x := range o.Options {
		switch dhcp4.Code(x.Code) {
		case dhcp4.VendorSpecific, dhcp4.TFTPServerName, dhcp4.TFTPServers, dhcp4.RootPath:
			out = append(out, fmt.Sprintf("option %d: %s", x.Code, x.Text))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

// known says as what the site knows who answers at an address, "" if it does not.
func (c *Discovery) known(server string, own link.Link) string {
	a, err := netip.ParseAddr(server)
	if err != nil {
		return ""
	}
	if slices.Contains(c.Expect, a) {
		return "expected"
	}
	if slices.ContainsFunc(own.Addrs, func(p netip.Prefix) bool { return p.Addr() == a }) {
		return "this node"
	}
	for _, name := range slices.Sorted(maps.Keys(c.Site.Servers)) {
		s := c.Site.Servers[name]
		if s.TFTP.Addr() == a || s.HTTP.Addr() == a || s.PXE == a {
			if s.Node {
				return "node " + name
			}
			return "server " + name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		if c.Nodes[name] == a {
			return "node " + name
		}
	}
	return ""
}

// offering lists who offers addresses.
func (l *Look) offering() []string {
	var out []string
	for _, s := range l.Services {
		if s.Address && !slices.Contains(out, s.Server) {
			out = append(out, s.Server)
		}
	}
	return out
}

func (l *Look) silent() {
	l.State, l.Response = Silent, 0
	l.Text = "nobody offers an address"
	if n := len(l.Services); n > 0 {
		var who []string
		for _, s := range l.Services {
			who = append(who, s.Server)
		}
		l.Text += ": " + strings.Join(who, ", ") + " answered, without one"
	}
	l.Hints = []string{
		"look at the DHCP server: does it run, are addresses left in its pool, does it know this segment; then at the relay, if one is between",
		"the switch may hold packets back: spanning tree without portfast, DHCP snooping without a trusted port towards the server",
		"if there is no DHCP server here on purpose, name the other networks in watch.discover.networks",
	}
}

// deaf says what it means that answers to one form of DISCOVER do not arrive (F16: which clients
// send which form).
func (l *Look) deaf(lost string) {
	l.State, l.Lost = Deaf, lost
	who := strings.Join(l.offering(), ", ")
	if lost == flagsUnicast {
		l.Text = fmt.Sprintf("only answers to the broadcast address arrive: %s answers a DISCOVER with the broadcast flag (0x8000), and nothing comes to one without (0)", who)
		l.Hints = []string{
			"iPXE and Citrix' boot device manager ask without the flag and get no address here; UEFI firmware, BIOS ROMs and Windows PE ask with it and do",
			"the answer without the flag goes to the machine's MAC address: look for a relay, bridge, access point or DHCP snooping that passes broadcasts only",
			"on a dnsmasq or Linux server: dmesg shows \"neighbour table overflow\" where it cannot note more MAC addresses (net.ipv4.neigh.default.gc_thresh3)",
		}
		return
	}
	l.Text = fmt.Sprintf("only answers to a single MAC address arrive: %s answers a DISCOVER without the broadcast flag (0), and nothing comes to one with it (0x8000)", who)
	l.Hints = []string{
		"UEFI firmware, BIOS ROMs and Windows PE ask with the flag and get no address here; iPXE and Citrix' boot device manager ask without and do",
		"the answer with the flag is a broadcast: look for storm control, a wireless or virtual switch that drops broadcasts, or a relay that clears the flag",
	}
}
