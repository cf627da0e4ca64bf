package dhcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The two ends of the wire, and how many addresses there are to give (10.81.0.0 on).
const (
	benchClient, benchServer = "10.80.0.1", "10.80.0.2"
	benchSpaceC, benchSpaceS = "sf-bench-c", "sf-bench-s"
	benchSeconds             = 5
)

// peer is a DHCP server that competes. Its files are in a folder of its own, fresh for every run.
type peer struct {
	name string
	args func(dir, last string) []string
}

// peers are the servers, asked by a relay or on the wire.
func peers(bin string, relayed bool) []peer {
	sockets := "raw" // Kea's for machines without an address
	if relayed {
		sockets = "udp"
	}
	write := func(dir, name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			panic(err)
		}
		return path
	}
	return []peer{
		{"surefoot", func(dir, last string) []string {
			site := write(dir, "site.yaml", fmt.Sprintf(`site: bench
nodes: {n1: {address: %s, interfaces: [eth0], roles: [dhcp, tftp]}}
dhcp: {leases: %s/leases.db}
networks:
  bench: {subnet: 10.80.0.0/12, deliver: dhcp, dhcp: {range: 10.81.0.0-%s, lease: 1h}}
boot: [{name: any, file: surefoot-test, from: [n1]}]
`, benchServer, dir, last))
			return []string{bin, "serve", "--config", site, "--node", "n1", "--socket", filepath.Join(dir, "sock")}
		}},
		{"kea memfile", func(dir, last string) []string {
			return []string{"kea-dhcp4", "-c", write(dir, "kea.json", fmt.Sprintf(`{"Dhcp4": {
 "interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "%s"},
 "lease-database": {"type": "memfile", "persist": true, "name": "%s/leases.csv"}, "valid-lifetime": 3600,
 "subnet4": [{"subnet": "10.80.0.0/12", "pools": [{"pool": "10.81.0.0-%s"}]}],
 "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "stderr"}]}]}}`, sockets, dir, last))}
		}},
		{"ISC dhcpd", func(dir, last string) []string {
			conf := write(dir, "dhcpd.conf", fmt.Sprintf("authoritative; ping-check false; default-lease-time 3600;\n"+
				"subnet 10.80.0.0 netmask 255.240.0.0 { range 10.81.0.0 %s; }\n", last))
			leases := write(dir, "leases", "")
			return []string{"dhcpd", "-4", "-f", "-q", "-cf", conf, "-lf", leases, "-pf", filepath.Join(dir, "pid"), "eth0"}
		}},
		{"dnsmasq", func(dir, last string) []string {
			return []string{
				"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=/dev/null", "--quiet-dhcp", "--user=root", "--port=0",
				"--interface=eth0", "--bind-interfaces", "--no-ping", "--dhcp-authoritative", "--pid-file=", "--dhcp-lease-max=300000",
				"--dhcp-leasefile=" + filepath.Join(dir, "leases"), "--dhcp-range=10.81.0.0," + last + ",255.240.0.0,1h",
			}
		}},
	}
}

// BenchmarkServers compares DHCP servers: ours and others, each pinned to core 0, the clients to core 1,
// on a veth, asked as by a relay. `make bench BENCH=dhcp` runs it; dhcp-16k, dhcp-256k and dhcp-offers are
// parts of it. A lease is on the disk before our ACK leaves, as it is at ISC; Kea and dnsmasq do as they are
// shipped (DHCP.md 2).
func BenchmarkServers(b *testing.B) {
	bin := os.Getenv("SUREFOOT_BIN")
	if bin == "" {
		b.Skip("make bench runs this, with the program in SUREFOOT_BIN")
	}
	only, err := regexp.Compile(os.Getenv("SUREFOOT_BENCH"))
	if err != nil {
		b.Fatal(err)
	}
	if os.Geteuid() != 0 || runtime.NumCPU() < 2 {
		b.Skip("needs root and two cores")
	}
	p := pools()
	if !slices.ContainsFunc(p, func(x pool) bool { return only.MatchString(x.name) }) && !only.MatchString("dhcp-offers") {
		return
	}
	w := newWire(b)
	if load, _ := os.ReadFile("/proc/loadavg"); len(load) > 0 {
		fmt.Printf("load average before: %.4s (above 0.5 something else runs here, and the figures tell little but for CPU)\n", load)
	}
	for b.Loop() {
		for _, x := range p {
			if only.MatchString(x.name) {
				w.doras(x, bin)
			}
		}
		if only.MatchString("dhcp-offers") {
			w.offers(bin)
		}
	}
}

// pool is how many addresses and how many machines there are.
type pool struct {
	name, last         string
	addresses, clients int
	rates              []int
}

