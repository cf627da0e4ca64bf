package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// running starts a journal and returns what waits until everything emitted has been worked on.
func running(t *testing.T, cfg Config) (j *Journal, settled func()) {
	t.Helper()
	cfg.Node = "boot1"
	j = New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	up, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- j.Run(ctx, func() { close(up) }) }()
	<-up
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(end)
	return j, end // Run works off the queue before it returns
}

func discover(m boot.MAC, at time.Time) boot.Event {
	return boot.Event{Role: "proxydhcp", Kind: boot.DiscoverSeen, Time: at, MAC: m, XID: 1, Firmware: pxe}
}

// Roles emit from many goroutines; every event arrives, in stories and in metrics.
func TestEmitFromEverywhere(t *testing.T) {
	j, settled := running(t, Config{Queue: 20000})
	var wg sync.WaitGroup
	for g := range 10 {
		wg.Go(func() {
			for i := range 100 {
				j.Emit(discover(boot.MAC{2, 0, 0, 0, byte(g), byte(i)}, time.Now()))
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			_ = j.Stories(Query{Limit: 10, Steps: true})
			_, _ = j.Gatherer().Gather()
		}
	})
	wg.Wait()
	settled()
	if n := len(j.Stories(Query{})); n != 1000 || j.Dropped() != 0 {
		t.Errorf("%d stories, %d dropped, want 1000 and none", n, j.Dropped())
	}
}

// Nobody works on the queue: Emit returns all the same, what is lost is counted, and the packets
// are in the metrics.
func TestEmitNeverBlocks(t *testing.T) {
	j := New(Config{Queue: 10})
	for range 20 {
		j.Emit(boot.Event{Role: "proxydhcp", Kind: boot.Ignored, Reason: boot.NotPXE})
	}
	if n := len(j.queue); n != 6 {
		t.Errorf("junk fills %d places of 10, want little more than half", n)
	}
	for range 20 {
		j.Emit(discover(mac, start))
	}
	if j.Dropped() != 30 || len(j.queue) != 10 {
		t.Errorf("%d dropped, %d wait", j.Dropped(), len(j.queue))
	}
	for _, m := range gather(t, j)[MetricPackets].GetMetric() {
		if v := m.GetCounter().GetValue(); v != 20 {
			t.Errorf("%v counted, want 20: %s", v, m)
		}
	}
}

func TestQuery(t *testing.T) {
	j := New(Config{Node: "boot1", Name: func(m boot.MAC) string {
		if m == mac {
			return "pc-90"
		}
		return ""
	}})
	at := start
	for i := range 3 {
		at = at.Add(5 * time.Minute)
		j.take(discover(mac, at))
		j.take(discover(other, at.Add(time.Second)))
		j.take(boot.Event{Role: "proxydhcp", Kind: boot.RequestSeen, Time: at.Add(2 * time.Second), MAC: other, IP: ip, XID: 1})
		_ = i
	}
	for _, c := range []struct {
		q     Query
		want  []boot.MAC
		steps int
	}{
		{Query{}, []boot.MAC{other, mac, other, mac, other, mac}, 0},
		{Query{Latest: true}, []boot.MAC{other, mac}, 0},
		{Query{Limit: 3, Steps: true}, []boot.MAC{other, mac, other}, 2},
		{Query{Machine: mac.String(), Limit: 1, Steps: true}, []boot.MAC{mac}, 1},
		{Query{Machine: "52-54-00-12-34-56", Latest: true}, []boot.MAC{mac}, 0},
		{Query{Machine: "3457", Latest: true}, []boot.MAC{other}, 0},
		{Query{Machine: "34:57", Latest: true}, []boot.MAC{other}, 0},
		{Query{Machine: ip.String(), Latest: true}, []boot.MAC{other}, 0},
		{Query{Machine: "pc-90", Latest: true}, []boot.MAC{mac}, 0},
		{Query{Machine: "99:99"}, nil, 0},
		{Query{Machine: "10.0.0.1"}, nil, 0},
	} {
		var got []boot.MAC
		found := j.Stories(c.q)
		for _, s := range found {
			got = append(got, s.MAC)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			continue
		}
		if len(found) > 0 && len(found[0].Steps) != c.steps {
			t.Errorf("%+v: %d steps, want %d", c.q, len(found[0].Steps), c.steps)
		}
		for _, s := range found {
			if s.Is(c.q.Machine) != (c.q.Machine != "") {
				t.Errorf("story of %s: Is(%q) is %v", s.MAC, c.q.Machine, s.Is(c.q.Machine))
			}
		}
	}
}

// What was handed out does not change afterwards.
func TestSnapshotsAreCopies(t *testing.T) {
	j := New(Config{})
	j.take(discover(mac, start))
	j.take(boot.Event{Role: "tftp", Kind: boot.ReadRequest, Time: start, MAC: mac, File: "a", Transfer: 1})
	before := j.Stories(Query{Steps: true})
	text, _ := json.Marshal(before)
	j.take(boot.Event{Role: "tftp", Kind: boot.Progress, Time: start, MAC: mac, File: "a", Transfer: 1, Blocks: 7})
	j.take(boot.Event{Role: "tftp", Kind: boot.Progress, Time: start, MAC: mac, File: "a", Transfer: 1, Blocks: 9})
	if now, _ := json.Marshal(before); !bytes.Equal(text, now) {
		t.Errorf("a story changed in the hands of its reader:\n%s\n%s", text, now)
	}
}

func TestFollow(t *testing.T) {
	j := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	quick, slow := j.Follow(ctx), j.Follow(t.Context())
	for i := range followBuffer + 10 {
		j.take(discover(mac, start.Add(time.Duration(i)*time.Millisecond)))
		if u := <-quick; u.Event == nil || u.Story.MAC != mac || u.Missed != 0 || u.Story.Steps != nil {
			t.Fatalf("update %d: %+v", i, u)
		}
	}
	for range followBuffer {
		if u := <-slow; u.Missed != 0 {
			t.Fatalf("missed %d too early", u.Missed)
		}
	}
	j.take(discover(mac, start.Add(time.Second)))
	if u := <-slow; u.Missed != 10 {
		t.Errorf("a slow reader is told of %d lost updates, want 10", u.Missed)
	}
	cancel()
	for range quick { // closed when its context ends
	}
	j.take(discover(mac, start.Add(2*time.Second))) // and nothing is sent to it any more
	if u := <-slow; u.Missed != 0 {
		t.Errorf("told of %d lost updates twice", u.Missed)
	}
}

// Time alone moves a story: the tick is published, logged and counted.
func TestTickIsTold(t *testing.T) {
	var b bytes.Buffer
	now := start
	j := New(Config{Log: slog.New(slog.NewTextHandler(&b, nil)), Now: func() time.Time { return now }})
	updates := j.Follow(t.Context())
	j.take(discover(mac, start))
	<-updates
	now = start.Add(11 * time.Second)
	j.tick()
	if u := <-updates; u.Event != nil || u.Story.State != Stuck {
		t.Errorf("update %+v, want a stuck story", u)
	}
	id := j.Stories(Query{})[0].ID
	for _, want := range []string{"level=WARN", `msg="boot stuck"`, "mac=52:54:00:12:34:56", "boot=" + id, "where="} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the log has no %s: %s", want, b.String())
		}
	}
}

