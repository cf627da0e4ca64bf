package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// Way is where a program sits.
type Way string

const (
	// Auto takes XDP where the driver does it on a real network card, else tcx.
	Auto Way = "auto"
	// XDP runs in the driver, before the kernel makes anything of the frame.
	XDP Way = "xdp"
	// Generic is XDP for drivers that do not have it: for kernels before 6.6, which lack tcx.
	Generic Way = "xdp-generic"
	// TCX runs where the kernel has received the frame, on any interface.
	TCX Way = "tcx"
)

type linkKey struct {
	way     Way
	ifindex int
}

func (k linkKey) name() string { return fmt.Sprintf("at-%s-%d", k.way, k.ifindex) }

func keyOf(name string) (k linkKey, ok bool) {
	rest, ok := strings.CutPrefix(name, "at-")
	i := strings.LastIndexByte(rest, '-')
	if !ok || i < 0 {
		return k, false
	}
	k.way = Way(rest[:i])
	_, err := fmt.Sscan(rest[i+1:], &k.ifindex)
	return k, err == nil
}

type attached struct{ link.Link }

// Attachment is a program on an interface.
type Attachment struct {
	Index int `json:"index"`
	Way   Way `json:"way"`
}

// Attached lists where programs sit.
func (p *Path) Attached() []Attachment {
	var out []Attachment
	for k := range p.links {
		out = append(out, Attachment{k.ifindex, k.way})
	}
	return out
}

// takeLinks takes over what a former process attached: programs that are not ours are exchanged in one step.
func (p *Path) takeLinks() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("look for programs of a former process: %w", err)
	}
	for _, e := range entries {
		k, ok := keyOf(e.Name())
		if !ok {
			continue
		}
		at := filepath.Join(p.dir, e.Name())
		l, err := link.LoadPinnedLink(at, nil)
		if err != nil {
			_ = os.Remove(at)
			continue
		}
		if !alive(l, k.ifindex) { // its interface is gone
			_ = l.Close()
			_ = os.Remove(at)
			continue
		}
		p.links[k] = attached{l}
		if p.Adopted && p.same {
			continue
		}
		if err := l.Update(p.Program(k.way)); err != nil {
			return explain("exchange the program of a former process", err)
		}
	}
	if p.Adopted && !p.same {
		if err := p.maps[mapAbout].Put(uint32(0), about{Layout: layout, Sum: sum()}); err != nil {
			return fmt.Errorf("note the version of the maps: %w", err)
		}
		p.same = true
	}
	return nil
}

func alive(l link.Link, ifindex int) bool {
	info, err := l.Info()
	if err != nil {
		return false
	}
	if x := info.XDP(); x != nil {
		return int(x.Ifindex) == ifindex
	}
	if x := info.TCX(); x != nil {
		return int(x.Ifindex) == ifindex
	}
	return false
}

// Program is the one that is attached in this way.
func (p *Path) Program(w Way) *ebpf.Program {
	if w == TCX {
		return p.tcx
	}
	return p.xdp
}

// Attach puts a program on an interface, unless it sits there already, and says which way it went. A program
// that sits there in another way goes when the new one works.
func (p *Path) Attach(iface string, way Way) (Way, error) {
	l, err := netlink.LinkByName(iface)
	if err != nil {
		return "", fmt.Errorf("interface %s: %w", iface, err)
	}
	index := l.Attrs().Index
	ways := waysFor(way, l.Type() == "device")
	var errs []error
	for _, w := range ways {
		if err := p.attach(linkKey{w, index}); err != nil {
			errs = append(errs, explain(fmt.Sprintf("attach to %s by %s", iface, w), err))
			continue
		}
		for k := range p.links {
			if k.ifindex == index && k.way != w {
				errs = append(errs, p.detach(k))
			}
		}
		return w, nil
	}
	return "", errors.Join(errs...)
}

// waysFor are the ways to try, the best first. XDP in the driver is for real cards: virtual ones have it, and lose
// packets without a sign unless their other end has a program as well (docs/dsr.md).
func waysFor(way Way, card bool) []Way {
	switch {
	case way == XDP && card:
		return []Way{XDP, Generic}
	case way == XDP:
		return []Way{Generic}
	case way == TCX, way == Generic:
		return []Way{way}
	case card:
		return []Way{XDP, TCX, Generic}
	default:
		return []Way{TCX, Generic}
	}
}

// Check says whether programs are still attached where they were.
func (p *Path) Check() error {
	for k, l := range p.links {
		if !alive(l, k.ifindex) {
			return fmt.Errorf("the program on interface %d (%s) was detached", k.ifindex, k.way)
		}
	}
	return nil
}

func (p *Path) attach(k linkKey) error {
	if l, ok := p.links[k]; ok {
		if alive(l, k.ifindex) {
			return nil
		}
		_ = p.detach(k)
	}
	var l link.Link
	var err error
	switch k.way {
	case TCX:
		l, err = link.AttachTCX(link.TCXOptions{Interface: k.ifindex, Program: p.tcx, Attach: ebpf.AttachTCXIngress})
	case XDP:
		l, err = link.AttachXDP(link.XDPOptions{Interface: k.ifindex, Program: p.xdp, Flags: link.XDPDriverMode})
	default:
		l, err = link.AttachXDP(link.XDPOptions{Interface: k.ifindex, Program: p.xdp, Flags: link.XDPGenericMode})
	}
	if err != nil {
		return err
	}
	if p.dir != "" {
		if err := l.Pin(filepath.Join(p.dir, k.name())); err != nil {
			_ = l.Close()
			return err
		}
	}
	p.links[k] = attached{l}
	return nil
}

// Only detaches from all interfaces but these.
func (p *Path) Only(indexes map[int]bool) error {
	var errs []error
	for k := range p.links {
		if !indexes[k.ifindex] {
			errs = append(errs, p.detach(k))
		}
	}
	return errors.Join(errs...)
}

func (p *Path) detach(k linkKey) error {
	l := p.links[k]
	delete(p.links, k)
	if p.dir != "" {
		_ = os.Remove(filepath.Join(p.dir, k.name()))
	}
	return l.Close()
}
