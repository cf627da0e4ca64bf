package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/journal/transfers"
)

func TestTransfers(t *testing.T) {
	path := socketPath(t)
	n := start(t, Config{Socket: path, Status: loopback})
	demoBoots(n.journal.Emit, time.Now(), "undionly.kpxe")
	n.told(t)
	c := Dial(path)
	all, err := c.Transfers(t.Context(), journal.TransferQuery{})
	if err != nil || all.Limits.MaxTransfers != 4096 || all.Running != 2 || all.Stalled != 1 || all.Totals.SizeQueries != 1 || all.Totals.Failed != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if r := all.Live[0]; r.State != transfers.Stalled || r.File != "ARDBP32.BIN" || r.MAC.IsZero() || !strings.HasPrefix(r.Where, "no ACK of block 121 of 205 since ") {
		t.Errorf("%+v", r)
	}
	some, err := c.Transfers(t.Context(), journal.TransferQuery{Client: all.Live[0].MAC.String(), File: "ardbp", Failed: true, Limit: 1, Top: 1})
	if err != nil || len(some.Live) != 1 || len(some.Last) != 0 || len(some.Talkers[0].Clients) != 1 {
		t.Errorf("%+v, %v", some, err)
	}
	for _, bad := range []string{"limit=0", "limit=x", "top=10001"} {
		if w := get(t, n.guard(n.pages()), "GET", "/api/v1/tftp?"+bad); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	var doc map[string]any
	w := get(t, n.guard(n.pages()), "GET", "/api/v1/tftp?failed")
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Fatal(err)
	}
	for _, key := range []string{"limits", "now", "since", "running", "stalled", "last_minute", "totals", "live", "last", "failures", "talkers", "missed_events"} {
		if doc[key] == nil {
			t.Errorf("the answer has no %s", key)
		}
	}
	page := get(t, n.guard(n.pages()), "GET", "/").Body.String()
	for _, want := range []string{"2 running of at most 4096", "1 stalled", "<b>stalled</b>: no ACK of block 121 of 205", `<progress max="100" value="58">`, "Busiest clients", "block 300 of 711"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestDescribeStall(t *testing.T) {
	ev := boot.Event{Kind: boot.Stalled, File: "a.0", PauseAt: 17, Pause: 1234 * time.Millisecond, Bytes: 8192, Size: 100000}
	if got := Describe(ev); got != "no ACK of block 17 of a.0 for 1.2s, 8 KB of 100 KB" {
		t.Error(got)
	}
	ev.PauseAt = 0
	if got := Describe(ev); !strings.HasPrefix(got, "no ACK of its options of a.0") {
		t.Error(got)
	}
}
