package tftp

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// load is a case of the benchmarks: how many clients, and what they ask for.
type load struct {
	name      string
	size      int // bytes of the file
	clients   int
	downloads int
	window    int
	loss      float64
}

var loads = []load{
	{"64KiB-500", 64 << 10, 500, 2000, 1, 0},
	{"1MiB-100", 1 << 20, 100, 100, 1, 0},
	{"1MiB-1000", 1 << 20, 1000, 1000, 1, 0},
	{"1MiB-w16-100", 1 << 20, 100, 300, 16, 0},
	{"1MiB-w16-1000", 1 << 20, 1000, 1000, 16, 0},
	{"64MiB-w64-1", 64 << 20, 1, 3, 64, 0},
	{"64MiB-w64-8", 64 << 20, 8, 8, 64, 0},
	{"1MiB-100-loss", 1 << 20, 100, 100, 1, 0.01},
	{"1MiB-w16-100-loss", 1 << 20, 100, 100, 16, 0.01},
	{"1MiB-1", 1 << 20, 1, 20, 1, 0},
}

// TestBeside measures the server that listens at SUREFOOT_BENCH_AT, ours or another, whose process
// is SUREFOOT_BENCH_PID: one line for each case of SUREFOOT_BENCH_CASES. Its root holds the files that
// SUREFOOT_BENCH_ROOT names, made here. Pin server and client to a core each.
func TestBeside(t *testing.T) {
	at := os.Getenv("SUREFOOT_BENCH_AT")
	root := os.Getenv("SUREFOOT_BENCH_ROOT")
	if at == "" || root == "" {
		t.Skip("SUREFOOT_BENCH_AT and SUREFOOT_BENCH_ROOT name no server to measure")
	}
	pid, _ := strconv.Atoi(os.Getenv("SUREFOOT_BENCH_PID"))
	for _, c := range loads {
		content := random(c.size)
		name := fmt.Sprintf("%d.bin", c.size)
		if _, err := os.Stat(root + "/" + name); err != nil {
			if err := os.WriteFile(root+"/"+name, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if which := os.Getenv("SUREFOOT_BENCH_CASES"); which != "" && !strings.Contains(" "+which+" ", " "+c.name+" ") {
			continue
		}
		before := cpuOf(pid)
		o, err := (&swarm{
			at: netip.MustParseAddrPort(at), file: name, content: content, clients: c.clients, downloads: c.downloads,
			blockSize: 1456, window: c.window, loss: c.loss, seed: 1,
		}).run()
		if err != nil {
			t.Fatal(err)
		}
		blocks := float64(max(o.bytes, 1)) / 1456
		fmt.Printf("%-18s %s  cpu %.2f us/block  rss %s\n", c.name, o,
			float64((cpuOf(pid)-before).Microseconds())/blocks, peakOf(pid))
	}
}

// cpuOf returns the processor time of a process (proc(5), in ticks of 10 ms).
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peakOf returns the peak of a process' resident memory.
func peakOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "-"
}

// BenchmarkStorm downloads from a server in this process: for profiles and regressions, not to
// compare servers.
func BenchmarkStorm(b *testing.B) {
	for _, c := range loads {
		if c.loss > 0 || c.clients > 100 {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			s := start(b, "", nil)
			content := random(c.size)
			s.write("f", content)
			b.ReportAllocs()
			b.SetBytes(int64(c.size))
			o, err := (&swarm{
				at: s.srv.Addr(), file: "f", content: content, clients: min(c.clients, b.N), downloads: b.N,
				blockSize: 1456, window: c.window, seed: 1,
			}).run()
			if err != nil || len(o.took) != b.N {
				b.Fatalf("%v, %s", err, o)
			}
			b.ReportMetric(float64(o.percentile(99).Milliseconds()), "p99-ms")
		})
	}
}
