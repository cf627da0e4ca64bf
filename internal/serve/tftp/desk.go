package tftp

import (
	"net/netip"
	"sync"
)

// maxUploads is how many uploads run at the same time. Each has a goroutine and a thread of its
// own, since it waits for the disk; there are few of them, and downloads never wait for one.
const maxUploads = 64

// uploadsOfOne bounds those of one client address: a device that uploads in a loop leaves room.
const uploadsOfOne = maxUploads / 4

// desk counts the uploads under way.
type desk struct {
	mu  sync.Mutex // guards the rest
	all int
	of  map[netip.Addr]int
}

// take reports whether there is a place for one more of a client address.
func (d *desk) take(a netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= maxUploads || d.of[a] >= uploadsOfOne {
		return false
	}
	if d.of == nil {
		d.of = map[netip.Addr]int{}
	}
	d.all++
	d.of[a]++
	return true
}

func (d *desk) leave(a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.of[a]--; d.of[a] == 0 {
		delete(d.of, a)
	}
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all
}
