package storm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// benchCase is what each server has to do: so many clients in lock-step or with windows, blocks of
// 1456 bytes, and a first time-out of 1 s.
type benchCase struct {
	name, title, wanted                string
	file                               string
	clients, downloads, window, losses int // losses in percent, each way
}

// benchCases are the ones of TFTP servers' measurements: a = 64 KiB, b = 1 MiB, c = 64 MiB, d = 1 MiB with
// loss, then the clients, then the window.
func benchCases() []benchCase {
	return []benchCase{
		{name: "a500", title: "64 KiB, lock-step, 500 at once", wanted: ">= 1.5x, p99 <= 200 ms, none lost", file: "64k", clients: 500, downloads: 2000},
		{name: "b1000", title: "1 MiB, lock-step, 1000 at once", wanted: ">= 0.9x, none lost, RSS <= 20 MiB", file: "1m", clients: 1000, downloads: 1000},
		{name: "b100w16", title: "1 MiB, windowsize 16, 100 at once", wanted: ">= 1000 MB/s, 3x", file: "1m", clients: 100, downloads: 500, window: 16},
		{name: "b1000w16", title: "1 MiB, windowsize 16, 1000 at once", wanted: ">= 1000 MB/s, 3x", file: "1m", clients: 1000, downloads: 1000, window: 16},
		{name: "c1w64", title: "64 MiB, windowsize 64, one client", wanted: ">= 650 MB/s", file: "64m", clients: 1, downloads: 4, window: 64},
		{name: "b1", title: "1 MiB, one lock-step client", wanted: "as the best peer; surefoot-poll >= 3x", file: "1m", clients: 1, downloads: 20},
		{name: "d100w16", title: "1 MiB, windowsize 16, 100 at once, 1 % loss each way", wanted: "p50 <= 150 ms, 0 failed", file: "1m", clients: 100, downloads: 100, window: 16, losses: 1},
		{name: "d100", title: "1 MiB, lock-step, 100 at once, 1 % loss each way", wanted: "p50 <= 1000 ms, 0 failed", file: "1m", clients: 100, downloads: 100, losses: 1},
	}
}

// benchServer is one of those who compete.
type benchServer struct {
	name    string
	windows bool   // knows windowsize
	forks   bool   // its memory is that of many processes
	only    string // the case that it takes part in; "": all
	idle    bool   // holds 10,000 transfers: others fork, or die of so many descriptors
	args    func(dir string) []string
}

func benchServers(bin string) []benchServer {
	return []benchServer{
		{name: "surefoot", windows: true, idle: true, args: func(dir string) []string {
			return []string{bin, "tftp", "--root", dir, "--listen", "127.0.0.1:69", "--max-transfers", "16000"}
		}},
		{name: "surefoot-poll", only: "b1", windows: true, args: func(dir string) []string {
			return []string{bin, "tftp", "--root", dir, "--listen", "127.0.0.1:69", "--busy-poll", "50us"}
		}},
		{name: "dnsmasq", idle: true, args: func(dir string) []string {
			return []string{
				"dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--tftp-root=" + dir, "--tftp-max=12000",
				"--bind-interfaces", "--listen-address=127.0.0.1", "--user=root", "--quiet-tftp", "--pid-file=",
			}
		}},
		{name: "tftpd-hpa", forks: true, args: func(dir string) []string {
			return []string{"in.tftpd", "-L", "--ipv4", "-a", "127.0.0.1:69", "--user", "nobody", "--secure", dir}
		}},
		{name: "atftpd", windows: true, args: func(dir string) []string {
			return []string{"atftpd", "--daemon", "--no-fork", "--maxthread", "2000", "--bind-address", "127.0.0.1", "--port", "69", "--user", "nobody.nogroup", dir}
		}},
	}
}

// measured is one run.
type measured struct {
	Result
	rss  float64 // MiB, the most so far; 0: not known
	core float64 // ms of the server's core for a MiB
	runs int
	died bool // the server was gone afterwards
}

