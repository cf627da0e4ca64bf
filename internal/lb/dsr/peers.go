package dsr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/wire/lbpeer"
)

// PeersConfig is with whom a balancer exchanges what it sees.
type PeersConfig struct {
	Node  string
	Addr  netip.AddrPort   // of this node
	Peers []netip.AddrPort // of the others
	Key   []byte
}

// Peers exchange views and clients with the balancers that stand in for this one.
type Peers struct {
	cfg   PeersConfig
	plane *Plane
	log   *slog.Logger
	now   func() time.Time
	conn  *net.UDPConn

	mu    sync.Mutex // guards the rest
	began time.Time
	self  uint64 // this session
	seq   uint64
	of    map[netip.AddrPort]*peer
}

type peer struct {
	reply        uint64 // the session that it is told to be in
	session, seq uint64 // of the last message that was taken
	past         map[uint64]bool
	node         string
	at           time.Time // its last message
	views        map[netip.Addr]lbpeer.View
	learnt       map[netip.Addr]map[netip.Addr]uint32 // by service: which round spoke of a client
	complaint    string
}

const (
	viewsEvery   = time.Second
	clientsEvery = 3 * time.Second
	staleAfter   = 5 * time.Second
	// maxDeviations is how many clients a round speaks of, so that the exchange stays small beside the traffic.
	maxDeviations = 4096
)

// NewPeers opens nothing.
func NewPeers(cfg PeersConfig, plane *Plane, d Deps) (*Peers, error) {
	if len(cfg.Key) < 16 {
		return nil, errors.New("the key between balancers has less than 16 bytes")
	}
	if len(cfg.Node) > lbpeer.MaxNode {
		return nil, fmt.Errorf("the name %q is longer than %d bytes", cfg.Node, lbpeer.MaxNode)
	}
	p := &Peers{cfg: cfg, plane: plane, log: d.Log, now: d.Now, self: rand.Uint64() | 1, of: map[netip.AddrPort]*peer{}}
	for _, a := range cfg.Peers {
		p.of[a] = &peer{past: map[uint64]bool{}, views: map[netip.Addr]lbpeer.View{}, learnt: map[netip.Addr]map[netip.Addr]uint32{}}
	}
	return p, nil
}

// Listen opens the socket.
func (p *Peers) Listen(context.Context) error {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(p.cfg.Addr))
	if err != nil {
		return fmt.Errorf("listen for other balancers: %w", err)
	}
	p.conn = c
	return nil
}

// Run exchanges until ctx ends.
func (p *Peers) Run(ctx context.Context, ready func()) error {
	var all sync.WaitGroup
	defer all.Wait()
	defer p.conn.Close()
	p.mu.Lock()
	p.began = p.now()
	p.mu.Unlock()
	all.Go(p.receive)
	ready()
	views, clients := time.NewTicker(viewsEvery), time.NewTicker(clientsEvery)
	defer views.Stop()
	defer clients.Stop()
	round := uint32(0)
	p.sendViews()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-views.C:
			p.sendViews()
		case <-clients.C:
			round++
			p.sendClients(round)
		}
	}
}

func (p *Peers) sendViews() {
	for chunk := range slices.Chunk(p.plane.views(), 1) {
		p.send(lbpeer.Message{Views: chunk})
	}
}

func (p *Peers) sendClients(round uint32) {
	for _, v := range p.plane.views() {
		if !v.Active {
			continue
		}
		list := p.plane.deviations(v.Service, maxDeviations, bpf.Clock())
		for chunk := range slices.Chunk(list, lbpeer.MaxClients) {
			p.send(lbpeer.Message{Service: v.Service, Round: round, Clients: chunk})
		}
		p.send(lbpeer.Message{Service: v.Service, Round: round}) // the end of the round
	}
}

// send tells all peers the same, each under its own session.
func (p *Peers) send(m lbpeer.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, x := range p.of {
		p.seq++
		m.From, m.To, m.Seq, m.Node = p.self, x.reply, p.seq, p.cfg.Node
		_, _ = p.conn.WriteToUDPAddrPort(lbpeer.Encode(&m, p.cfg.Key), at) // who is not there is heard to be silent
	}
}

func (p *Peers) receive() {
	buf := make([]byte, 2048)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of one that is not there
		}
		p.take(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buf[:n])
	}
}

