package notify

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := New(path)
	f := func(send func() error, want string) {
		t.Helper()
		if err := send(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 256)
		k, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(buf[:k]); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want it to begin with %q", got, want)
		}
	}
	f(func() error { return n.Ready("3 roles") }, "READY=1\nSTATUS=3 roles")
	f(n.Reloading, "RELOADING=1\nMONOTONIC_USEC=")
	f(func() error { return n.Stopping("drain") }, "STOPPING=1\nSTATUS=drain")
	f(func() error { return n.Status("x") }, "STATUS=x")
}

func TestNotifyWithoutSystemd(t *testing.T) {
	if err := New("").Ready("x"); err != nil {
		t.Error(err)
	}
}
