// Package storm is a load generator: many boot clients at once that download one file by TFTP, each
// with the habits of real firmware, to see what a site's servers hold. It measures, compares two
// runs and draws them; it is bounded and ends by itself.
//
// It is no benchmark of networks and no attack: clients stop and wait as RFC 1350 and 7440 have
// them do, and the command line asks before it aims many of them at a stranger.
//
// client.go is one download as a pure machine; arrival.go, result.go, compare.go, meaning.go and
// picture.go are pure as well. loop.go drives all clients from one thread with epoll; socket.go and batch.go are what it
// needs of the kernel.
package storm

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/probe"
	"surefoot/internal/wire/tftp"
)

// Limits of a run.
const (
	MaxClients   = 20_000           // each has a port of its own, and addresses have 28,000
	MaxDownloads = 10_000_000       // 24 bytes of result each
	MaxFileSize  = 1 << 30          // the file is held to compare every block with it
	maxTime      = 10 * time.Minute // of one download
	neverMind    = 100              // clients that may be aimed at any address
)

// Config is a run.
type Config struct {
	Server    netip.AddrPort
	File      string
	Clients   int           // at the same time, at most
	As        []probe.Style // kinds of client, in turn; empty: EDK2
	Arrive    Arrival
	Loss      float64       // of the packets, in each direction: 0.01 is 1 %
	Downloads int           // in all; 0: one a client, or with Duration as many as there are
	Duration  time.Duration // no download begins later; 0: no limit
	Window    int           // asked instead of what the kind of client asks; 0: that
	BlockSize int           // likewise
	SHA256    string        // hash that the file must have; "": any
	From      netip.Prefix  // addresses of this machine that the clients use in turn; zero: the kernel's choice
	Seed      uint64        // of the loss; the same seed loses the same packets of the same conversation
	// Progress is told how far the run is, about 5 times a second.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Elapsed               time.Duration
	Done, Failed, Running int
	Total                 int           // downloads in all; 0: as many as there are
	Bytes                 int64         // verified so far, of all downloads
	Left                  time.Duration // about as long as it will go on; < 0: not known yet
}

// Check says what is wrong with a configuration.
func (c Config) Check() error {
	switch {
	case !c.Server.IsValid() || c.Server.Port() == 0:
		return errors.New("no server")
	case c.File == "":
		return errors.New("no file")
	case c.Clients < 1 || c.Clients > MaxClients:
		return fmt.Errorf("clients: %d is not between 1 and %d", c.Clients, MaxClients)
	case c.Loss < 0 || c.Loss >= 1:
		return fmt.Errorf("loss: %g %% is not between 0 and 99 %%", 100*c.Loss)
	case c.Downloads < 0 || c.Downloads > MaxDownloads:
		return fmt.Errorf("downloads: %d is not between 1 and %d", c.Downloads, MaxDownloads)
	case c.Duration < 0:
		return errors.New("duration: not less than 0")
	case c.Window < 0 || c.Window > tftp.MaxWindowSize:
		return fmt.Errorf("window: %d is not between 1 and %d", c.Window, tftp.MaxWindowSize)
	case c.BlockSize != 0 && (c.BlockSize < tftp.MinBlockSize || c.BlockSize > tftp.MaxBlockSize):
		return fmt.Errorf("blksize: %d is not between %d and %d", c.BlockSize, tftp.MinBlockSize, tftp.MaxBlockSize)
	case c.From.IsValid() && c.From.Addr().Is4() != c.Server.Addr().Is4():
		return fmt.Errorf("from: %s and %s are of two families", c.From, c.Server.Addr())
	}
	return nil
}

// Stranger reports whether so many clients at an address need somebody's word that they are meant:
// more than 100 at an address that anybody could own.
func (c Config) Stranger() bool {
	a := c.Server.Addr().Unmap()
	return c.Clients > neverMind && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
}

// total is the number of downloads, 0 if only Duration limits them.
func (c Config) total() int {
	switch {
	case c.Downloads > 0:
		return c.Downloads
	case c.Duration > 0:
		return 0
	}
	return c.Clients
}

// profile is what all clients of one kind share.
type profile struct {
	style  probe.Style
	server netip.AddrPort
	file   string
	probe.Habits
	lockstep bool // asks for no windows
}

func (c Config) profiles() []*profile {
	styles := c.As
	if len(styles) == 0 {
		styles = []probe.Style{probe.EDK2}
	}
	var out []*profile
	for _, s := range styles {
		p := &profile{style: s, server: c.Server, file: c.File, Habits: s.Habits()}
		p.Options = c.override(p.Options)
		if p.SizeProbe != nil {
			p.SizeProbe = c.override(p.SizeProbe)
		}
		_, windows := tftp.Lookup(p.Options, tftp.OptWindowSize)
		p.lockstep = !windows
		out = append(out, p)
	}
	return out
}

// override puts the block size and the window that were asked for into a client's options.
func (c Config) override(opts []tftp.Option) []tftp.Option {
	set := func(name string, v int) {
		i := slices.IndexFunc(opts, func(o tftp.Option) bool { return strings.EqualFold(o.Name, name) })
		switch o := (tftp.Option{Name: name, Value: fmt.Sprint(v)}); {
		case v == 0:
		case i >= 0:
			opts[i] = o
		default:
			opts = append(opts, o)
		}
	}
	opts = slices.Clone(opts)
	set(tftp.OptBlockSize, c.BlockSize)
	set(tftp.OptWindowSize, c.Window)
	if c.Window == 1 { // lock-step, and nothing is asked
		opts = slices.DeleteFunc(opts, func(o tftp.Option) bool { return o.Name == tftp.OptWindowSize })
	}
	return opts
}
