package storm

import (
	"cmp"
	"slices"
	"time"
)

// mostPoints is as much as a picture can show.
const mostPoints = 500

// points thins what happened out to what a picture can show. It sorts what it is given.
func points(begun []time.Duration, done, failed []sample) []Point {
	byEnd := func(a, b sample) int { return cmp.Compare(a.ended, b.ended) }
	slices.Sort(begun)
	slices.SortFunc(done, byEnd)
	slices.SortFunc(failed, byEnd)
	all := len(begun) + len(done) + len(failed)
	every := max(1, (all+mostPoints-1)/mostPoints)
	var out []Point
	var p Point
	for i := range all {
		// What happened next; at the same time a begin comes first, so that nothing ends before it began.
		switch b, d, f := first(begun, p.Begun), firstEnd(done, p.Done), firstEnd(failed, p.Failed); {
		case b <= d && b <= f:
			p.At, p.Begun = b, p.Begun+1
		case d <= f:
			p.At, p.Done = d, p.Done+1
		default:
			p.At, p.Failed = f, p.Failed+1
		}
		if (i+1)%every == 0 || i == 0 || i == all-1 {
			out = append(out, p)
		}
	}
	return out
}

const never = time.Duration(1<<63 - 1)

func first(all []time.Duration, i int) time.Duration {
	if i >= len(all) {
		return never
	}
	return all[i]
}

func firstEnd(all []sample, i int) time.Duration {
	if i >= len(all) {
		return never
	}
	return all[i].ended
}
