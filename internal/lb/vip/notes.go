package vip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"surefoot/internal/kernel/vrrp"
)

// note says that this node put an address on an interface. It is written before the address is there,
// so that whatever a killed process left behind is found by the next one.
type note struct {
	Name      string       `json:"name"`
	Address   netip.Prefix `json:"address"`
	Interface string       `json:"interface"`
	Label     string       `json:"label,omitempty"`
	KeptUntil time.Time    `json:"kept_until,omitzero"` // left on purpose, for a process that starts before then
}

// notes is the file of all of them. A reboot takes the addresses away, so nothing has to be on the disk.
type notes struct {
	file string

	mu   sync.Mutex // guards what follows
	list []note
	err  error // why they are not kept
}

func (n *notes) load() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	b, err := os.ReadFile(n.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &n.list)
	}
	if err != nil {
		return fmt.Errorf("read the notes of service addresses from %s: %w", n.file, err)
	}
	return nil
}

// put notes an address, in place of an earlier note of it.
func (n *notes) put(x note) { n.change(x.Name, append([]note(nil), x)) }

func (n *notes) drop(name string) { n.change(name, nil) }

func (n *notes) change(name string, add []note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(slices.DeleteFunc(n.list, func(x note) bool { return x.Name == name }), add...)
	n.err = n.write()
}

func (n *notes) write() error {
	b, err := json.Marshal(n.list)
	if err != nil {
		return err
	}
	tmp := n.file + ".new"
	err = os.MkdirAll(filepath.Dir(n.file), 0o750)
	if err == nil {
		err = os.WriteFile(tmp, append(b, '\n'), 0o640)
	}
	if err == nil {
		err = os.Rename(tmp, n.file)
	}
	return err
}

// fault is why notes are not kept.
func (n *notes) fault() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// clean takes off every address that an earlier process left, but for those that it kept for this one,
// whose names it returns.
func (n *notes) clean(now time.Time, wanted []Address) (kept map[string]bool, gone []note, err error) {
	kept = map[string]bool{}
	n.mu.Lock()
	list := slices.Clone(n.list)
	n.mu.Unlock()
	known := map[netip.Prefix]bool{}
	for _, x := range list {
		same := slices.ContainsFunc(wanted, func(a Address) bool {
			return a.Name == x.Name && a.Address == x.Address && a.Interface == x.Interface
		})
		if same && now.Before(x.KeptUntil) {
			kept[x.Name], known[x.Address] = true, true
			continue
		}
		removed, e := vrrp.Remove(x.Interface, x.Address, x.Label)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		if removed {
			gone = append(gone, x)
		}
		n.drop(x.Name)
	}
	for _, a := range wanted { // the note is lost, and the label tells
		x := note{Name: a.Name, Address: a.Address, Interface: a.Interface, Label: vrrp.Label(a.Interface, a.VRID)}
		if !known[a.Address] && vrrp.Ours(x.Interface, x.Address, x.Label) {
			if removed, e := vrrp.Remove(x.Interface, x.Address, x.Label); e != nil {
				err = errors.Join(err, e)
			} else if removed {
				gone = append(gone, x)
			}
		}
	}
	return kept, gone, err
}
