package transfers

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// Query chooses records. Zero fields choose all.
type Query struct {
	Is     func(boot.MAC, netip.Addr) bool // the client; nil: any
	File   string                          // part of the name, asked for or found, in any case
	Failed bool                            // what failed or stands still
	Limit  int                             // records of each list
	Top    int                             // talkers of each kind
}

// Report is what a board knows at a moment. Fields are only ever added.
type Report struct {
	Now      time.Time `json:"now"`
	Since    time.Time `json:"since"` // everything counts since then
	Running  int       `json:"running"`
	Stalled  int       `json:"stalled"` // of the running ones
	Waiting  int       `json:"waiting"` // for a place, besides those
	Minute   Rates     `json:"last_minute"`
	Totals   Totals    `json:"totals"`
	Live     []Record  `json:"live"`          // those that stand still in front, then the oldest
	Matching int       `json:"live_matching"` // how many live ones there are, where Limit cuts the list
	Last     []Record  `json:"last"`          // that ended, the newest in front
	Failures []Record  `json:"failures"`      // those of them that failed
	Talkers  []Window  `json:"talkers"`
	Missed   uint64    `json:"missed_events"` // that the journal had no room for: none of this knows of them
}

// Report answers a query. Talkers and totals are of all clients and files.
func (b *Board) Report(now time.Time, q Query) Report {
	r := Report{Now: now, Since: b.since, Minute: b.pace.rates(now), Totals: b.totals.snapshot(), Talkers: b.talkers.windows(q.Top)}
	r.Running, r.Stalled, r.Waiting = b.Counts()
	q.File = strings.ToLower(q.File)

	var live []*entry
	for _, e := range b.live {
		if q.chooses(e) && (!q.Failed || e.state(now) != Running) {
			live = append(live, e)
		}
	}
	slices.SortFunc(live, func(a, b *entry) int {
		return cmp.Or(
			cmp.Compare(urgency(b, now), urgency(a, now)), a.stalled.Compare(b.stalled),
			a.Began.Compare(b.Began), cmp.Compare(a.Transfer, b.Transfer),
		)
	})
	r.Matching, r.Live = len(live), q.records(live, now)

	var last, failed []*entry
	for why, ring := range b.ended {
		for _, e := range ring.all {
			if !q.chooses(e) {
				continue
			}
			if !why.Good() {
				failed = append(failed, e)
			}
			if !q.Failed || !why.Good() {
				last = append(last, e)
			}
		}
	}
	newest := func(a, b *entry) int {
		return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(b.Transfer, a.Transfer))
	}
	slices.SortFunc(last, newest)
	slices.SortFunc(failed, newest)
	r.Last, r.Failures = q.records(last, now), q.records(failed, now)
	return r
}

// urgency orders live transfers: what stands still comes first, what waits for a place last.
func urgency(e *entry, now time.Time) int {
	switch e.state(now) {
	case Stalled:
		return 2
	case Opening:
		return 1
	case Waiting:
		return -1
	}
	return 0
}

func (q *Query) chooses(e *entry) bool {
	if q.Is != nil && !q.Is(e.MAC, e.IP) {
		return false
	}
	return q.File == "" || strings.Contains(strings.ToLower(e.Asked), q.File) || strings.Contains(strings.ToLower(e.File), q.File)
}

// records makes the list that is handed out.
func (q *Query) records(from []*entry, now time.Time) []Record {
	if q.Limit > 0 && len(from) > q.Limit {
		from = from[:q.Limit]
	}
	out := make([]Record, len(from))
	for i, e := range from {
		out[i] = e.record(now)
	}
	return out
}

// Clients calls each for every client that the report names, to fill in what is known of it.
func (r *Report) Clients(each func(ip netip.Addr, mac *boot.MAC, name *string)) {
	for _, list := range [][]Record{r.Live, r.Last, r.Failures} {
		for i := range list {
			each(list[i].IP, &list[i].MAC, &list[i].Name)
		}
	}
	for _, w := range r.Talkers {
		for i := range w.Clients {
			t := &w.Clients[i]
			each(t.IP, &t.MAC, &t.Name)
		}
	}
}
