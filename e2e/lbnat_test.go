package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func lbNATScenarios() []scenario {
	return []scenario{{"lb-nat", natDownloads}, {"lb-nat-kill", natKill}, {"lb-nat-storm", natExpectations}, {"lb-nat-down", natDown}, {"lb-nat-pair", natPair}}
}

// natSite writes a site file in which lb1 balances by a mode, and lets the backends' answers go the way that it needs.
func (l *dsrNet) natSite(mode, more string) {
	l.t.Helper()
	text := fmt.Sprintf(`site: e2e
nodes:
  lb1: {address: 10.2.0.11, interfaces: [eth0], roles: [lb]}
servers:
  sv1: {tftp: 10.2.0.31}
  sv2: {tftp: 10.2.0.32}
  sv3: {tftp: 10.2.0.33}
  service: {tftp: %s}
boot: [{name: boot, file: same, from: [service]}]
networks: {lab: {subnet: 10.2.0.0/24, deliver: none}}
vips: {boot: {address: %s/24, vrid: 51, advert: 100ms}}
watch: {every: 1s, timeout: 900ms, down_after: 2, up_after: 1}
status: {socket: %s}
state: %s
history: {file: none}
lb: {services: {boot: {vip: boot, mode: %s, backends: [sv1, sv2, sv3]%s}}}
`, dsrVIP, dsrVIP, l.path("lb1.sock"), l.path("lb1.state"), mode, more)
	if err := os.WriteFile(l.path("lb1.yaml"), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	gateway := "10.2.0.1"
	if mode == "nat" {
		gateway = "10.2.0.11"
	}
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.sh(h, "ip route replace default via "+gateway+"; ip addr del "+dsrVIP+"/32 dev lo 2>/dev/null || true")
		l.write(h, "same", []byte("the same on all\n"))
	}
}

// surefoot runs a command on the balancer, with its socket.
func (l *dsrNet) surefoot(args ...string) (string, error) {
	out, err := l.in("lb1", append(append([]string{l.binary}, args...), "--socket", l.path("lb1.sock"))...).CombinedOutput()
	return string(out), err
}

// behind says which backend each client has, by the balancer's own table.
func (l *dsrNet) behind() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	sc := bufio.NewScanner(strings.NewReader(l.sh("lb1", "cat /proc/net/nf_conntrack")))
	for sc.Scan() {
		var src []string
		for _, f := range strings.Fields(sc.Text()) {
			if a, ok := strings.CutPrefix(f, "src="); ok {
				src = append(src, a)
			}
		}
		// The request: client → service, backend → client.
		if len(src) == 2 && strings.HasPrefix(src[0], "10.1.") && strings.HasPrefix(src[1], "10.2.0.3") {
			out[src[0]] = "sv" + src[1][len(src[1])-1:]
		}
	}
	return out
}

// natDownloads: real clients through nat and snat, what the node says of it, and settings of the kernel.
func natDownloads(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.tftpd(h)
	}
	for _, c := range []struct{ mode, more string }{{"nat", ", forwarding: set"}, {"snat", ", forwarding: set, scheduler: maglev, persistence: {source_ip: 60s}"}} {
		t.Run(c.mode, func(t *testing.T) {
			l.t = t
			l.sh("lb1", "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.send_redirects=1 net.ipv4.conf.eth0.send_redirects=1")
			l.natSite(c.mode, c.more)
			l.balancer("lb1")
			l.master("lb1")
			for range 3 { // each has its turn
				for _, client := range []string{"tftp-hpa", "curl", "atftp", "busybox"} {
					got, err := l.get(client, dsrVIP, "boot.bin", "10.1.0.10")
					if err != nil || !bytes.Equal(got, l.content) {
						t.Errorf("%s: %d bytes, %v", client, len(got), err)
					}
				}
			}
			for _, m := range l.storm(t, 20, dsrVIP, "boot.bin", l.content, 0, 0).wait() {
				t.Errorf("%s: %v", m.from, m.err)
			}
			out, _ := l.surefoot("lb", "list")
			want(t, "lb list", out, c.mode, "active", "nftables", "sv1", "up")
			t.Log("\n" + out)
			out, err := l.surefoot("lb", "explain", "--from", "10.1.0.10:2070", "--to", dsrVIP+":69")
			want(t, fmt.Sprintf("lb explain (%v)", err), out, "10.1.0.10 asks service boot", map[string]string{"nat": "begins the round", "snat": "is chosen"}[c.mode])
			t.Log("\n" + out)
			l.kill("lb1", syscall.SIGTERM)
		})
	}
	if t.Failed() {
		t.Log(l.logs())
	}
}

