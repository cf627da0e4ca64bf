package dnsboot

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/testkit/netns"
)

// namespace is one in which all ports 53 are free.
type namespace struct{ *netns.Space }

// start starts a program in the namespace, and ends it with the test.
func (ns namespace) start(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(program(t, name), args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	ns.Do(t, cmd.Start)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out.String())
		}
	})
}

// ask asks a resolver in the namespace once; nil without an answer.
func (ns namespace) ask(t *testing.T, at, name string, qtype uint16) *dns.Msg {
	t.Helper()
	var conn net.Conn
	ns.Do(t, func() error {
		var err error
		conn, err = net.Dial("udp", at+":53")
		return err
	})
	defer conn.Close()
	q := query(name, qtype)
	q.RecursionDesired = true
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	c := dns.Conn{Conn: conn}
	if c.WriteMsg(q) != nil {
		return nil
	}
	r, err := c.ReadMsg()
	if err != nil {
		return nil
	}
	return r
}

// addresses are those that a resolver answers with, sorted; a name follows a refusal.
func (ns namespace) addresses(t *testing.T, at, name string) string {
	t.Helper()
	r := ns.ask(t, at, name, dns.TypeA)
	if r == nil {
		return "no answer"
	}
	if r.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[r.Rcode]
	}
	var out []string
	for _, rr := range r.Answer {
		if a, ok := rr.(*dns.A); ok {
			out = append(out, a.A.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// until asks a resolver again and again until the answer is right, and returns how long it took.
func (ns namespace) until(t *testing.T, at, name, want string, atMost time.Duration) time.Duration {
	t.Helper()
	begin, got := time.Now(), ""
	for time.Since(begin) < atMost {
		if got = ns.addresses(t, at, name); got == want {
			return time.Since(begin)
		}
		time.Sleep(20 * time.Millisecond) // between two questions
	}
	t.Fatalf("%s answers %s for %s, want %s within %s", at, got, name, want, atMost)
	return 0
}

const parentZone = `$ORIGIN example.net.
@ 60 SOA ns hostmaster 1 3600 600 86400 60
@ 60 NS ns
ns 60 A 127.0.0.2
boot.hq 60 NS boot1.boot.hq
boot.hq 60 NS boot2.boot.hq
boot1.boot.hq 60 A 127.0.0.3
boot2.boot.hq 60 A 127.0.0.4
`

// Our zone as a delegated subzone below a zone of Knot DNS, seen through unbound; and behind unbound
// and dnsmasq as forwarders. A server that dies leaves the resolvers' answers within the TTL, a node
// that dies is not missed, and when all are dead all are named.
func TestBehindResolvers(t *testing.T) {
	ns := namespace{netns.New(t)}
	const ttl = 2 * time.Second
	site := testSite()
	for i, name := range []string{"boot1", "boot2"} {
		s := site.Servers[name]
		s.TFTP = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(3 + i)}), 69)
		site.Servers[name] = s
	}
	set := settings()
	set.TTL = ttl
	var d dead
	stops := map[string]context.CancelFunc{}
	for _, name := range []string{"boot1", "boot2"} {
		s, err := New(Config{Node: name, Listen: netip.AddrPortFrom(site.Servers[name].TFTP.Addr(), 53), Site: site, Zone: set}, Deps{Down: d.down})
		if err != nil {
			t.Fatal(err)
		}
		ns.Do(t, func() error { return s.Listen(t.Context()) })
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, nil) }()
		stops[name] = sync.OnceFunc(func() { cancel(); <-ended })
		t.Cleanup(stops[name])
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("example.net.zone", parentZone)
	ns.start(t, "knotd", "-c", write("knot.conf", fmt.Sprintf(`
server:
    rundir: %[1]q
    listen: 127.0.0.2@53
database:
    storage: %[1]q
zone:
  - domain: example.net
    storage: %[1]q
    file: example.net.zone
`, dir)))
	ns.start(t, "unbound", "-d", "-c", write("stub.conf", unbound(dir, "127.0.0.1", "stub-zone:\n name: example.net\n stub-addr: 127.0.0.2\n")))
	ns.start(t, "unbound", "-d", "-c", write("forward.conf", unbound(dir, "127.0.0.5", "forward-zone:\n name: boot.hq.example.net\n forward-addr: 127.0.0.3\n forward-addr: 127.0.0.4\n")))
	// Without --all-servers dnsmasq stays with the node that answered last, dead or not, for new queries.
	ns.start(t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.6",
		"--server=/boot.hq.example.net/127.0.0.3", "--server=/boot.hq.example.net/127.0.0.4", "--all-servers", "--user=root", "--pid-file=")

	name := "tftp." + apex
	const all, two = "10.10.0.21 10.10.0.22 10.10.0.23", "10.10.0.22 10.10.0.23"
	resolvers := map[string]string{"delegated": "127.0.0.1", "forwarded by unbound": "127.0.0.5", "forwarded by dnsmasq": "127.0.0.6"}
	for how, at := range resolvers {
		ns.until(t, at, name, all, 15*time.Second)
		if r := ns.ask(t, at, "nothing."+apex, dns.TypeA); r == nil || r.Rcode != dns.RcodeNameError {
			t.Errorf("%s: no such name: %v", how, r)
		}
		if r := ns.ask(t, at, name, dns.TypeAAAA); r == nil || r.Rcode != dns.RcodeSuccess || len(r.Answer) != 0 {
			t.Errorf("%s: no address of IPv6: %v", how, r)
		}
		if r := ns.ask(t, at, "_tftp._udp."+name, dns.TypeSRV); r == nil || len(r.Answer) != 3 {
			t.Errorf("%s: the service: %v", how, r)
		}
		if r := ns.ask(t, at, "many."+apex, dns.TypeA); r == nil || !r.Truncated { // the resolver got it by TCP, and cuts it for us
			t.Errorf("%s: 200 addresses: %v", how, r)
		}
	}

	for how, at := range resolvers {
		ns.until(t, at, name, all, 2*ttl) // fresh in the cache
		d.set("pvs1")
		took := ns.until(t, at, name, two, ttl+3*time.Second)
		t.Logf("%s: a dead server is out of the answers after %s, with a TTL of %s", how, took.Round(10*time.Millisecond), ttl)
		if took > ttl+fresh+1500*time.Millisecond { // resolvers count whole seconds
			t.Errorf("%s: a dead server stayed for %s", how, took)
		}
		d.set()
		ns.until(t, at, name, all, ttl+3*time.Second)
	}
	d.set("pvs1", "pvs2", "pvs3")
	for _, at := range resolvers {
		ns.until(t, at, name, all, ttl+3*time.Second)
	}
	d.set("pvs1")
	stops["boot1"]() // a node dies: the resolvers go to the other
	for _, at := range resolvers {
		ns.until(t, at, name, two, 30*time.Second)
	}
}

// unbound is a configuration that asks nobody but for one zone.
func unbound(dir, at, zone string) string {
	return fmt.Sprintf(`server:
 interface: %s
 access-control: 127.0.0.0/8 allow
 do-daemonize: no
 use-syslog: no
 chroot: ""
 username: ""
 directory: %q
 pidfile: ""
 do-not-query-localhost: no
 module-config: "iterator"
 minimal-responses: yes
 infra-host-ttl: 5
 use-caps-for-id: yes
remote-control:
 control-enable: no
%s`, at, dir, zone)
}
