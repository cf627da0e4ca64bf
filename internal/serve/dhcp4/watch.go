package dhcp4

import (
	"context"
	"errors"
	"net"
	"time"

	"surefoot/internal/kernel/bind"
	"surefoot/internal/kernel/link"
)

// watchEvery is how often the interfaces are looked at: how long, at most, an answer may still
// name an address that the interface has lost.
const watchEvery = time.Second

// watch follows the interfaces' addresses and brings the sockets back to an interface that was
// removed and made anew. It returns when ctx ends.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	troubles := make([]trouble, len(s.ports))
	for i, p := range s.ports {
		troubles[i].text = p.lacks() // told already by whoever started the role
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, p := range s.ports {
			s.note(p, &troubles[i], p.look(s.links))
			if n := p.raw.Dropped(); n > 0 {
				s.lost(p, int(n), "lost by the kernel")
			}
		}
		s.own()
	}
}

// trouble is why an interface is not served, and for how many looks it has been so.
type trouble struct {
	text  string
	looks int
}

// note logs when an interface comes into trouble, into another, or out of it.
func (s *Server) note(p *port, was *trouble, is string) {
	was.looks++
	if is == was.text {
		return
	}
	log := s.d.Log.With("role", Role, "if", p.name)
	if is == "" {
		log.Info("the interface is served again", "address", p.at().Addrs[0], "was", was.text, "looks", was.looks)
	} else {
		log.Warn("the interface is not served", "why", is, "next_look", watchEvery)
	}
	*was = trouble{text: is}
}

// look reads the interface anew and returns what keeps it from being served, "" if nothing. An
// answer of the kernel's that cannot be had leaves everything as it was.
func (p *port) look(links *link.Reader) string {
	l, err := links.ByName(p.name)
	var missing *link.MissingError
	switch {
	case errors.As(err, &missing):
		p.saw(link.Link{})
		return "it is gone"
	case err != nil:
		return err.Error()
	}
	if l.Index != p.index || p.raw.Gone() {
		if err := p.rebind(l.Index); err != nil {
			p.saw(link.Link{})
			return err.Error()
		}
	}
	p.saw(l)
	return p.lacks()
}

// rebind moves the sockets to the interface that has the port's name now. They stay the same sockets, in
// the namespace of Listen.
func (p *port) rebind(index int) error {
	if err := p.raw.Rebind(index); err != nil {
		return err
	}
	if err := p.arp.Rebind(index); err != nil {
		return err
	}
	if c, ok := p.held.(*net.UDPConn); ok {
		if err := bind.ToDevice(c, p.name); err != nil {
			return err
		}
	}
	p.index = index
	return nil
}

// saw is what packets go by from now on.
func (p *port) saw(l link.Link) {
	at := Link{Name: p.name, MAC: l.MAC, Addrs: l.Addrs}
	if l.MAC.IsZero() { // nothing that we could answer on
		at.Addrs = nil
	}
	if was := p.link.Load(); was != nil {
		at.Own = was.Own
	}
	p.link.Store(&at)
}

// own tells each port which addresses the others have: a relay may ask any of them.
func (s *Server) own() {
	for _, p := range s.ports {
		at := *p.at()
		at.Own = nil
		for _, other := range s.ports {
			if other != p {
				for _, a := range other.at().Addrs {
					at.Own = append(at.Own, a.Addr())
				}
			}
		}
		if self := s.plan.Load().self.Addr(); self.IsValid() {
			at.Own = append(at.Own, self)
		}
		p.link.Store(&at)
	}
}

// lacks says what keeps the interface from being served, "" if nothing.
func (p *port) lacks() string {
	switch at := p.at(); {
	case at.MAC.IsZero():
		return "it is not an Ethernet"
	case len(at.Addrs) == 0:
		return "it has no IPv4 address"
	}
	return ""
}
