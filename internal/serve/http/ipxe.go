package httpboot

import (
	"bytes"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"surefoot/internal/boot"
)

const (
	// fetchTimeout in milliseconds: a download that does not move for so long counts as failed
	// (iPXE's own patience is 16 s for TFTP, BOOTLAB section 3). Bytes that arrive start it anew.
	fetchTimeout = 5000
	rounds       = 10 // through all servers, then the firmware's next boot device has its turn
	roundPause   = 10 // seconds between them
)

// Script writes a decision as an iPXE script: try each server in order, say on the screen what is
// done, and when none delivers, say so, wait and begin again. Fetching and starting are separate
// commands, so that a bootstrap that ends with an error is not taken for one that was not
// delivered. It uses commands only that iPXE has had since 2013.
func Script(c boot.Client, d boot.Decision, node string) []byte {
	if d.Reason != boot.Answered {
		return sorry(node, fmt.Sprintf("nothing to boot for %s: %s", c.MAC, d.Reason.Text()))
	}
	a := d.Answer
	name := imageName(a.File)
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!ipxe")
	line("echo")
	line("echo Surefoot %s: %s gets %s (rule %s, network %s)", say(node), c.MAC, say(a.File), say(a.Rule), say(a.Network))
	line("set surefoot-round:int32 1")
	line("")
	line(":round")
	targets := targetsOf(a)
	for i, t := range targets {
		line("echo Surefoot: server %d of %d, %s: %s", i+1, len(targets), say(t.name), t.url)
		line("imgfetch --timeout %d --name %s %s && goto got%d ||", fetchTimeout, name, t.url, i+1)
	}
	line("echo Surefoot: no server delivered %s (round ${surefoot-round} of %d)", say(a.File), rounds)
	line("iseq ${surefoot-round} %d && goto failed ||", rounds)
	line("inc surefoot-round")
	line("echo Surefoot: again in %d seconds", roundPause)
	line("sleep %d", roundPause)
	line("goto round")
	for i, t := range targets {
		line("")
		line(":got%d", i+1)
		if t.addr.IsValid() {
			line("set surefoot-server %s", t.addr)
			line("goto handover")
		} else {
			line("goto start")
		}
	}
	// The bootstrap finds its server in the DHCP packets that iPXE keeps for it; whoever they
	// name, it has to be the server that delivered. pxebs is the reply of port 4011.
	line("")
	line(":handover")
	plain := fileURL("", "", a.File) == ":///"+a.File // nothing in it that a script would take for its own
	for _, block := range []string{"netX", "proxydhcp", "pxebs"} {
		if block == "netX" { // always there; of the others, only what was received
			line("set netX/next-server ${surefoot-server} ||")
		} else {
			line("isset ${%s/next-server} && set %s/next-server ${surefoot-server} ||", block, block)
		}
		if plain {
			line("isset ${%s/next-server} && set %s/filename %s ||", block, block, a.File)
		}
	}
	line("")
	line(":start")
	line("echo Surefoot: starting %s", name)
	line("imgexec --autofree %s && exit 0 ||", name)
	line("echo Surefoot: %s was delivered, but ended with an error", name)
	line("exit 1")
	line("")
	line(":failed")
	line("echo Surefoot: giving up; the next boot device has its turn")
	line("exit 1")
	return b.Bytes()
}

type target struct {
	name, url string
	addr      netip.Addr // IPv4 only: it goes into a field of a DHCP packet
}

// targetsOf lists where the file is, in order: by HTTP from each server that speaks it, since it
// is faster and a dead one is noticed sooner, else by TFTP.
func targetsOf(a boot.Answer) []target {
	if strings.Contains(a.File, "://") {
		return []target{{name: "the address in the rule", url: sayURL(a.File)}}
	}
	var out []target
	for _, srv := range a.Servers {
		t := target{name: srv.Name}
		switch {
		case srv.HTTP.IsValid():
			t.url = fileURL("http", hostPort(srv.HTTP, 80), a.File)
		case srv.TFTP.IsValid():
			t.url = fileURL("tftp", hostPort(srv.TFTP, 69), a.File)
		default:
			continue
		}
		if srv.TFTP.Addr().Is4() {
			t.addr = srv.TFTP.Addr()
		}
		out = append(out, t)
	}
	return out
}

func hostPort(ap netip.AddrPort, usual uint16) string {
	if ap.Port() != usual {
		return ap.String()
	}
	if ap.Addr().Is6() {
		return "[" + ap.Addr().String() + "]"
	}
	return ap.Addr().String()
}

// imageName is the name under which iPXE keeps the file: the base name, so that the program finds
// its own, in plain characters only.
func imageName(file string) string {
	file, _, _ = strings.Cut(file, "?")
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return '_'
	}, base)
	if strings.Trim(name, "._-") == "" || name[0] == '-' {
		return "bootstrap"
	}
	return name
}

// say makes text harmless for echo: a script acts on ${, || and &&, and a line's end ends a command.
func say(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("$|&#`", r) {
			return '_'
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}

// sayURL keeps a rule's own address as it is, but for what would end the word or the line.
func sayURL(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
}

// sorry is the script for a machine that gets nothing: the reason stays on the screen for a while.
func sorry(node, why string) []byte {
	return fmt.Appendf(nil, "#!ipxe\necho\necho Surefoot %s: %s\nsleep 15\nexit 1\n", say(node), say(why))
}

// AskScript sends an iPXE that told nothing of itself back here with what it knows. The address is
// relative, so it works through whatever name or address iPXE came by; hexhyp, since what stands
// before a colon would be taken for the URI's scheme.
func AskScript() []byte {
	return []byte("#!ipxe\nchain --replace boot.ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}&platform=${platform}&buildarch=${buildarch}\n")
}
