package storm

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"time"
)

// Line is one run in a picture.
type Line struct {
	Name   string
	Result *Result
}

// The picture, in pixels: the plot and what stands around it.
const (
	width, height            = 860, 480
	left, right, top, bottom = 72, 30, 84, 56
	plotW, plotH             = width - left - right, height - top - bottom
)

// svgStyle is readable in light and dark; lines differ in their dashes too, since no meaning is in a
// colour alone.
const svgStyle = `<style>
svg { background: #ffffff; font-family: system-ui, sans-serif; font-size: 13px; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.quiet { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.axis { stroke: #59636e; stroke-width: 1 }
path { fill: none }
.run { stroke-width: 2; stroke-linejoin: round }
.run0 { stroke: #0550ae }
.run1 { stroke: #bc4c00; stroke-dasharray: 7 4 }
.run2 { stroke: #1a7f37; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; fill: #e6edf3 }
.quiet { fill: #9198a1 }
.grid { stroke: #30363d }
.axis { stroke: #9198a1 }
.run0 { stroke: #79c0ff }
.run1 { stroke: #ffa657 }
.run2 { stroke: #7ee787 }
}
</style>
`

// SVG draws downloads done over time, a line for each run; the first one names the picture.
func SVG(lines []Line) []byte {
	var p picture
	var end time.Duration
	most := 1
	for _, l := range lines {
		most = max(most, l.Result.Begun)
		end = max(end, l.Result.Elapsed)
	}
	unit, unitName := time.Second, "seconds"
	if end < 2*time.Second {
		unit, unitName = time.Millisecond, "milliseconds"
	}
	p.x = newScale(max(float64(end)/float64(unit), 1e-3), plotW)
	p.x.most = max(float64(end)/float64(unit), 1e-3) // the line reaches the edge
	p.y = newScale(float64(most), plotH)
	p.y.step = max(p.y.step, 1) // no half downloads
	p.unit = float64(unit)
	p.begin(lines)
	p.axes(unitName)
	for i, l := range lines {
		p.line(i, l.Result)
	}
	p.add("</svg>\n")
	return []byte(p.String())
}

// picture is an SVG in the making.
type picture struct {
	strings.Builder
	x, y scale
	unit float64 // nanoseconds of one unit of the x axis
}

func (p *picture) add(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *picture) text(x, y float64, class, anchor, s string) {
	p.add("<text x=\"%s\" y=\"%s\" class=\"%s\" text-anchor=\"%s\">%s</text>\n", px(x), px(y), class, anchor, html.EscapeString(s))
}

// begin writes the head, the title and what each line stands for.
func (p *picture) begin(lines []Line) {
	title := "downloads done over time"
	if len(lines) > 0 {
		title = "Downloads of " + shorten(lines[0].Result.Target, 80)
	}
	p.add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n", width, height, width, height)
	p.add("<title>%s</title>\n%s", html.EscapeString(title), svgStyle)
	p.text(left, 24, "title", "start", title)
	for i, l := range lines {
		y := 45 + 17*float64(i)
		p.add("<path class=\"run run%d\" d=\"M%d %sh28\"/>\n", i%3, left, px(y-4))
		p.text(left+36, y, "", "start", l.Name+": "+caption(l.Result))
	}
}

func caption(r *Result) string {
	s := fmt.Sprintf("%d clients, %d done", r.Clients, r.Done)
	if r.Failed > 0 {
		s += fmt.Sprintf(", %d failed", r.Failed)
	}
	return s + fmt.Sprintf(" in %.2f s, %.1f MB/s, p50 %s, p99 %s", r.Elapsed.Seconds(), r.BytesPerSecond/1e6, rounded(r.Time.P50), rounded(r.Time.P99))
}

// rounded writes a time with three digits.
func rounded(d time.Duration) string {
	if d >= time.Second {
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'g', 3, 64) + " ms"
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func (p *picture) axes(unitName string) {
	for v := 0.0; v <= p.y.most*1.0001; v += p.y.step {
		y := top + plotH - p.y.at(v)
		p.add("<path class=\"grid\" d=\"M%d %sh%d\"/>\n", left, px(y), plotW)
		p.text(left-8, y+4, "quiet", "end", tickText(v))
	}
	for v := 0.0; v <= p.x.most*1.0001; v += p.x.step {
		x := left + p.x.at(v)
		p.add("<path class=\"axis\" d=\"M%s %dv5\"/>\n", px(x), top+plotH)
		p.text(x, top+plotH+20, "quiet", "middle", tickText(v))
	}
	p.add("<path class=\"axis\" d=\"M%d %dv%dh%d\"/>\n", left, top, plotH, plotW)
	p.text(left+plotW/2, height-14, "quiet", "middle", unitName+" since the first client asked")
	p.add("<text transform=\"translate(18 %d) rotate(-90)\" class=\"quiet\" text-anchor=\"middle\">downloads done</text>\n", top+plotH/2)
}

// line draws a run as stairs, since a download is done or is not.
func (p *picture) line(i int, r *Result) {
	d := &strings.Builder{}
	fmt.Fprintf(d, "M%s %s", px(left), px(top+plotH))
	for _, pt := range r.Progress {
		fmt.Fprintf(d, "H%sV%s", px(left+p.x.at(float64(pt.At)/p.unit)), px(top+plotH-p.y.at(float64(pt.Done))))
	}
	fmt.Fprintf(d, "H%s", px(left+p.x.at(float64(r.Elapsed)/p.unit)))
	p.add("<path class=\"run run%d\" d=\"%s\"/>\n", i%3, d)
}

// px writes a coordinate with one decimal.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func tickText(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) }

// scale puts values from 0 to most on an axis of so many pixels, with a mark every step.
type scale struct{ most, step, pixels float64 }

// newScale chooses marks of 1, 2 or 5 times a power of ten, about five to ten of them, and ends the
// axis at one.
func newScale(most, pixels float64) scale {
	power := math.Pow(10, math.Floor(math.Log10(most)))
	step := power
	switch n := most / power; {
	case n <= 2:
		step = power / 5
	case n <= 5:
		step = power / 2
	}
	return scale{most: math.Ceil(most/step-1e-9) * step, step: step, pixels: pixels}
}

func (s scale) at(v float64) float64 { return v / s.most * s.pixels }
