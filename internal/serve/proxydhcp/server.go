// Package proxydhcp answers machines that boot from the network with the name of their bootstrap
// and of its servers, beside any DHCP server and without handing out addresses (PXE 2.1 section
// 2.2; the forms that firmware really accepts: FACTS F1 to F14, BOOTLAB sections 3 to 5).
//
// It is three layers. decide.go turns a packet into an Outcome, with no clock and no socket.
// encode.go writes a boot.Answer in the form that the client's firmware understands. This file
// and its neighbours move packets: requests on port 67 are read by AF_PACKET, so a DHCP server
// on the same host may hold the port; offers leave as raw frames; port 4011 is a UDP socket on
// each interface.
//
// It is not a DHCP server: it never sends an address, a lease or a NAK, and is silent, with a
// counted reason, about everything that is not a network boot.
package proxydhcp

import (
	"cmp"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/iface"
	"surefoot/internal/kernel/link"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// Role is the name in events.
const Role = "proxydhcp"

// Config is what the role serves and where.
type Config struct {
	Node       string
	Site       *boot.Site
	Interfaces []string // must exist; their links may be down, and their addresses may come later
}

// Deps is what the role uses of the rest. Every field may be nil.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	Down boot.Down
}

// Server is the role.
type Server struct {
	cfg   Config
	d     Deps
	site  atomic.Pointer[boot.Site]
	limit *limiter
	ports []*port      // one for each interface, after Listen
	links *link.Reader // of the namespace of Listen, after it
	ip    rawIPv4      // to relays, after Listen
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if cfg.Site == nil {
		return nil, errors.New("proxydhcp: no site")
	}
	if len(cfg.Interfaces) == 0 {
		return nil, errors.New("proxydhcp: no interface is named, and it answers on none that nobody named")
	}
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{cfg: cfg, d: d, limit: newLimiter()}
	s.site.Store(cfg.Site)
	return s, nil
}

// Apply makes the server answer by another site from the next packet on.
func (s *Server) Apply(site *boot.Site) { s.site.Store(site) }

// onServerPort works on a frame that carries a datagram to port 67.
func (s *Server) onServerPort(p *port, b []byte) {
	defer s.survive(p, b)
	l := p.at()
	d, err := frame.Parse(b)
	if err != nil {
		s.ignore(p, boot.Malformed, Heard{Link: l}, err.Error())
		return
	}
	if d.SrcMAC == l.MAC {
		s.ignore(p, boot.FromOurselves, Heard{Link: l, From: d.Src, To: d.Dst}, "")
		return
	}
	s.handle(p, d.Payload, Heard{From: d.Src, To: d.Dst, Link: l})
}

// onBootPort works on a datagram to port 4011.
func (s *Server) onBootPort(p *port, b packet) {
	defer s.survive(p, b.data)
	s.handle(p, b.data, Heard{From: b.from, To: b.to, Link: p.at()})
}

// handle decodes a message, has it decided, sends the answer and tells of it.
func (s *Server) handle(p *port, b []byte, h Heard) {
	now := s.d.Now()
	if !s.limit.any(now) {
		s.ignore(p, boot.RateLimited, h, "more packets than this node works on")
		return
	}
	msg, err := dhcp4.Decode(b)
	if err != nil {
		reason := boot.Malformed
		if errors.Is(err, dhcp4.ErrNotDHCP) {
			reason = boot.NotDHCP
		}
		s.ignore(p, reason, h, err.Error())
		return
	}
	h.Packet = msg
	if mac, ok := msg.MAC(); ok && !s.limit.machine(now, mac) {
		s.ignore(p, boot.RateLimited, h, "")
		return
	}
	o := Decide(h, s.site.Load(), s.d.Down)
	if o.Foreign {
		return
	}
	s.tellSeen(h, o)
	if o.Reply == nil {
		return
	}
	if err := p.send(s.ip, h.Link.MAC, o.Reply, o.Route); err != nil {
		o.Reason = boot.SendFailed
		s.tellSent(h, o, err.Error())
		return
	}
	s.tellSent(h, o, o.Detail())
}

// survive turns a panic while working on one packet into a counted reason and a log line with
// the packet, so that one odd packet cannot stop a site.
func (s *Server) survive(p *port, b []byte) {
	if r := recover(); r != nil {
		s.emit(iface.Fault(s.d.Log, Role, p.name, r, b))
	}
}
