package watch

import (
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// Derive makes a test of every file of every rule on each of its servers, and the groups of
// servers that a machine may be sent to.
//
// A server is tested by TFTP if it speaks it, else by HTTP: one test for a server and a file, as
// answers know one state of both. A file that is a URL is none of the servers' and is left out.
func Derive(site *boot.Site, every, timeout time.Duration) (tests []Test, groups []health.Group) {
	at := map[health.Key]int{}
	for _, r := range site.Rules {
		for _, file := range filesOf(r) {
			g := health.Group{Rule: r.Name, File: file}
			for _, name := range r.From {
				s, ok := site.Servers[name]
				if !ok || r.File == boot.TestBootstrap && !s.Node {
					continue
				}
				t, ok := derived(s, file, r)
				if !ok {
					continue
				}
				g.Servers = append(g.Servers, name)
				k := health.Key{Server: name, File: file}
				if i, twice := at[k]; twice { // of another rule: what it expects holds as well
					merge(&tests[i], r)
					continue
				}
				t.Every, t.Timeout = every, timeout
				at[k] = len(tests)
				tests = append(tests, t)
			}
			if len(g.Servers) > 0 {
				groups = append(groups, g)
			}
		}
	}
	return tests, groups
}

// derived is the test of a file on a server.
func derived(s boot.Server, file string, r boot.Rule) (Test, bool) {
	t := Test{Name: s.Name + "/" + strings.TrimLeft(file, "/"), Server: s.Name, File: file, As: styleOf(r), Contains: r.Contains, SHA256: r.SHA256}
	switch {
	case s.TFTP.IsValid():
		t.Target = probe.Target{Scheme: "tftp", Host: s.TFTP.Addr().String(), Port: s.TFTP.Port(), File: file}
	case s.HTTP.IsValid():
		path := "/" + strings.TrimLeft(strings.ReplaceAll(file, `\`, "/"), "/")
		t.Target = probe.Target{Scheme: "http", Host: s.HTTP.Addr().String(), Port: s.HTTP.Port(), File: path}
	default:
		return Test{}, false
	}
	return t, true
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
