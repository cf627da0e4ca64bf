package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"surefoot/internal/boot"
)

// The clients that systems of today keep their addresses with live through a lease, beside two nodes that
// share a store: they take it, renew it, are left alone by the node that gave it, and start anew.
func dhcpDaemons(t *testing.T, b *bench) {
	// T1 and T2 are not what anybody should have: the renewals are to come while the test looks.
	s := newDHCPSite(t, b, 2, "64.0-127.255", `lease: 2m, router: NET.0.1, dns: [NET.0.53], mtu: 1400, routes: [10.99.0.0/16 via NET.0.2], `+
		`options: [{option: 58, value: "3", always: true}, {option: 59, value: "7", always: true}]`)
	for i, d := range dhcpDaemonClients() {
		t.Run(d.name, func(t *testing.T) {
			s.t = t // what fails now fails here
			d.dhcpSite = s
			d.live(fmt.Sprintf("nd%d", i))
		})
		s.t = t
		s.restore()
	}
}

// dhcpDaemon is a client that stays.
type dhcpDaemon struct {
	*dhcpSite
	name     string
	programs []string
	launch   func(d *dhcpDaemon) *dhcpProgram
	cable    bool     // it remembers its address while it runs: a cable that was out makes it ask for that one
	knows    []string // what it says of its lease; <it> stands for the address
	written  string   // what it says when a lease that it rebound is in its file; "": it can be killed before that

	own, dev string // folder and interface
	heard    *overheard
	client   *dhcpProgram
	former   int // how much of its log is of its former lives
}

