package dhcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// tick is how often machines begin, and ask again.
const tick = time.Millisecond

// runner is a storm with its sockets. What the reader and the pacer share is behind mu.
type runner struct {
	cfg   Config
	sock  *rawsock.PacketConn
	held  io.Closer
	begun time.Time

	mu    sync.Mutex
	crowd *crowd
}

// Run lets the storm go, until every machine has its answer or has given up, or ctx ends.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	r, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer r.close()
	r.begun = time.Now()
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() { failed = r.read() })
	r.pace(ctx)
	_ = r.sock.SetReadDeadline(time.Unix(1, 0))
	wg.Wait()
	res := &r.crowd.res
	res.Interrupted = ctx.Err() != nil
	res.Lost = uint64(r.sock.Dropped())
	res.end(r.cfg.What, time.Since(r.begun))
	return res, failed
}

func open(ctx context.Context, cfg Config) (*runner, error) {
	l, err := link.ByName(cfg.Interface)
	if err != nil {
		return nil, err
	}
	if l.MAC.IsZero() {
		return nil, fmt.Errorf("interface %s: is not an Ethernet", cfg.Interface)
	}
	r := &runner{cfg: cfg}
	var server boot.MAC
	port := wire.ClientPort
	if cfg.Relay.IsValid() {
		port = wire.ServerPort
		if server, err = resolve(ctx, l, cfg.Relay, cfg.Server); err != nil {
			return nil, err
		}
		// The kernel would tell the server that nobody listens.
		if r.held, err = rawsock.Hold(ctx, port, cfg.Interface); err != nil {
			return nil, err
		}
	}
	if r.sock, err = rawsock.ListenCrowd(l.Name, l.Index, l.MAC, port); err != nil {
		r.close()
		return nil, err
	}
	r.crowd = newCrowd(&r.cfg, l.MAC, server)
	return r, nil
}

func (r *runner) close() {
	if r.sock != nil {
		_ = r.sock.Close()
	}
	if r.held != nil {
		_ = r.held.Close()
	}
}

// resolve asks for the hardware address of the server (RFC 826).
func resolve(ctx context.Context, l link.Link, own, server netip.Addr) (boot.MAC, error) {
	c, err := rawsock.ListenARP(l.Name, l.Index, l.MAC)
	if err != nil {
		return boot.MAC{}, err
	}
	defer c.Close()
	b := make([]byte, rawsock.MaxFrame)
	ask := frame.ARP{Op: frame.ARPRequest, SenderMAC: l.MAC, Sender: own, Target: server}.Append(nil, frame.Broadcast)
	for range 5 {
		if err := c.Write(ask); err != nil {
			return boot.MAC{}, err
		}
		_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		for ctx.Err() == nil {
			n, err := c.Read(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return boot.MAC{}, err
			}
			if a, err := frame.ParseARP(b[:n]); err == nil && a.Op == frame.ARPReply && a.Sender == server {
				return a.SenderMAC, nil
			}
		}
	}
	return boot.MAC{}, fmt.Errorf("nobody on %s says that he has %s: the relay has to be on the network of its server", l.Name, server)
}

// outgoing is frames that leave together. It belongs to one goroutine.
type outgoing struct {
	r      *runner
	sender *rawsock.Sender
	room   [rawsock.MaxBatch][]byte
	n      int
}

func (r *runner) outgoing() *outgoing { return &outgoing{r: r, sender: rawsock.NewSender()} }

// next is where the next frame is written.
func (o *outgoing) next() []byte { return o.room[o.n][:0] }

func (o *outgoing) put(b []byte) (full bool) {
	o.room[o.n] = b
	o.n++
	return o.n == len(o.room)
}

// flush sends them. What the card does not take is lost, as on a real network, and asked again.
func (o *outgoing) flush() {
	if o.n > 0 {
		_, _ = o.r.sock.WriteBatch(o.sender, o.room[:o.n])
		o.n = 0
	}
}

// pace lets machines begin and ask again, until all have ended.
func (r *runner) pace(ctx context.Context) {
	out := r.outgoing()
	t := time.NewTicker(tick)
	defer t.Stop()
	for ctx.Err() == nil {
		now := time.Since(r.begun)
		for r.fill(out, now) {
			out.flush()
		}
		out.flush()
		if r.over(now) {
			return
		}
		<-t.C
	}
}

// fill takes a batch of what is to be sent now; more says that there is more.
func (r *runner) fill(out *outgoing, now time.Duration) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.crowd
	c.again(now, len(out.room)-out.n, func(i int) { out.put(c.send(out.next(), now, i)) })
	for out.n < len(out.room) && r.mayBegin(now) {
		out.put(c.begin(out.next(), now, r.who()))
	}
	return out.n == len(out.room)
}

// mayBegin reports whether one more machine begins by now.
func (r *runner) mayBegin(now time.Duration) bool {
	c := r.crowd
	switch {
	case r.cfg.Duration == 0 && c.res.Begun >= len(c.all), r.cfg.Duration > 0 && now >= r.cfg.Duration:
		return false
	case r.cfg.Window > 0 && c.open >= r.cfg.Window:
		return false
	case r.cfg.Rate > 0 && float64(c.res.Begun) >= now.Seconds()*r.cfg.Rate:
		return false
	}
	return true
}

// who begins next: round and round.
func (r *runner) who() int {
	i := r.crowd.next
	if r.crowd.next++; r.crowd.next == len(r.crowd.all) {
		r.crowd.next = 0
	}
	return i
}

// over reports whether nobody is left who waits or will begin.
func (r *runner) over(now time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.Duration == 0 {
		return r.crowd.res.Begun >= len(r.crowd.all) && r.crowd.open == 0
	}
	return now >= r.cfg.Duration && r.crowd.open == 0
}

// read takes replies, and sends the REQUESTs that follow from them at once, until the socket is
// interrupted.
func (r *runner) read() error {
	b, out := rawsock.NewBatch(), r.outgoing()
	var v wire.View
	for {
		n, err := r.sock.ReadBatch(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Since(r.begun)
		r.mu.Lock()
		for i := range n {
			r.hear(b.Frame(i), &v, now, out)
		}
		for r.cfg.Window > 0 && out.n < len(out.room) && r.mayBegin(now) {
			out.put(r.crowd.begin(out.next(), now, r.who()))
		}
		r.mu.Unlock()
		out.flush()
	}
}

func (r *runner) hear(b []byte, v *wire.View, now time.Duration, out *outgoing) {
	d, err := frame.Parse(b)
	if err != nil || v.Parse(d.Payload) != nil {
		return
	}
	if i := r.crowd.hear(now, v); i >= 0 && out.n < len(out.room) {
		out.put(r.crowd.send(out.next(), now, i))
	}
}
