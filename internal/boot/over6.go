package boot

import "net/netip"

// Over6 reports whether the client boots over IPv6: the address by which its network is found is one.
func (c Client) Over6() bool {
	a := c.place()
	return a.Is6() && !a.Is4In6()
}

// place is the address by which a client's network is found: of its relay, else its own, else of the interface
// that heard it.
func (c Client) place() netip.Addr {
	switch {
	case known(c.Relay):
		return c.Relay
	case known(c.Addr):
		return c.Addr
	}
	return c.Link.Addr()
}

// Over6 is the server as clients reach it over IPv6.
func (s Server) Over6() Server {
	s.TFTP, s.HTTP, s.PXE = s.TFTP6, s.HTTP6, netip.Addr{}
	return s
}

// over is a server as the client that is decided about reaches it.
func (w *work) over(s Server) Server {
	if w.six {
		return s.Over6()
	}
	return s
}