// live is the life of one lease.
func (d *dhcpDaemon) live(dev string) {
	t, s := d.t, d.dhcpSite
	for _, name := range d.programs {
		if _, err := exec.LookPath(name); err != nil {
			needs(t, name, "scripts/setup test")
		}
	}
	d.dev, d.own = dev, filepath.Join(s.dir, d.name)
	for _, folder := range []string{"run", "lib"} {
		if err := os.MkdirAll(filepath.Join(d.own, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.plug("pc", dev, "direct", "")
	d.heard = s.overhear("pc", dev)
	t.Cleanup(func() {
		d.client.kill()
		s.ip("pc", "link del "+dev) // an address that stayed would be a way for the next client's packets
	})
	d.begin()

	// It takes what it is offered.
	d.heard.await(t, 0, "discover", "offer", "request broadcast", "ack")
	first := d.heard.last("ack")
	if lasts := first.IPAddressLeaseTime(0); lasts != 2*time.Minute {
		t.Errorf("a lease of %s", lasts)
	}
	addr := addrOf(first.YourIPAddr)
	s.await(d.name+" has the address", 10*time.Second, func() bool { return d.has(addr) })
	for _, want := range d.knows {
		want = strings.ReplaceAll(want, "<it>", addr.String())
		s.await(fmt.Sprintf("%s says %q", d.name, want), 10*time.Second, func() bool { return strings.Contains(d.says(), want) })
	}
	for to, via := range map[string]string{"default": "via 10.78.0.1 ", "10.99.0.0/16": "via 10.78.0.2 "} {
		s.await(fmt.Sprintf("%s has a route to %s %s", d.name, to, via), 10*time.Second, func() bool {
			out, _ := exec.Command("ip", "-n", s.space("pc"), "route", "show", to, "dev", dev).Output()
			return strings.Contains(string(out), via)
		})
	}

	// It renews with the node that gave it (RFC 2131 section 4.4.5).
	d.heard.await(t, d.heard.count(), "request unicast", "ack")
	server := addrOf(first.ServerIdentifier())
	if r := d.heard.last("request unicast"); addrOf(r.ClientIPAddr) != addr || d.heard.last("ack").source != server {
		t.Errorf("it renewed %s, and %s answered; it has %s of %s", r.ClientIPAddr, d.heard.last("ack").source, addr, server)
	}

	// That node is gone. It asks everybody, and the other one, which never gave it anything, answers.
	s.nodes[int(server.As4()[3])-11].kill()
	d.heard.await(t, d.heard.count(), "request broadcast", "ack")
	if a := d.heard.last("ack"); a.source == server || addrOf(a.YourIPAddr) != addr {
		t.Errorf("after %s died %s gave %s; it had %s", server, a.source, a.YourIPAddr, addr)
	}
	if r := d.heard.last("request broadcast"); addrOf(r.ClientIPAddr) != addr || r.ServerIdentifier() != nil {
		t.Errorf("that was no rebinding: %s", r.Summary())
	}

	if d.written != "" { // it truncates the file first
		s.await(d.name+" has written its lease", 10*time.Second, func() bool { return strings.Contains(d.says(), d.written) })
	}

	// It starts anew, and asks for the address that it had (INIT-REBOOT, RFC 2131 section 4.4.2).
	var n int
	if d.cable {
		s.ip("sw", "link set "+port("pc", dev)+" down")
		s.await(d.name+" has given up the address", 10*time.Second, func() bool { return !d.has(addr) })
		n = d.heard.count()
		s.ip("sw", "link set "+port("pc", dev)+" up")
	} else {
		d.client.kill()
		s.ip("pc", "addr flush dev "+dev)
		n = d.heard.count()
		d.begin()
	}
	d.heard.await(t, n, "request broadcast", "ack")
	if r := d.heard.last("request broadcast"); addrOf(r.RequestedIPAddress()) != addr || r.ServerIdentifier() != nil || !r.ClientIPAddr.IsUnspecified() {
		t.Errorf("that was no INIT-REBOOT: %s", r.Summary())
	}
	if all := d.heard.texts(n); slices.Contains(all, "discover broadcast") {
		t.Errorf("it began from nothing: %q", all)
	}
	s.await(d.name+" has its address again", 10*time.Second, func() bool { return d.has(addr) })
	t.Logf("RESULT %-15s %q", d.name, d.heard.texts(0))
}

// begin starts the client, with the state of its former life.
func (d *dhcpDaemon) begin() {
	if d.client != nil {
		d.former = len(d.client.said())
	}
	d.client = d.launch(d)
}

// alone starts a program with a /run and a /var/lib of its own. The kernel's settings are not its business:
// a read-only /sys is how these programs know that no udev tells them of interfaces.
func (d *dhcpDaemon) alone(name string, env []string, argv ...string) *dhcpProgram {
	const own = `mount --bind "$1/run" /run && mount --bind "$1/lib" /var/lib && mount -o remount,bind,ro /sys && shift && exec "$@"`
	return d.start("pc", name, env, append([]string{"sh", "-c", own, "sh", d.own}, argv...)...)
}

// file makes a file below its folder.
func (d *dhcpDaemon) file(name string, mode os.FileMode, text string) string {
	path := filepath.Join(d.own, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return path
}

// says is what it said in its present life, and what it wrote of its leases.
func (d *dhcpDaemon) says() string {
	text := d.client.said()[d.former:]
	files, _ := filepath.Glob(filepath.Join(d.own, "run/systemd/netif/leases/*"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		text += string(b)
	}
	return text
}

// has reports whether its interface has an address.
func (d *dhcpDaemon) has(a netip.Addr) bool {
	out, _ := exec.Command("ip", "-n", d.space("pc"), "-4", "-o", "addr", "show", "dev", d.dev).Output()
	return strings.Contains(string(out), " "+a.String()+"/16 ")
}

// mac is that of an interface of the machines' part.
func (n *dhcpNet) mac(part, dev string) (mac boot.MAC) {
	n.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", n.space(part), "cat", "/sys/class/net/"+dev+"/address").Output()
	if err == nil {
		mac, err = boot.ParseMAC(strings.TrimSpace(string(out)))
	}
	if err != nil {
		n.t.Fatalf("%s: %v", dev, err)
	}
	return mac
}

// heardMessage is a message on an interface, in words and whole.
type heardMessage struct {
	text   string
	source netip.Addr // of the IP header
	*dhcpv4.DHCPv4
}
