package storm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"surefoot/internal/probe"
	"surefoot/internal/wire/tftp"
)

// sample is one download that ended.
type sample struct{ ended, took, first time.Duration }

// record is what a run has shown so far.
type record struct {
	samples  []sample // good downloads
	failures []sample
	bytes    int64 // of good downloads
	faults   []Failure
	tally    tally
	asked    int // clients that had to send a request again
	granted  []string
	elapsed  time.Duration

	lostSent, lostReceived int
}

func newRecord(cfg Config, want []byte) *record {
	r := new(record)
	if want != nil {
		r.samples = make([]sample, 0, min(cfg.total(), 1<<16))
	}
	return r
}

// add books a download that ended.
func (r *record) add(c *client) {
	r.tally.requests += c.tally.requests
	r.tally.resent += c.tally.resent
	r.tally.duplicates += c.tally.duplicates
	if c.tally.requests > 0 {
		r.asked++
	}
	if c.fault != nil {
		r.failures = append(r.failures, sample{ended: c.ended, took: c.ended - c.began})
		r.fail(c.fault)
		return
	}
	r.bytes += c.content.at
	r.samples = append(r.samples, sample{c.ended, c.ended - c.began, c.first})
	r.grant(c)
}

func (r *record) fail(f *probe.Fault) {
	i := slices.IndexFunc(r.faults, func(x Failure) bool { return x.Code == f.Code })
	if i < 0 {
		i = len(r.faults)
		r.faults = append(r.faults, Failure{Code: f.Code, Step: f.Step, Example: f.Text})
	}
	r.faults[i].Count++
}

// grant notes what options a kind of client got, once each.
func (r *record) grant(c *client) {
	if len(r.granted) >= 8 || len(r.samples) > 1000 {
		return
	}
	s := string(c.p.style) + ": "
	if len(c.granted) == 0 {
		s += "none"
	} else {
		s += tftp.FormatOptions(c.granted)
	}
	if !slices.Contains(r.granted, s) {
		r.granted = append(r.granted, s)
	}
}

func checkSum(b []byte, want string) error {
	if got := sumOf(b); want != "" && !strings.EqualFold(got, want) {
		return &probe.Fault{
			Step: probe.StepContent, Code: probe.WrongHash,
			Text: fmt.Sprintf("wrong content: sha256 is %s, expected %s", got, strings.ToLower(want)),
		}
	}
	return nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
