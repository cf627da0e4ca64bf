package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// natScenarios are about a NAT that knows nothing of TFTP between the machines and their server.
func natScenarios() []scenario {
	return []scenario{{"nat", natScenario}}
}

// natNet is a client, a router that hides the client's address, and a server, each in a namespace.
type natNet struct {
	t      *testing.T
	prefix string
}

// run runs a command in a part of the network.
func (n *natNet) run(part string, args ...string) (string, error) {
	args = append([]string{"netns", "exec", n.prefix + part}, args...)
	out, err := exec.Command("ip", args...).CombinedOutput()
	return string(out), err
}

func (n *natNet) must(part string, line string) {
	n.t.Helper()
	if out, err := n.run(part, "sh", "-c", line); err != nil {
		n.t.Fatalf("%s: %s: %v\n%s", part, line, err, out)
	}
}

func newNATNet(t *testing.T) *natNet {
	n := &natNet{t: t, prefix: fmt.Sprintf("sf-nat%d-", os.Getpid())}
	for _, part := range []string{"pc", "nat", "srv"} {
		if out, err := exec.Command("ip", "netns", "add", n.prefix+part).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", n.prefix+part).Run() })
		n.must(part, "ip link set lo up")
	}
	n.must("nat", "ip link add pc0 type veth peer name eth0 netns "+n.prefix+"pc; ip link add srv0 type veth peer name eth0 netns "+n.prefix+"srv")
	n.must("nat", "ip addr add 10.1.0.1/24 dev pc0; ip addr add 10.2.0.1/24 dev srv0; ip link set pc0 up; ip link set srv0 up")
	n.must("pc", "ip addr add 10.1.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.1.0.1")
	n.must("srv", "ip addr add 10.2.0.2/24 dev eth0; ip link set eth0 up")
	n.must("nat", "sysctl -qw net.ipv4.ip_forward=1")
	n.must("nat", `nft 'add table ip n; add chain ip n p { type nat hook postrouting priority 100; }; add rule ip n p oifname "srv0" masquerade'`)
	return n
}

// Through a NAT without a TFTP helper nothing arrives from a port of the transfer's own, as it must
// be, and everything arrives from the request port (F29).
func natScenario(t *testing.T, b *bench) {
	n := newNATNet(t)
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "f"), make([]byte, 300_000), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ ports, want string }{
		{"any", "failed at         request (no-answer)"},
		{"single", "availability      100 %"},
	} {
		cmd := exec.Command("ip", "netns", "exec", n.prefix+"srv", b.binary, "tftp", "--root", root, "--listen", "10.2.0.2:69", "--ports", c.ports)
		said, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 200)
		k, _ := said.Read(buf) // it serves when it has said so
		out, _ := n.run("pc", b.binary, "probe", "tftp://10.2.0.2/f", "--timeout", "3s")
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if !strings.Contains(out, c.want) {
			t.Errorf("ports %s: want %q in\n%s\nthe server: %s", c.ports, c.want, out, buf[:k])
		}
	}
}
