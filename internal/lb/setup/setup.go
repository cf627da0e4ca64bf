// Package setup prepares this machine to be a backend behind direct server return: it has the service
// address on its loopback interface, so that it takes the balancer's packets and answers from there, and does not
// answer ARP for it. What it changed is noted first, so that it can be undone, after a crash as well.
//
// It lasts until the machine starts again. What to write to have it for good, and what other systems
// need, says text.go.
package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"surefoot/internal/kernel/proc"
	"surefoot/internal/kernel/vrrp"
)

const (
	loopback = "lo"
	label    = "lo:sfbackend" // of IPv4 addresses that were put there by us
)

// DefaultNotes is where it is noted what was changed. It goes when the machine starts again, as the changes do.
const DefaultNotes = "/run/surefoot/backend-setup.json"

// settings are what has to be set, and the least value: the kernel takes the larger of all's and the interface's.
func settings() []setting {
	return []setting{
		{proc.OfInterface("all", "arp_ignore"), 1},
		{proc.OfInterface("all", "arp_announce"), 2},
	}
}

type setting struct {
	name  string
	least int
}

// Notes are what was changed, and what it was before.
type Notes struct {
	Addresses []netip.Addr      `json:"addresses,omitempty"` // put on the loopback interface
	Settings  map[string]string `json:"settings,omitempty"`  // what they were
}

// Setup does and undoes.
type Setup struct {
	File string // of the notes
	Dry  bool   // say what would be done
	// Has returns the interface that has an address, "" if none does.
	Has func(netip.Addr) string
}

// OtherInterfaceError says that the address is on a network card: this machine is the balancer, or was set up otherwise.
type OtherInterfaceError struct {
	Addr      netip.Addr
	Interface string
}

func (e *OtherInterfaceError) Error() string {
	return fmt.Sprintf("%s is on %s of this machine: a balancer that has the service address cannot be its backend as well", e.Addr, e.Interface)
}

// Hint says what to do.
func (e *OtherInterfaceError) Hint() []string {
	return []string{
		"if it is not the balancer: ip address del " + e.Addr.String() + " dev " + e.Interface + ", and then again",
		"mode relay lets the nodes that have the address be servers as well",
	}
}

// Apply does what is missing, and says so.
func (s Setup) Apply(a netip.Addr) (done []string, err error) {
	on := s.Has(a)
	if on != "" && on != loopback {
		return nil, &OtherInterfaceError{a, on}
	}
	n, err := s.load()
	if err != nil {
		return nil, err
	}
	if a.Is4() { // an IPv6 address on lo is not answered for elsewhere
		for _, x := range settings() {
			was, _ := proc.Setting(x.name)
			if proc.Number(x.name) >= x.least {
				continue
			}
			done = append(done, fmt.Sprintf("%s: %s instead of %s", x.name, strconv.Itoa(x.least), was))
			if s.Dry {
				continue
			}
			if _, known := n.Settings[x.name]; !known {
				n.Settings[x.name] = was
			}
			if err := s.save(n); err != nil {
				return done, err
			}
			if _, err := proc.Set(x.name, strconv.Itoa(x.least)); err != nil {
				return done, err
			}
		}
	}
	if on == loopback { // after the settings: it would be answered for before them
		return done, nil
	}
	done = append(done, fmt.Sprintf("%s/%d on %s", a, a.BitLen(), loopback))
	if s.Dry {
		return done, nil
	}
	if !slices.Contains(n.Addresses, a) {
		n.Addresses = append(n.Addresses, a)
	}
	if err := s.save(n); err != nil {
		return done, err
	}
	_, err = vrrp.Add(loopback, netip.PrefixFrom(a, a.BitLen()), label)
	return done, err
}

// Undo takes back what Apply did for an address, the settings only when no other address needs them. What was there
// before, or was changed by somebody else since, stays.
func (s Setup) Undo(a netip.Addr) (done []string, err error) {
	n, err := s.load()
	if err != nil {
		return nil, err
	}
	if i := slices.Index(n.Addresses, a); i >= 0 {
		done = append(done, fmt.Sprintf("%s/%d off %s", a, a.BitLen(), loopback))
		if !s.Dry {
			if _, err := vrrp.Remove(loopback, netip.PrefixFrom(a, a.BitLen()), label); err != nil {
				return done, err
			}
			n.Addresses = slices.Delete(n.Addresses, i, i+1)
			if err := s.save(n); err != nil {
				return done, err
			}
		}
	}
	if rest := slices.DeleteFunc(slices.Clone(n.Addresses), func(x netip.Addr) bool { return x == a }); len(rest) > 0 {
		return done, nil
	}
	for _, x := range slices.Backward(settings()) {
		was, known := n.Settings[x.name]
		if !known {
			continue
		}
		if now, _ := proc.Setting(x.name); now == strconv.Itoa(x.least) {
			done = append(done, fmt.Sprintf("%s: %s again", x.name, was))
			if s.Dry {
				continue
			}
			if _, err := proc.Set(x.name, was); err != nil {
				return done, err
			}
		}
		if !s.Dry {
			delete(n.Settings, x.name)
			if err := s.save(n); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

func (s Setup) load() (Notes, error) {
	n := Notes{Settings: map[string]string{}}
	b, err := os.ReadFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("read what was changed: %w", err)
	}
	if err := json.Unmarshal(b, &n); err != nil {
		return n, fmt.Errorf("%s is not a note of what was changed: %w", s.File, err)
	}
	if n.Settings == nil {
		n.Settings = map[string]string{}
	}
	return n, nil
}

// save writes the notes before what they tell of is done; empty ones are removed.
func (s Setup) save(n Notes) error {
	if len(n.Addresses) == 0 && len(n.Settings) == 0 {
		if err := os.Remove(s.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("note what was changed: %w", err)
		}
		return nil
	}
	b, err := json.Marshal(n)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.File), 0o755)
	}
	if err == nil {
		err = os.WriteFile(s.File+".new", append(b, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(s.File+".new", s.File)
	}
	if err != nil {
		return fmt.Errorf("note what was changed: %w", err)
	}
	return nil
}
