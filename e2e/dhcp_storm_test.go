package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/lab"
)

// wide is a network of some sixty thousand addresses on the lab's wire.
const wide = "deliver: dhcp, dhcp: {range: 10.77.16.0-10.77.255.250, authoritative: true}"

// raiseWide starts node n1 on a network of sixty thousand addresses; machines storm from n2's place.
func (b *bench) raiseWide(t *testing.T, o addressSite) *stage {
	t.Helper()
	o.lab = wide
	text := strings.Replace(o.text(t), lab.Subnet.String(), "10.77.0.0/16", 1)
	s := b.build(t, lab.Options{Nodes: 2, OwnDHCP: true, Site: text})
	s.keepOnly(func(lab.UDP) bool { return false }) // nobody looks at a hundred thousand frames
	s.start()
	return s
}

func (s *stage) start() {
	s.t.Helper()
	if err := s.Node("n1").Start(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

// Whatever the machines write into secs, with and without the broadcast flag and option 61, directly and
// behind a relay: each is answered at its first packet, and has the same address every time (Q1, Q5).
func dhcpEveryWay(t *testing.T, b *bench) {
	const machines = 64
	s := b.raiseWide(t, addressSite{})
	for i, secs := range []string{"zero", "real", "pxe4", "swap"} {
		var first string // the addresses of these machines: other ones ask in another way, since one may ask 20 times at once
		for _, way := range [][]string{nil, {"--relay", "10.77.0.12", "--server", n1}} {
			for _, flag := range []string{"--broadcast=false", "--broadcast"} {
				for _, id := range []string{"--client-id=false", "--client-id"} {
					record := filepath.Join(t.TempDir(), "acks")
					args := append([]string{
						"--machines", strconv.Itoa(machines), "--first", fmt.Sprintf("02:5f:%02x:00:00:00", i), "--secs", secs, flag, id, "--record", record, "--retry", "2s,4s",
					}, way...)
					r := s.storm("n2", args...)
					if len(r.ByTry) != 1 || r.Leases != machines || len(r.Twice) > 0 {
						t.Errorf("%q: %d of %d have an address, answered at try %d, twice: %q", args, r.Leases, machines, r.ByTry, r.Twice)
					}
					b, err := os.ReadFile(record)
					if err != nil {
						t.Fatal(err)
					}
					lines := strings.Split(string(b), "\n")
					slices.Sort(lines)
					switch got := strings.Join(lines, "\n"); {
					case first == "":
						first = got
					case got != first:
						t.Errorf("%q: machines have other addresses than before", args)
					}
				}
			}
		}
	}
	if !t.Failed() {
		t.Logf("RESULT 4 kinds of secs x broadcast flag x option 61 x direct and relayed: %d of %d machines at their first packet, each with one address", machines, machines)
	}
}

// Three thousand new machines that do not set the broadcast flag ask at the same moment, and each has an
// offer to its first packet. dnsmasq, which reaches such machines by the kernel's neighbour table, answers
// as many as that holds (DHCP 1.4).
func dhcpBurst(t *testing.T, b *bench) {
	const machines = 3000
	s := b.raiseWide(t, addressSite{})
	var first byte
	row := func(server string, args ...string) stormed {
		first++ // other machines each time
		r := s.storm("n2", append([]string{
			"--offers", "--machines", strconv.Itoa(machines), "--retry", "none", "--patience", "2s", "--first", fmt.Sprintf("02:5f:%02x:00:00:00", first),
		}, args...)...)
		t.Logf("RESULT %-9s %-25s %4d of %d machines have an offer to their first packet", server, strings.Join(args, " "), r.Offered, machines)
		return r
	}
	for _, args := range [][]string{{}, {"--broadcast"}, {"--rate", "3000"}} {
		if r := row("surefoot", args...); r.Offered != machines {
			t.Errorf("surefoot: %d of %d machines were answered (%q)", r.Offered, machines, args)
		}
	}
	// All of it: address, disk, ACK.
	r := s.storm("n2", "--machines", strconv.Itoa(machines), "--first", "02:5f:77:00:00:00", "--retry", "1s,2s,4s")
	t.Logf("RESULT surefoot  DISCOVER to ACK        %4d of %d machines have an address, by try %d", r.Leases, machines, r.ByTry)
	if r.Leases != machines || len(r.Twice) > 0 {
		t.Errorf("surefoot: %d of %d machines have an address; twice: %q", r.Leases, machines, r.Twice)
	}
	if err := s.Node("n1").Process().Kill(); err != nil {
		t.Fatal(err)
	}
	s.dnsmasq("--dhcp-range=10.77.16.0,10.77.47.255,255.255.0.0,1h", "--dhcp-lease-max=10000")
	for _, args := range [][]string{{}, {"--broadcast"}, {"--rate", "3000"}, {"--rate", "3000", "--broadcast"}} {
		row("dnsmasq", args...)
	}
}

// dnsmasq starts another DHCP server in place of the nodes'.
func (s *stage) dnsmasq(args ...string) {
	s.t.Helper()
	if out, err := s.in("dhcp", "ip", "addr", "replace", "10.77.0.2/16", "dev", "eth0").CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	cmd := s.in("dhcp", append([]string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--port=0",
		"--interface=eth0", "--bind-interfaces", "--no-ping", "--dhcp-authoritative", "--leasefile-ro", "--pid-file=",
	}, args...)...)
	said := &guest{t: s.t, ctx: s.ctx, more: make(chan struct{})}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	said.await("sockets bound exclusively")
}

// rounds is how often violence is done: few times in CI, E2E_ROUNDS times elsewhere.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("E2E_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return few
}

