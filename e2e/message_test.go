package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/lab"
)

// messageScenarios pull pieces out and look at what `surefoot serve` then says.
func messageScenarios() []scenario {
	return []scenario{
		{"port67-taken", port67Taken},
		{"port4011-taken", func(t *testing.T, b *bench) { portTaken(t, b, 4011) }},
		{"port69-taken", func(t *testing.T, b *bench) { portTaken(t, b, 69) }},
		{"no-capability", noCapability},
		{"root-missing", rootMissing},
		{"interface-missing", interfaceMissing},
	}
}

// serve starts node n1, which must end by itself, and returns what it said and its exit code.
func (s *stage) serve(wrap []string, extra ...string) (string, int) {
	s.t.Helper()
	n := s.Node("n1")
	p, err := n.Launch(wrap, extra...)
	if err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-s.ctx.Done():
		s.t.Fatal("the node did not end")
	}
	b, err := os.ReadFile(n.Log)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("exit code %d:\n%s", p.ExitCode(), strings.TrimSpace(string(b)))
	return string(b), p.ExitCode()
}

// Somebody holds port 67: that is no reason to fail. ProxyDHCP works beside a DHCP server.
func port67Taken(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, SameHost: true})
	if !s.Node("n1").Process().Running() {
		t.Fatal("the node does not run")
	}
	s.boot(lab.Machine{Firmware: lab.BIOS})
}

// Somebody holds a port that the node must have: the message names the holder.
func portTaken(t *testing.T, b *bench, port int) {
	s := b.build(t, lab.Options{Nodes: 1})
	var c *net.UDPConn
	err := s.Inside("n1", func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said, code := s.serve(nil)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	holder := filepath.Base(self)[:min(15, len(filepath.Base(self)))] // as /proc/PID/comm has it
	want(t, "serve", said, "listen udp", "held by "+holder, "hint: ")
}

// An ordinary user starts it: the message names what is missing and how to give it.
func noCapability(t *testing.T, b *bench) {
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := b.build(t, lab.Options{Nodes: 1})
	socket := filepath.Join(os.TempDir(), "surefoot-e2e-"+s.ID+".sock") // where anyone may make one
	t.Cleanup(func() { os.Remove(socket) })
	said, code := s.serve([]string{
		setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
	}, "--socket", socket)
	if code != 4 {
		t.Errorf("exit code %d, want 4 (not permitted)", code)
	}
	want(t, "serve", said, "operation not permitted", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "hint: ")
}

func rootMissing(t *testing.T, b *bench) {
	s := b.build(t, lab.Options{Nodes: 1, Site: site{root: "/nowhere/boot"}.text(1)})
	said, code := s.serve(nil)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	want(t, "serve", said, "/nowhere/boot", "no such file or directory")
}

func interfaceMissing(t *testing.T, b *bench) {
	s := b.build(t, lab.Options{Nodes: 1})
	said, code := s.serve(nil, "--interface", "eth7")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	want(t, "serve", said, "eth7", "interfaces of this machine: eth0")
}
