package dhcp4

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/iface"
	"surefoot/internal/kernel/rawsock"
)

// port is an interface that is served.
type port struct {
	name    string
	link    atomic.Pointer[Link] // as it was seen last
	iface   *iface.Interface     // who sees it
	index   int                  // of the interface that the socket is bound to; Listen's, then watch's
	raw     *rawsock.PacketConn
	held    *rawsock.HeldPort // port 67, which nobody reads; nil in tests
	arp     arpConn           // nil: no scope asks for checks
	frames  frameWriter       // raw, but for tests
	queue   *queue
	commits commits
}

func newPort(name string, queueLength int) *port {
	p := &port{name: name, queue: newQueue(queueLength)}
	p.commits.wake = make(chan struct{}, 1)
	return p
}

// arpConn is the part of rawsock.ARPConn that checks need.
type arpConn interface {
	Read(b []byte) (int, error)
	Write(frame []byte) error
	Rebind(index int) error
	SetReadDeadline(t time.Time) error
	Close() error
}

// downPause is how long a reader waits after the kernel said that its link is down.
const downPause = 100 * time.Millisecond

// at is the interface as it was seen last.
func (p *port) at() *Link { return p.link.Load() }

// read puts frames into the queue until the socket is interrupted. It waits while the link is down or
// gone.
func (p *port) read(ctx context.Context, s *Server) error {
	b := rawsock.NewBatch()
	for {
		n, err := p.raw.ReadBatch(b)
		if err == nil {
			if lost := p.queue.put(n, b.Frame); lost > 0 {
				s.lost(p, lost, "the oldest of those that waited")
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if !rawsock.Down(err) {
			return fmt.Errorf("dhcp4 on %s: %w", p.name, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(downPause):
		}
	}
}

// lost tells of packets that nobody looked at, one event each, since events are counted.
func (s *Server) lost(p *port, n int, detail string) {
	for range n {
		s.emit(&boot.Event{Kind: boot.Ignored, If: p.name, Reason: boot.QueueFull, Detail: detail})
	}
}

// interrupt ends the read that waits. What was read before is still worked on.
func (p *port) interrupt() {
	past := time.Unix(1, 0)
	_ = p.raw.SetReadDeadline(past)
	if p.arp != nil {
		_ = p.arp.SetReadDeadline(past)
	}
}
