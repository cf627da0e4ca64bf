package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// dhcpSite is nodes that share their leases, in a dhcpNet: the real program with one site file for all,
// three members of an etcd cluster, and a relay.
type dhcpSite struct {
	*dhcpNet
	binary  string
	pool    string   // addresses of each network: the last two bytes, FIRST-LAST
	says    string   // what else the networks' sections dhcp say; NET is a network's first two bytes
	args    []string // of serve
	nodes   []*dhcpProgram
	since   []int // how much of a node's log is of its former lives
	crowded bool  // the networks may be too full for blocks
	members []*dhcpProgram
	relay   *dhcpProgram
	detour  *slowStore // nil: nodes ask the members directly
}

const etcdMembers = 3

func newDHCPSite(t *testing.T, b *bench, nodes int, pool, says string, args ...string) *dhcpSite {
	t.Helper()
	s := &dhcpSite{
		dhcpNet: newDHCPNet(t, nodes, nodes < etcdMembers), binary: b.binary, pool: pool, says: says, args: args,
		nodes: make([]*dhcpProgram, nodes), since: make([]int, nodes), members: make([]*dhcpProgram, etcdMembers),
	}
	for i := range s.members {
		s.startMember(i)
	}
	for i := range s.members {
		s.awaitMember(i)
	}
	for i := range s.nodes {
		s.startNode(i)
	}
	s.relayTo(s.everyNode()...)
	s.awaitHealthy()
	return s
}

func (s *dhcpSite) everyNode() (all []int) {
	for i := range s.nodes {
		all = append(all, i)
	}
	return all
}

// memberPart is where member i runs: beside node i, or alone as the witness.
func (s *dhcpSite) memberPart(i int) string {
	if i < s.servers {
		return serverPart(i)
	}
	return "w"
}

func (s *dhcpSite) startMember(i int) {
	var all []string
	for k := range etcdMembers {
		all = append(all, fmt.Sprintf("m%d=http://%s:2380", k+1, storeAddr(k)))
	}
	name, at := fmt.Sprintf("m%d", i+1), storeAddr(i)
	s.members[i] = s.start(s.memberPart(i), "etcd-"+name, nil, "etcd", "--name", name, "--data-dir", filepath.Join(s.dir, "etcd-"+name),
		"--listen-peer-urls", "http://"+at+":2380", "--initial-advertise-peer-urls", "http://"+at+":2380",
		"--listen-client-urls", "http://"+at+":2379", "--advertise-client-urls", "http://"+at+":2379",
		"--initial-cluster", strings.Join(all, ","), "--initial-cluster-state", "new", "--log-level", "warn")
}

// health asks a member whether the cluster works, and whether it leads.
func (s *dhcpSite) health(i int) (works, leads bool) {
	var reply struct {
		Health string `json:"health"`
	}
	if b, err := s.get(s.memberPart(i), storeAddr(i)+":2379", "/health"); err == nil && json.Unmarshal(b, &reply) == nil {
		works = reply.Health == "true"
	}
	b, err := s.get(s.memberPart(i), storeAddr(i)+":2379", "/metrics")
	return works, err == nil && strings.Contains(string(b), "\netcd_server_is_leader 1\n")
}

func (s *dhcpSite) awaitMember(i int) {
	s.t.Helper()
	s.await(s.members[i].name+" works", 30*time.Second, func() bool { works, _ := s.health(i); return works })
}

// leader is the member that leads.
func (s *dhcpSite) leader() (at int) {
	s.t.Helper()
	s.await("a member of the store leads", 20*time.Second, func() bool {
		for at = range s.members {
			if s.members[at].ended() {
				continue
			}
			if _, leads := s.health(at); leads {
				return true
			}
		}
		return false
	})
	return at
}