// The node is killed in the middle of a storm, again and again. What the machines wrote down of their ACKs
// is the witness: after each restart every lease is there, with its address, and none is there twice.
func dhcpKill(t *testing.T, b *bench) {
	s := b.raiseWide(t, addressSite{})
	record := filepath.Join(t.TempDir(), "acks")
	const machines = 2500
	n := rounds(4)
	for i := range n {
		began := s.stormed("n2", "--machines", strconv.Itoa(machines), "--first", fmt.Sprintf("02:5f:%02x:00:00:00", i+1),
			"--rate", "5000", "--retry", "1s,2s,3s,5s,8s", "--record", record)
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) // when is what the test varies
		if err := s.Node("n1").Process().Kill(); err != nil {
			t.Fatal(err)
		}
		s.start()
		r := <-began
		// An OFFER is not on the disk: after the kill somebody else may have the address, which is a NAK.
		if r.Leases != machines || len(r.Twice) > 0 {
			t.Errorf("round %d: %d of %d machines have an address, twice: %q", i+1, r.Leases, machines, r.Twice)
		}
		t.Logf("round %d: killed in the middle; %d addresses, answered by try %d, %d NAKs", i+1, r.Leases, r.ByTry, r.Refused)
	}
	if err := s.Node("n1").Process().Kill(); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.unique(record, n*machines)
	r := s.storm("n2", "--again", record, "--rate", "5000", "--retry", "1s,2s,4s")
	t.Logf("RESULT killed %d times at 5,000 machines a second: of %d ACKs %d are confirmed, %d refused, %d with another address, %d unanswered",
		n+1, n*machines, r.Leases, r.Refused, r.Changed, r.Failed)
	if r.Leases != n*machines || r.Changed > 0 {
		t.Errorf("of %d leases that were given %d are there, %d of them with another address, %d refused", n*machines, r.Leases, r.Changed, r.Refused)
	}
}

// stormed is storm in the background.
func (s *stage) stormed(part string, args ...string) <-chan stormed {
	out := make(chan stormed, 1)
	go func() {
		r, err := s.tryStorm(part, args...)
		if err != nil {
			s.t.Error(err)
		}
		out <- r
	}()
	return out
}

// unique fails the test unless the record has so many machines, each with an address of its own.
func (s *stage) unique(record string, machines int) {
	s.t.Helper()
	b, err := os.ReadFile(record)
	if err != nil {
		s.t.Fatal(err)
	}
	owner, of := map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(b)) {
		mac, addr, _ := strings.Cut(strings.TrimSpace(line), " ")
		if other, taken := owner[addr]; taken && other != mac {
			s.t.Errorf("%s was given to %s and to %s", addr, other, mac)
		}
		owner[addr], of[mac] = mac, addr
	}
	if len(of) != machines {
		s.t.Errorf("%d machines have an address, want %d", len(of), machines)
	}
}

