package store

import "time"

// The lengths of the buckets that old measurements become.
const (
	Five = 5 * time.Minute
	Hour = time.Hour
)

// Bucket is what remains of the measurements of one test in [Start, Start+Step).
type Bucket struct {
	Start       time.Time
	Step        time.Duration
	Runs, Good  int
	Sum         time.Duration // of the response times of good runs
	Min, Max    time.Duration // absent and not 0 if no run was good
	First       time.Duration // the sum of the times to the first block, of good runs
	Bytes       int64
	Retransmits int64
	Cause       string // of the last failure
	Times       Sketch // of the response times of good runs
}

// Add counts a measurement in.
func (b *Bucket) Add(m Measurement) {
	b.Runs++
	b.Bytes += m.Bytes
	b.Retransmits += int64(m.Retransmits)
	if !m.Available {
		b.Cause = m.Cause
		return
	}
	if b.Good == 0 || m.Response < b.Min {
		b.Min = m.Response
	}
	b.Max = max(b.Max, m.Response)
	b.Good++
	b.Sum += m.Response
	b.First += m.FirstBlock
	b.Times.Add(m.Response)
}

// Merge counts another bucket in, which lies later.
func (b *Bucket) Merge(o *Bucket) {
	if o.Good > 0 {
		if b.Good == 0 || o.Min < b.Min {
			b.Min = o.Min
		}
		b.Max = max(b.Max, o.Max)
	}
	b.Runs += o.Runs
	b.Good += o.Good
	b.Sum += o.Sum
	b.First += o.First
	b.Bytes += o.Bytes
	b.Retransmits += o.Retransmits
	if o.Cause != "" {
		b.Cause = o.Cause
	}
	b.Times.Merge(o.Times)
}

// Availability is in percent; ok is false if nothing ran.
func (b *Bucket) Availability() (percent float64, ok bool) {
	if b.Runs == 0 {
		return 0, false
	}
	return 100 * float64(b.Good) / float64(b.Runs), true
}

// Quantile is the response time below which the share q of the good runs lies, within 2 percent;
// ok is false if none was good.
func (b *Bucket) Quantile(q float64) (d time.Duration, ok bool) {
	if b.Good == 0 {
		return 0, false
	}
	return min(max(b.Times.Quantile(q), b.Min), b.Max), true
}

// Align is the beginning of the step that a time lies in. Steps begin at multiples of themselves
// since 1970, in UTC, so that every reader cuts time in the same way.
func Align(t time.Time, step time.Duration) time.Time {
	ns := t.UnixNano()
	rest := ns % int64(step)
	if rest < 0 {
		rest += int64(step)
	}
	return time.Unix(0, ns-rest).UTC()
}

// Fold joins buckets, which are in order, into longer ones.
func Fold(list []Bucket, step time.Duration) []Bucket {
	var out []Bucket
	for i := range list {
		start := Align(list[i].Start, step)
		if len(out) == 0 || !out[len(out)-1].Start.Equal(start) {
			out = append(out, Bucket{Start: start, Step: step})
		}
		out[len(out)-1].Merge(&list[i])
	}
	return out
}