// TestLines asserts level and fields of log lines; a TFTP line carries the MAC that its story knows.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		ev   boot.Event
		want []string // none: no line at info
	}{
		{discover(mac, start), nil},
		{
			boot.Event{Role: "proxydhcp", Kind: boot.OfferSent, MAC: mac, XID: 1, If: "eth1", Arch: &bios, Reason: boot.Answered, Rule: "r", File: "a.0", Server: "boot1"},
			[]string{"level=INFO msg=offer", "role=proxydhcp", "if=eth1", "mac=52:54:00:12:34:56", "xid=00000001", "arch=bios(0)", "rule=r", "file=a.0", "server=boot1", "reason=answered"},
		},
		{boot.Event{Role: "proxydhcp", Kind: boot.RequestSeen, MAC: mac, IP: ip, XID: 1}, nil},
		{boot.Event{Role: "tftp", Kind: boot.ReadRequest, IP: ip, Peer: "10.10.0.90:2070", File: "a.0", Transfer: 1}, nil},
		{
			boot.Event{Role: "tftp", Kind: boot.TransferEnd, IP: ip, Peer: "10.10.0.90:2070", File: "a.0", Transfer: 1, Reason: boot.Done, Bytes: 9, Size: 9, Retransmits: 2, Dur: 1500 * time.Microsecond},
			[]string{"level=INFO msg=transfer-end", "role=tftp", "mac=52:54:00:12:34:56", "client=10.10.0.90:2070", "file=a.0", "bytes=9", "retransmits=2", "dur=1.5ms", "reason=done"},
		},
		{boot.Event{Role: "tftp", Kind: boot.TransferEnd, IP: ip, File: "a.0", Transfer: 2, Reason: boot.TsizeProbe}, nil},
		{
			boot.Event{Role: "tftp", Kind: boot.TransferEnd, IP: ip, File: "b\x1b[2J", Transfer: 3, Reason: boot.FileMissing, Detail: "no such file"},
			[]string{"level=WARN msg=transfer-end", `file=b\x1b[2J `, "reason=file-missing", `detail="no such file"`},
		},
		{boot.Event{Role: "proxydhcp", Kind: boot.Ignored, MAC: mac, XID: 1, Reason: boot.NotPXE}, nil},
		{boot.Event{Role: "proxydhcp", Kind: boot.Ignored, MAC: mac, XID: 1, Reason: boot.NetworkSilent}, nil},
		{boot.Event{Role: "proxydhcp", Kind: boot.Ignored, MAC: mac, XID: 1, Reason: boot.NoRule}, []string{"level=WARN msg=ignored", "reason=no-rule"}},
	} {
		t.Run(string(c.ev.Kind)+" "+string(c.ev.Reason), func(t *testing.T) {
			var b bytes.Buffer
			j := New(Config{Log: slog.New(slog.NewTextHandler(&b, nil))})
			j.take(discover(mac, start))
			j.take(boot.Event{Role: "proxydhcp", Kind: boot.RequestSeen, Time: start, MAC: mac, IP: ip, XID: 1})
			id := j.Stories(Query{})[0].ID
			c.ev.Time = start.Add(time.Second)
			j.take(c.ev)
			if len(c.want) == 0 {
				if b.Len() > 0 {
					t.Errorf("a line: %s", b.String())
				}
				return
			}
			for _, w := range append(c.want, "boot="+id) {
				if !strings.Contains(b.String(), w) {
					t.Errorf("no %s in: %s", w, b.String())
				}
			}
		})
	}
}