// The disk of the leases is full: machines with a lease keep it, new ones get none, the node says so, and
// goes on by itself when there is room.
func dhcpFull(t *testing.T, b *bench) {
	dir := t.TempDir()
	if err := syscall.Mount("leases", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := b.raiseWide(t, addressSite{file: filepath.Join(dir, "leases.db")})
	record := filepath.Join(t.TempDir(), "acks")
	if r := s.storm("n2", "--machines", "200", "--record", record); r.Leases != 200 {
		t.Fatalf("%d of 200 machines have an address", r.Leases)
	}
	filler := filepath.Join(dir, "filler")
	fill := func() {
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for size := 64 << 10; size > 0; size /= 2 {
			for {
				if _, err := f.Write(make([]byte, size)); err != nil {
					break
				}
			}
		}
	}
	fill()
	// What the file has room for already is still given, and is as durable.
	late := filepath.Join(t.TempDir(), "late")
	r := s.storm("n2", "--machines", "4000", "--first", "02:5f:01:00:00:00", "--rate", "4000", "--retry", "none", "--patience", "3s", "--record", late)
	t.Logf("RESULT disk full: %d of 4000 new machines got an address (room left in the file), %d nothing", r.Leases, r.Failed)
	if r.Failed == 0 {
		t.Error("no new machine was refused although the disk is full")
	}
	r = s.storm("n2", "--again", record, "--retry", "1s,2s")
	t.Logf("RESULT disk full: %d of 200 machines that have an address keep it", r.Leases)
	if r.Leases != 200 || r.Changed > 0 {
		t.Errorf("%d of 200 machines keep their address, %d got another", r.Leases, r.Changed)
	}
	out, _, _ := s.run("status", "--socket", s.Node("n1").Socket)
	want(t, "status", out, "leases cannot be written to the disk")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r = s.storm("n2", "--machines", "300", "--first", "02:5f:02:00:00:00", "--retry", "1s,2s,4s,8s,12s")
	t.Logf("RESULT room again: %d of 300 new machines got an address, by try %d", r.Leases, r.ByTry)
	if r.Leases != 300 {
		t.Errorf("%d of 300 machines got an address after the disk had room", r.Leases)
	}
	if out, _, _ := s.run("status", "--socket", s.Node("n1").Socket); strings.Contains(out, "leases cannot be written") {
		t.Errorf("the alarm stays although the disk has room:\n%s", out)
	}
	if err := s.Node("n1").Process().Kill(); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, f := range []string{record, late} {
		if b, _ := os.ReadFile(f); len(b) == 0 {
			continue
		}
		if r := s.storm("n2", "--again", f, "--rate", "4000", "--retry", "1s,2s"); r.Failed+r.Refused+r.Changed > 0 {
			t.Errorf("after a kill: %d refused, %d with another address, %d unanswered", r.Refused, r.Changed, r.Failed)
		}
	}
}

// Somebody invents machines until the pool is used up, gives back the addresses of others, and sends
// packets that are nearly right. Machines that are known are served meanwhile.
func dhcpHostile(t *testing.T, b *bench) {
	s := b.build(t, lab.Options{Nodes: 2, OwnDHCP: true, Site: addressSite{dhcp: ", authoritative: true"}.text(t)})
	s.start()
	n := s.Node("n1")
	before := memory(t, n)
	record := filepath.Join(t.TempDir(), "acks")
	if r := s.storm("n2", "--machines", "20", "--record", record); r.Leases != 20 {
		t.Fatalf("%d of 20 machines have an address", r.Leases)
	}
	again := func(when string) {
		t.Helper()
		if r := s.storm("n2", "--again", record, "--retry", "1s,2s,3s"); r.Leases != 20 || r.Changed > 0 {
			t.Errorf("%s: %d of 20 known machines keep their address, %d got another", when, r.Leases, r.Changed)
		}
	}
	samples := s.requests(67)
	s.keepOnly(func(lab.UDP) bool { return false })

	flood := s.stormed("n2", "--offers", "--machines", "60000", "--first", "06:00:00:00:00:00", "--rate", "20000", "--retry", "none", "--patience", "1s")
	time.Sleep(500 * time.Millisecond) // into the flood
	again("while the pool is starved")
	r := <-flood
	t.Logf("RESULT starvation: 60,000 invented machines, %d offers; memory %s", r.Offered, memory(t, n))
	if r.Offered > 200 {
		t.Errorf("%d of 60,000 invented machines were offered an address of 100", r.Offered)
	}
	again("after the pool was starved")
	if got := s.metric(n, "no-free-address"); got == 0 {
		t.Error("nothing counts that the pool is used up")
	}

	rnd := rand.New(rand.NewPCG(7, 67))
	hose := s.hose(rnd, n)
	for _, p := range samples { // each machine's own packets, as RELEASE and DECLINE of somebody else
		for kind := byte(4); kind <= 7; kind += 3 {
			q := append([]byte{}, p...)
			if i := strings.Index(string(q), "\x63\x82\x53\x63\x35\x01"); i > 0 {
				q[i+6] = kind
			}
			q[28+5] ^= 0x55
			hose.send(t, 67, 1, func() []byte { return q })
		}
	}
	again("after forged releases")

	count := 20_000 * rounds(3)
	hose.send(t, 67, count, func() []byte { return changed(rnd, samples) })
	if !n.Process().Running() {
		t.Fatalf("the node ended: %s", n.Process().State())
	}
	again("after the fuzz")
	after := memory(t, n)
	t.Logf("RESULT fuzz: %d changed packets; memory %s before, %s after; %d malformed", count, before, after, s.metric(n, "malformed"))
	if after.peak > rssLimit {
		t.Errorf("the node took %s, want at most %d MB", after, rssLimit>>20)
	}
	if panics := s.metric(n, "panicked"); panics > 0 {
		t.Errorf("%d packets made the node panic", panics)
	}
	if got := s.metric(n, "malformed"); got == 0 {
		t.Error("nothing counts malformed packets")
	}
}

// metric sums the samples of the node's metrics that have a reason.
func (s *stage) metric(n *lab.Node, reason string) (sum int) {
	s.t.Helper()
	out, err := exec.CommandContext(s.ctx, "ip", "netns", "exec", n.Space, "curl", "-s", "http://127.0.0.1:8068/metrics").Output()
	if err != nil {
		s.t.Fatalf("metrics of node %s: %v", n.Name, err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, `reason="`+reason+`"`) && strings.HasPrefix(line, "surefoot_dhcp_packets_total") {
			f := strings.Fields(line)
			v, err := strconv.ParseFloat(f[len(f)-1], 64)
			if err != nil {
				s.t.Fatal(err)
			}
			sum += int(v)
		}
	}
	return sum
}
