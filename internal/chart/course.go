package chart

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// Course is how something went over a time: above, which share of its runs was good; below, how long
// the good ones took. It is written for a page whose style sheet has its classes and whose body has
// CoursePatterns.
type Course struct {
	Title, Text  string    // for those who do not see it
	Since, Until time.Time // the axis is labelled in the zone of Since
	Runs         []Runs    // in order; where nothing ran there is none
	Drained      []Span
}

// Runs are those that began in [From, To).
type Runs struct {
	From, To          time.Time
	All, Good         int
	Least, Mean, Most time.Duration // of the good ones: where there is none, none is drawn
	Note              string        // why the others failed
}

// Span is a piece of time.
type Span struct{ From, To time.Time }

// The picture, in pixels: the strip of what was good, below it the drained spans if there are any,
// and the response times.
const (
	courseW, courseLeft, courseRight = 760, 62, 10
	courseStrip, stripH              = 18, 40
	drainH                           = 15
	responseH                        = 92
	leastBad                         = 5.0 // pixels: one failure of thousands is seen, too
	tips                             = 96  // places that say something when pointed at
)

// CoursePatterns are the hatches of all courses of a page. What is down is crossed out, what is drained
// has bars and what is not known has dots: no meaning is in a colour alone.
const CoursePatterns = `<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>
<pattern id="p-bad" width="6" height="6" patternUnits="userSpaceOnUse"><path class="p-ground" d="M0 0H6V6H0Z"/><path class="p-bad" d="M-1 1L1 -1M0 6L6 0M5 7L7 5M-1 5L1 7M0 0L6 6M5 -1L7 1"/></pattern>
<pattern id="p-drained" width="5" height="5" patternUnits="userSpaceOnUse"><path class="p-drained" d="M2.5 0V5"/></pattern>
<pattern id="p-none" width="6" height="6" patternUnits="userSpaceOnUse"><path class="p-none" d="M2 3H4"/></pattern>
</defs></svg>`

// courseDrawing is a course with its places.
type courseDrawing struct {
	*Course
	b            strings.Builder
	respTop, end float64 // where the lower part begins and ends
	unit         unit
	top          float64 // of the axis, in the unit
	step         float64
}

// SVG draws the course.
func (c *Course) SVG() string {
	d := courseDrawing{Course: c, respTop: courseStrip + stripH + 22}
	if len(c.Drained) > 0 {
		d.respTop += drainH
	}
	d.end = d.respTop + responseH
	d.unit, d.top, d.step = c.measure()
	d.printf("<svg class=\"course\" viewBox=\"0 0 %d %s\" role=\"img\"><title>%s</title><desc>%s</desc>\n", courseW, px(d.end+20), html.EscapeString(c.Title), html.EscapeString(c.Text))
	d.times()
	d.grid()
	d.unknown()
	d.strip()
	d.drained()
	d.response()
	d.tips()
	d.b.WriteString("</svg>")
	return d.b.String()
}

func (d *courseDrawing) printf(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

func (d *courseDrawing) text(x, y float64, anchor anchor, class, s string) {
	d.printf("<text class=\"%s\" x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>\n", class, px(x), px(y), [...]string{"start", "middle", "end"}[anchor], html.EscapeString(s))
}

func (d *courseDrawing) path(class, fill, data string) {
	if data == "" {
		return
	}
	if fill != "" {
		fill = " fill=\"url(#" + fill + ")\""
	}
	d.printf("<path class=\"%s\"%s d=\"%s\"/>\n", class, fill, data)
}

// x is the place of a time, within the picture.
func (d *courseDrawing) x(t time.Time) float64 {
	part := float64(t.Sub(d.Since)) / float64(d.Until.Sub(d.Since))
	return courseLeft + min(max(part, 0), 1)*(courseW-courseLeft-courseRight)
}

func box(x0, y0, x1, y1 float64) string {
	return "M" + px(x0) + " " + px(y0) + "H" + px(x1) + "V" + px(y1) + "H" + px(x0) + "Z"
}

// grid draws the axes of values and what they mean.
func (d *courseDrawing) grid() {
	const base = courseStrip + stripH
	d.text(courseLeft, courseStrip-6, start, "label", "availability, share of the downloads that were good")
	d.text(courseLeft-6, courseStrip+8, end, "tick", "100 %")
	d.text(courseLeft-6, base, end, "tick", "0 %")
	d.path("axis", "", fmt.Sprintf("M%d %dV%dH%d", courseLeft, courseStrip, base, courseW-courseRight))
	what := "response time of the good ones: mean, fastest to slowest"
	if most := d.most(); most > d.unit.duration(d.top) {
		what += "; ▲ cut off, up to " + Seconds(most)
	}
	d.text(courseLeft, d.respTop-7, start, "label", what)
	for v := 0.0; v <= d.top*1.0001; v += d.step {
		y := d.y(v)
		if v > 0 {
			d.path("grid", "", "M"+px(courseLeft)+" "+px(y)+"H"+px(courseW-courseRight))
		}
		word := tickText(v)
		if v+d.step > d.top*1.0001 {
			word += " " + d.unit.name
		}
		d.text(courseLeft-6, y+4, end, "tick", word)
	}
	d.path("axis", "", "M"+px(courseLeft)+" "+px(d.respTop)+"V"+px(d.end)+"H"+px(courseW-courseRight))
}

// y is the place of a response time in the unit, within the picture.
func (d *courseDrawing) y(v float64) float64 { return d.end - min(v/d.top, 1)*responseH }
