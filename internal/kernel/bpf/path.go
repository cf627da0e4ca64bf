package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Path is the data path: programs, maps, and where they are attached.
type Path struct {
	dir     string // "": nothing stays
	lock    *os.File
	inner   *ebpf.MapSpec
	xdp     *ebpf.Program
	tcx     *ebpf.Program
	maps    map[string]*ebpf.Map
	current *ebpf.Map // of services
	links   map[linkKey]attached
	Adopted bool // maps of a former process are in use
	same    bool // and its programs are ours
}

type objects struct {
	XDP *ebpf.Program `ebpf:"dsr_xdp"`
	TCX *ebpf.Program `ebpf:"dsr_tcx"`
}

// Open loads the programs, and takes over what a former process left in dir: the maps where they hold the
// same things, and the places where programs are attached, in one step each and without a gap.
func Open(dir string) (*Path, error) {
	if err := Allowed(); err != nil {
		return nil, err
	}
	p := &Path{dir: dir, links: map[linkKey]attached{}}
	if err := p.open(); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Path) open() error {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return fmt.Errorf("read the BPF object: %w", err)
	}
	p.inner = spec.Maps[mapServices].InnerMap
	if p.dir != "" {
		if err := p.enter(); err != nil {
			return err
		}
		p.inspect()
	}
	opts := ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{}}
	if p.Adopted {
		for name, m := range p.maps {
			opts.MapReplacements[name] = m
		}
	}
	c, err := ebpf.NewCollectionWithOptions(spec, opts)
	if err != nil {
		return explain("load the BPF programs", err)
	}
	defer c.Close()
	var o objects
	if err := c.Assign(&o); err != nil {
		return fmt.Errorf("find the BPF programs: %w", err)
	}
	p.xdp, p.tcx = o.XDP, o.TCX
	if !p.Adopted {
		p.maps = map[string]*ebpf.Map{}
		for name := range c.Maps {
			p.maps[name] = c.DetachMap(name)
		}
		if err := p.fresh(); err != nil {
			return err
		}
	}
	if p.dir == "" {
		return nil
	}
	return p.takeLinks()
}

// enter makes the folder, and holds it: two processes that write the same maps would undo each other's work.
func (p *Path) enter() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for programs that stay: %w", err)
	}
	f, err := os.Open(p.dir)
	if err != nil {
		return fmt.Errorf("open the folder for programs that stay: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return fmt.Errorf("another process balances in this network namespace and holds %s: %w", p.dir, err)
	}
	p.lock = f
	return nil
}

// inspect opens the maps of a former process, if all are there and hold what ours hold.
func (p *Path) inspect() {
	found := map[string]*ebpf.Map{}
	for _, name := range mapNames() {
		m, err := ebpf.LoadPinnedMap(filepath.Join(p.dir, name), nil)
		if err != nil {
			break
		}
		found[name] = m
	}
	var a about
	for _, name := range []string{pinNext, pinLive} {
		if m, err := ebpf.LoadPinnedMap(filepath.Join(p.dir, name), nil); err == nil {
			p.current = m
			break
		}
	}
	if p.current != nil && len(found) == len(mapNames()) && found[mapAbout].Lookup(uint32(0), &a) == nil && a.Layout == layout {
		p.maps, p.Adopted, p.same = found, true, a.Sum == sum()
		return
	}
	for _, m := range found {
		_ = m.Close()
	}
	if p.current != nil {
		_ = p.current.Close()
		p.current = nil
	}
}

// fresh makes empty maps ready, and sees that a later process finds them.
func (p *Path) fresh() error {
	if err := p.Replace(nil); err != nil {
		return err
	}
	if err := p.maps[mapAbout].Put(uint32(0), about{Layout: layout, Sum: sum()}); err != nil {
		return fmt.Errorf("note the version of the maps: %w", err)
	}
	if p.dir == "" {
		return nil
	}
	for name, m := range p.maps {
		at := filepath.Join(p.dir, name)
		if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the map of a former version: %w", err)
		}
		if err := m.Pin(at); err != nil {
			return explain("keep the map "+name, err)
		}
	}
	return nil
}

// Close ends this process's part: what is attached goes on.
func (p *Path) Close() error {
	for _, l := range p.links {
		_ = l.Close()
	}
	for _, m := range p.maps {
		_ = m.Close()
	}
	if p.current != nil {
		_ = p.current.Close()
	}
	for _, prog := range []*ebpf.Program{p.xdp, p.tcx} {
		if prog != nil {
			_ = prog.Close()
		}
	}
	if p.lock != nil {
		return p.lock.Close()
	}
	return nil
}

// Remove detaches everything and leaves nothing behind.
func (p *Path) Remove() error {
	var errs []error
	for k := range p.links {
		errs = append(errs, p.detach(k))
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
		_ = os.Remove(filepath.Dir(p.dir)) // unless another namespace has something there
	}
	errs = append(errs, p.Close())
	unplace()
	return errors.Join(errs...)
}

// Disown makes the next process believe that programs of another version are attached.
func (p *Path) Disown() error {
	if err := p.maps[mapAbout].Put(uint32(0), about{Layout: layout}); err != nil {
		return fmt.Errorf("note the version of the maps: %w", err)
	}
	return nil
}
