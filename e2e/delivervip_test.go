package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lab"
)

func deliverVIPScenarios() []scenario { return []scenario{{"deliver-vip", deliverVIP}} }

// deliverVIP: machines are sent to the service address and nowhere else. When the node that has it dies, the next
// machine is told the same address, and boots from the other node.
func deliverVIP(t *testing.T, b *bench) {
	const service = "10.77.0.40"
	text := strings.Replace(site{bios: "direct"}.text(2), "lab: {", "lab: {deliver: vip:boot, ", 1) +
		fmt.Sprintf("state: %s\nvips:\n  boot: {address: %s/24, vrid: 77, advert: 200ms, nodes: {n1: {}, n2: {}}}\n", t.TempDir(), service)
	s := b.raise(t, lab.Options{Nodes: 2, Site: text})
	has := func(node string) {
		t.Helper()
		for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
			out, _, _ := s.run("vip", "list", "--json", "--socket", s.Node(node).Socket)
			var rep struct {
				VIPs []struct {
					State string `json:"state"`
				} `json:"vips"`
			}
			if json.Unmarshal([]byte(out), &rep) == nil && len(rep.VIPs) == 1 && rep.VIPs[0].State == "master" {
				return
			}
		}
		t.Fatalf("%s never has the address", node)
	}
	boots := func(node string) {
		t.Helper()
		for _, fw := range []lab.Firmware{lab.BIOS, lab.UEFI} {
			r, _ := s.boot(lab.Machine{Firmware: fw})
			from(t, r, node, service)
		}
	}
	has("n1")
	boots("n1")
	if err := s.Node("n1").Process().Kill(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "-n", s.Node("n1").Space, "link", "set", "eth0", "down").CombinedOutput(); err != nil { // a killed process leaves the address; a dead machine does not answer
		t.Fatalf("%v: %s", err, out)
	}
	has("n2")
	boots("n2")
	for _, u := range s.datagrams(func(u lab.UDP) bool { return u.Dst.Port() == 69 }) {
		if u.Dst.Addr().String() != service {
			t.Errorf("a machine asked %s for a file", u.Dst)
		}
	}
	out, errs, _ := s.run("explain", "--mac", "52:54:00:77:00:01", "--arch", "bios", "--network", "lab", "--config", s.Node("n2").Config, "--node", "n2", "--interface", "eth0")
	want(t, "explain", out+errs, "deliver: vip:boot", "2 of the rule's servers stand behind it", service)
}