// A flood of one kind of line is held back, and how many is said.
func TestThrottle(t *testing.T) {
	var b bytes.Buffer
	now := start
	j := New(Config{Log: slog.New(slog.NewTextHandler(&b, nil)), Now: func() time.Time { return now }})
	for i := range 1000 {
		m := boot.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}
		j.take(discover(m, now))
		j.take(boot.Event{Role: "proxydhcp", Kind: boot.OfferSent, Time: now, MAC: m, XID: 1, Reason: boot.Answered, Server: "boot1"})
	}
	if n := strings.Count(b.String(), "msg=offer"); n != throttleLines {
		t.Errorf("%d lines, want %d", n, throttleLines)
	}
	now = now.Add(throttlePeriod)
	j.tick()
	if want := fmt.Sprintf("count=%d", 1000-throttleLines); !strings.Contains(b.String(), want) {
		t.Errorf("nothing says %s", want)
	}
	b.Reset()
	now = now.Add(35 * time.Second) // now all are stuck at once
	j.tick()
	if n := strings.Count(b.String(), "boot stuck"); n != throttleLines {
		t.Errorf("%d lines of stuck boots, want %d", n, throttleLines)
	}
	if len(j.log.seen) > 4 {
		t.Errorf("%d kinds of lines are remembered", len(j.log.seen))
	}
}

// A story survives the way to the command line and back.
func TestStoryJSON(t *testing.T) {
	p := play(t).offered(edk2, "a.efi", "boot1").asked4011("a.efi", "boot1").fetch(1, "a.efi")
	text, err := json.Marshal(p.one().Story)
	if err != nil {
		t.Fatal(err)
	}
	var back Story
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(back)
	if !bytes.Equal(text, again) {
		t.Errorf("it changed on the way:\n%s\n%s", text, again)
	}
	if back.MAC != mac || back.IP != ip || *back.Arch != x64 || back.Transfer.Percent() != 100 || len(back.Steps) != 9 {
		t.Errorf("it lost something: %s", again)
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		t    *Transfer
		want int
	}{
		{nil, -1},
		{&Transfer{}, -1},
		{&Transfer{Bytes: 5}, -1},
		{&Transfer{Bytes: 5, Size: 10}, 50},
		{&Transfer{Bytes: 50, Size: 10}, 100},
		{&Transfer{Blocks: 1, Total: 4}, 25},
		{&Transfer{Reason: boot.Done}, 100},
		{&Transfer{Bytes: 1 << 40, Size: 1 << 41}, 50},
	} {
		if got := c.t.Percent(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.t, got, c.want)
		}
	}
}