// BenchmarkServers runs every case against our server and others, the server on core 0 and the
// clients on core 1, and prints one table: "lost" are first requests that were not answered within the
// client's second, "ms/MiB" is the time of the server's core for a MiB, "gen. %" how busy the clients'
// thread was. `make bench` runs it; SUREFOOT_BENCH is a pattern of the
// cases. A case is run three times, and the run with the median rate counts; one that takes long is
// run once.
func BenchmarkServers(b *testing.B) {
	bin := os.Getenv("SUREFOOT_BIN")
	if bin == "" {
		b.Skip("make bench runs this, with the program in SUREFOOT_BIN")
	}
	require(b, os.Geteuid() == 0 && runtime.NumCPU() >= 2, "needs root and two cores")
	only, err := regexp.Compile(os.Getenv("SUREFOOT_BENCH"))
	if err != nil {
		b.Fatal(err)
	}
	s := newSite(b)
	s.writeRandom("64k", 64<<10)
	s.writeRandom("1m", 1<<20)
	s.writeRandom("64m", 64<<20)
	if load, _ := os.ReadFile("/proc/loadavg"); len(load) > 0 {
		fmt.Printf("load average before: %.4s (above 0.5 something else runs here, and the figures tell little)\n", load)
	}
	for b.Loop() {
		for _, c := range benchCases() {
			if only.MatchString(c.name) {
				s.benchCase(c, bin)
			}
		}
		if only.MatchString("idle") {
			s.benchIdle(bin)
		}
		if only.MatchString("relay") {
			s.benchRelay(bin)
		}
	}
}

func (s *site) writeRandom(name string, size int) {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) benchCase(c benchCase, bin string) {
	fmt.Printf("\n%-9s %s    wanted: %s\n", c.name, c.title, c.wanted)
	fmt.Printf("  %-14s %9s %8s %9s %9s %6s %6s %8s %8s %6s %6s %10s\n",
		"server", "downl./s", "MB/s", "p50 ms", "p99 ms", "failed", "lost", "RSS MiB", "ms/MiB", "gen. %", "runs", "ours is")
	var ours *measured
	var others []*measured
	for _, srv := range benchServers(bin) {
		if srv.only != "" && srv.only != c.name {
			continue
		}
		if c.window > 1 && !srv.windows {
			fmt.Printf("  %-14s no windowsize\n", srv.name)
			continue
		}
		m, err := s.benchServer(srv, c, bin)
		if err != nil {
			fmt.Printf("  %-14s %v\n", srv.name, err)
			continue
		}
		switch {
		case srv.name == "surefoot":
			ours = m
		case srv.only == "":
			others = append(others, m)
		}
		fmt.Printf("  %-14s %s%s\n", srv.name, m, ratio(ours, m))
	}
	if ours != nil && len(others) > 0 {
		fmt.Printf("  %-14s %s\n", "", beside(ours, others))
	}
}

// String is the measured part of a row.
func (m *measured) String() string {
	rss := "-"
	if m.rss > 0 {
		rss = fmt.Sprintf("%.1f", m.rss)
	}
	p := func(d time.Duration) string {
		if d == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f", d.Seconds()*1000)
	}
	return fmt.Sprintf("%9.0f %8.1f %9s %9s %6d %6d %8s %8.2f %6.0f %6d",
		m.DownloadsPerSecond, m.BytesPerSecond/1e6, p(m.Time.P50), p(m.Time.P99), m.Failed, m.RequestsLost, rss, m.core, 100*m.Busy, m.runs)
}

// ratio is our rate beside another's, and whether the other survived.
func ratio(ours, m *measured) string {
	s := fmt.Sprintf(" %10s", "")
	if ours != nil && ours != m && m.BytesPerSecond > 0 {
		s = fmt.Sprintf(" %9.2fx", ours.BytesPerSecond/m.BytesPerSecond)
	}
	if m.died {
		s += "  the server died"
	}
	return s
}

