package packaging

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netns"
)

// patience is how long anything here may take on a loaded machine.
const patience = 20 * time.Second

// unprivileged runs the binary as nobody with the capabilities given and no way to more, as the
// unit does. The names are those of the unit: CAP_NET_RAW.
func unprivileged(capabilities []string, args ...string) []string {
	set := "-all"
	for _, c := range capabilities {
		set += ",+" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
	}
	return append([]string{
		"setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--no-new-privs",
		"--bounding-set", set, "--inh-caps", set, "--ambient-caps", set, "--", binary,
	}, args...)
}

// workplace makes a folder that the unprivileged user may use, with a boot file in it.
func workplace(t *testing.T) (dir, bootfile string) {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(binary), "run")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "boot")
	bootfile = strings.Repeat("bootstrap ", 5000)
	for _, err := range []error{
		os.Chmod(dir, 0o777), os.Mkdir(root, 0o755),
		os.WriteFile(filepath.Join(root, "ARDBP32.BIN"), []byte(bootfile), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, bootfile
}

func serveArgs(dir string) []string {
	return []string{
		"serve", "--interface", nodeIf, "--root", filepath.Join(dir, "boot"),
		"--bios", "ARDBP32.BIN", "--node", "pk",
		"--socket", filepath.Join(dir, "api.sock"), "--status", "127.0.0.1:8068",
	}
}

// daemon is a Surefoot that runs in a namespace.
type daemon struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	ended  chan error
}

// start runs a command and waits until it has told systemd that it is ready.
func start(t *testing.T, dir string, cmd *exec.Cmd) *daemon {
	t.Helper()
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	d := &daemon{cmd: cmd, stderr: new(bytes.Buffer), ended: make(chan error, 1)}
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	cmd.Stderr = d.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	ready := make(chan error, 1)
	go func() {
		buf := make([]byte, 4096)
		for {
			_ = l.SetReadDeadline(time.Now().Add(patience))
			n, err := l.Read(buf)
			if err != nil || bytes.Contains(buf[:n], []byte("READY=1")) {
				ready <- err
				return
			}
		}
	}()
	select {
	case err := <-ready:
		if err != nil {
			_ = cmd.Process.Kill()
			<-d.ended
			t.Fatalf("surefoot did not become ready: %v\n%s", err, d.stderr)
		}
	case err := <-d.ended:
		t.Fatalf("surefoot ended: %v\n%s", err, d.stderr)
	}
	return d
}

// stop sends SIGTERM and waits for the end.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, d.stderr)
		}
	case <-time.After(patience):
		t.Errorf("surefoot does not end after SIGTERM\n%s", d.stderr)
	}
}

func unitCapabilities(t *testing.T) []string {
	t.Helper()
	return strings.Fields(strings.Join(unitLines(t)["AmbientCapabilities"], " "))
}

// TestServesWithTheUnitsCapabilities runs the binary as nobody with what the unit grants and
// nothing else: the boot file comes by TFTP from port 69, and a machine without an address is
// offered it.
func TestServesWithTheUnitsCapabilities(t *testing.T) {
	need(t, "setpriv")
	curl := need(t, "curl")
	s := newSite(t)
	dir, want := workplace(t)
	capabilities := unitCapabilities(t)
	args := unprivileged(capabilities, serveArgs(dir)...)
	d := start(t, dir, in(s.node, args...))

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	mask := 1<<10 | 1<<13 // CAP_NET_BIND_SERVICE, CAP_NET_RAW (capability.h)
	for _, set := range []string{"CapEff", "CapPrm", "CapBnd", "CapAmb"} {
		if line := fmt.Sprintf("%s:\t%016x\n", set, mask); !strings.Contains(string(status), line) {
			t.Errorf("%s is not %016x:\n%s", set, mask, status)
		}
	}
	if !regexp.MustCompile(`(?m)^Uid:\t[1-9]`).Match(status) {
		t.Errorf("runs as root:\n%s", status)
	}
	got, err := in(s.client, curl, "-sS", "--max-time", "20", "tftp://"+nodeAddr+"/ARDBP32.BIN").Output()
	if err != nil || string(got) != want {
		t.Errorf("curl got %d bytes (%v), want %d\n%s", len(got), err, len(want), d.stderr)
	}
	offer := discover(t, s.client)
	if got := string(bytes.TrimRight([]byte(offer.BootFileName), "\x00")); got != "ARDBP32.BIN" {
		t.Errorf("offered file %q, want ARDBP32.BIN\n%s", got, offer.Summary())
	}
	d.stop(t)
}

// discover sends what a BIOS PXE ROM sends, by broadcast, and returns the answer.
func discover(t *testing.T, ns string) *dhcpv4.DHCPv4 {
	t.Helper()
	conn := listenIn(t, ns)
	defer conn.Close()
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0x69, 1}
	req, err := dhcpv4.NewDiscovery(
		mac, dhcpv4.WithBroadcast(true),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, 0})),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 2, 1})),
	)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := conn.WriteTo(req.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		buf := make([]byte, 2048)
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			continue
		}
		offer, err := dhcpv4.FromBytes(buf[:n])
		if err != nil {
			t.Fatalf("the offer cannot be decoded: %v", err)
		}
		if offer.TransactionID != req.TransactionID || offer.MessageType() != dhcpv4.MessageTypeOffer {
			t.Fatalf("not an offer to the request: %s", offer.Summary())
		}
		return offer
	}
	t.Fatal("no offer after 5 DISCOVERs")
	return nil
}

// listenIn opens the DHCP client's port inside a namespace, where the socket stays whoever uses it.
func listenIn(t *testing.T, ns string) net.PacketConn {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := netns.GetFromName(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := netns.Set(here); err != nil {
			panic(err) // this thread is lost in the namespace
		}
	}()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "pk-client")
			if err == nil {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
			}
		}); e != nil {
			return e
		}
		return err
	}}
	conn, err := lc.ListenPacket(context.Background(), "udp4", ":68")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestSaysWhichCapabilityIsMissing takes one capability away at a time: Surefoot does not start
// and names it, with the remedy.
func TestSaysWhichCapabilityIsMissing(t *testing.T) {
	need(t, "setpriv")
	s := newSite(t)
	all := unitCapabilities(t)
	for _, lost := range all {
		t.Run(lost, func(t *testing.T) {
			dir, _ := workplace(t)
			var rest []string
			for _, c := range all {
				if c != lost {
					rest = append(rest, c)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			args := append([]string{"netns", "exec", s.node}, unprivileged(rest, serveArgs(dir)...)...)
			out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
			if err == nil || ctx.Err() != nil {
				t.Fatalf("without %s it runs on: %v\n%s", lost, err, out)
			}
			if !strings.Contains(string(out), "needs "+lost) || !strings.Contains(string(out), "\nhint: ") {
				t.Errorf("without %s the message does not name it:\n%s", lost, out)
			}
			for _, other := range rest {
				if strings.Contains(string(out), "needs "+other) {
					t.Errorf("without %s the message blames %s:\n%s", lost, other, out)
				}
			}
		})
	}
}
