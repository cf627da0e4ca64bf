package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// YAML is the configuration as a site file in which nothing is left to a default. Reading it
// gives the same configuration again.
func (c *Config) YAML() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("site: %s", plain(c.Site.Name))
	if c.Root != "" {
		line("root: %s", plain(c.Root))
	}
	line("\nnodes:")
	for _, n := range c.Nodes {
		f := []string{"address: " + n.Addr.String()}
		if n.Addr6.IsValid() {
			f = append(f, "address6: "+quoted(n.Addr6.String()))
		}
		if len(n.Interfaces) > 0 {
			f = append(f, "interfaces: "+flow(n.Interfaces))
		}
		line("  %s: {%s, roles: %s}", plain(n.Name), strings.Join(f, ", "), flow(n.Roles))
	}
	c.writeServers(line)
	line("\nboot:")
	for _, r := range c.Site.Rules {
		writeRule(line, r)
	}
	line("\nnetworks:")
	for _, n := range c.Site.Networks {
		c.writeNetwork(line, n)
		c.writeNetworkOffer(line, n.Name)
		c.writeScope(line, n.Name)
		c.writeScope6(line, n.Name)
	}
	c.writeEntries(line)
	c.writeTFTP(line)
	line("http: {listen: %s}", addrText(c.HTTP))
	c.writeDHCP(line)
	c.writeStore(line)
	c.writeDNS(line)
	c.writeBalances(line)
	c.writeVIPs(line)
	probing := "" // off stays unsaid
	if c.Probe != ProbeNobody {
		probing = ", probe: " + c.Probe.String()
	}
	line("status: {listen: %s, socket: %s%s}", addrText(c.Status), plain(c.Socket), probing)
	c.writeWatch(line)
	line("state: %s", plain(c.State))
	line("drain_timeout: %s", durationText(c.DrainTimeout))
	c.writeHistory(line)
	return b.Bytes()
}

func (c *Config) writeTFTP(line func(string, ...any)) {
	s := c.Serving
	line("\ntftp:")
	if !c.besideService() { // else it is another one on each node
		line("  listen: %s", addrText(c.TFTP))
	}
	line("  fold_names: %t", c.Fold)
	line("  max_transfers: %d", c.MaxTransfers)
	line("  max_per_client: %d", s.PerClient)
	line("  max_per_network: %d", s.PerNetwork)
	line("  queue: %d", s.Queue)
	line("  queue_time: %s", durationText(s.QueueTime))
	line("  ports: %s", s.Ports)
	line("  busy_poll: %s", durationText(s.BusyPoll))
	if len(c.Offer.Refuse) > 0 {
		line("  refuse_options: %s", flow(c.Offer.Refuse))
	}
	line("  max_blksize: %d", c.Offer.MaxBlockSize)
	line("  max_windowsize: %d", c.Offer.MaxWindowSize)
	c.writeUploads(line)
}

func (c *Config) writeServers(line func(string, ...any)) {
	head := "\nservers:"
	for _, name := range slices.Sorted(maps.Keys(c.Site.Servers)) {
		s := c.Site.Servers[name]
		if s.Node {
			continue
		}
		if head != "" {
			line(head)
			head = ""
		}
		var f []string
		if s.TFTP.IsValid() {
			f = append(f, "tftp: "+s.TFTP.String())
		}
		if s.HTTP.IsValid() {
			f = append(f, "http: "+s.HTTP.String())
		}
		if s.TFTP6.IsValid() {
			f = append(f, "tftp6: "+endpoint6(s.TFTP6))
		}
		if s.HTTP6.IsValid() {
			f = append(f, "http6: "+endpoint6(s.HTTP6))
		}
		line("  %s: {%s}", plain(name), strings.Join(f, ", "))
	}
}

func (c *Config) writeEntries(line func(string, ...any)) {
	if len(c.Files) > 0 {
		line("\nfiles:")
	}
	for _, e := range c.Files {
		target := "file: " + plain(e.File)
		if e.Template != "" {
			target = "template: " + plain(e.Template)
		}
		line("  - {name: %s, %s}", plain(e.Name), target)
	}
}

