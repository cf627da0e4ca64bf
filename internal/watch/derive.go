package watch

import (
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// Derive makes a test of every file of every rule on each of its servers, by each protocol by which
// machines may ask for it, and the groups of servers that a machine may be sent to.
//
// A server with both is tested by HTTP as well where the rule is for machines that may use it. A file
// that is a URL is none of the servers' and is left out.
func Derive(site *boot.Site, every, timeout time.Duration) (tests []Test, groups []health.Group) {
	at := map[health.Key]int{}
	for _, r := range site.Rules {
		for _, file := range filesOf(r) {
			by := map[boot.Protocol][]string{}
			for _, name := range r.From {
				s, ok := site.Servers[name]
				if !ok || r.File == boot.TestBootstrap && !s.Node {
					continue
				}
				for _, p := range boot.Protocols() {
					if !s.Speaks(p) || p == boot.ByHTTP && s.Speaks(boot.ByTFTP) && !r.UsesHTTP() {
						continue
					}
					by[p] = append(by[p], name)
					k := health.Key{Server: name, File: file, By: p}
					if i, twice := at[k]; twice { // of another rule: what it expects holds as well
						merge(&tests[i], r)
						continue
					}
					t := derived(s, file, p, r)
					t.Every, t.Timeout = every, timeout
					at[k] = len(tests)
					tests = append(tests, t)
				}
			}
			for _, p := range boot.Protocols() {
				if len(by[p]) > 0 {
					groups = append(groups, health.Group{Rule: r.Name, File: file, By: p, Servers: by[p]})
				}
			}
		}
	}
	return tests, groups
}

// derived is the test of a file on a server, by a protocol that it speaks. The second test of a server
// with both has its protocol before its name: no server is called so.
func derived(s boot.Server, file string, by boot.Protocol, r boot.Rule) Test {
	t := Test{Name: s.Name + "/" + strings.TrimLeft(file, "/"), Server: s.Name, File: file, By: by, As: styleOf(r), Contains: r.Contains, SHA256: r.SHA256}
	if by == boot.ByTFTP {
		t.Target = probe.Target{Scheme: "tftp", Host: s.TFTP.Addr().String(), Port: s.TFTP.Port(), File: file}
		return t
	}
	path := "/" + strings.TrimLeft(strings.ReplaceAll(file, `\`, "/"), "/")
	t.Target = probe.Target{Scheme: "http", Host: s.HTTP.Addr().String(), Port: s.HTTP.Port(), File: path}
	if s.Speaks(boot.ByTFTP) {
		t.Name = "http:" + t.Name
	}
	return t
}

func merge(t *Test, r boot.Rule) {
	if t.Contains == "" {
		t.Contains = r.Contains
	}
	if t.SHA256 == "" {
		t.SHA256 = r.SHA256
	}
}

// filesOf lists the names that machines ask for under a rule.
func filesOf(r boot.Rule) []string {
	if strings.Contains(r.File, "://") {
		return nil
	}
	if r.File != boot.TestBootstrap {
		return []string{r.File}
	}
	var bios, x64 bool
	for _, a := range r.When.Arch {
		bios = bios || a.Class() == boot.ClassBIOS
		x64 = x64 || a.Class() == boot.ClassUEFIx64
	}
	var out []string
	if bios || len(r.When.Arch) == 0 {
		out = append(out, boot.TestBootstrapBIOS)
	}
	if x64 || len(r.When.Arch) == 0 {
		out = append(out, boot.TestBootstrapX64)
	}
	return out
}

// styleOf is the kind of client that the rule is for, as far as it says.
func styleOf(r boot.Rule) probe.Style {
	if len(r.When.Firmware) == 1 && r.When.Firmware[0] == boot.FirmwareIPXE {
		return probe.IPXE
	}
	for _, a := range r.When.Arch {
		if a.Class() != boot.ClassBIOS {
			return probe.EDK2
		}
	}
	if len(r.When.Arch) > 0 {
		return probe.PXELINUX
	}
	return probe.EDK2
}
