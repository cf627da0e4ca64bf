package iface

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
)

// watchEvery is how often the interfaces are looked at: how long, at most, an answer may still
// name an address that the interface has lost.
const watchEvery = time.Second

// Interface is one that a role answers on over IPv4.
type Interface struct {
	Name string
	// Served says whether the role's sockets are on the interface with this number, and work.
	Served func(index int) bool
	// Rebind moves the sockets to the interface that has the name now. They stay the same sockets, in
	// the namespace in which they were made.
	Rebind func(index int) error
	// Saw takes what packets go by from now on. Without addresses there is nothing to answer by.
	Saw func(mac boot.MAC, addrs []netip.Prefix)

	lacks string         // why it is not served, "" if it is
	looks int            // for how many looks that has been so
	addrs []netip.Prefix // as they were seen last
}

// See takes what was read of an interface.
func (i *Interface) See(l link.Link) {
	i.lacks = lacks(l)
	i.addrs = l.Addrs
	if l.MAC.IsZero() { // nothing that we could answer on
		i.addrs = nil
	}
	i.Saw(l.MAC, i.addrs)
}

// Watch follows the interfaces' addresses and brings the sockets back to an interface that was removed and
// made anew. What is the matter when it begins was told already, by whoever started the role. looked is called
// after each round. Watch returns when ctx ends.
func Watch(ctx context.Context, log *slog.Logger, links *link.Reader, list []*Interface, looked func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, i := range list {
			i.note(log.With("if", i.Name), links)
		}
		looked()
	}
}

// note looks at the interface, and logs when it comes into trouble, into another, or out of it.
func (i *Interface) note(log *slog.Logger, links *link.Reader) {
	was := i.lacks
	i.Look(links)
	i.looks++
	if i.lacks == was {
		return
	}
	if i.lacks == "" {
		log.Info("the interface is served again", "address", i.addrs[0], "was", was, "looks", i.looks)
	} else {
		log.Warn("the interface is not served", "why", i.lacks, "next_look", watchEvery)
	}
	i.looks = 0
}

// Look reads the interface anew and returns what keeps it from being served, "" if nothing. An answer of the
// kernel's that cannot be had leaves everything as it was.
func (i *Interface) Look(links *link.Reader) string {
	l, err := links.ByName(i.Name)
	var missing *link.MissingError
	switch {
	case errors.As(err, &missing):
		i.See(link.Link{})
		i.lacks = "it is gone"
		return i.lacks
	case err != nil:
		i.lacks = err.Error()
		return i.lacks
	}
	if !i.Served(l.Index) {
		if err := i.Rebind(l.Index); err != nil {
			i.See(link.Link{})
			i.lacks = err.Error()
			return i.lacks
		}
	}
	i.See(l)
	return i.lacks
}

func lacks(l link.Link) string {
	switch {
	case l.MAC.IsZero():
		return "it is not an Ethernet"
	case len(l.Addrs) == 0:
		return "it has no IPv4 address"
	}
	return ""
}
