package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
)

const (
	mapServices = "services"
	mapClients  = "clients"
	mapCounts   = "counts"
	mapReasons  = "reasons"
	mapTurns    = "turns"
	mapAbout    = "about"

	pinLive = "live" // the map of services that is followed
	pinNext = "next" // the one that is about to be
)

func mapNames() []string {
	return []string{mapServices, mapClients, mapCounts, mapReasons, mapTurns, mapAbout}
}

// Replace makes the data path follow these services and no others, all of them in one step.
func (p *Path) Replace(services map[Addr]*Service) error {
	m, err := ebpf.NewMap(p.inner)
	if err != nil {
		return explain("make a map of services", err)
	}
	if err := p.follow(m, services); err != nil {
		_ = m.Close()
		return err
	}
	if p.current != nil {
		_ = p.current.Close()
	}
	p.current = m
	return nil
}

// follow pins the new map beside the old one until the change is made: a process that dies in between leaves one
// of the two, and both hold what the next process has to know. The map that the kernel follows cannot be asked of the
// outer one without CAP_SYS_ADMIN.
func (p *Path) follow(m *ebpf.Map, services map[Addr]*Service) error {
	for a, s := range services {
		if err := m.Put(a, s); err != nil {
			return fmt.Errorf("write a service: %w", err)
		}
	}
	live, next := filepath.Join(p.dir, pinLive), filepath.Join(p.dir, pinNext)
	if p.dir != "" {
		if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep the services: %w", err)
		}
		if err := m.Pin(next); err != nil {
			return explain("keep the services", err)
		}
	}
	if err := p.maps[mapServices].Put(uint32(0), m); err != nil {
		return fmt.Errorf("change over to the new services: %w", err)
	}
	if p.dir != "" {
		if err := os.Rename(next, live); err != nil {
			return fmt.Errorf("keep the services: %w", err)
		}
	}
	return nil
}

// Services are those that the data path follows.
func (p *Path) Services() (map[Addr]*Service, error) {
	out := map[Addr]*Service{}
	if p.current == nil {
		return out, nil
	}
	var a Addr
	s := new(Service)
	it := p.current.Iterate()
	for it.Next(&a, s) {
		out[a], s = s, new(Service)
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("read the services: %w", err)
	}
	return out, nil
}

// Count is what went by a counter, on all processors.
func (p *Path) Count(i uint32) (Count, error) {
	var each []Count
	if err := p.maps[mapCounts].Lookup(i, &each); err != nil {
		return Count{}, fmt.Errorf("read a counter: %w", err)
	}
	var out Count
	for _, c := range each {
		out.Packets += c.Packets
		out.Bytes += c.Bytes
		out.Requests += c.Requests
		out.Retries += c.Retries
		out.Clients += c.Clients
	}
	return out, nil
}

// Clear begins a counter anew, and the turns of the same number.
func (p *Path) Clear(i uint32) error {
	n, err := ebpf.PossibleCPU()
	if err == nil {
		err = p.maps[mapCounts].Put(i, make([]Count, n))
	}
	if err == nil {
		err = p.maps[mapTurns].Put(i, uint64(0))
	}
	if err != nil {
		return fmt.Errorf("clear a counter: %w", err)
	}
	return nil
}

// NotForwarded counts the packets that went to no backend.
func (p *Path) NotForwarded() (map[Reason]uint64, error) {
	out := map[Reason]uint64{}
	for _, r := range Reasons() {
		var each []uint64
		if err := p.maps[mapReasons].Lookup(uint32(r), &each); err != nil {
			return nil, fmt.Errorf("read a counter: %w", err)
		}
		for _, n := range each {
			out[r] += n
		}
	}
	return out, nil
}

// Clients calls f for each client that is remembered, until it says false.
func (p *Path) Clients(f func(Client, Kept) bool) error {
	const many = 4096
	var at ebpf.MapBatchCursor
	keys, values := make([]Client, many), make([]Kept, many)
	for {
		n, err := p.maps[mapClients].BatchLookup(&at, keys, values, nil)
		for i := range n {
			if !f(keys[i], values[i]) {
				return nil
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) { // that was all
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the clients: %w", err)
		}
	}
}

// Kept is what is remembered of a client.
func (p *Path) Kept(c Client) (Kept, bool) {
	var k Kept
	return k, p.maps[mapClients].Lookup(c, &k) == nil
}

// Set remembers a client, whatever was remembered of it.
func (p *Path) Set(c Client, k Kept) error {
	if err := p.maps[mapClients].Put(c, k); err != nil {
		return fmt.Errorf("note a client: %w", err)
	}
	return nil
}

// Forget lets a client be a new one.
func (p *Path) Forget(c Client) error {
	if err := p.maps[mapClients].Delete(c); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget a client: %w", err)
	}
	return nil
}