// natKill: of a thousand downloads at once only those of a server that is killed are lost; who asks after that is
// served when the check has noticed, also from the same port as before.
func natKill(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.ours(h)
	}
	l.natSite("nat", ", forwarding: set")
	l.balancer("lb1")
	l.master("lb1")
	n := relayClients()
	running := l.storm(t, n, dsrVIP, "boot.bin", l.content, time.Second, 20*time.Millisecond)
	running.under(n)
	of := l.behind()
	l.kill("sv2", syscall.SIGKILL)
	l.sh("sv2", "nft 'add table ip dead; add chain ip dead in { type filter hook input priority 0; }; add rule ip dead in udp dport 69 drop'") // as a machine that is off
	at := time.Now()
	late := l.stormFrom(t, 1000, 100, dsrVIP, "same", []byte("the same on all\n"), 0, 0)
	l.await("the check has found out", func() bool {
		log, _ := os.ReadFile(l.path("lb1.log"))
		return bytes.Contains(log, []byte(`alive="sv1 sv3"`))
	})
	noticed := time.Since(at)
	after := l.stormFrom(t, 1200, 100, dsrVIP, "same", []byte("the same on all\n"), 0, 0)
	lost := map[string]int{}
	for _, m := range running.wait() {
		lost[of[m.from.String()]]++
		if who := of[m.from.String()]; who != "sv2" {
			t.Errorf("%s downloads from %s, which lives, and failed after %d blocks: %v", m.from, who, m.blocks.Load(), m.err)
		}
	}
	again := 0
	for _, m := range late.wait() {
		t.Errorf("%s asked %d times from one port, and got nothing: %v", m.from, m.asked, m.err)
	}
	for _, m := range late.all {
		if m.asked > 1 {
			again++
		}
	}
	for _, m := range after.wait() {
		t.Errorf("after the check, %s asked %d times: %v", m.from, m.asked, m.err)
	}
	for _, m := range after.all {
		if m.asked > 1 {
			t.Errorf("after the check, %s had to ask %d times", m.from, m.asked)
		}
	}
	if lost["sv2"] == 0 || again == 0 {
		t.Errorf("%d downloads of the killed server were lost, %d machines asked again: nothing is proved", lost["sv2"], again)
	}
	out, _ := l.surefoot("lb", "show", "boot")
	t.Logf("of %d downloads %d were lost, all of sv2; the check took %s; of 100 machines that asked meanwhile %d asked again from the same port, and all were served\n%s",
		n, lost["sv2"], noticed.Round(time.Millisecond), again, out)
	if t.Failed() {
		t.Log(l.logs())
	}
}

// natExpectations: requests that nobody answers fill the kernel's table, and the alarm comes before it is full.
func natExpectations(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.tftpd(h)
	}
	l.natSite("nat", "")
	l.balancer("lb1")
	out, _ := l.surefoot("status")
	want(t, "status of a node whose kernel forwards nothing", out, "net.ipv4.ip_forward=1", "forwarding: set")
	l.sh("lb1", "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0")
	l.master("lb1")
	most := 0
	_, _ = fmt.Sscan(l.sh("lb1", "cat /proc/sys/net/netfilter/nf_conntrack_expect_max"), &most)
	if most > 20000 {
		t.Skipf("this machine expects up to %d", most)
	}
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.sh(h, "nft 'add table ip dead; add chain ip dead in { type filter hook input priority 0; }; add rule ip dead in ip saddr 10.1.0.0/16 udp dport 69 drop'") // the check still succeeds
	}
	l.sh("cl", "ip route replace local 10.1.16.0/20 dev lo")
	l.sh("rt", "ip route replace 10.1.16.0/20 via 10.1.0.10")
	err := l.inside("cl", func() error {
		for i := range most * 9 / 10 {
			c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(dsrClient(i%900), 0)))
			if err != nil {
				return err
			}
			_, err = c.WriteToUDPAddrPort([]byte("\x00\x01same\x00octet\x00"), netip.MustParseAddrPort(dsrVIP+":69"))
			_ = c.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.await("the alarm", func() bool {
		out, _ := l.surefoot("alert", "list")
		return strings.Contains(out, "expected transfers")
	})
	out, _ = l.surefoot("alert", "list")
	t.Log("\n" + out)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.sh(h, "nft delete table ip dead")
	}
}

