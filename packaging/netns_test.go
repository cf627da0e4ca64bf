package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// site is two network namespaces joined by a cable: a node in one, a client in the other.
type site struct {
	node, client string // names of the namespaces
}

const (
	nodeIf   = "pk-node"
	nodeAddr = "10.99.69.1"
)

func newSite(t *testing.T) site {
	t.Helper()
	needRoot(t)
	need(t, "ip")
	id := fmt.Sprintf("sf-pk%d", os.Getpid())
	s := site{id + "-node", id + "-client"}
	for _, ns := range []string{s.node, s.client} {
		command(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		command(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	command(t, "ip", "link", "add", nodeIf, "netns", s.node, "type", "veth", "peer", "name", "pk-client", "netns", s.client)
	command(t, "ip", "-n", s.node, "address", "add", nodeAddr+"/24", "dev", nodeIf)
	command(t, "ip", "-n", s.client, "address", "add", "10.99.69.2/24", "dev", "pk-client")
	command(t, "ip", "-n", s.node, "link", "set", nodeIf, "up")
	command(t, "ip", "-n", s.client, "link", "set", "pk-client", "up")
	return s
}

// in makes a command that runs inside a namespace.
func in(ns string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", ns}, args...)...)
}
