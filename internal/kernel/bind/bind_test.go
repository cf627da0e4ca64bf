package bind

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExplainNamesTheHolder(t *testing.T) {
	held, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	at := netip.MustParseAddrPort(held.LocalAddr().String())
	_, err = net.ListenPacket("udp4", at.String())
	got := Explain(err, "udp", at, "")
	want := fmt.Sprintf("(pid %d)", os.Getpid())
	if !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), at.String()) {
		t.Errorf("Explain = %q, want the address and %q", got, want)
	}
	if !errors.Is(got, unix.EADDRINUSE) {
		t.Error("the cause is lost")
	}
	var e *Error
	if !errors.As(got, &e) || len(e.Hint()) == 0 {
		t.Error("no hint")
	}
	if !e.Ours() {
		t.Error("our own socket is taken for somebody else's")
	}
	e.Holder = fmt.Sprintf("other (pid %d)", os.Getppid())
	if e.Ours() {
		t.Error("somebody else's socket is taken for ours")
	}
}

func TestExplainTCPHolder(t *testing.T) {
	held, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	port := netip.MustParseAddrPort(held.Addr().String()).Port()
	if got, want := Holder("tcp", port), fmt.Sprintf("(pid %d)", os.Getpid()); !strings.HasSuffix(got, want) {
		t.Errorf("Holder = %q, want it to end in %q", got, want)
	}
	if got := Holder("udp", port); got != "" {
		t.Errorf("Holder of the udp port = %q, want nobody", got)
	}
}

func TestExplainCapability(t *testing.T) {
	at := netip.MustParseAddrPort("0.0.0.0:69")
	err := Explain(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", unix.EACCES)}, "udp", at, "")
	if got, want := err.Error(), "listen udp 0.0.0.0:69: permission denied"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if h := err.(*Error).Hint(); len(h) == 0 || !strings.Contains(h[0], "CAP_NET_BIND_SERVICE") {
		t.Errorf("hint = %q, want the capability", h)
	}
	if h := Explain(unix.EPERM, "udp", at, "eth1").(*Error).Hint(); !strings.Contains(h[0], "CAP_NET_RAW") {
		t.Errorf("hint with a device = %q, want CAP_NET_RAW", h)
	}
}

func TestExplainNil(t *testing.T) {
	if err := Explain(nil, "udp", netip.AddrPort{}, ""); err != nil {
		t.Errorf("Explain(nil) = %v", err)
	}
}
