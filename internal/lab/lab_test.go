package lab

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// needLab skips where labs cannot be built, and fails there if nothing may be skipped.
func needLab(t *testing.T) {
	t.Helper()
	if err := Needs(true); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func up(t *testing.T, o Options) *Lab {
	t.Helper()
	needLab(t)
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("take the lab down: %v", err)
		}
	})
	return l
}

func namespaces(t *testing.T, id string) []string {
	t.Helper()
	paths, err := filepath.Glob(netnsDir + "sf-" + id + "-*")
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestUpAndClose(t *testing.T) {
	l := up(t, Options{Nodes: 2, Relay: true})
	if got := namespaces(t, l.ID); len(got) != 5 {
		t.Errorf("namespaces %q, want the switch, dhcp, two nodes and a relay", got)
	}
	found, err := List(l.options.Dir)
	if err != nil || len(found) != 1 || found[0].ID != l.ID || !found[0].Owner.Alive() {
		t.Errorf("List: %+v, %v", found, err)
	}
	if gone, err := Sweep(t.Context(), l.options.Dir); err != nil || len(gone) != 0 {
		t.Errorf("Sweep took a living lab down: %q, %v", gone, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := namespaces(t, l.ID); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	if _, err := os.Stat(l.Dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestUpRemovesWhatItMadeWhenItFails(t *testing.T) {
	needLab(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Up(ctx, Options{ID: "upfails", Dir: dir, Nodes: 1}); err == nil {
		t.Fatal("a lab was built with a context that had ended")
	}
	if got := namespaces(t, "upfails"); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A lab whose owner was killed is removed, with the processes that outlived it.
func TestSweep(t *testing.T) {
	needLab(t)
	dir := t.TempDir()
	s := State{ID: "sweeptest", Dir: filepath.Join(dir, "sweeptest"), Owner: Owner{PID: os.Getpid(), Start: 1}}
	s.Spaces = []string{s.space("sw"), s.space("gone")}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.save(); err != nil {
		t.Fatal(err)
	}
	if err := ip(t.Context(), "", "netns add "+s.Spaces[0]+"\n"); err != nil {
		t.Fatal(err)
	}
	sleeper := exec.Command("ip", "netns", "exec", s.Spaces[0], "sleep", "100")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	for len(pidsIn(t.Context(), s.Spaces[0])) == 0 && t.Context().Err() == nil {
		time.Sleep(time.Millisecond) // until ip has entered the namespace: nothing tells when
	}
	gone, err := Sweep(t.Context(), dir)
	if err != nil || len(gone) != 1 || gone[0] != "sweeptest" {
		t.Errorf("Sweep: %q, %v", gone, err)
	}
	if err := sleeper.Wait(); err == nil {
		t.Error("the process was not killed")
	}
	if got := namespaces(t, s.ID); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

func TestOwner(t *testing.T) {
	self, err := ownerOf(os.Getpid())
	if err != nil || !self.Alive() {
		t.Fatalf("this process: %+v, %v", self, err)
	}
	other := self
	other.Start++
	if other.Alive() {
		t.Error("a process that started at another time is taken for this one")
	}
	child := exec.Command("sleep", "100")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	o, err := ownerOf(child.Process.Pid)
	if err != nil || !o.Alive() {
		t.Fatalf("child: %+v, %v", o, err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if o.Alive() {
		t.Error("a process that has ended is taken for alive")
	}
}

func TestOpenFindsNothing(t *testing.T) {
	if _, err := Open(t.TempDir(), ""); !errors.Is(err, ErrNoLab) {
		t.Errorf("got %v, want ErrNoLab", err)
	}
}

// The network and the foreign DHCP server are right: a machine gets an address and nothing to
// boot, and its own firmware says so.
func TestMachineGetsAnAddressAndNoMore(t *testing.T) {
	l := up(t, Options{Nodes: 1})
	capture, err := l.Capture(filepath.Join(t.TempDir(), "a.pcap"), false)
	if err != nil {
		t.Fatal(err)
	}
	proxies := make(chan UDP, 100)
	capture.Watch(func(f Frame) {
		if u, ok := f.UDP(); ok && u.IsProxyOffer() {
			proxies <- u
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	vm, err := l.Boot(ctx, Machine{Firmware: IPXE})
	if err != nil {
		t.Fatal(err)
	}
	_, err = vm.Console.Expect(ctx, regexp.MustCompile(`net0: 10\.77\.0\.1\d\d/`), regexp.MustCompile(`Nothing to boot`))
	if err != nil {
		t.Errorf("%v\n%s", err, vm.Console.Text())
	}
	if err := errors.Join(vm.Stop(), capture.Close()); err != nil {
		t.Error(err)
	}
	if len(proxies) != 0 {
		t.Errorf("somebody offered a boot: %+v", <-proxies)
	}
	if st, err := os.Stat(capture.Path); err != nil || st.Size() < 1000 {
		t.Errorf("capture: %v, %v", st, err)
	}
}

// The relay passes a machine's request on to the DHCP server, which answers for that network.
func TestMachineBehindTheRelay(t *testing.T) {
	l := up(t, Options{Nodes: 1, Relay: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	vm, err := l.Boot(ctx, Machine{Firmware: IPXE, Behind: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = vm.Console.Expect(ctx, regexp.MustCompile(`net0: 10\.78\.0\.1\d\d/255\.255\.255\.0 gw 10\.78\.0\.1`))
	if err != nil {
		t.Errorf("%v\n%s", err, vm.Console.Text())
	}
}

// A process in one part of the lab is reached from another, and not from this machine.
func TestPartsAreApart(t *testing.T) {
	l := up(t, Options{Nodes: 1})
	to := &net.UDPAddr{IP: net.IPv4(10, 77, 0, 11), Port: 7000}
	var in *net.UDPConn
	err := l.places["n1"].do(func() (err error) { in, err = net.ListenUDP("udp4", to); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	send := func(text string) error {
		c, err := net.DialUDP("udp4", nil, to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte(text))
		return err
	}
	_ = send("from the machine itself") // may find no route: as good
	if err := l.places[partDHCP].do(func() error { return send("from dhcp") }); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	_ = in.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := in.Read(buf)
	if err != nil || string(buf[:n]) != "from dhcp" {
		t.Errorf("got %q, %v, want what was sent from the DHCP server's namespace", buf[:n], err)
	}
}

func TestDefaultSite(t *testing.T) {
	got := DefaultSite(2, "/srv/boot")
	for _, want := range []string{"root: /srv/boot\n", "  n2: {address: 10.77.0.12}\n", `mac: ["52:54:00:77:01"]`, "from: [n1, n2]"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestNeedsErrorHelps(t *testing.T) {
	e := &NeedsError{Missing: []string{qemuProgram, ovmfCode}}
	if got := strings.Join(e.Hint(), "\n"); !strings.Contains(got, "scripts/setup") || !strings.Contains(got, "qemu-system-x86 ovmf") {
		t.Errorf("hints %q", got)
	}
}
