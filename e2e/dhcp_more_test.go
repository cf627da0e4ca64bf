package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// dhcpClients has programs that are not ours take, keep, give back and refuse addresses, directly and
// through relays that are not ours.
func dhcpClients(t *testing.T, b *bench) {
	for _, c := range []scenario{
		{"udhcpc", udhcpc},
		{"dhclient", dhclient},
		{"kept-over-a-kill", keptOverAKill},
		{"decline", decline},
		{"relays", relays},
		{"perfdhcp", perfdhcp},
		{"wire", sharedWire},
		{"inform", inform},
		{"bootp", bootp},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, b) })
	}
}

func machine(i byte) boot.MAC { return boot.MAC{0x52, 0x54, 0, 0x66, 0, i} }

func (b *bench) raiseClients(t *testing.T, relay bool) *stage {
	t.Helper()
	return b.raise(t, lab.Options{
		Nodes: 1, OwnDHCP: true, Relay: relay,
		Site: addressSite{far: relay, dhcp: ", authoritative: true, conflict_check: false"}.text(t),
	})
}

// said starts a client that goes on running, and returns what it says.
func (s *stage) said(part string, args ...string) (*guest, *exec.Cmd) {
	s.t.Helper()
	cmd := s.in(part, args...)
	g := &guest{t: s.t, ctx: s.ctx, more: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = g, g
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", args[0], g.text())
		}
	})
	return g, cmd
}

// messages returns the types and the ways of the DHCP messages of a machine, in order: "request unicast".
func (s *stage) messages(mac boot.MAC) []string {
	var out []string
	for _, u := range s.datagrams(func(lab.UDP) bool { return true }) {
		if text, ok := messageOf(u, mac); ok {
			out = append(out, text)
		}
	}
	return out
}

