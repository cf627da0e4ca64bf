package watch

import (
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// Result is what one run of a test measured. Times are absent (zero) where there was nothing to
// measure: a server that does not deliver has no response time, not one of 0 s (F36).
type Result struct {
	Test         string        `json:"test"`
	Server       string        `json:"server,omitempty"`
	File         string        `json:"file,omitempty"`
	Time         time.Time     `json:"time"`
	Availability int           `json:"availability"` // 100 or 0 percent
	Response     time.Duration `json:"response_ns,omitempty"`
	FirstBlock   time.Duration `json:"first_block_ns,omitempty"`
	Bytes        int64         `json:"bytes"`
	SHA256       string        `json:"sha256,omitempty"`
	Retransmits  int           `json:"retransmits"`
	Step         probe.Step    `json:"step,omitempty"` // of a bad one: where it failed,
	Code         probe.Code    `json:"code,omitempty"` // what that is called,
	Cause        string        `json:"cause,omitempty"`
	Hints        []string      `json:"hints,omitempty"`
	// Verdict says whether it tells anything of the server: a fault of this machine does not.
	Verdict   bool       `json:"verdict"`
	Diagnosis *Diagnosed `json:"diagnosis,omitempty"` // of runs that were kept whole
}

// Good reports whether the file came, and is the right one.
func (r *Result) Good() bool { return r.Availability == 100 }

func newResult(t *Test, start time.Time, p *probe.Result) Result {
	r := Result{
		Test: t.Name, Server: t.Server, File: t.File, Time: start, Availability: p.Availability,
		Response: p.Response, FirstBlock: p.FirstBlock, Bytes: p.Size, SHA256: p.SHA256, Retransmits: p.Retransmits, Verdict: true,
	}
	if f := p.Fault; f != nil {
		r.Response, r.FirstBlock = 0, 0
		r.Step, r.Code, r.Cause, r.Hints = f.Step, f.Code, f.Text, f.Hint
		r.Verdict = f.Code != probe.LocalError && f.Code != probe.Interrupted
	}
	return r
}

// Change is what became of a server for a file, of a test that steers nothing, or of a drain.
type Change struct {
	Time   time.Time     `json:"time"`
	Test   string        `json:"test,omitempty"`
	Server string        `json:"server,omitempty"`
	File   string        `json:"file,omitempty"`
	By     boot.Protocol `json:"by,omitempty"`
	From   health.Status `json:"from,omitempty"`
	To     health.Status `json:"to,omitempty"` // both absent: a drain
	Reason boot.Reason   `json:"reason"`
	Text   string        `json:"text"`
}

// Sample is a result as it is kept for a line of many.
type Sample struct {
	Time     time.Time     `json:"time"`
	Good     bool          `json:"good"`
	Response time.Duration `json:"response_ns,omitempty"`
}

// sample is a Sample in eight bytes: ten thousand tests keep three million of them.
type sample struct {
	at uint32 // seconds since 1970
	us uint32 // response in microseconds; bad: a failure
}

const bad = ^uint32(0)

func pack(r *Result) sample {
	s := sample{at: uint32(r.Time.Unix()), us: bad}
	if r.Good() {
		s.us = uint32(min(r.Response/time.Microsecond, time.Duration(bad-1)))
	}
	return s
}

func (s sample) open() Sample {
	out := Sample{Time: time.Unix(int64(s.at), 0), Good: s.us != bad}
	if out.Good {
		out.Response = time.Duration(s.us) * time.Microsecond
	}
	return out
}

// keep is how many samples a test remembers: an hour at the usual period.
const keep = 360

// ring holds the last samples.
type ring struct {
	buf  []sample
	next int // where the next one goes, once the ring is full
	good int // among them
}

func (r *ring) add(s sample) {
	if s.us != bad {
		r.good++
	}
	if len(r.buf) < keep {
		r.buf = append(r.buf, s)
		return
	}
	if r.buf[r.next].us != bad {
		r.good--
	}
	r.buf[r.next] = s
	r.next = (r.next + 1) % keep
}

// last returns up to n samples, the oldest first.
func (r *ring) last(n int) []Sample {
	n = min(n, len(r.buf))
	out := make([]Sample, 0, n)
	for i := len(r.buf) - n; i < len(r.buf); i++ {
		out = append(out, r.buf[(r.next+i)%len(r.buf)].open())
	}
	return out
}