func pools() []pool {
	return []pool{
		{"dhcp-16k", "10.81.63.255", 16_384, 8192, []int{1000, 5000, 10_000, 18_500, 20_000}},
		{"dhcp-256k", "10.84.255.255", 262_144, 200_000, []int{1000, 5000, 10_000, 18_500, 20_000}},
	}
}

// wire is the two namespaces.
type benchWire struct{ b *testing.B }

func newWire(b *testing.B) *benchWire {
	w := &benchWire{b}
	script := fmt.Sprintf(`set -e
ip netns add %[1]s; ip netns add %[2]s
ip link add eth0 netns %[2]s type veth peer name eth0 netns %[1]s
for n in %[1]s %[2]s; do ip -n $n link set lo up; ip -n $n link set eth0 up; done
ip -n %[2]s addr add %[4]s/12 dev eth0
ip -n %[1]s addr add %[3]s/12 dev eth0`, benchSpaceC, benchSpaceS, benchClient, benchServer)
	b.Cleanup(func() {
		_ = exec.Command("ip", "netns", "del", benchSpaceC).Run()
		_ = exec.Command("ip", "netns", "del", benchSpaceS).Run()
	})
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return w
}

// on runs a command in a namespace, on a core.
func on(ctx context.Context, space, core string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", space, "taskset", "-c", core}, args...)...)
}

// serve starts a server, fresh, and runs f with its process id. ready is asked until it answers.
func (w *benchWire) serve(p peer, last, bin string, f func(pid int)) error {
	args := p.args(w.b.TempDir(), last)
	if _, err := exec.LookPath(args[0]); err != nil {
		return fmt.Errorf("not installed")
	}
	dir := w.b.TempDir()
	cmd := on(w.b.Context(), benchSpaceS, "0", args...)
	cmd.Env = append(os.Environ(), "KEA_LOCKFILE_DIR="+dir, "KEA_PIDFILE_DIR="+dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill() // ip and taskset have become the server
		_ = cmd.Wait()
	}()
	for range 20 {
		r, err := w.storm(bin, true, "--machines", "1", "--first", "02:5e:00:00:00:01", "--offers", "--retry", "none", "--patience", "500ms")
		if err == nil && r.Offered == 1 {
			f(cmd.Process.Pid)
			return nil
		}
		time.Sleep(100 * time.Millisecond) // other servers do not say when they are ready
	}
	return fmt.Errorf("answers nobody: %s", strings.TrimSpace(said.String()))
}

// storm is our own clients, behind a relay or not.
func (w *benchWire) storm(bin string, relayed bool, args ...string) (*Result, error) {
	args = append([]string{bin, "storm", "dhcp", "--interface", "eth0", "--json"}, args...)
	if relayed {
		args = append(args, "--relay", benchClient, "--server", benchServer)
	}
	cmd := on(w.b.Context(), benchSpaceC, "1", args...)
	out, _ := cmd.Output() // 3: not everybody was served
	r := new(Result)
	return r, json.Unmarshal(out, r)
}

// cpu is the time that a process has used so far.
func cpu(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// doras is one table of four-way exchanges.
func (w *benchWire) doras(p pool, bin string) {
	fmt.Printf("\n%s: %d addresses, %d machines by perfdhcp, as a relay    wanted: >= 18000 DORA/s with <= 1 %% lost, REQUEST to ACK p99 < 5 ms\n", p.name, p.addresses, p.clients)
	fmt.Printf("  %-12s %8s %8s %8s %8s %8s %19s %19s %6s %9s %7s\n",
		"server", "asked /s", "sent /s", "DORA /s", "lost DO%", "lost RA%", "OFFER p50/p99 ms", "ACK p50/p99 ms", "CPU %", "us/DORA", "unread")
	for _, srv := range peers(bin, true) {
		for _, rate := range p.rates {
			err := w.serve(srv, p.last, bin, func(pid int) {
				before, unread := cpu(pid), w.unread()
				ctx, cancel := context.WithTimeout(w.b.Context(), 3*benchSeconds*time.Second)
				defer cancel()
				out, _ := on(ctx, benchSpaceC, "1", "perfdhcp", "-4", "-g", "single", "-l", "eth0", "-r", strconv.Itoa(rate),
					"-p", strconv.Itoa(benchSeconds), "-R", strconv.Itoa(p.clients), "-W", "1000000", "-x", "t", benchServer).Output()
				d := readPerf(string(out))
				fmt.Printf("  %-12s %8d %s %7d\n", srv.name, rate, d.row(cpu(pid)-before), w.unread()-unread)
			})
			if err != nil {
				fmt.Printf("  %-12s %8d %v\n", srv.name, rate, err)
				break
			}
		}
	}
}

// unread is how many replies came and found perfdhcp's socket full so far: those are not the server's loss.
func (w *benchWire) unread() int {
	out, _ := exec.Command("ip", "netns", "exec", benchSpaceC, "cat", "/proc/net/snmp").Output()
	var names []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] != "Udp:":
		case names == nil:
			names = f
		default:
			n, _ := strconv.Atoi(f[slices.Index(names, "RcvbufErrors")])
			return n
		}
	}
	return 0
}

