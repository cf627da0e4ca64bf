package conform

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// weather is what a network does to packets; each number is a share of 1.
type weather struct{ lose, repeat, late float64 }

// proxy stands between clients and a server, and loses, repeats and delays packets (a packet that
// is late is overtaken by those behind it). What happens to a packet depends on nothing but the
// seed, the direction, what the packet is, and how often it was seen: not on time, so that a seed
// brings the same losses again.
type proxy struct {
	seed    uint64
	weather weather
	server  netip.AddrPort
	front   *net.UDPConn                                             // what clients take for the request port
	tell    func(direction string, b []byte, lost, late, twice bool) // if set, hears each packet's fate

	mu      sync.Mutex              // guards all below
	ports   map[string]*port        // by the pair that it joins
	seen    map[string]uint64       // packet → how often
	open    []*net.UDPConn          // to be closed in the end
	counted struct{ lost, all int } // for the report
	wait    sync.WaitGroup
}

// port is a socket of the proxy: towards the server for one client, or towards a client for one
// TID of the server.
type port struct{ *net.UDPConn }

// newProxy runs a proxy in front of a server.
func newProxy(t testing.TB, server netip.AddrPort, seed uint64, w weather) *proxy {
	t.Helper()
	p := &proxy{seed: seed, weather: w, server: server, ports: map[string]*port{}, seen: map[string]uint64{}}
	front, err := p.listen()
	if err != nil {
		t.Fatal(err)
	}
	p.front = front.UDPConn
	p.wait.Go(func() {
		p.pump(front, func(from netip.AddrPort, b []byte) {
			back, err := p.back(from)
			if err == nil {
				p.pass(">", b, func(b []byte) { _, _ = back.WriteToUDPAddrPort(b, server) })
			}
		})
	})
	t.Cleanup(func() {
		p.mu.Lock()
		for _, c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) addr() netip.AddrPort { return p.front.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *proxy) listen() (*port, error) {
	// An address for each seed, so that a server's limit for one address is not what is tested.
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 50, byte(p.seed), 1)})
	if err != nil {
		return nil, err
	}
	_ = c.SetReadBuffer(1 << 20)
	p.open = append(p.open, c)
	return &port{c}, nil
}

func (p *proxy) pump(c *port, each func(netip.AddrPort, []byte)) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			each(unmap(from), append([]byte(nil), buf[:n]...))
		}
	}
}

// back is the socket that stands for a client at the server.
func (p *proxy) back(client netip.AddrPort) (*port, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.ports[client.String()]; c != nil {
		return c, nil
	}
	c, err := p.listen()
	if err != nil {
		return nil, err
	}
	p.ports[client.String()] = c
	p.wait.Go(func() {
		p.pump(c, func(tid netip.AddrPort, b []byte) {
			if front, err := p.tid(client, tid, c); err == nil {
				p.pass("<", b, func(b []byte) { _, _ = front.WriteToUDPAddrPort(b, client) })
			}
		})
	})
	return c, nil
}

// tid is the socket that stands for a TID of the server at a client.
func (p *proxy) tid(client, tid netip.AddrPort, back *port) (*port, error) {
	if tid == p.server {
		return &port{p.front}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := client.String() + " " + tid.String()
	if c := p.ports[key]; c != nil {
		return c, nil
	}
	c, err := p.listen()
	if err != nil {
		return nil, err
	}
	p.ports[key] = c
	p.wait.Go(func() {
		p.pump(c, func(_ netip.AddrPort, b []byte) {
			p.pass(">", b, func(b []byte) { _, _ = back.WriteToUDPAddrPort(b, tid) })
		})
	})
	return c, nil
}

// pass decides a packet's fate.
func (p *proxy) pass(direction string, b []byte, send func([]byte)) {
	what := direction + string(b[:min(len(b), 4)])
	p.mu.Lock()
	p.seen[what]++
	p.counted.all++
	times := p.seen[what]
	p.mu.Unlock()
	h := fnv.New64a()
	_, _ = h.Write([]byte(what))
	rnd := rand.New(rand.NewPCG(p.seed, h.Sum64()+times))
	lost, late, twice := rnd.Float64() < p.weather.lose, rnd.Float64() < p.weather.late, rnd.Float64() < p.weather.repeat
	delay := time.Duration(1+rnd.IntN(4)) * time.Millisecond
	if p.tell != nil {
		p.tell(direction, b, lost, late, twice)
	}
	switch {
	case lost:
		p.mu.Lock()
		p.counted.lost++
		p.mu.Unlock()
		return
	case late:
		time.AfterFunc(delay, func() { send(b) })
	default:
		send(b)
	}
	if twice {
		time.AfterFunc(delay/2, func() { send(b) })
	}
}