// take reads a datagram. What does not name this session may be old and repeated by somebody: it says only in which
// session its sender wants to be spoken to.
func (p *Peers) take(from netip.AddrPort, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of[from]
	if x == nil {
		return
	}
	m, err := lbpeer.Decode(b, p.cfg.Key)
	if err != nil {
		if text := err.Error(); text != x.complaint {
			x.complaint = text
			p.log.Warn("what another balancer says is not understood", "role", "lb", "from", from, "err", err)
		}
		return
	}
	if m.To != p.self {
		x.reply = m.From
		return
	}
	if m.From != x.session {
		if x.past[m.From] {
			return
		}
		x.past[x.session] = true
		x.session, x.seq = m.From, 0
	}
	if m.Seq <= x.seq {
		return
	}
	x.reply, x.seq, x.node, x.at, x.complaint = m.From, m.Seq, m.Node, p.now(), ""
	for _, v := range m.Views {
		x.views[v.Service] = v
	}
	if m.Service.IsValid() {
		p.clients(x, m)
	}
}

// clients notes what a peer says of clients; at the end of a round it forgets whom three rounds did not name.
// p.mu is held.
func (p *Peers) clients(x *peer, m *lbpeer.Message) {
	known := x.learnt[m.Service]
	if known == nil {
		known = map[netip.Addr]uint32{}
		x.learnt[m.Service] = known
	}
	for _, a := range p.plane.learn(m.Service, m.Clients, bpf.Clock()) {
		known[a] = m.Round
	}
	if len(m.Clients) > 0 {
		return
	}
	var gone []netip.Addr
	for a, round := range known {
		if m.Round-round >= 3 {
			gone = append(gone, a)
			delete(known, a)
		}
	}
	p.plane.forget(m.Service, gone)
}

// PeerView is what another balancer sees, and how old that is.
type PeerView struct {
	Peer    netip.AddrPort `json:"peer"`
	Node    string         `json:"node,omitempty"`
	At      time.Time      `json:"at,omitzero"`
	Stale   bool           `json:"stale"`             // it was not heard for five seconds
	Differs []string       `json:"differs,omitempty"` // what it sees otherwise than this node
	Learnt  int            `json:"learnt"`            // clients that this node knows from it
}

// Views are those of all peers, each beside that of this node.
func (p *Peers) Views() []PeerView {
	own := map[netip.Addr]lbpeer.View{}
	for _, v := range p.plane.views() {
		own[v.Service] = v
	}
	names := p.plane.names()
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []PeerView
	for at, x := range p.of {
		v := PeerView{Peer: at, Node: x.node, At: x.at, Stale: p.now().Sub(later(x.at, p.began)) > staleAfter}
		for _, known := range x.learnt {
			v.Learnt += len(known)
		}
		for service, mine := range own {
			if x.at.IsZero() {
				break
			}
			v.Differs = append(v.Differs, differ(service, mine, x.views[service], names)...)
		}
		slices.Sort(v.Differs)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b PeerView) int { return cmp.Compare(a.Peer.String(), b.Peer.String()) })
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// differ says in words what two balancers see differently.
func differ(service netip.Addr, mine, other lbpeer.View, names map[uint32]string) (out []string) {
	if !other.Service.IsValid() {
		return []string{fmt.Sprintf("%s: it does not speak of this service", service)}
	}
	if mine.Active && other.Active {
		out = append(out, fmt.Sprintf("%s: both have the address", service))
	}
	for _, b := range mine.Backends {
		i := slices.IndexFunc(other.Backends, func(x lbpeer.Backend) bool { return x.ID == b.ID })
		switch {
		case i < 0:
			out = append(out, fmt.Sprintf("%s: it does not have %s", service, names[b.ID]))
		case other.Backends[i].Alive != b.Alive:
			out = append(out, fmt.Sprintf("%s: %s is alive here: %v, there: %v", service, names[b.ID], b.Alive, other.Backends[i].Alive))
		}
	}
	if len(other.Backends) > len(mine.Backends) {
		out = append(out, fmt.Sprintf("%s: it has backends that this node lacks", service))
	}
	return out
}

// names are those of the backends by their number.
func (p *Plane) names() map[uint32]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[uint32]string{}
	for _, t := range p.tables {
		for i, id := range identify(t.Service.Backends) {
			out[id] = t.Service.Backends[i].Name
		}
	}
	return out
}
