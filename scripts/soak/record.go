package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"surefoot/internal/chart"
	"surefoot/internal/storm"
)

// record is what all rounds have shown.
type record struct {
	want, downloads int // in all, and in a round
	clients         int // each round has others
	done, failed    int
	causes          []storm.Failure
	rounds          []sample
	ends            []int     // downloads done and failed at the end of each round
	rates           []float64 // downloads a second
	before, after   sample
	elapsed         time.Duration
}

func (r *record) add(res *storm.Result, now sample) {
	r.done, r.failed = r.done+res.Done, r.failed+res.Failed
	for _, f := range res.Failures {
		i := slices.IndexFunc(r.causes, func(x storm.Failure) bool { return x.Code == f.Code })
		if i < 0 {
			r.causes = append(r.causes, f)
			continue
		}
		r.causes[i].Count += f.Count
	}
	r.rounds = append(r.rounds, now)
	r.ends = append(r.ends, r.done+r.failed)
	r.rates = append(r.rates, res.DownloadsPerSecond)
}

const heading = "round      done   failed   /s   RSS MiB  heap MiB  goroutines  descriptors   time left"

func (r *record) line(left time.Duration) string {
	n := len(r.rounds)
	s := r.rounds[n-1]
	return fmt.Sprintf("%5d %9d %8d %4.0f %9.1f %9.1f %11d %12d %11s", n, r.done, r.failed, r.rates[n-1], s.rss/mib, s.heap/mib, s.goroutines, s.descriptors, left.Round(time.Second))
}

// addresses are those that the clients of a round come from: others in each, as a site has many
// machines, so that the journal has to forget some.
func addresses(round int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 1 + byte(round%200), 0, 1}), 16)
}

// draw shows the server's memory over the downloads.
func (r *record) draw(file string) error {
	c := &chart.Chart{
		Title: fmt.Sprintf("Memory of surefoot serve over %d downloads of %d KiB", r.done+r.failed, fileSize>>10),
		X:     chart.Axis{Label: "thousands of downloads"}, Y: chart.Axis{Label: "MiB"},
		Key: []chart.Entry{{Look: chart.First, Dashes: chart.First, Text: "resident memory"}, {Look: chart.Second, Dashes: chart.Second, Text: "heap in use"}},
	}
	rss, heap := []chart.Point{{Y: r.before.rss / mib}}, []chart.Point{{Y: r.before.heap / mib}}
	for i, s := range r.rounds {
		x := float64(r.ends[i]) / 1000
		rss, heap = append(rss, chart.Point{X: x, Y: s.rss / mib}), append(heap, chart.Point{X: x, Y: s.heap / mib})
		c.X.Most, c.Y.Most = x, max(c.Y.Most, s.rss/mib)
	}
	c.Lines = []chart.Line{{Look: chart.First, Dashes: chart.First, Points: rss}, {Look: chart.Second, Dashes: chart.Second, Points: heap}}
	b := c.SVG()
	if filepath.Ext(file) == ".png" {
		var err error
		if b, err = c.PNG(); err != nil {
			return err
		}
	}
	return os.WriteFile(file, b, 0o644)
}
