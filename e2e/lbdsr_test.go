package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"surefoot/internal/lb"
)

func dsrScenarios() []scenario {
	return []scenario{
		{"lb-dsr", dsrDownloads}, {"lb-dsr-kill", dsrKill}, {"lb-dsr-failover", dsrFailover}, {"lb-dsr-restart", dsrRestart},
	}
}

// site writes the site file of both balancers.
func (l *dsrNet) site(vips, service string) {
	l.t.Helper()
	if err := os.WriteFile(l.path("key"), []byte("what both balancers know\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	for _, h := range []string{"lb1", "lb2"} {
		text := fmt.Sprintf(`site: e2e
nodes:
  lb1: {address: 10.2.0.11, interfaces: [eth0], roles: [lb]}
  lb2: {address: 10.2.0.12, interfaces: [eth0], roles: [lb]}
servers:
  sv1: {tftp: 10.2.0.31}
  sv2: {tftp: 10.2.0.32}
  sv3: {tftp: 10.2.0.33}
  service: {tftp: %s}
boot: [{name: boot, file: who, from: [service]}]
networks: {lab: {subnet: 10.2.0.0/24, deliver: none}}
watch: {every: 1s, down_after: 1, up_after: 1}
status: {socket: %s}
state: %s
history: {file: none}
%s
lb: {peers: {key_file: %s}, services: {boot: {%s, mode: dsr, backends: [sv1, sv2, sv3], persistence: {source_ip: 100s}}}}
`, dsrVIP, l.path(h+".sock"), l.path(h+".state"), vips, l.path("key"), service)
		if err := os.WriteFile(l.path(h+".yaml"), []byte(text), 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
}

const dsrVIPs = "vips: {boot: {address: " + dsrVIP + "/24, vrid: 51, advert: %s, nodes: {lb1: {priority: 200}, lb2: {priority: 100}}}}"

// balancer starts Surefoot on a balancer, and waits until it answers.
func (l *dsrNet) balancer(host string) {
	l.t.Helper()
	_ = os.Remove(l.path(host + ".log"))
	l.start(host, l.in(host, l.binary, "serve", "--config", l.path(host+".yaml"), "--node", host))
	l.await(host+" serves", func() bool {
		log, _ := os.ReadFile(l.path(host + ".log"))
		return bytes.Contains(log, []byte("msg=ready"))
	})
}

// master waits until a node has the address and clients are answered.
func (l *dsrNet) master(host string) {
	l.t.Helper()
	l.await(host+" has the address", func() bool { return strings.Contains(l.sh(host, "ip -4 addr show dev eth0"), " "+dsrVIP+"/") })
	l.await("clients are answered", func() bool {
		got, err := l.get("curl", dsrVIP, "who", "10.1.0.10")
		return err == nil && bytes.HasPrefix(got, []byte("sv"))
	})
}

// ours starts our own TFTP server on a backend.
func (l *dsrNet) ours(host string) {
	l.t.Helper()
	l.start(host, l.in(host, l.binary, "tftp", "--root", l.path(host), "--listen", "0.0.0.0:69", "--max-per-client", "4096"))
	l.await("our TFTP server on "+host, func() bool { return l.in(host, l.binary, "probe", "tftp://127.0.0.1/who").Run() == nil })
}

// dsrDownloads: real clients and real servers, by IPv4, through the balancer.
func dsrDownloads(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	l.tftpd("sv1")
	l.ours("sv2")
	l.tftpd("sv3")
	for _, plane := range []string{"tcx", "xdp", "auto"} {
		t.Run(plane, func(t *testing.T) {
			l.t = t
			l.site(fmt.Sprintf(dsrVIPs, "100ms"), "vip: boot, scheduler: maglev, plane: "+plane)
			l.balancer("lb1")
			l.master("lb1")
			for _, client := range []string{"tftp-hpa", "curl", "atftp", "busybox"} {
				got, err := l.get(client, dsrVIP, "boot.bin", "10.1.0.10")
				if err != nil || !bytes.Equal(got, l.content) {
					t.Errorf("%s: %d bytes, %v", client, len(got), err)
				}
			}
			out, err := l.in("lb1", l.binary, "lb", "show", "boot", "--socket", l.path("lb1.sock")).CombinedOutput()
			t.Logf("%v\n%s", err, out)
			l.kill("lb1", syscall.SIGTERM)
		})
	}
	if t.Failed() {
		t.Log(l.logs())
	}
}

// dsrKill: of a thousand downloads at once only those of a server that is killed are lost. Who asks after that is sent to
// another server by its first repetition, and one check interval later everybody is at once.
func dsrKill(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.ours(h)
	}
	l.site(fmt.Sprintf(dsrVIPs, "100ms"), "vip: boot, scheduler: maglev")
	l.balancer("lb1")
	l.master("lb1")
	n := relayClients()
	running := l.storm(t, n, dsrVIP, "boot.bin", l.content, time.Second, 20*time.Millisecond)
	running.under(n)
	dead := l.backends(running.all)
	l.kill("sv2", syscall.SIGKILL)
	at := time.Now()
	late := l.stormFrom(t, 1000, 100, dsrVIP, "who", []byte("sv1\n"), 0, 0)
	l.await("the check has found out", func() bool {
		log, _ := os.ReadFile(l.path("lb1.log"))
		return bytes.Contains(log, []byte(`alive="sv1 sv3"`))
	})
	noticed := time.Since(at)
	after := l.stormFrom(t, 1200, 100, dsrVIP, "who", []byte("sv1\n"), 0, 0)
	lost, wrong := 0, 0
	for _, m := range running.wait() {
		lost++
		if who := dead[m.from.String()]; who != "sv2" {
			wrong++
			t.Errorf("%s downloads from %s, which lives, and failed after %d blocks: %v", m.from, who, m.blocks.Load(), m.err)
		}
	}
	escaped, unanswered := 0, 0
	late.wait()
	for _, m := range late.all {
		if m.got == 0 {
			unanswered++
		}
		if m.asked > 1 {
			escaped++
		}
	}
	after.wait()
	repeated, failed := 0, 0
	for _, m := range after.all {
		if m.got == 0 {
			failed++
		}
		repeated += m.asked - 1
	}
	if lost == 0 || unanswered > 0 || failed > 0 || repeated > 0 {
		t.Errorf("lost %d; unanswered before the check %d, after it %d, repetitions after it %d\n%s", lost, unanswered, failed, repeated, l.logs())
	}
	t.Logf("%d downloads of 1 MiB, one of three servers killed: %d lost, all of them its own (%d others); the check noticed after %s; of 100 that asked in between %d repeated their request once and were answered by another; of 100 that asked after it nobody repeated",
		n, lost, wrong, noticed.Round(time.Millisecond), escaped)
}

// backends says whom each machine has while all servers live.
func (l *dsrNet) backends(all []*dsrMachine) map[string]string {
	l.t.Helper()
	svc := lb.Service{Name: "boot", Mode: lb.DSR, Scheduler: lb.Maglev, Backends: []lb.Backend{{Name: "sv1"}, {Name: "sv2"}, {Name: "sv3"}}}
	deal, err := lb.NewDeal(&svc, []int{0, 1, 2})
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range all {
		out[m.from.String()] = svc.Backends[deal.First(m.from)].Name
	}
	return out
}

// prober asks the service all the time, each time from another port, and notes when it was answered.
type prober struct {
	mu    sync.Mutex // guards times
	times []time.Time
}

func (l *dsrNet) prober(t *testing.T) *prober {
	t.Helper()
	p := &prober{}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				running.Go(func() {
					if at, ok := l.askOnce(); ok {
						p.mu.Lock()
						p.times = append(p.times, at)
						p.mu.Unlock()
					}
				})
			}
		}
	})
	t.Cleanup(func() { close(stop); running.Wait() })
	return p
}