// natDown: what a stop, a crash and a flush of all rules leave, and what takes it away.
func natDown(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.tftpd(h)
	}
	works := func(when string) {
		t.Helper()
		if got, err := l.get("curl", dsrVIP, "same", "10.1.0.10"); err != nil || string(got) != "the same on all\n" {
			t.Errorf("%s: %q, %v", when, got, err)
		}
	}
	requests := func() (n uint64) {
		t.Helper()
		out, err := l.surefoot("lb", "show", "boot", "--json")
		var views []struct {
			Counts []struct{ Requests uint64 }
		}
		if err != nil || json.Unmarshal([]byte(out), &views) != nil || len(views) != 1 {
			t.Fatalf("%v: %s", err, out)
		}
		for _, c := range views[0].Counts {
			n += c.Requests
		}
		return n
	}
	l.natSite("snat", ", forwarding: set")
	l.balancer("lb1")
	l.master("lb1")
	works("at first")
	if out, err := l.surefoot("lb", "down"); err == nil || !strings.Contains(out, "systemctl stop") {
		t.Errorf("lb down beside a running node: %v, %s", err, out)
	}
	before := requests()

	l.kill("lb1", syscall.SIGKILL)
	works("after SIGKILL, without a process")
	l.balancer("lb1")
	l.master("lb1")
	works("with the next process")
	if n := requests(); n < before+2 {
		t.Errorf("%d requests are counted, and before the crash %d were: it was not adopted", n, before)
	}

	l.sh("lb1", "nft flush ruleset")
	l.await("somebody flushed all rules, and ours are there again", func() bool { return strings.Contains(l.sh("lb1", "nft list tables"), "surefoot_lb") })
	works("after nft flush ruleset")

	l.natSite("nat", "") // a reload changes over
	if out, err := l.surefoot("reload"); err != nil {
		t.Fatal(out)
	}
	l.await("nat", func() bool { return !strings.Contains(l.sh("lb1", "nft list table inet surefoot_lb"), "snat ip to") })
	works("after a reload from snat to nat")

	if out, err := l.surefoot("lb", "drain", "sv1"); err != nil {
		t.Error(out)
	}
	l.await("sv1 is drained", func() bool {
		out, _ := l.surefoot("lb", "list")
		return strings.Contains(out, "drained, keeps its clients")
	})
	const counter = "nft list counter inet surefoot_lb c/boot/sv1"
	was := l.sh("lb1", counter)
	for range 6 {
		works("while sv1 is drained")
	}
	if is := l.sh("lb1", counter); is != was {
		t.Errorf("sv1 is drained and got requests: %s, and %s", was, is)
	}
	out, _ := l.surefoot("lb", "show", "boot")
	t.Log("\n" + out)
	if out, err := l.surefoot("lb", "resume", "sv1"); err != nil {
		t.Error(out)
	}

	text, err := os.ReadFile(l.path("lb1.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "vips: {")
	_, tail, _ := strings.Cut(string(text), "watch: {")
	tail, _, _ = strings.Cut("watch: {"+tail, "lb: {")
	l.write(".", "lb1.yaml", []byte(strings.Replace(head+tail, "roles: [lb]", "roles: [http]", 1)))
	if out, err := l.surefoot("reload"); err != nil {
		t.Fatal(out)
	}
	l.await("no service any more, and no rule of ours", func() bool { return l.sh("lb1", "nft list tables") == "" })

	l.write(".", "lb1.yaml", text)
	if out, err := l.surefoot("reload"); err != nil {
		t.Fatal(out)
	}
	l.await("the service is there again", func() bool { return strings.Contains(l.sh("lb1", "nft list tables"), "surefoot_lb") })
	l.master("lb1")
	l.kill("lb1", syscall.SIGTERM)
	if got := l.sh("lb1", "nft list tables"); !strings.Contains(got, "surefoot_lb") {
		t.Errorf("a stop took the rules away: %q", got)
	}
	if out, err := l.surefoot("lb", "down"); err != nil || !strings.Contains(out, "removed the nftables table inet surefoot_lb") {
		t.Errorf("lb down: %v, %s", err, out)
	}
	if got := l.sh("lb1", "nft list ruleset; ip addr show dev eth0 | grep "+dsrVIP+"/ || true"); got != "" {
		t.Errorf("left behind: %s", got)
	}
	if out, err := l.surefoot("lb", "down"); err != nil || !strings.Contains(out, "nothing of ours") {
		t.Errorf("lb down again: %v, %s", err, out)
	}
	if t.Failed() {
		t.Log(l.logs())
	}
}
