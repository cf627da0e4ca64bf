package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lbRelayKill: a thousand machines download 1 MiB each from three backends of one make, and one of these is killed, with all
// of its transfers. Nobody may lose a download. It prints a table.
func lbRelayKill(t *testing.T, b *bench) {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-10s %8s %10s %10s %7s %8s %8s %10s %10s %10s\n",
		"backends", "clients", "on killed", "rescued", "failed", "seconds", "MB/s", "p50 ms", "p99 ms", "max ms")
	for _, kind := range []string{"hpa", "own"} {
		t.Run(kind, func(t *testing.T) {
			s := newRelaySite(t, b, kind, kind, kind)
			file := make([]byte, 1<<20)
			_, _ = rand.Read(file)
			s.publish("boot.bin", file)
			s.publish("small.bin", file[:5000])
			for _, name := range s.names() {
				s.backend(name)
			}
			s.relay("round-robin", "off")
			n, victim := relayClients(), s.names()[0]
			done := s.storm(t, n)
			cut := s.awaitRunning(t, victim, n/10)
			s.kill(victim, syscall.SIGKILL)
			text := <-done
			var r struct {
				Done    int           `json:"done"`
				Failed  int           `json:"failed"`
				Elapsed time.Duration `json:"elapsed_ns"`
				Rate    float64       `json:"bytes_per_second"`
				Time    struct {
					P50 time.Duration `json:"p50_ns"`
					P99 time.Duration `json:"p99_ns"`
					Max time.Duration `json:"max_ns"`
				} `json:"time"`
			}
			if err := json.Unmarshal([]byte(text), &r); err != nil || r.Done != n || r.Failed != 0 {
				t.Errorf("%s: %d of %d delivered, %d failed, %v: %.1500s", kind, r.Done, n, r.Failed, err, text)
			}
			ms := func(d time.Duration) int64 { return d.Milliseconds() }
			fmt.Fprintf(&table, "%-10s %8d %10d %10d %7d %8.1f %8.1f %10d %10d %10d\n",
				map[string]string{"hpa": "tftpd-hpa", "own": "surefoot"}[kind], n, cut, cut-r.Failed, r.Failed, r.Elapsed.Seconds(), r.Rate/1e6, ms(r.Time.P50), ms(r.Time.P99), ms(r.Time.Max))
			t.Log(s.must(t, "lb", "show", "boot", "--socket", s.path("s.sock")))
		})
	}
	t.Log(table.String())
}
