package storm

import (
	"cmp"
	"slices"
	"time"

	"surefoot/internal/probe"
)

// Result is what a run showed. Times are of downloads that succeeded, and absent (zero) when there
// was none.
type Result struct {
	Target    string        `json:"target"`
	Start     time.Time     `json:"start"`
	Clients   int           `json:"clients"`
	As        []probe.Style `json:"as"`
	Arrive    string        `json:"arrive"`
	Loss      float64       `json:"loss"` // of the packets, each way: 0.01 is 1 %
	Window    int           `json:"window,omitempty"`
	BlockSize int           `json:"blksize,omitempty"`
	Seed      uint64        `json:"seed"`
	Size      int64         `json:"size"` // of the file, bytes
	SHA256    string        `json:"sha256"`
	Granted   []string      `json:"granted"` // options, for each kind of client

	Elapsed     time.Duration `json:"elapsed_ns"`
	Interrupted bool          `json:"interrupted,omitempty"`
	Begun       int           `json:"begun"`
	Done        int           `json:"done"`
	Failed      int           `json:"failed"`
	Unfinished  int           `json:"unfinished,omitempty"` // under way when the run was interrupted
	Failures    []Failure     `json:"failures,omitempty"`   // the most frequent first

	DownloadsPerSecond float64     `json:"downloads_per_second"`
	BytesPerSecond     float64     `json:"bytes_per_second"` // of verified content
	Time               Percentiles `json:"time"`             // of a download
	FirstBlock         Percentiles `json:"first_block"`      // from its request to its first data

	RequestTimeouts int `json:"request_timeouts"` // requests sent again
	RequestsLost    int `json:"requests_lost"`    // downloads whose first request stayed unanswered for too long
	Retransmits     int `json:"retransmits"`      // packets sent again, requests among them
	Duplicates      int `json:"duplicates"`       // blocks that came more than once or out of turn
	LostSent        int `json:"lost_sent"`        // packets that the loss took, on their way out
	LostReceived    int `json:"lost_received"`    // on their way in

	CPU      time.Duration `json:"cpu_ns"`   // of the generator
	Busy     float64       `json:"busy"`     // share of the time that the generator's thread had work: near 1, it is the limit
	Progress []Point       `json:"progress"` // downloads over time
	Meaning  []string      `json:"meaning"`  // in plain words
}

// Failure is a cause of failed downloads.
type Failure struct {
	Code    probe.Code `json:"code"`
	Step    probe.Step `json:"step"`
	Count   int        `json:"count"`
	Example string     `json:"example"` // the evidence of the first one
}

// Point says how many downloads had begun, were done and had failed after a time.
type Point struct {
	At     time.Duration `json:"at_ns"`
	Begun  int           `json:"begun"`
	Done   int           `json:"done"`
	Failed int           `json:"failed,omitempty"`
}

// Percentiles of a time: half of the downloads took P50 or less.
type Percentiles struct {
	P50 time.Duration `json:"p50_ns,omitempty"`
	P90 time.Duration `json:"p90_ns,omitempty"`
	P99 time.Duration `json:"p99_ns,omitempty"`
	Max time.Duration `json:"max_ns,omitempty"`
}

// percentiles sorts the times and takes the nearest rank: the smallest time within which at least so
// many percent lie.
func percentiles(times []time.Duration) Percentiles {
	if len(times) == 0 {
		return Percentiles{}
	}
	slices.Sort(times)
	at := func(percent int) time.Duration { return times[(len(times)*percent+99)/100-1] }
	return Percentiles{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

func (r *runner) result() *Result {
	l := r.log
	res := &Result{
		Start: r.start, Clients: r.cfg.Clients, As: r.cfg.As, Arrive: r.cfg.Arrive.String(), Loss: r.cfg.Loss,
		Window: r.cfg.Window, BlockSize: r.cfg.BlockSize, Seed: r.cfg.Seed, Granted: l.granted,
		Begun: r.begun, Done: len(l.samples), Failed: len(l.failures), Unfinished: r.running(), Failures: l.faults,
		RequestTimeouts: l.tally.requests, RequestsLost: l.asked, Retransmits: l.tally.resent, Duplicates: l.tally.duplicates,
		LostSent: l.lostSent, LostReceived: l.lostReceived, Elapsed: l.elapsed,
	}
	slices.SortStableFunc(res.Failures, func(a, b Failure) int { return cmp.Compare(b.Count, a.Count) })
	if s := l.elapsed.Seconds(); s > 0 {
		res.DownloadsPerSecond, res.BytesPerSecond = float64(res.Done)/s, float64(l.bytes)/s
		res.Busy = 1 - r.idle.Seconds()/s
	}
	var took, first []time.Duration
	for _, x := range l.samples {
		took, first = append(took, x.took), append(first, x.first)
	}
	res.Time, res.FirstBlock = percentiles(took), percentiles(first)
	res.Progress = points(r.starts(), l.samples, l.failures)
	return res
}

// starts are when downloads began, those that are still under way among them.
func (r *runner) starts() []time.Duration {
	out := make([]time.Duration, 0, r.begun)
	for _, all := range [][]sample{r.log.samples, r.log.failures} {
		for _, x := range all {
			out = append(out, x.ended-x.took)
		}
	}
	for i := range r.slots {
		if s := &r.slots[i]; s.busy {
			out = append(out, s.client.began)
		}
	}
	return out
}
