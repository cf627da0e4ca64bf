package probe

import (
	"encoding/json"
	"time"
)

// Timing says how long each block of a download was waited for, as a histogram: a server whose
// blocks mostly come in a millisecond and some in a second repeats what was lost.
type Timing struct {
	Counts [timingBuckets]int64 // of waits shorter than the bucket's limit and not than the one before
	Most   time.Duration        // the longest wait
}

// timingBuckets is how many there are: powers of four from 64 us, and the last without a limit.
const timingBuckets = 10

// Limit is the end of a bucket, 0 if it has none.
func (t *Timing) Limit(bucket int) time.Duration {
	if bucket >= timingBuckets-1 {
		return 0
	}
	return 64 * time.Microsecond << (2 * bucket)
}

func (t *Timing) add(wait time.Duration) {
	i := 0
	for i < timingBuckets-1 && wait >= t.Limit(i) {
		i++
	}
	t.Counts[i]++
	t.Most = max(t.Most, wait)
}

// timingBucket is how a bucket is written.
type timingBucket struct {
	Below time.Duration `json:"below_ns,omitempty"` // absent: no limit
	Count int64         `json:"count"`
}

type timingJSON struct {
	Buckets []timingBucket `json:"buckets"`
	Most    time.Duration  `json:"most_ns"`
}

// MarshalJSON writes each bucket with its limit.
func (t *Timing) MarshalJSON() ([]byte, error) {
	out := timingJSON{Most: t.Most}
	for i, n := range t.Counts {
		out.Buckets = append(out.Buckets, timingBucket{t.Limit(i), n})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Timing) UnmarshalJSON(b []byte) error {
	var in timingJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	t.Most = in.Most
	for i := range min(len(in.Buckets), timingBuckets) {
		t.Counts[i] = in.Buckets[i].Count
	}
	return nil
}
