package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dhcpNet is the network of the DHCP scenarios, with nothing running in it: servers that reach their
// machines both directly and behind a relay, and a link of their own for what they share.
//
//	pc        eth0 direct, eth1 far      the machines
//	s1, s2..  eth0 10.78.0.11/16         direct: the machines' own wire
//	          eth1 10.77.0.11/24         the relay's side
//	          eth2 10.79.0.11/24         among the servers
//	r         eth0 10.76.0.1/16 far, eth1 10.77.0.1/24
//	w         eth2 10.79.0.13/24         the witness of two nodes
//	sw        the bridges: direct, far, relay, store
type dhcpNet struct {
	t       *testing.T
	dir     string
	prefix  string
	servers int
	parts   []string
	threads map[string]*inside
	running []*dhcpProgram
}

// dhcpSpaces is how the namespaces of these scenarios begin; the number of their process follows.
const dhcpSpaces = "sf-dm"

// dhcpNets numbers the networks of this process: two may be there at a time.
var dhcpNets atomic.Int32

func newDHCPNet(t *testing.T, servers int, witness bool) *dhcpNet {
	t.Helper()
	sweepDHCP(t)
	n := &dhcpNet{t: t, dir: t.TempDir(), prefix: fmt.Sprintf("%s%d-%d-", dhcpSpaces, os.Getpid(), dhcpNets.Add(1)), servers: servers, threads: map[string]*inside{}}
	n.parts = []string{"sw", "pc", "r"}
	for i := range servers {
		n.parts = append(n.parts, serverPart(i))
	}
	if witness {
		n.parts = append(n.parts, "w")
	}
	t.Cleanup(n.close)
	for _, p := range n.parts {
		n.ip("", "netns add "+n.space(p))
		n.ip(p, "link set lo up")
	}
	n.ip("sw", "link add direct type bridge forward_delay 0 stp_state 0\nlink add far type bridge forward_delay 0 stp_state 0\nlink add relay type bridge forward_delay 0 stp_state 0\nlink add store type bridge forward_delay 0 stp_state 0\n"+
		"link set direct up\nlink set far up\nlink set relay up\nlink set store up")
	n.plug("pc", "eth0", "direct", "")
	n.plug("pc", "eth1", "far", "")
	n.plug("r", "eth0", "far", "10.76.0.1/16")
	n.plug("r", "eth1", "relay", "10.77.0.1/24")
	for i := range servers {
		p, host := serverPart(i), 11+i
		n.plug(p, "eth0", "direct", fmt.Sprintf("10.78.0.%d/16", host))
		n.plug(p, "eth1", "relay", fmt.Sprintf("10.77.0.%d/24", host))
		n.plug(p, "eth2", "store", storeAddr(i)+"/24")
		n.ip(p, "route add 10.76.0.0/16 via 10.77.0.1")
	}
	if witness {
		n.plug("w", "eth2", "store", storeAddr(servers)+"/24")
	}
	n.write("r", "/proc/sys/net/ipv4/ip_forward", "1")
	return n
}

func serverPart(i int) string { return "s" + strconv.Itoa(i+1) }

// storeAddr is where member i of the store listens.
func storeAddr(i int) string { return fmt.Sprintf("10.79.0.%d", 11+i) }

func (n *dhcpNet) space(part string) string { return n.prefix + part }