// messageOf is a machine's DHCP message in words.
func messageOf(u lab.UDP, mac boot.MAC) (string, bool) {
	names := map[byte]string{1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform"}
	kind, _, _, ok := u.DHCPType()
	if !ok || !bytes.Equal(u.Payload[28:34], mac[:]) {
		return "", false
	}
	way := "unicast"
	if u.Dst.Addr().String() == "255.255.255.255" {
		way = "broadcast"
	}
	return names[kind] + " " + way, true
}

// awaitMessages waits until the machine's messages contain these, in this order, from number from on.
func (s *stage) awaitMessages(mac boot.MAC, from int, wanted ...string) {
	s.t.Helper()
	for {
		all := s.messages(mac)
		i := 0
		for _, m := range all[min(from, len(all)):] {
			if i < len(wanted) && m == wanted[i] {
				i++
			}
		}
		if i == len(wanted) {
			return
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("%s: the messages are %q, want %q after the first %d", mac, all, wanted, from)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// busybox: takes, renews by unicast when it is told to, gives back.
func udhcpc(t *testing.T, b *bench) {
	s := b.raiseClients(t, false)
	mac := machine(1)
	script := filepath.Join(t.TempDir(), "script")
	// It has to have the address before it can renew by unicast.
	text := "#!/bin/sh\n[ \"$1\" = bound ] && ip addr replace $ip/24 dev $interface\nexit 0\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	dev := s.card(mac, false)
	g, cmd := s.said("dhcp", "busybox", "udhcpc", "-i", dev, "-f", "-R", "-s", script)
	first := g.await(`lease of ([0-9.]+) obtained`)[1]
	s.awaitMessages(mac, 0, "discover broadcast", "offer unicast", "request broadcast", "ack unicast")
	n := len(s.messages(mac))
	signal(t, cmd, syscall.SIGUSR1) // renew
	if again := g.await(`lease of ([0-9.]+) obtained`)[1]; again != first {
		t.Errorf("had %s, and has %s after it renewed", first, again)
	}
	s.awaitMessages(mac, n, "request unicast", "ack unicast")
	signal(t, cmd, syscall.SIGTERM) // gives back
	s.awaitMessages(mac, n, "release unicast")
	s.unplug(dev)
	if got := s.udhcpc(mac, false); got != first {
		t.Errorf("had %s before it gave it back, and has %s now: a machine gets its last address again", first, got)
	}
}

// ISC: takes; asks for the same after a start (INIT-REBOOT); gives back.
func dhclient(t *testing.T, b *bench) {
	s := b.raiseClients(t, false)
	mac := machine(2)
	dev := s.card(mac, false)
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{
			"dhclient", "-4", "-v", "-1", "-sf", "/bin/true", "-cf", "/dev/null", "-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"),
		}, args...)
		out, err := s.in("dhcp", append(args, dev)...).CombinedOutput()
		if err != nil {
			t.Fatalf("dhclient: %v\n%s", err, out)
		}
		return string(out)
	}
	end := func() {
		if pid, err := os.ReadFile(filepath.Join(dir, "pid")); err == nil {
			_ = exec.Command("kill", "-KILL", strings.TrimSpace(string(pid))).Run()
		}
	}
	t.Cleanup(end)
	bound := regexp.MustCompile(`bound to ([0-9.]+)`)
	first := bound.FindStringSubmatch(run())
	if first == nil {
		t.Fatal("dhclient is not bound")
	}
	n := len(s.messages(mac))
	end()
	second := bound.FindStringSubmatch(run())
	if second == nil || second[1] != first[1] {
		t.Errorf("had %s, and after a start %q", first[1], second)
	}
	s.awaitMessages(mac, n, "request broadcast", "ack unicast")
	for _, m := range s.messages(mac)[n:] {
		if strings.HasPrefix(m, "discover") {
			t.Errorf("it began anew: %q", s.messages(mac)[n:])
		}
	}
	end()
	run("-r")
	s.awaitMessages(mac, n, "release unicast")
}

// The node is killed between OFFER and REQUEST, and between two lives of a machine: the machine gets the
// address that it was offered, and the one that it had.
func keptOverAKill(t *testing.T, b *bench) {
	s := b.raiseClients(t, false)
	n := s.Node("n1")
	mac := machine(3)
	var once bool
	killed := make(chan string, 1)
	s.capture.Watch(func(f lab.Frame) {
		u, ok := f.UDP()
		if !ok || once {
			return
		}
		if kind, reply, addr, ok := u.DHCPType(); ok && reply && kind == lab.DHCPOffer && bytes.Equal(u.Payload[28:34], mac[:]) {
			once = true
			_ = n.Process().Kill()
			killed <- addr.String()
		}
	})
	got := make(chan string, 1)
	dev := s.card(mac, false)
	g, _ := s.said("dhcp", "busybox", "udhcpc", "-i", dev, "-f", "-t", "20", "-T", "1", "-s", "/bin/true")
	go func() { got <- g.await(`lease of ([0-9.]+) obtained`)[1] }()
	offered := <-killed
	s.start()
	if addr := <-got; addr != offered {
		t.Errorf("was offered %s before the node died, and got %s", offered, addr)
	}
	s.unplug(dev)
	if err := n.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	s.start()
	if addr := s.udhcpc(mac, false); addr != offered {
		t.Errorf("had %s before the node died, and has %s", offered, addr)
	}
}

// A machine finds that somebody has its address already, and declines it (busybox: -a). It gets another one,
// and the address rests.
func decline(t *testing.T, b *bench) {
	s := b.raiseClients(t, false)
	mac := machine(4)
	had := s.udhcpc(mac, false)
	// Somebody with a fixed address sits on it, and answers for it.
	squatter := s.card(machine(5), false)
	if out, err := s.in("dhcp", "ip", "addr", "add", had+"/32", "dev", squatter).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dev := s.card(mac, false)
	g, _ := s.said("dhcp", "busybox", "udhcpc", "-i", dev, "-f", "-a", "-A", "1", "-s", "/bin/true")
	g.await("declining")
	if now := g.await(`lease of ([0-9.]+) obtained`)[1]; now == had {
		t.Errorf("%s was declined, and given again", now)
	}
}

// Behind ISC's relay with option 82, and behind dnsmasq's: the machine gets an address of its own network,
// renews, and what the relay put in comes back.
func relays(t *testing.T, b *bench) {
	s := b.raiseClients(t, true)
	mac := machine(6)
	if got := s.udhcpc(mac, true); !strings.HasPrefix(got, "10.78.0.") {
		t.Errorf("behind dhcrelay: %s", got)
	}
	for _, relay := range []struct {
		name string
		args []string
	}{
		{"dhcrelay -a", []string{"dhcrelay", "-4", "-d", "--no-pid", "-a", "-m", "discard", "-id", "eth1", "-iu", "eth0", n1}},
		{"dnsmasq", []string{
			"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--port=0", "--pid-file=",
			"--leasefile-ro", "--dhcp-relay=" + lab.RelayClient.String() + "," + n1, "--interface=eth0,eth1",
		}},
	} {
		if err := s.StopRelay(s.ctx); err != nil {
			t.Fatal(err)
		}
		g, cmd := s.said("r", relay.args...)
		g.await(`Sending on.*eth1|DHCP relay`)
		between, err := s.PacketSocket("r", "eth0")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.udhcpc(mac, true); !strings.HasPrefix(got, "10.78.0.") {
			t.Errorf("behind %s: %q", relay.name, got)
		}
		asked, answered := agents(between, mac)
		between.Close()
		if relay.name == "dhcrelay -a" && (len(asked) == 0 || len(answered) == 0) {
			t.Errorf("%s put in %q, and heard %q", relay.name, asked, answered)
		}
		for _, a := range answered {
			if len(asked) > 0 && a != asked[0] {
				t.Errorf("%s put in %x, and heard %x", relay.name, asked[0], a)
			}
		}
		t.Logf("RESULT behind %-11s option 82 asked %d times, echoed %d times", relay.name, len(asked), len(answered))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// agents reads what passed a socket: the values of option 82 in the requests and in the replies of a machine.
func agents(sock *os.File, mac boot.MAC) (asked, answered []string) {
	b := make([]byte, 4096)
	_ = sock.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	for {
		k, err := sock.Read(b)
		if err != nil {
			return asked, answered
		}
		u, ok := lab.Frame{Bytes: b[:k]}.UDP()
		if !ok || len(u.Payload) < 241 || !bytes.Equal(u.Payload[28:34], mac[:]) || binary.BigEndian.Uint32(u.Payload[24:]) == 0 {
			continue
		}
		for o := u.Payload[240:]; len(o) > 1 && o[0] != 255; {
			if o[0] == 0 {
				o = o[1:]
				continue
			}
			size := int(o[1])
			if len(o) < 2+size {
				break
			}
			if o[0] == 82 && u.Payload[0] == 1 {
				asked = append(asked, string(o[2:2+size]))
			} else if o[0] == 82 {
				answered = append(answered, string(o[2:2+size]))
			}
			o = o[2+size:]
		}
	}
}

// perfdhcp: four-way exchanges, renewals and releases at the same time, as a relay.
func perfdhcp(t *testing.T, b *bench) {
	s := b.raiseClients(t, false)
	out, _ := s.in("dhcp", "perfdhcp", "-4", "-g", "single", "-l", "eth0", "-r", "100", "-f", "30", "-F", "20", "-R", "80", "-p", "4", "-W", "500000", n1).CombinedOutput()
	drops := regexp.MustCompile(`drops: (\d+)`).FindAllStringSubmatch(string(out), -1)
	lost := 0
	for _, d := range drops[:min(3, len(drops))] { // the fourth are releases, which nobody answers
		var n int
		_, _ = fmt.Sscan(d[1], &n)
		lost += n
	}
	sent := regexp.MustCompile(`sent packets: (\d+)`).FindAllStringSubmatch(string(out), -1)
	t.Logf("RESULT perfdhcp: sent %v, %d lost", flat(sent), lost)
	if len(drops) < 4 || lost > 0 {
		t.Errorf("perfdhcp:\n%s", out)
	}
}

func flat(m [][]string) (out []string) {
	for _, x := range m {
		out = append(out, x[1])
	}
	return out
}

func signal(t *testing.T, cmd *exec.Cmd, sig syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
