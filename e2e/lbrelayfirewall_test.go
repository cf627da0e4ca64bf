package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lbRelayFirewall: between machines and the relay is a stateful firewall that knows nothing of TFTP. From ports of their own
// nothing arrives, as it must be; from the service's port everything does, also when a backend is dead.
func lbRelayFirewall(t *testing.T, b *bench) {
	n := newNATNet(t)
	n.must("nat", `nft 'flush ruleset; add table ip f; add chain ip f c { type filter hook forward priority 0; policy drop; }; add rule ip f c ct state established,related accept; add rule ip f c iifname "pc0" udp dport 69 accept'`)
	n.must("srv", "ip addr add 10.2.0.3/24 dev eth0; ip addr add 10.2.0.4/24 dev eth0; ip route add 10.1.0.0/24 via 10.2.0.1")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), make([]byte, 300_000), 0o644); err != nil {
		t.Fatal(err)
	}
	start := func(args ...string) (stop func()) {
		t.Helper()
		cmd := exec.Command("ip", append([]string{"netns", "exec", n.prefix + "srv", b.binary}, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		t.Cleanup(stop)
		return stop
	}
	start("tftp", "--root", dir, "--listen", "10.2.0.2:69")
	for i, c := range []struct{ ports, want string }{
		{"any", "failed at         request (no-answer)"},
		{"single", "availability      100 %"},
	} {
		service := fmt.Sprintf("10.2.0.%d", 3+i)
		file := filepath.Join(dir, c.ports+".yaml")
		text := fmt.Sprintf(`site: e2e
nodes: {lb1: {address: 10.2.0.2, roles: [lb]}}
servers: {dead: {tftp: "10.2.0.2:70"}, alive: {tftp: 10.2.0.2}, service: {tftp: %s}}
boot: [{name: boot, file: f, from: [service]}]
networks: {lab: {subnet: 10.1.0.0/24, deliver: none}}
tftp: {ports: %s}
watch: {enabled: false}
status: {socket: %s.sock}
state: %s
history: {file: none}
lb: {services: {boot: {listen: %s, backends: [dead, alive], cache: "off"}}}
`, service, c.ports, filepath.Join(dir, c.ports), filepath.Join(dir, c.ports), service)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		stop := start("serve", "--config", file, "--node", "lb1")
		out := ""
		for until := time.Now().Add(15 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
			if out, _ = n.run("srv", b.binary, "probe", "tftp://"+service+"/f", "--timeout", "2s"); strings.Contains(out, "100 %") {
				break
			}
		}
		out, _ = n.run("pc", b.binary, "probe", "tftp://"+service+"/f", "--timeout", "3s")
		if !strings.Contains(out, c.want) {
			t.Errorf("ports %s: want %q in\n%s", c.ports, c.want, out)
		}
		stop()
	}
}
