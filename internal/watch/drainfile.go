package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"surefoot/internal/health"
)

// DrainFile keeps drains in a JSON file of a state directory. It is written beside and renamed, so
// that it is always whole.
type DrainFile struct {
	path string
	mu   sync.Mutex // held while the file is changed
}

// NewDrainFile keeps drains in dir. It opens nothing.
func NewDrainFile(dir string) *DrainFile { return &DrainFile{path: filepath.Join(dir, "drains.json")} }

type drainList struct {
	Drains []health.Drain `json:"drains"`
}

// Load reads what is kept; nothing is no error.
func (f *DrainFile) Load(context.Context) ([]health.Drain, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read()
}

func (f *DrainFile) read() ([]health.Drain, error) {
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read drains: %w", err)
	}
	var list drainList
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("read drains from %s: %w", f.path, err)
	}
	return list.Drains, nil
}

// Save keeps a drain in place of an earlier one of the same server.
func (f *DrainFile) Save(_ context.Context, d health.Drain) error {
	return f.change(d.Server, func(all []health.Drain) []health.Drain { return append(all, d) })
}

// Remove forgets the drain of a server.
func (f *DrainFile) Remove(_ context.Context, server string) error {
	return f.change(server, func(all []health.Drain) []health.Drain { return all })
}

// change takes a server's drain out and lets with put another in. A file that cannot be read is
// written anew: what it held is known to nobody any more.
func (f *DrainFile) change(server string, with func([]health.Drain) []health.Drain) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, _ := f.read()
	all = with(slices.DeleteFunc(all, func(d health.Drain) bool { return d.Server == server }))
	if all == nil {
		all = []health.Drain{}
	}
	b, err := json.MarshalIndent(drainList{Drains: all}, "", "  ")
	if err != nil {
		return fmt.Errorf("keep drains: %w", err)
	}
	if err := replace(f.path, append(b, '\n')); err != nil {
		return fmt.Errorf("keep drains: %w", err)
	}
	return nil
}

// replace writes a file and gives it its name when it is whole and on the disk.
func replace(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return err
	}
	if dir, openErr := os.Open(filepath.Dir(path)); openErr == nil { // so that the new name outlives a power failure
		err = dir.Sync()
		_ = dir.Close()
	}
	return err
}
