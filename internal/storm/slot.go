package storm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// slot is a place for one client at a time.
type slot struct {
	client client
	fd     int
	opened int        // sockets so far: a new one may have the number of the one before
	addr   netip.Addr // own address
	loss   rand.PCG
	queued time.Duration // the earliest of its entries in timers that counts; 0: none
	busy   bool
}

// SocketError is that this machine has no socket for so many clients.
type SocketError struct {
	Client int // how many have one
	Err    error
}

func (e *SocketError) Error() string {
	return fmt.Sprintf("open a socket for client %d: %v", e.Client+1, e.Err)
}

func (e *SocketError) Unwrap() error { return e.Err }

// Hint says what helps.
func (e *SocketError) Hint() []string {
	if errors.Is(e.Err, unix.EMFILE) {
		return []string{"each client takes one descriptor: ulimit -n shows how many there may be"}
	}
	return nil
}

// open gives a slot a socket with a new port.
func (r *runner) open(i int) error {
	s := &r.slots[i]
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
	fd, err := r.poll.open(s.addr, r.cfg.receiveBuffer(), i)
	if err == nil {
		s.fd = fd
		s.opened++
	}
	return err
}

// receiveBuffer is room for two windows; 0 is the kernel's own choice, which suffices for common ones.
func (c Config) receiveBuffer() int {
	need := 2 * c.Window * (max(c.BlockSize, 512) + 1024) // what the kernel adds to each packet
	if need < 200<<10 {
		return 0
	}
	return min(need, 4<<20)
}

// sources returns the own address of each client.
func sources(p netip.Prefix, server netip.Addr) func(int) netip.Addr {
	if !p.IsValid() {
		any := netip.IPv4Unspecified()
		if server.Is6() {
			any = netip.IPv6Unspecified()
		}
		return func(int) netip.Addr { return any }
	}
	var all []netip.Addr
	for a := p.Addr(); p.Contains(a) && len(all) < MaxClients; a = a.Next() {
		all = append(all, a)
	}
	return func(i int) netip.Addr { return all[i%len(all)] }
}