// beside puts our figures into proportion with the best of the others, figure by figure.
func beside(ours *measured, others []*measured) string {
	rate, p50, p99 := 0.0, time.Duration(0), time.Duration(0)
	best := func(a, b time.Duration) time.Duration {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	for _, o := range others {
		if o.Failed > 0 {
			continue
		}
		rate, p50, p99 = max(rate, o.BytesPerSecond), best(p50, o.Time.P50), best(p99, o.Time.P99)
	}
	if rate == 0 {
		return "no other served all"
	}
	return fmt.Sprintf("surefoot beside the best other that served all: %.2fx MB/s, %.2fx p50, %.2fx p99",
		ours.BytesPerSecond/rate, ours.Time.P50.Seconds()/p50.Seconds(), ours.Time.P99.Seconds()/p99.Seconds())
}

const longRun = 5 * time.Second // such a case is not repeated

func (s *site) benchServer(srv benchServer, c benchCase, bin string) (*measured, error) {
	args := srv.args(s.dir)
	if err := isServer(srv.name, args[0]); err != nil {
		return nil, err
	}
	var all []*measured
	for len(all) < 3 {
		cmd := s.command("taskset", append([]string{"-c", "0"}, args...)...)
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		s.up(netip.MustParseAddrPort("127.0.0.1:69"))
		m, err := s.benchRun(c, bin)
		if err == nil {
			m.rss = peakRSS(cmd.Process.Pid)
			if srv.forks {
				m.rss = 0
			}
			m.died = !alive(cmd.Process.Pid)
		}
		end(cmd)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		if m.Elapsed > longRun {
			break
		}
	}
	slices.SortFunc(all, func(a, b *measured) int {
		return int(a.BytesPerSecond - b.BytesPerSecond)
	})
	m := all[(len(all)-1)/2]
	m.runs = len(all)
	return m, nil
}

// isServer makes sure that a program is the one that is meant: atftpd's package has a link named
// in.tftpd.
func isServer(name, program string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return errors.New("not installed")
	}
	if name == "tftpd-hpa" {
		if out, _ := exec.Command(path, "-V").CombinedOutput(); !bytes.Contains(out, []byte("tftp-hpa")) {
			return errors.New("not installed")
		}
	}
	return nil
}

func (s *site) benchRun(c benchCase, bin string) (*measured, error) {
	args := []string{
		"-c", "1", bin, "storm", "tftp://127.0.0.1/" + c.file, "--json", "--as", "plain", "--blksize", "1456",
		"--from", "127.9.0.0/16", // as machines do; one address may have no more than a share
		"--clients", fmt.Sprint(c.clients), "--downloads", fmt.Sprint(c.downloads), "--loss", fmt.Sprintf("%d%%", c.losses),
	}
	if c.window > 1 {
		args = append(args, "--window", fmt.Sprint(c.window))
	}
	cmd := s.command("taskset", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	core := coreTime()
	err := cmd.Run() // 3 is a failed download
	core = coreTime() - core
	m := new(measured)
	if json.Unmarshal(out.Bytes(), &m.Result) != nil || m.Begun == 0 {
		return nil, fmt.Errorf("storm: %w: %s", err, out.Bytes())
	}
	if mib := float64(m.Done) * float64(m.Size) / (1 << 20); mib > 0 {
		m.core = float64(core) / float64(time.Millisecond) / mib
	}
	return m, nil
}

// coreTime is how long core 0 was busy, with the learning download and whatever else ran there.
func coreTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(b), "\ncpu0 ")
	line, _, _ = strings.Cut(line, "\n")
	var user, nice, system, idle, wait, irq, soft int64
	if _, err := fmt.Sscan(line, &user, &nice, &system, &idle, &wait, &irq, &soft); err != nil {
		return 0
	}
	return time.Duration(user+nice+system+irq+soft) * 10 * time.Millisecond // USER_HZ is 100
}

// peakRSS is the most memory that a process had, in MiB.
func peakRSS(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(b), "VmHWM:")
	var kb float64
	if _, err := fmt.Sscan(line, &kb); err != nil {
		return 0
	}
	return kb / 1024
}

// alive reports whether a child still runs: one that ended is a zombie until it is waited for.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
