package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// readyPatience is how long a node may take from its start to READY.
const readyPatience = 15 * time.Second

// Node is a Surefoot node of the lab: the real binary with a site file, in its own namespace.
type Node struct {
	NodeState
	Config string // path of its site file
	lab    *Lab
	place  *place
	proc   *Process
	notify *net.UnixConn // what systemd would listen on
}

func nodeName(i int) string { return "n" + strconv.Itoa(i+1) }

// addNode prepares a node without starting it.
func (l *Lab) addNode(i int) error {
	name := nodeName(i)
	n := &Node{
		NodeState: NodeState{
			Name: name, Addr: NodeAddr(i).String(), Space: l.space(name),
			Socket: filepath.Join(l.Dir, name+".sock"), Log: filepath.Join(l.Dir, name+".log"),
		},
		Config: filepath.Join(l.Dir, name+".yaml"),
		lab:    l, place: l.places[name],
	}
	path := filepath.Join(l.Dir, name+".notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify socket of node %s: %w", name, err)
	}
	n.notify = conn
	l.nodes = append(l.nodes, n)
	l.Nodes = append(l.Nodes, n.NodeState)
	site := l.options.Site
	if site == "" {
		site = DefaultSite(l.options.Nodes, l.options.Root)
	}
	return n.WriteSite(site)
}

// Node returns node n1, n2, ... of a lab that this process built, or nil.
func (l *Lab) Node(name string) *Node {
	for _, n := range l.nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// WriteSite replaces the node's site file; a running node takes it up when it is told to reload.
func (n *Node) WriteSite(text string) error {
	if err := os.WriteFile(n.Config, []byte(text), 0o644); err != nil {
		return fmt.Errorf("site file of node %s: %w", n.Name, err)
	}
	return nil
}

// ServeArgs is the node's command line after the program's name.
func (n *Node) ServeArgs() []string {
	return []string{"serve", "--config", n.Config, "--node", n.Name, "--interface", "eth0", "--socket", n.Socket}
}

// Launch starts the node and returns at once. Extra arguments follow those of ServeArgs; wrap,
// if any, is the program with arguments that is to start it (setpriv ...).
func (n *Node) Launch(wrap []string, extra ...string) (*Process, error) {
	argv := append(append(append([]string{}, wrap...), n.lab.options.Binary), append(n.ServeArgs(), extra...)...)
	p, err := n.place.start(command{
		name: "node " + n.Name, path: argv[0], args: argv[1:], log: n.Log,
		env: []string{"NOTIFY_SOCKET=" + n.notify.LocalAddr().String()},
	})
	if err != nil {
		return nil, err
	}
	n.proc = p
	owner, err := ownerOf(p.PID())
	if err != nil {
		owner = Owner{} // it has ended already; whoever waits for it will see why
	}
	n.lab.mu.Lock()
	defer n.lab.mu.Unlock()
	n.NodeState.Process = owner
	for i := range n.lab.Nodes {
		if n.lab.Nodes[i].Name == n.Name {
			n.lab.Nodes[i].Process = owner
		}
	}
	return p, n.lab.save()
}

// Start starts the node and waits until it says that it is ready.
func (n *Node) Start(ctx context.Context) error {
	p, err := n.Launch(nil)
	if err != nil {
		return err
	}
	return n.awaitReady(ctx, p)
}

// AwaitReady waits until the running node says that it is ready (again), as systemd does
// (sd_notify(3)): after its start, and after SIGHUP.
func (n *Node) AwaitReady(ctx context.Context) error { return n.awaitReady(ctx, n.proc) }

func (n *Node) awaitReady(ctx context.Context, p *Process) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	interrupt := func() { _ = n.notify.SetReadDeadline(time.Unix(1, 0)) }
	stop := context.AfterFunc(ctx, interrupt)
	defer stop()
	go func() {
		select {
		case <-p.done:
			interrupt()
		case <-ctx.Done():
		}
	}()
	_ = n.notify.SetReadDeadline(time.Time{})
	buf := make([]byte, 4096)
	for {
		k, err := n.notify.Read(buf)
		switch {
		case err == nil && bytes.Contains(buf[:k], []byte("READY=1")):
			return nil
		case err == nil:
			continue
		case !p.Running():
			return fmt.Errorf("node %s ended before it was ready (exit code %d):\n%s", n.Name, p.ExitCode(), p.lastLines(10))
		default:
			return fmt.Errorf("node %s is not ready after %s:\n%s", n.Name, readyPatience, p.lastLines(10))
		}
	}
}

// Process returns the running or ended process, nil before the first start.
func (n *Node) Process() *Process { return n.proc }

func (n *Node) close() { n.notify.Close() }
