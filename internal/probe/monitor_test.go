package probe

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestForMonitors: a monitor's download repeats sooner than firmware would, says which socket it
// uses before it sends, and how long blocks were waited for.
func TestForMonitors(t *testing.T) {
	f := newFake(t, "127.0.0.1")
	done := make(chan netip.AddrPort)
	go func() {
		f.request() // lost
		to, _ := f.request()
		f.send(to, data(1, strings.Repeat("x", 512)))
		f.next()
		f.send(to, data(2, "end"))
		done <- to
	}()
	var local, server netip.AddrPort
	closed := 0
	began := time.Now()
	res := TFTP(t.Context(), f.target(), Options{
		As: Plain, Timeout: 5 * time.Second, Resend: 50 * time.Millisecond, // as firmware: 1 s
		Opened: func(l, s netip.AddrPort) func() { local, server = l, s; return func() { closed++ } },
	})
	from := <-done
	if res.Fault != nil || res.Retransmits < 1 || time.Since(began) > 900*time.Millisecond {
		t.Errorf("%+v, fault %v, after %s", res, res.Fault, time.Since(began))
	}
	if local.Port() != from.Port() || server.String() != res.Server || closed != 1 {
		t.Errorf("told of %s to %s, closed %d times; it came from %s", local, server, closed, from)
	}
	if res.Timing == nil || res.Timing.Most <= 0 {
		t.Fatalf("timing %+v", res.Timing)
	}
	blocks := int64(0)
	for _, n := range res.Timing.Counts {
		blocks += n
	}
	if blocks != 2 {
		t.Errorf("%d blocks were waited for", blocks)
	}
	b, err := json.Marshal(res.Timing)
	if err != nil {
		t.Fatal(err)
	}
	var again Timing
	if err := json.Unmarshal(b, &again); err != nil || again != *res.Timing {
		t.Errorf("%s is read again as %+v, %v", b, again, err)
	}
}

func TestTiming(t *testing.T) {
	var x Timing
	for _, d := range []time.Duration{0, 63 * time.Microsecond, 64 * time.Microsecond, time.Millisecond, time.Hour} {
		x.add(d)
	}
	if x.Counts[0] != 2 || x.Counts[1] != 1 || x.Counts[2] != 1 || x.Counts[timingBuckets-1] != 1 || x.Most != time.Hour {
		t.Errorf("%+v", x)
	}
	if x.Limit(0) != 64*time.Microsecond || x.Limit(1) != 256*time.Microsecond || x.Limit(timingBuckets-1) != 0 {
		t.Error("limits")
	}
}
