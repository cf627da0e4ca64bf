package e2e

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// natPair: a node whose data path does not work gives its service address to the other one, and takes it back when it
// does. Another program that owns our table is what breaks it: the kernel refuses every change then.
func natPair(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.tftpd(h)
	}
	l.natSite("snat", ", forwarding: set")
	text, err := os.ReadFile(l.path("lb1.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pair := strings.Replace(string(text), "servers:\n", "  lb2: {address: 10.2.0.12, interfaces: [eth0], roles: [lb]}\nservers:\n", 1)
	l.write(".", "lb1.yaml", []byte(pair))
	l.write(".", "lb2.yaml", []byte(strings.NewReplacer("lb1.sock", "lb2.sock", "lb1.state", "lb2.state").Replace(pair)))
	l.balancer("lb1")
	l.master("lb1")
	l.balancer("lb2")
	out, _ := l.in("lb2", l.binary, "lb", "list", "--socket", l.path("lb2.sock")).CombinedOutput()
	want(t, "lb list of the other one", string(out), "standby")

	owner := l.in("lb1", "nft", "-i")
	keys, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	l.start("owner", owner)
	_, _ = io.WriteString(keys, "delete table inet surefoot_lb\nadd table inet surefoot_lb { flags owner; }\n")
	l.master("lb2")
	status, _ := l.surefoot("status")
	want(t, "status of the one whose data path does not work", status, "service boot does not follow", "service address boot: priority")

	l.kill("owner", syscall.SIGKILL) // the table goes with it
	l.master("lb1")
	if t.Failed() {
		t.Log(l.logs())
	}
}
