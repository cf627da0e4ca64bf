package link

import (
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestCut: an interface that is up and whose other end is down has no carrier.
func TestCut(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the namespace ends with the thread
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a0"}, PeerName: "b0"})
		}
		for _, c := range []struct {
			up  string
			cut bool
		}{{"a0", true}, {"b0", false}} {
			if err == nil {
				var l netlink.Link
				if l, err = netlink.LinkByName(c.up); err == nil {
					err = netlink.LinkSetUp(l)
				}
			}
			if err != nil {
				t.Error(err)
				return
			}
			if l, err := ByName("a0"); err != nil || !l.Up || l.Cut != c.cut {
				t.Errorf("with %s up: %+v, %v", c.up, l, err)
			}
		}
	}()
	<-done
}
