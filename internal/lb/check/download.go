package check

import (
	"context"
	"fmt"
	"strings"

	"surefoot/internal/lb"
	"surefoot/internal/probe"
)

// downloads fetches the file from each backend, by the way that the service's packets take.
func (c *checking) downloads(ctx context.Context) {
	c.macs = map[string]string{}
	if c.service.File == "" {
		c.warn(NotLooked, c.service.Name, "no rule of the site file names the service, so no file is known that its servers are to have: nothing was downloaded", "surefoot lb check --file NAME")
		return
	}
	all := make([]probe.Result, 0, len(c.service.Backends))
	for _, b := range c.service.Backends {
		o := probe.Options{As: c.service.As, Timeout: c.timeout, Contains: c.service.Contains, Prove: true}
		t := probe.Target{Scheme: "tftp", Host: b.Addr.Addr().String(), Port: b.Addr.Port(), File: c.service.File}
		if c.service.Mode == lb.DSR {
			t.Host, t.Port = c.service.Address.Addr().String(), c.service.Address.Port()
			o.Through = &probe.Through{Interface: c.service.Interface, Backend: b.Addr.Addr()}
		}
		if t.Port == 0 {
			t.Port = 69
		}
		all = append(all, probe.TFTP(ctx, t, o))
	}
	probe.Content(all)
	for i, r := range all {
		c.judge(c.service.Backends[i].Name, r)
	}
}

func (c *checking) judge(backend string, r probe.Result) {
	if t := r.Through; t != nil && t.MAC != "" {
		c.macs[t.MAC] = backend
	}
	for _, n := range r.Notes {
		c.good(backend, "%s", n)
	}
	f := r.Fault
	if f == nil {
		from := ""
		if r.Through != nil {
			from = ", from " + r.Through.From
		}
		c.good(backend, "delivers %s: %d bytes in %.1f ms, sha256 %.12s...%s", c.service.File, r.Size, float64(r.Response.Microseconds())/1000, r.SHA256, from)
		return
	}
	c.found(Code(f.Code), backend, f.Text, f.Hint...)
}

// holders asks who has the service address: this machine, or one other.
func (c *checking) holders(ctx context.Context) {
	a := c.service.Address.Addr()
	if !a.Is4() || c.service.Interface == "" {
		return
	}
	macs, err := probe.Holders(ctx, c.service.Interface, a)
	if err != nil {
		c.warn(NotLooked, here, "who has "+a.String()+" was not asked: "+err.Error())
		return
	}
	var others []string
	explained := 0
	for _, m := range macs {
		if b := c.macs[m.String()]; b != "" {
			explained++ // its own finding says it
			others = append(others, fmt.Sprintf("%s (%s)", m, b))
			continue
		}
		others = append(others, m.String())
	}
	n := len(others)
	if c.Role == Balancer {
		n++
	}
	switch {
	case n == 0:
		c.found(NobodyHas, a.String(), fmt.Sprintf("nobody answers ARP for %s on %s, and this machine does not have it either", a, c.service.Interface),
			"no node has taken the address: surefoot vip list on each; or ip address show, where it is set by hand")
	case n > 1 && explained < n-1:
		who := strings.Join(others, " and ")
		if c.Role == Balancer {
			who += ", besides this machine"
		}
		c.found(SecondMAC, a.String(), fmt.Sprintf("more than one answers ARP for %s on %s: %s", a, c.service.Interface, who),
			"one of them is a server whose arp_ignore was forgotten, or a second balancer that took the address: ip neighbour and the switch's table say whose the MAC is",
			"surefoot vip list on each node says who ought to have it")
	case n == 1 && explained == 0:
		c.good(a.String(), "one machine has it: %s", strings.Join(append(others, map[bool]string{true: here}[c.Role == Balancer]), ""))
	}
}
