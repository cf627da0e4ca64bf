package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// lbCheckPeer: a balancer that hangs tells its peer nothing any more, and `surefoot lb check` says so, until it is back.
func lbCheckPeer(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.ours(h)
	}
	l.site(fmt.Sprintf(dsrVIPs, "100ms"), "vip: boot")
	l.balancer("lb1")
	l.master("lb1")
	l.balancer("lb2")
	said := func() string {
		out, _ := l.in("lb1", l.binary, "lb", "check", "--config", l.path("lb1.yaml"), "--node", "lb1", "--socket", l.path("lb1.sock")).CombinedOutput()
		return string(out)
	}
	quiet := func() bool { return !strings.Contains(said(), "lb-peer-") }
	l.await("the balancers agree", quiet)
	_ = l.procs["lb2"].Process.Signal(syscall.SIGSTOP)
	l.await("the check misses the other balancer", func() bool { return !quiet() })
	t.Logf("while it hangs:\n%s", said())
	_ = l.procs["lb2"].Process.Signal(syscall.SIGCONT)
	l.await("they agree again", quiet)
}
