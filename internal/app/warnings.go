package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/files"
	"surefoot/internal/kernel/link"
	"surefoot/internal/web"
)

// adder takes a warning.
type adder func(code, title, text, fix string)

// warnings are what works, but not as configured or not as well as it could.
func (a *App) warnings() []web.Warning {
	s := a.setup()
	var out []web.Warning
	add := func(code, title, text, fix string) {
		out = append(out, web.Warning{Code: code, Title: title, Text: text, Fix: fix})
	}
	a.mu.Lock()
	loadErr, rootErr := a.loadErr, a.rootErr
	a.mu.Unlock()
	if loadErr != nil {
		add("reload-refused", "the last reload was refused", "the configuration before it goes on: "+firstLine(loadErr),
			"surefoot config check, then surefoot reload")
	}
	if rootErr != nil {
		add("root-moved", "another directory is to be served, and cannot be",
			"the one that stood at "+s.Root+" before goes on: "+firstLine(rootErr), "put a directory there; it is looked at every two seconds")
	}
	if s.has(roleTFTP) || s.has(roleHTTP) {
		warnVersion(s, add)
		a.warnFiles(s, add)
	}
	warnUploads(s, add)
	a.warnHistory(add)
	a.warnVIPs(add)
	a.warnBalances(s, add)
	a.warnPeers(add)
	a.warnShared(add)
	warnTroubles(add, a.leaseTroubles(a.leased.Pools()))
	warnAddress(s, add)
	a.warnHealth(add)
	a.warnSegments(s, add)
	if s.has(roleProxy) && len(s.Node.Interfaces) == 0 {
		add("no-interface", "no interface is named", "ProxyDHCP stays silent: broadcast services start only on interfaces that somebody named",
			"surefoot serve --interface IF, or interfaces: [IF] of the node in the site file")
	}
	if s.has(roleDHCP) && len(s.DHCP.Scopes) > 0 && len(s.Node.Interfaces) == 0 {
		add("no-interface", "no interface is named", "the DHCP server stays silent: broadcast services start only on interfaces that somebody named",
			"surefoot serve --interface IF, or interfaces: [IF] of the node in the site file")
	}
	for _, t := range a.interfaces(s) {
		add(t.code, t.title, t.text, t.fix)
	}
	return out
}

// warnAddress tells of an address that the site file gives this node and this machine does not
// have.
func warnAddress(s *setup, add adder) {
	addr := s.Node.Addr
	if !addr.IsValid() || addr.IsLoopback() || addr.IsUnspecified() {
		return
	}
	own, err := net.InterfaceAddrs()
	if err != nil || slices.ContainsFunc(own, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr().Unmap() == addr
	}) {
		return
	}
	fix := fmt.Sprintf("correct nodes.%s.address, unless a NAT or a service address brings it here", s.Node.Name)
	if s.Path == "" {
		fix = "surefoot reload, once the interface has its address: it is read again then"
	}
	add("address-elsewhere", "the address of node "+s.Node.Name+" is not here",
		fmt.Sprintf("machines are sent to %s, which is on no interface of this machine", addr), fix)
}

// answering is the role that answers on interfaces.
func answering(s *setup) string {
	if s.hasDHCP() {
		return roleDHCP
	}
	return roleProxy
}

// trouble is what is wrong with an interface.
type trouble struct {
	name, code, title, text, fix string
	silent                       bool // ProxyDHCP cannot answer on it
}

// interfaces tells what is wrong with those on which ProxyDHCP answers.
func (a *App) interfaces(s *setup) []trouble {
	if !s.has(roleProxy) && !s.hasDHCP() {
		return nil
	}
	who := "ProxyDHCP"
	if s.hasDHCP() {
		who = "DHCP"
	}
	var out []trouble
	for _, name := range s.Node.Interfaces {
		switch l, err := a.link(name); {
		case err != nil:
			out = append(out, trouble{
				name: name, code: "interface-gone", title: "an interface is missing", text: err.Error(), fix: "ip -br link",
				silent: errors.As(err, new(*link.MissingError)),
			})
		case len(l.Addrs) == 0:
			out = append(out, trouble{
				name: name, code: "interface-no-address", title: "interface " + name + " has no IPv4 address",
				text: who + " is silent there until it has one: an answer names the node that gives it",
				fix:  "ip address add ADDRESS/LENGTH dev " + name, silent: true,
			})
		case !l.Up:
			out = append(out, trouble{
				name: name, code: "interface-down", title: "interface " + name + " is down",
				text: "no machine on it can be answered", fix: "ip link set " + name + " up",
			})
		}
	}
	return out
}

// warnFiles tells of rules that send clients to this node for a file that it does not have.
func (a *App) warnFiles(s *setup, add adder) {
	for _, r := range s.Site.Rules {
		if strings.Contains(r.File, "://") || !slices.Contains(r.From, s.Node.Name) {
			continue
		}
		f, err := s.files.Open(testName(r.File))
		if err == nil {
			_ = f.Close()
			continue
		}
		fix := "put the file into " + s.Root
		var missing *files.NotFoundError
		if errors.As(err, &missing) && len(missing.Near) > 0 {
			fix += ", or is one of these meant: " + strings.Join(missing.Near, ", ")
		}
		add("file-missing", fmt.Sprintf("rule %s names a file that is not here", r.Name), err.Error(), fix)
	}
}

// warnUploads tells of folders that take no files now.
func warnUploads(s *setup, add adder) {
	if s.inbox == nil {
		return
	}
	for _, e := range s.inbox.Troubles() {
		add("upload-folder", "uploads to "+e.Folder+" are refused", e.Error(), e.Hint()[0])
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