// perf is what perfdhcp says.
type perf struct {
	sent, got [2]int
	times     [2][]time.Duration // DISCOVER to OFFER, REQUEST to ACK
	end       time.Duration
}

var perfLine = regexp.MustCompile(`^sent / received: (\d+)\.(\d+) / (\d+)\.(\d+)$`)

func readPerf(out string) (p perf) {
	stage, timed := -1, false
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "***"):
			stage, timed = -1, strings.HasPrefix(line, "***Timestamps")
			for i, name := range []string{"DISCOVER-OFFER", "REQUEST-ACK"} {
				if strings.HasSuffix(line, ": "+name+"***") {
					stage = i
				}
			}
		case stage < 0:
		case timed:
			m := perfLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			at := func(i int) time.Duration {
				s, _ := strconv.Atoi(m[i])
				us, _ := strconv.Atoi(m[i+1])
				return time.Duration(s)*time.Second + time.Duration(us)*time.Microsecond
			}
			p.times[stage] = append(p.times[stage], at(3)-at(1))
			p.end = max(p.end, at(3))
		default:
			_, _ = fmt.Sscanf(line, "sent packets: %d", &p.sent[stage])
			_, _ = fmt.Sscanf(line, "received packets: %d", &p.got[stage])
		}
	}
	return p
}

func (p *perf) row(used time.Duration) string {
	lost := func(i int) float64 { return 100 * float64(p.sent[i]-p.got[i]) / float64(max(1, p.sent[i])) }
	ms := func(i int, q float64) float64 {
		t := p.times[i]
		if len(t) == 0 {
			return 0
		}
		slices.Sort(t)
		return t[int(q*float64(len(t)-1))].Seconds() * 1000
	}
	return fmt.Sprintf("%8d %8d %8.1f %8.1f %9.2f /%8.2f %9.2f /%8.2f %6.0f %9.1f",
		p.sent[0]/benchSeconds, p.got[1]/benchSeconds, lost(0), lost(1), ms(0, 0.5), ms(0, 0.99), ms(1, 0.5), ms(1, 0.99),
		100*used.Seconds()/benchSeconds, float64(used.Microseconds())/float64(max(1, p.got[1])))
}

// offers is how many OFFERs a server makes in a closed loop: so many DISCOVERs wait at any time.
func (w *benchWire) offers(bin string) {
	fmt.Printf("\ndhcp-offers: DISCOVERs in a closed loop, 60,000 machines, 262,144 addresses    wanted: >= 150000 OFFERs/s on one core\n")
	fmt.Printf("  %-12s %-9s %8s %10s %10s %19s %6s %9s\n", "server", "asked", "waiting", "OFFER /s", "lost", "OFFER p50/p99 ms", "CPU %", "us/OFFER")
	for _, way := range []struct {
		relayed bool
		windows []string
	}{{false, []string{"512"}}, {true, []string{"64", "512"}}} {
		w.offersBy(bin, way.relayed, way.windows)
	}
}

func (w *benchWire) offersBy(bin string, relayed bool, windows []string) {
	asked := "directly"
	if relayed {
		asked = "by relay"
	}
	for _, srv := range peers(bin, relayed) {
		for _, window := range windows {
			err := w.serve(srv, "10.84.255.255", bin, func(pid int) {
				before := cpu(pid)
				r, err := w.storm(bin, relayed, "--offers", "--machines", "60000", "--window", window, "--duration", fmt.Sprint(benchSeconds, "s"), "--retry", "none", "--patience", "300ms")
				if err != nil {
					fmt.Printf("  %-12s %v\n", srv.name, err)
					return
				}
				used := cpu(pid) - before
				fmt.Printf("  %-12s %-9s %8s %10.0f %10d %9.2f /%8.2f %6.0f %9.2f\n", srv.name, asked, window, r.PerSecond, r.Failed,
					r.OfferTime.P50.Seconds()*1000, r.OfferTime.P99.Seconds()*1000, 100*used.Seconds()/r.Elapsed.Seconds(),
					float64(used.Microseconds())/float64(max(1, r.Offered)))
			})
			if err != nil {
				fmt.Printf("  %-12s %v\n", srv.name, err)
				break
			}
		}
	}
}
