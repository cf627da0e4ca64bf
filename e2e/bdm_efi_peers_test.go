package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// bdmDeafPeer is the failure that a boot medium was once seen to have: two DHCP servers share the machines
// between them, one of them does not hear them, and the other says "load balance to peer". A machine that
// says secs 0 for ever is never answered; ours is.
func bdmDeafPeer(t *testing.T, b *bench) {
	pair := iscPair()
	if _, err := exec.LookPath(pair.program); err != nil {
		t.Fatalf("%s is not installed: scripts/setup test", pair.program)
	}
	n := newDHCPNet(t, 2, false)
	var servers [2]*dhcpProgram
	for i := range servers {
		servers[i] = pair.start(n, i, t.TempDir())
	}
	n.await("both servers work together", 2*time.Minute, func() bool {
		return strings.Contains(servers[0].said(), pair.ready) && strings.Contains(servers[1].said(), pair.ready)
	})
	ground := n.ground("eth0", newRecorder())
	zero := firmwarePolicies()[0]
	mac := func(i byte) net.HardwareAddr { return net.HardwareAddr{0x52, 0x54, 0, 0x77, 0x0a, i} }
	n.await("every machine is answered", 2*time.Minute, func() bool {
		for i := byte(0); i < 8; i++ {
			if ground.machine(mac(100+i), zero).boot(t.Context(), soon).tries == 0 {
				return false
			}
		}
		return true
	})
	n.deafen(1)

	// Which machine is the deaf server's is a matter of its MAC address.
	var unheard net.HardwareAddr
	for i := byte(0); unheard == nil; i++ {
		if i == 32 {
			t.Fatal("every machine is answered: no server says that another one will")
		}
		if ground.machine(mac(i), zero).boot(t.Context(), time.Second).tries == 0 {
			unheard = mac(i)
		}
	}
	if o := ground.machine(unheard, zero).boot(t.Context(), time.Second, 2*time.Second, 2*time.Second, 4*time.Second, 4*time.Second); o.tries != 0 {
		t.Fatalf("%v is answered with secs 0, so the scenario proves nothing", unheard)
	}
	t.Logf("%v is not answered with secs 0 and flags 0 in 13 s", unheard)

	n.serveBootstrap(serverPart(0), "10.78.0.11", b.binary)
	at := &outlet{t, t.Context(), t.TempDir(), n.space("sw"), "direct"}
	m := at.insert(asking("tftp://10.78.0.11/").with("timeout 5"), ownDriver, unheard.String(), plainOVMF(), true)
	got := m.says(`DISCOVER (\d), secs (\d+), broadcast flag \w+\s+(?:BDM: )?DHCP [0-9a-f:]+: 10\.78\.0\.11 offers`)
	m.report("s1", "10.78.0.11")
	t.Logf("RESULT %s: answered at DISCOVER %s, secs %s", t.Name(), got[1], got[2])
	if got[1] == "1" {
		t.Error("answered at the first DISCOVER: the server did not balance")
	}
	want(t, "what the server says", servers[0].said(), "load balance to peer")
}

// serveBootstrap hands out the test bootstrap by TFTP in a part.
func (n *dhcpNet) serveBootstrap(part, addr, binary string) {
	n.t.Helper()
	root := writeFiles(n.t, map[string][]byte{boot.TestBootstrapX64: bootstrap(part)})
	p := n.start(part, "tftp-"+part, nil, binary, "tftp", "--root", root, "--listen", addr+":69")
	n.await("TFTP in "+part, 10*time.Second, func() bool { return strings.Contains(p.said(), "serving") })
}