// get asks a web server in a part.
func (s *dhcpSite) get(part, addr, path string) ([]byte, error) {
	var c net.Conn
	err := s.inside(part).do(func() (err error) {
		c, err = net.DialTimeout("tcp4", addr, time.Second)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(c, "GET %s HTTP/1.0\r\nHost: x\r\n\r\n", path)
	b, err := io.ReadAll(c)
	_, body, _ := strings.Cut(string(b), "\r\n\r\n")
	return []byte(body), err
}

// site is the site file, one for all nodes.
func (s *dhcpSite) site() string {
	var b strings.Builder
	b.WriteString("site: matrix\nnodes:\n")
	for i := range s.nodes {
		fmt.Fprintf(&b, "  n%d: {address: 10.78.0.%d, interfaces: [eth0, eth1], roles: [dhcp]}\n", i+1, 11+i)
	}
	endpoint := "2379"
	if s.detour != nil {
		endpoint = "2378"
	}
	var members []string
	for i := range s.members {
		members = append(members, fmt.Sprintf("%q", storeAddr(i)+":"+endpoint))
	}
	fmt.Fprintf(&b, "store: {etcd: {endpoints: [%s]}}\n", strings.Join(members, ", "))
	b.WriteString("servers:\n  pvs: {tftp: 10.78.0.5}\nboot:\n  - {name: any, file: boot.bin, from: [pvs]}\nnetworks:\n")
	from, to, _ := strings.Cut(s.pool, "-")
	for name, net := range map[string]string{"direct": "10.78", "far": "10.76"} {
		fmt.Fprintf(&b, "  %s: {subnet: %[2]s.0.0/16, deliver: dhcp, dhcp: {range: %[2]s.%[3]s-%[2]s.%[4]s, %[5]s}}\n", name, net, from, to, strings.ReplaceAll(s.says, "NET", net))
	}
	return b.String()
}

// startNode starts a node, with the state of its former life.
func (s *dhcpSite) startNode(i int) {
	s.t.Helper()
	name := fmt.Sprintf("n%d", i+1)
	config, state := filepath.Join(s.dir, "site.yaml"), filepath.Join(s.dir, name)
	if err := os.WriteFile(config, []byte(s.site()), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(state, "surefoot"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.dir, name+".notify")
	_ = os.Remove(path)
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		s.t.Fatal(err)
	}
	defer notify.Close()
	if b, err := os.ReadFile(filepath.Join(s.dir, name+".log")); err == nil {
		s.since[i] = len(b)
	}
	// Every node has a /var/lib of its own: the site file is the same everywhere.
	argv := []string{
		"sh", "-c", `mount --bind "$1" /var/lib && shift && exec "$@"`, "sh", state,
		s.binary, "serve", "--config", config, "--node", name, "--socket", filepath.Join(s.dir, name+".sock"),
	}
	s.nodes[i] = s.start(serverPart(i), name, []string{"NOTIFY_SOCKET=" + path}, append(argv, s.args...)...)
	_ = notify.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 4096)
	for {
		k, err := notify.Read(b)
		if err != nil {
			s.t.Fatalf("node %s is not ready: %v\n%s", name, err, s.log(i))
		}
		if strings.Contains(string(b[:k]), "READY=1") {
			return
		}
	}
}

// log is what a node said in its present life.
func (s *dhcpSite) log(i int) string { return s.nodes[i].said()[s.since[i]:] }

// hasContact reports whether a node works with the store.
func (s *dhcpSite) hasContact(i int) bool {
	log := s.log(i)
	return strings.LastIndex(log, `msg="the shared store answers`) > strings.LastIndex(log, `msg="the shared store does not answer`) // details of packets say it too
}

// hasBlocks reports whether a node has addresses of its own in both networks.
func (s *dhcpSite) hasBlocks(i int) bool {
	b, err := os.ReadFile(filepath.Join(s.dir, fmt.Sprintf("n%d", i+1), "surefoot", "leases.blocks"))
	var f struct {
		Blocks map[string][]any `json:"blocks"`
	}
	return err == nil && json.Unmarshal(b, &f) == nil && len(f.Blocks["direct"]) >= 2 && len(f.Blocks["far"]) >= 2
}

// awaitHealthy waits until all members and nodes work.
func (s *dhcpSite) awaitHealthy() {
	s.t.Helper()
	for i := range s.members {
		s.awaitMember(i)
	}
	for i := range s.nodes {
		s.await(fmt.Sprintf("node n%d works with the store and has blocks", i+1), 40*time.Second, func() bool { return s.hasContact(i) && (s.crowded || s.hasBlocks(i)) })
	}
}

// relayTo has the relay ask these nodes and no others.
func (s *dhcpSite) relayTo(nodes ...int) {
	s.t.Helper()
	s.relay = s.startRelay(s.relay, nodes...)
}

// startRelay starts the relay in place of the one before.
func (n *dhcpNet) startRelay(before *dhcpProgram, servers ...int) *dhcpProgram {
	n.t.Helper()
	if before != nil {
		before.kill()
	}
	args := []string{"dhcrelay", "-4", "-d", "--no-pid", "-id", "eth0", "-iu", "eth1"}
	for _, i := range servers {
		args = append(args, fmt.Sprintf("10.77.0.%d", 11+i))
	}
	had := 0
	if before != nil {
		had = len(before.said())
	}
	p := n.start("r", "dhcrelay", nil, args...)
	n.await("the relay works", 10*time.Second, func() bool { return strings.Contains(p.said()[had:], "Sending on   Socket/fallback") })
	return p
}

// restore ends whatever a scenario did, and waits until everything works.
func (s *dhcpSite) restore() {
	s.t.Helper()
	if s.detour != nil {
		s.detour.delay.Store(0)
	}
	for i, m := range s.members {
		m.signal(syscall.SIGCONT)
		if m.ended() {
			s.startMember(i)
		}
	}
	for i, n := range s.nodes {
		s.heal(i)
		n.signal(syscall.SIGCONT)
		if n.ended() {
			s.startNode(i)
		}
	}
	s.relayTo(s.everyNode()...)
	s.awaitHealthy()
}

// slowStore is ways to the members on which every byte takes a while. (The kernels of test machines
// often lack netem.)
type slowStore struct{ delay atomic.Int64 }

// slow lets the nodes reach their store by a detour from now on, and restarts them for that.
func (s *dhcpSite) slow() *slowStore {
	s.t.Helper()
	if s.detour != nil {
		return s.detour
	}
	d := &slowStore{}
	for i := range s.members {
		in := s.inside(s.memberPart(i))
		var l net.Listener
		if err := in.do(func() (err error) {
			l, err = net.Listen("tcp4", storeAddr(i)+":2378")
			return err
		}); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { l.Close() })
		go d.serve(l, func() (c net.Conn, err error) {
			err = in.do(func() (err error) {
				c, err = net.DialTimeout("tcp4", storeAddr(i)+":2379", time.Second)
				return err
			})
			return c, err
		})
	}
	s.detour = d
	for i, n := range s.nodes {
		n.stop()
		s.startNode(i)
	}
	s.awaitHealthy()
	return d
}

func (d *slowStore) serve(l net.Listener, dial func() (net.Conn, error)) {
	for {
		a, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer a.Close()
			b, err := dial()
			if err != nil {
				return
			}
			defer b.Close()
			done := make(chan struct{}, 2)
			go d.pass(a, b, done)
			go d.pass(b, a, done)
			<-done
		}()
	}
}

// pass hands on what comes, half of the delay later.
func (d *slowStore) pass(from io.Reader, to io.Writer, done chan<- struct{}) {
	type piece struct {
		at time.Time
		b  []byte
	}
	way := make(chan piece, 1024)
	go func() {
		defer close(way)
		for {
			b := make([]byte, 16<<10)
			k, err := from.Read(b)
			if k > 0 {
				way <- piece{time.Now().Add(time.Duration(d.delay.Load()) / 2), b[:k]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range way {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.b); err != nil {
			break
		}
	}
	done <- struct{}{}
}
