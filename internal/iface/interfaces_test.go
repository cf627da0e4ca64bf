package iface

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/testkit/netns"
)

// An interface comes into trouble and out of it: each is said once, and the sockets follow it when it was made anew.
func TestNote(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Join(t, here, "eth0", there, "eth0")
	var links *link.Reader
	var first link.Link
	here.Do(t, func() (err error) {
		if links, err = link.Open(); err != nil {
			return err
		}
		first, err = links.ByName("eth0")
		return err
	})
	t.Cleanup(links.Close)

	bound, refusal := first.Index, error(nil)
	var addrs []netip.Prefix
	i := &Interface{
		Name:   "eth0",
		Served: func(index int) bool { return index == bound },
		Rebind: func(index int) error {
			if refusal == nil {
				bound = index
			}
			return refusal
		},
		Saw: func(_ boot.MAC, now []netip.Prefix) { addrs = now },
	}
	i.See(first) // as a role does that begins; it tells of it in its own words
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	look := func(what, want string, served bool) {
		t.Helper()
		said.Reset()
		i.note(log, links)
		if got := said.String(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: it says %q, want %q", what, got, want)
		}
		if (len(addrs) > 0) != served {
			t.Errorf("%s: packets go by the addresses %v", what, addrs)
		}
	}
	look("no address yet", "", false)
	here.Do(t, func() error { return netns.AddAddr("eth0", "10.77.0.2/24") })
	look("an address", `served again" address=10.77.0.2/24 was="it has no IPv4 address" looks=2`, true)
	look("nothing new", "", true)
	here.Do(t, func() error { return netns.DelAddr("eth0", "10.77.0.2/24") })
	look("the address is lost", `why="it has no IPv4 address"`, false)
	here.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
	look("removed", `why="it is gone"`, false)
	look("removed still", "", false)
	netns.Join(t, here, "eth0", there, "eth0")
	here.Do(t, func() error { return netns.AddAddr("eth0", "10.77.0.3/24") })
	refusal = errors.New("no memory")
	look("made anew, and the sockets cannot follow", `why="no memory"`, false)
	refusal = nil
	look("made anew", `served again" address=10.77.0.3/24`, true)
	if bound == first.Index {
		t.Error("the sockets did not follow")
	}
}
