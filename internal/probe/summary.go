package probe

import (
	"context"
	"slices"
	"time"
)

// Run downloads by the target's scheme.
func Run(ctx context.Context, t Target, o Options) Result {
	if t.Scheme == "http" {
		return HTTP(ctx, t, o)
	}
	return TFTP(ctx, t, o)
}

// Summary is what several downloads of one target amount to. The times are absent if none
// succeeded.
type Summary struct {
	Target       string        `json:"target"`
	Count        int           `json:"count"`
	Succeeded    int           `json:"succeeded"`
	Availability float64       `json:"availability"` // percent
	Min          time.Duration `json:"response_min_ns,omitempty"`
	Median       time.Duration `json:"response_median_ns,omitempty"`
	Max          time.Duration `json:"response_max_ns,omitempty"`
	Retransmits  int           `json:"retransmits"`
	Faults       map[Code]int  `json:"faults,omitempty"`
}

// Summarize adds results up.
func Summarize(results []Result) Summary {
	s := Summary{Count: len(results)}
	var times []time.Duration
	for _, r := range results {
		s.Target = r.Target
		s.Retransmits += r.Retransmits
		if r.Available {
			times = append(times, r.Response)
		}
		if r.Fault != nil {
			if s.Faults == nil {
				s.Faults = map[Code]int{}
			}
			s.Faults[r.Fault.Code]++
		}
	}
	s.Succeeded = len(times)
	if s.Count > 0 {
		s.Availability = 100 * float64(s.Succeeded) / float64(s.Count)
	}
	if len(times) > 0 {
		slices.Sort(times)
		mid := len(times) / 2
		s.Min, s.Median, s.Max = times[0], times[mid], times[len(times)-1]
		if len(times)%2 == 0 {
			s.Median = (times[mid-1] + times[mid]) / 2
		}
	}
	return s
}
