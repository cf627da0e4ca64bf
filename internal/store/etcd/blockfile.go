package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"surefoot/internal/lease"
)

// blockFile is which blocks this node may give out of, as its own disk has it. It stands beside the
// leases, and is worth something together with them only.
type blockFile struct {
	Version int                `json:"version"`
	Site    string             `json:"site"`
	Node    string             `json:"node"`
	Blocks  map[string][]block `json:"blocks"`
	Spoke   int64              `json:"spoke,omitempty"` // when the store heard of this node last, or an hour before: seconds
}

// Begin takes the blocks of the file into use, before anything is asked of the Book and after its leases
// were read. A file that is not there, or is another node's, means that there are none.
func (c *Cluster) Begin() {
	f, err := readBlocks(c.cfg.Blocks)
	if err != nil {
		c.log.Error("this node has nothing of its own to give until the shared store answers: the file of its blocks cannot be read", "file", c.cfg.Blocks, "err", err)
	}
	if f.Site != c.cfg.Site || f.Node != c.cfg.Node {
		if f.Version != 0 {
			c.log.Warn("the file of blocks is another node's, and is not used", "file", c.cfg.Blocks, "site", f.Site, "node", f.Node)
		}
		f.Blocks = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.book.Contact(false, c.now())
	c.usePools(c.cfg.Pools)
	for scope, blocks := range f.Blocks {
		p := c.pool(scope)
		for _, b := range blocks {
			p.mine = append(p.mine, b.addrs())
		}
		p.saved = true
		c.setOwnOf(scope, p)
	}
	if c.word = c.now(); f.Spoke > 0 {
		c.word = time.Unix(f.Spoke, 0)
	}
}

// Configure takes other pools and nodes, after the Book did.
func (c *Cluster) Configure(pools []lease.Pool, members []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.Members = members
	c.usePools(pools)
}

func (c *Cluster) usePools(pools []lease.Pool) {
	for _, p := range c.pools {
		p.given = false
	}
	for _, cfg := range pools {
		p := c.pool(cfg.Scope)
		p.cfg, p.size, p.given = cfg, 0, true
		for _, r := range cfg.Ranges {
			p.size += count(r)
		}
		c.setOwnOf(cfg.Scope, p)
		if !p.crowded && p.size > 0 && c.blockSize(p) == 0 {
			c.crowd(cfg.Scope, p, "it has too few addresses")
		}
	}
}

// pool returns the blocks of a scope, also of one that is not configured. c.mu is held.
func (c *Cluster) pool(scope string) *pool {
	p := c.pools[scope]
	if p == nil {
		p = &pool{granted: map[lease.Range]int64{}, found: map[lease.Range]time.Time{}}
		c.pools[scope] = p
	}
	return p
}

// scopes are those that are configured.
func (c *Cluster) scopes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for scope, p := range c.pools {
		if p.given {
			out = append(out, scope)
		}
	}
	slices.Sort(out)
	return out
}

func readBlocks(file string) (f blockFile, err error) {
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) || file == "":
		return f, nil
	case err != nil:
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return blockFile{}, err
	}
	if f.Version != 1 {
		return blockFile{}, fmt.Errorf("its version is %d, not 1", f.Version)
	}
	return f, nil
}

// save writes the file. c.mu is held.
func (c *Cluster) save() error {
	if c.cfg.Blocks == "" {
		return nil
	}
	f := blockFile{Version: 1, Site: c.cfg.Site, Node: c.cfg.Node, Blocks: map[string][]block{}, Spoke: max(c.word.Unix(), 0)}
	for scope, p := range c.pools {
		for _, r := range p.mine {
			f.Blocks[scope] = append(f.Blocks[scope], block{From: r.From, To: r.To, Node: c.cfg.Node})
		}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(c.cfg.Blocks, append(b, '\n')); err != nil {
		return err
	}
	c.wordSaved = c.word
	return nil
}

// wordEvery is how old the word of this node in its file may be.
const wordEvery = time.Hour

// saveWord writes the file once in a while.
func (c *Cluster) saveWord() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.word.Sub(c.wordSaved) >= wordEvery {
		_ = c.save() // a file that cannot be written is told of by settleBlocks, and an old word is safe
	}
}

// replaceFile writes a file so that after a crash either the old or the new one is there, whole.
func replaceFile(name string, b []byte) (err error) {
	dir := filepath.Dir(name)
	t, err := os.CreateTemp(dir, ".blocks-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name())
		}
	}()
	_, err = t.Write(b)
	if err = errors.Join(err, t.Sync(), t.Close()); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
