package setup

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/proc"
	"surefoot/internal/kernel/vrrp"
)

const (
	ignore   = "net.ipv4.conf.all.arp_ignore"
	announce = "net.ipv4.conf.all.arp_announce"
)

// alone runs a test in a network namespace of its own, whose loopback interface is all there is.
func alone(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("network namespaces need root")
		}
		t.Skip("network namespaces need root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f(t)
	}()
	<-done
}

// on says whether lo has the address under our label.
func on(a netip.Addr) bool { return vrrp.Ours(loopback, netip.PrefixFrom(a, a.BitLen()), label) }

func hasOnLo(a netip.Addr) string {
	if on(a) {
		return loopback
	}
	return ""
}

func TestApplyAndUndo(t *testing.T) {
	alone(t, func(t *testing.T) {
		one, two := netip.MustParseAddr("10.9.8.20"), netip.MustParseAddr("10.9.8.21")
		s := Setup{File: filepath.Join(t.TempDir(), "deep", "notes.json"), Has: hasOnLo}
		if _, err := proc.Set(announce, "1"); err != nil {
			t.Error(err)
			return
		}
		must := func(want int, done []string, err error) {
			t.Helper()
			if err != nil || len(done) != want {
				t.Errorf("%q, %v, want %d changes", done, err, want)
			}
		}
		dry := s
		dry.Dry = true
		done, err := dry.Apply(one)
		must(3, done, err)
		if on(one) || proc.Number(ignore) != 0 {
			t.Error("a dry run changed something")
		}
		done, err = s.Apply(one)
		must(3, done, err)
		if i := slices.IndexFunc(done, func(d string) bool { return strings.Contains(d, "10.9.8.20/32 on lo") }); i != 2 {
			t.Errorf("the address has to come last: %q", done)
		}
		if !on(one) || proc.Number(ignore) != 1 || proc.Number(announce) != 2 {
			t.Error("it is not set up")
		}
		done, err = s.Apply(one)
		must(0, done, err)
		done, err = s.Apply(two)
		must(1, done, err)
		done, err = s.Undo(one)
		must(1, done, err)
		if on(one) || !on(two) || proc.Number(ignore) != 1 {
			t.Error("the settings have to stay for the other address")
		}
		done, err = s.Undo(two)
		must(3, done, err)
		if on(two) || proc.Number(ignore) != 0 || proc.Number(announce) != 1 {
			t.Errorf("arp_ignore %d, arp_announce %d, and they were 0 and 1", proc.Number(ignore), proc.Number(announce))
		}
		if _, err := os.Stat(s.File); err == nil {
			t.Error("the notes are left behind")
		}
		done, err = s.Undo(two)
		must(0, done, err)
	})
}

// What was there before, and what somebody else changed since, stays.
func TestOthersSettingsStay(t *testing.T) {
	alone(t, func(t *testing.T) {
		a := netip.MustParseAddr("10.9.8.20")
		s := Setup{File: filepath.Join(t.TempDir(), "notes.json"), Has: hasOnLo}
		_, _ = proc.Set(ignore, "2") // more than is needed
		if done, err := s.Apply(a); err != nil || len(done) != 2 {
			t.Errorf("%q, %v", done, err)
		}
		_, _ = proc.Set(announce, "1")
		if _, err := s.Undo(a); err != nil {
			t.Error(err)
		}
		if proc.Number(ignore) != 2 || proc.Number(announce) != 1 {
			t.Errorf("arp_ignore %d, arp_announce %d", proc.Number(ignore), proc.Number(announce))
		}
	})
}

func TestBalancerIsNoBackend(t *testing.T) {
	s := Setup{File: filepath.Join(t.TempDir(), "notes.json"), Has: func(netip.Addr) string { return "eth0" }}
	_, err := s.Apply(netip.MustParseAddr("10.9.8.20"))
	var other *OtherInterfaceError
	if !errors.As(err, &other) || len(other.Hint()) == 0 {
		t.Errorf("%v", err)
	}
}

func TestText(t *testing.T) {
	a, a6 := netip.MustParseAddr("10.9.8.20"), netip.MustParseAddr("fd00::20")
	for _, c := range []struct{ text, has string }{
		{Linux(a), "arp_ignore=1"},
		{Linux(a), "ip address add 10.9.8.20/32 dev lo"},
		{Linux(a), "Address=10.9.8.20/32"},
		{Linux(a6), "inet6 static"},
		{Linux(a6), "fd00::20/128"},
		{Windows(a, "LAN 2"), "interface \"LAN 2\" weakhostreceive=enabled"},
		{Windows(a, "x"), "10.9.8.20 255.255.255.255"},
		{Windows(a6, "x"), "ipv6 add address \"loopback\" fd00::20/128"},
	} {
		if !strings.Contains(c.text, c.has) {
			t.Errorf("%q is missing in:\n%s", c.has, c.text)
		}
	}
	if strings.Contains(Linux(a6), "arp") {
		t.Error("IPv6 knows no ARP")
	}
}