// gap is how long after a time the first one was answered that asked after it.
func (p *prober) after(at time.Time) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.times {
		if x.After(at) {
			return x.Sub(at), true
		}
	}
	return 0, false
}

// dsrFailover: a balancer dies, with its cable or without, while machines download: those in flight go on with the other
// one, which sends each to the same server, knowing nothing of it.
func dsrFailover(t *testing.T, b *bench) {
	var rows []string
	for _, c := range []struct{ who, advert, scheduler string }{
		{"surefoot", "1s", "maglev"},
		{"keepalived", "1s", "maglev"},
		{"surefoot", "100ms", "maglev"},
		{"keepalived", "100ms", "maglev"},
		{"surefoot", "100ms", "round-robin"},
	} {
		who, advert := c.who, c.advert
		{
			t.Run(who+"/"+advert+"/"+c.scheduler, func(t *testing.T) {
				l := newDSRNet(t, b)
				for _, h := range []string{"sv1", "sv2", "sv3"} {
					l.ours(h)
				}
				if who == "surefoot" {
					l.site(fmt.Sprintf(dsrVIPs, advert), "vip: boot, scheduler: "+c.scheduler)
				} else {
					l.site("", "vip: "+dsrVIP+", scheduler: "+c.scheduler)
				}
				for _, h := range []string{"lb1", "lb2"} {
					l.balancer(h)
					if who == "keepalived" {
						l.keepalived(h, advert)
					}
				}
				l.master("lb1")
				p := l.prober(t)
				n := relayClients() / 5
				s := l.storm(t, n, dsrVIP, "boot.bin", l.content, 0, 12*time.Millisecond)
				s.under(n)
				if c.scheduler == "round-robin" { // nobody can compute it: the other one has to be told
					l.await("the standby knows the clients", func() bool { return l.remembered("lb2") >= n })
				}
				at := l.crash("lb1")
				gap := time.Duration(0)
				l.await("requests are answered again", func() (ok bool) { gap, ok = p.after(at.Add(30 * time.Millisecond)); return ok })
				failed := s.wait()
				for _, m := range failed {
					t.Errorf("%s failed after %d blocks: %v", m.from, m.blocks.Load(), m.err)
				}
				if t.Failed() {
					t.Log(l.logs())
				}
				rows = append(rows, fmt.Sprintf("| %s | %s | %s | %d ms | %d of %d |", who, advert, c.scheduler, (gap+30*time.Millisecond).Milliseconds(), len(failed), n))
			})
		}
	}
	t.Log("\n| the address is kept by | advertisements | scheduler | from the node's death to the first answered request | downloads lost |\n|---|---|---|---|---|\n" + strings.Join(rows, "\n"))
}