func writeRule(line func(string, ...any), r boot.Rule) {
	line("  - name: %s", plain(r.Name))
	var w []string
	add := func(key string, values []string) {
		if len(values) > 0 {
			w = append(w, key+": "+flow(values))
		}
	}
	if len(r.When.Arch) > 0 {
		w = append(w, "arch: ["+strings.Join(archTexts(r.When.Arch), ", ")+"]")
	}
	add("firmware", stringsOf(r.When.Firmware))
	add("mac", r.When.MAC)
	add("network", r.When.Network)
	add("user_class", r.When.UserClass)
	add("vendor_class", r.When.VendorClass)
	if len(w) > 0 {
		line("    when: {%s}", strings.Join(w, ", "))
	}
	line("    file: %s", plain(r.File))
	line("    from: %s", flow(r.From))
	line("    ipxe: %s", r.IPXE)
	if r.Contains != "" {
		line("    contains: %s", plain(r.Contains))
	}
	if r.SHA256 != "" {
		line("    sha256: %s", plain(r.SHA256))
	}
	if r.RootPath != "" {
		line("    root_path: %s", plain(r.RootPath))
	}
	writeRuleOptions(line, r)
}

func (c *Config) writeNetwork(line func(string, ...any), n boot.Network) {
	line("  %s:", plain(n.Name))
	if n.Subnet.IsValid() {
		line("    subnet: %s", n.Subnet)
	}
	if n.Subnet6.IsValid() {
		line("    subnet6: %s", quoted(n.Subnet6.String()))
	}
	line("    deliver: %s", plain(n.Delivers()))
	line("    bios: %s", n.BIOS)
	macs := slices.SortedFunc(maps.Keys(n.Reservations), func(a, b boot.MAC) int { return bytes.Compare(a[:], b[:]) })
	duids := slices.Sorted(maps.Keys(n.ByDUID))
	for _, t := range c.Tables {
		if t.Network == n.Name {
			line("    reservations_file: %s", plain(t.File))
			inFile := map[boot.MAC]bool{}
			for _, m := range t.MACs {
				inFile[m] = true
			}
			macs = slices.DeleteFunc(macs, func(m boot.MAC) bool { return inFile[m] })
			duids = slices.DeleteFunc(duids, func(id string) bool { return slices.Contains(t.DUIDs, id) })
		}
	}
	if len(macs)+len(duids) > 0 {
		line("    reservations:")
	}
	for _, id := range duids {
		r := n.ByDUID[id]
		f := []string{fmt.Sprintf("duid: %q", id), "ip6: " + quoted(r.Addr6.String())}
		if r.Name != id {
			f = append(f, "name: "+plain(r.Name))
		}
		line("      - {%s}", strings.Join(f, ", "))
	}
	for _, m := range macs {
		r := n.Reservations[m]
		f := []string{fmt.Sprintf("mac: %q", m.String())}
		if r.Name != m.String() {
			f = append(f, "name: "+plain(r.Name))
		}
		if r.Addr.IsValid() {
			f = append(f, "ip: "+r.Addr.String())
		}
		if r.Addr6.IsValid() {
			f = append(f, "ip6: "+quoted(r.Addr6.String()))
		}
		if r.Rule != "" {
			f = append(f, "boot: "+plain(r.Rule))
		}
		line("      - {%s}", strings.Join(f, ", "))
	}
}

func (c *Config) writeNetworkOffer(line func(string, ...any), network string) {
	for _, o := range c.NetworkOffers {
		if o.Network == network && !o.same(c.Offer) {
			line("    tftp: {%s}", o.yaml())
		}
	}
}

// archTexts names the classes whose numbers are all there, and gives the others as numbers.
func archTexts(list []boot.Arch) []string {
	var out []string
	left := slices.Clone(list)
	for len(left) > 0 {
		class := left[0].Class()
		all := class.Archs()
		if len(all) > 0 && len(left) >= len(all) && slices.Equal(left[:len(all)], all) {
			out, left = append(out, string(class)), left[len(all):]
			continue
		}
		out, left = append(out, fmt.Sprint(uint16(left[0]))), left[1:]
	}
	return out
}

func stringsOf[T ~string](list []T) []string {
	var out []string
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}

// plainRegexp matches texts that no YAML reader takes for anything else.
var plainRegexp = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9._/-]*$`)

// notText are words that some YAML reader takes for a boolean or for nothing.
var notText = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// plain writes a text as YAML, in quotes where it needs them. JSON's quoting is YAML's.
func plain(s string) string {
	if plainRegexp.MatchString(s) && !slices.Contains(notText, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimRight(b.String(), "\n")
}

func flow(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = plain(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// addrText quotes an IPv6 address, whose brackets would begin a list.
func addrText(a netip.AddrPort) string {
	if a.Addr().Is4() {
		return a.String()
	}
	return `"` + a.String() + `"`
}

// durationText leaves out the units that are zero: 30s, 2m and not 2m0s, and writes ASCII.
func durationText(t time.Duration) string {
	s := strings.Replace(t.String(), "µs", "us", 1)
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