// ip runs iproute2 commands, one a line, in a part, or in none.
func (n *dhcpNet) ip(part, lines string) {
	n.t.Helper()
	args := []string{"-batch", "-"}
	if part != "" {
		args = append([]string{"-n", n.space(part)}, args...)
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(lines + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("%s: ip %q: %v\n%s", part, lines, err, out)
	}
}

// plug lays a cable from a part to a bridge.
func (n *dhcpNet) plug(part, dev, bridge, addr string) {
	n.t.Helper()
	n.ip("sw", fmt.Sprintf("link add %[1]s type veth peer name %[2]s netns %[3]s\nlink set %[1]s master %[4]s up", port(part, dev), dev, n.space(part), bridge))
	n.ip(part, "link set "+dev+" up")
	if addr != "" {
		n.ip(part, "addr add "+addr+" brd + dev "+dev)
	}
}

func port(part, dev string) string { return part + "-" + dev }

// deafen takes a server off the machines' wires; what the servers share stays.
func (n *dhcpNet) deafen(i int) {
	for _, dev := range []string{"eth0", "eth1"} {
		n.ip("sw", "link set "+port(serverPart(i), dev)+" nomaster")
	}
}

// heal puts it back.
func (n *dhcpNet) heal(i int) {
	n.ip("sw", "link set "+port(serverPart(i), "eth0")+" master direct\nlink set "+port(serverPart(i), "eth1")+" master relay")
}

func (n *dhcpNet) write(part, path, text string) {
	n.t.Helper()
	if err := n.inside(part).do(func() error { return os.WriteFile(path, []byte(text), 0o644) }); err != nil {
		n.t.Fatal(err)
	}
}

// close ends everything and takes the network down.
func (n *dhcpNet) close() {
	for _, p := range n.running {
		p.signal(syscall.SIGCONT)
		p.kill()
	}
	for _, in := range n.threads {
		close(in.left)
	}
	if n.t.Failed() {
		n.keep()
	}
	for _, p := range n.parts {
		removeSpace(n.space(p))
	}
}

// keep saves what the programs said.
func (n *dhcpNet) keep() {
	_, name, _ := strings.Cut(n.t.Name(), "/")
	to := filepath.Join("testdata", "out", filepath.FromSlash(name))
	_ = os.MkdirAll(to, 0o755)
	logs, _ := filepath.Glob(filepath.Join(n.dir, "*.log"))
	for _, f := range logs {
		if b, err := os.ReadFile(f); err == nil {
			_ = os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o644)
		}
	}
	n.t.Logf("what the programs said is in e2e/%s", to)
}

// removeSpace ends every process in a namespace, by its number, and deletes it.
func removeSpace(space string) {
	if _, err := os.Stat("/run/netns/" + space); err != nil {
		return
	}
	out, _ := exec.Command("ip", "netns", "pids", space).Output()
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = exec.Command("ip", "netns", "del", space).Run()
}

// sweepDHCP removes what a killed run left behind.
func sweepDHCP(t *testing.T) {
	spaces, err := os.ReadDir("/run/netns")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, s := range spaces {
		rest, ours := strings.CutPrefix(s.Name(), dhcpSpaces)
		pid, err := strconv.Atoi(strings.Split(rest, "-")[0])
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			removeSpace(s.Name())
		}
	}
}

// dhcpProgram is one that runs in a part.
type dhcpProgram struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program in a part. Its log goes on where a former one of that name ended.
func (n *dhcpNet) start(part, name string, env []string, argv ...string) *dhcpProgram {
	n.t.Helper()
	p := &dhcpProgram{name: name, log: filepath.Join(n.dir, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		n.t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command("ip", append([]string{"netns", "exec", n.space(part)}, argv...)...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), env...), n.dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		n.t.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	n.running = append(n.running, p)
	return p
}

func (p *dhcpProgram) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *dhcpProgram) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks it to end.
func (p *dhcpProgram) stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

func (p *dhcpProgram) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// said is what stands in its log.
func (p *dhcpProgram) said() string {
	b, _ := os.ReadFile(p.log)
	return string(b)
}

// await waits until something is so; programs of others do not say when they are ready.
func (n *dhcpNet) await(what string, limit time.Duration, so func() bool) {
	n.t.Helper()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for end := time.Now().Add(limit); !so(); <-t.C {
		if time.Now().After(end) {
			n.t.Fatalf("%s: not so after %s", what, limit)
		}
	}
}

// inside is a thread in a namespace: sockets that are made by it are there.
type inside struct {
	calls chan func()
	left  chan struct{}
}

func (n *dhcpNet) inside(part string) *inside {
	n.t.Helper()
	if in := n.threads[part]; in != nil {
		return in
	}
	in, entered := &inside{make(chan func()), make(chan struct{})}, make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+n.space(part), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		entered <- err
		for {
			select {
			case f := <-in.calls:
				f()
			case <-in.left:
				return
			}
		}
	}()
	if err := <-entered; err != nil {
		n.t.Fatalf("enter %s: %v", n.space(part), err)
	}
	n.threads[part] = in
	return in
}

// do runs f on the thread.
func (in *inside) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case in.calls <- func() { done <- f() }:
		return <-done
	case <-in.left:
		return net.ErrClosed
	}
}