// remembered is how many clients a balancer's kernel remembers.
func (l *dsrNet) remembered(host string) (n int) {
	l.t.Helper()
	m, err := ebpf.LoadPinnedMap(l.pinned(host)+"/clients", &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer m.Close()
	var key [32]byte
	var value [24]byte
	for it := m.Iterate(); it.Next(&key, &value); {
		n++
	}
	return n
}

// pinned is the folder of what stays when a balancer's process ends.
func (l *dsrNet) pinned(host string) string {
	l.t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat("/run/netns/"+l.ns(host), &st); err != nil {
		l.t.Fatal(err)
	}
	for _, root := range []string{"/sys/fs/bpf", "/run/surefoot/bpf"} {
		dir := fmt.Sprintf("%s/surefoot/net-%d", root, st.Ino)
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return ""
}

// keepalived keeps the address on a balancer, beside Surefoot.
func (l *dsrNet) keepalived(host, advert string) {
	l.t.Helper()
	d, err := time.ParseDuration(advert)
	if err != nil {
		l.t.Fatal(err)
	}
	priority := map[string]int{"lb1": 200, "lb2": 100}[host]
	text := fmt.Sprintf("global_defs {\n vrrp_version 3\n}\nvrrp_instance a {\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority %d\n advert_int %s\n virtual_ipaddress {\n %s/24 dev eth0\n }\n}\n",
		priority, strconv.FormatFloat(d.Seconds(), 'f', -1, 64), dsrVIP)
	if err := os.WriteFile(l.path(host+".conf"), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.start(host+"-keepalived", l.in(host, "keepalived", "-n", "-l", "-P", "-D", "-f", l.path(host+".conf"), "-p", l.path(host+".pid"), "-r", l.path(host+".vrrp.pid")))
}

// crash lets a node die as by a power failure: its programs and its port in one moment.
func (l *dsrNet) crash(host string) time.Time {
	l.t.Helper()
	var pids []int
	for _, name := range []string{host, host + "-keepalived"} {
		if p := l.procs[name]; p != nil {
			pids = append(pids, p.Process.Pid)
		}
	}
	if b, err := os.ReadFile(l.path(host + ".vrrp.pid")); err == nil { // keepalived's child does the work
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			pids = append(pids, pid)
		}
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	at := time.Now()
	l.sh("br", "ip link set "+host+" down")
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, name := range []string{host, host + "-keepalived"} {
		l.kill(name, syscall.SIGKILL)
	}
	return at
}

// dsrRestart: the only balancer is stopped and started, and killed and started, as by an upgrade, while machines download: none
// of them loses its download, or has to repeat its request.
func dsrRestart(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.ours(h)
	}
	l.site(fmt.Sprintf(dsrVIPs, "100ms"), "vip: boot, scheduler: round-robin")
	l.balancer("lb1")
	l.master("lb1")
	n := relayClients() / 5
	s := l.storm(t, n, dsrVIP, "boot.bin", l.content, 4*time.Second, 12*time.Millisecond)
	s.under(n / 10)
	for round := range 3 {
		if out, err := l.in("lb1", l.binary, "vip", "hold", "--socket", l.path("lb1.sock")).CombinedOutput(); err != nil {
			t.Fatalf("vip hold: %v: %s", err, out)
		}
		l.kill("lb1", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM, syscall.SIGKILL}[round])
		l.balancer("lb1")
	}
	for _, m := range s.wait() {
		t.Errorf("%s failed after %d blocks: %v", m.from, m.blocks.Load(), m.err)
	}
	l.kill("lb1", syscall.SIGKILL)
	if l.pinned("lb1") == "" {
		t.Error("a killed process left nothing: this test shows nothing")
	}
	if out, err := l.in("lb1", l.binary, "lb", "down", "--socket", l.path("lb1.sock")).CombinedOutput(); err != nil || l.pinned("lb1") != "" {
		t.Errorf("lb down: %v: %s; left: %s", err, out, l.pinned("lb1"))
	}
	if out, err := os.ReadFile("/proc/mounts"); err != nil || bytes.Contains(out, []byte(" /run/surefoot/bpf ")) {
		t.Errorf("the file system of what stays is still mounted: %v", err)
	}
	repeated := 0
	for _, m := range s.all {
		repeated += m.asked - 1
	}
	t.Logf("%d downloads while the process was restarted twice and killed once: %d failed, %d requests repeated", n, len(s.wait()), repeated)
	if t.Failed() {
		t.Log(l.logs())
	}
}
