package chart

import (
	"html"
	"strings"
	"time"
)

// unknown marks where nothing ran, for longer than one step.
func (d *courseDrawing) unknown() {
	mark := func(from, to time.Time) {
		x0, x1 := d.x(from), d.x(to)
		if x1-x0 < 1 {
			return
		}
		d.path("none", "p-none", box(x0, courseStrip, x1, courseStrip+stripH)+box(x0, d.respTop, x1, d.end))
		d.word(x0, x1, 52, "no data")
	}
	if len(d.Runs) == 0 {
		mark(d.Since, d.Until)
		return
	}
	n := len(d.Runs) - 1
	step := min(d.Runs[0].To.Sub(d.Runs[0].From), d.Runs[n].To.Sub(d.Runs[n].From))
	last := d.Since
	for i, r := range d.Runs {
		if gap := r.From.Sub(last); i > 0 && gap > 0 || gap >= step {
			mark(last, r.From)
		}
		last = r.To
	}
	if d.Until.Sub(last) >= step {
		mark(last, d.Until)
	}
}

// word writes what a piece of the lower part is, if it fits.
func (d *courseDrawing) word(x0, x1, room float64, s string) {
	if x1-x0 >= room {
		d.text((x0+x1)/2, d.respTop+responseH/2+4, middle, "word", s)
	}
}

// strip draws the share of good runs from below, and that of the bad ones from above.
func (d *courseDrawing) strip() {
	const base = courseStrip + stripH
	var good, bad, down steps
	for _, r := range d.Runs {
		x0, x1 := d.x(r.From), d.x(r.To)
		share := float64(r.All-r.Good) / float64(max(r.All, 1)) * stripH
		if r.Good < r.All {
			share = min(max(share, leastBad), stripH)
			bad.add(x0, x1, courseStrip, courseStrip+share)
		}
		if r.Good > 0 {
			good.add(x0, x1, courseStrip+min(share, stripH-leastBad), base)
		} else if r.All > 0 {
			down.add(x0, x1, d.respTop, d.end)
		}
	}
	d.path("ok", "", good.area())
	d.path("bad", "p-bad", bad.area())
	d.path("down", "p-bad", down.area())
	for _, p := range down.pieces {
		d.word(p[0].x0, p[len(p)-1].x1, 36, "down")
	}
}

func (d *courseDrawing) drained() {
	if len(d.Drained) == 0 {
		return
	}
	const top = courseStrip + stripH + 4
	d.text(courseLeft-6, top+drainH-5, end, "tick", "drained")
	var data strings.Builder
	for _, s := range d.Drained {
		x := d.x(s.From)
		data.WriteString(box(x, top, max(d.x(s.To), x+2), top+drainH-4))
	}
	d.path("drained", "p-drained", data.String())
}

// response draws from the fastest to the slowest as a band, and the mean as a line. Where no run
// was good there is neither (F36).
func (d *courseDrawing) response() {
	var band, mean, cut steps
	for _, r := range d.Runs {
		if r.Good == 0 {
			continue
		}
		x0, x1 := d.x(r.From), d.x(r.To)
		y := func(v time.Duration) float64 { return d.y(d.unit.of(v)) }
		band.add(x0, x1, y(r.Most), y(r.Least))
		mean.add(x0, x1, y(r.Mean), d.end)
		if d.unit.of(r.Most) > d.top {
			cut.add(x0, x1, d.respTop, d.end)
		}
	}
	d.path("band", "", band.area())
	d.path("mean", "", mean.line())
	var data strings.Builder
	for _, p := range cut.pieces {
		x := (p[0].x0 + p[len(p)-1].x1) / 2
		data.WriteString("M" + px(x-4) + " " + px(d.respTop+7) + "L" + px(x) + " " + px(d.respTop) + "L" + px(x+4) + " " + px(d.respTop+7) + "Z")
	}
	d.path("cut", "", data.String())
}

// tips says what there is at each place, when it is pointed at.
func (d *courseDrawing) tips() {
	for i, each := 0, (len(d.Runs)+tips-1)/tips; i < len(d.Runs); i += each {
		all := d.Runs[i]
		for _, r := range d.Runs[i+1 : min(i+each, len(d.Runs))] {
			all = all.join(r)
		}
		x0, x1 := d.x(all.From), d.x(all.To)
		d.printf("<rect class=\"tip\" x=\"%s\" y=\"%d\" width=\"%s\" height=\"%s\"><title>%s</title></rect>\n",
			px(x0), courseStrip, px(max(x1-x0, 1)), px(d.end-courseStrip), html.EscapeString(all.words(d.Since.Location())))
	}
}
