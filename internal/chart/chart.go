// Package chart draws lines over two axes: one layout, written as SVG for browsers and as PNG for
// mails and reports; and the course of tests over a time, as SVG within a page. It knows nothing of
// what the lines mean, reads no clock and opens no file.
//
// It is no plotting library: there are these two kinds of picture. No meaning is in a colour alone:
// lines differ in their dashes, marks in their shapes, and areas in their hatches, too.
package chart

import "unicode/utf8"

// Chart is a picture to be drawn.
type Chart struct {
	Title string
	X, Y  Axis
	Key   []Entry // what the lines are, below the title
	Note  string  // how to read the picture, below the key
	Lines []Line
	Marks []Mark
}

// Axis is one axis, from 0 on.
type Axis struct {
	Label string
	Most  float64 // the greatest value; the axis of Y ends at the mark above it
	Whole bool    // no marks between whole numbers
}

// Look is how a line or a mark looks; each one of the first three has a colour and dashes of its own.
type Look int

// The looks: runs that are compared, and what went wrong in each.
const (
	First Look = iota
	Second
	Third
	Bad
	looks
)

// Line is a curve.
type Line struct {
	Look   Look
	Dashes Look // whose dashes it has: those of its run
	Thin   bool
	Points []Point
}

// Point is a place in the units of the axes.
type Point struct{ X, Y float64 }

// Mark is a place on a line that is worth a word.
type Mark struct {
	Point
	Look  Look
	Shape Shape
	Text  string // "": none
	Above bool   // the text stands above the place, else below
}

// Shape is what a mark looks like.
type Shape int

// The shapes.
const (
	Dot Shape = iota
	Box
	Diamond
	Cross
)

// Entry is a line of the key.
type Entry struct {
	Look   Look
	Dashes Look
	Cross  bool // a cross instead of a piece of line
	Text   string
}

// The picture, in pixels, and what stands around the plot.
const (
	width, height = 860, 500
	left, right   = 72, 30
	bottom        = 54
	plotW         = width - left - right
	lineHeight    = 17
	longest       = 112 // characters of a line of text that fit
)

// drawing is a picture as pixels: what both forms are written from.
type drawing struct {
	title   string
	strokes []stroke
	words   []words
	x, y    scale
	top     float64
}

// stroke is a line of pixels, not closed.
type stroke struct {
	class  class
	dashes Look
	points []Point
}

// words is a text whose baseline begins, has its middle, or ends at a place.
type words struct {
	at     Point
	class  class
	anchor anchor
	text   string
}

// class is a colour and a width, or a size.
type class int

const (
	classGrid class = iota
	classAxis
	classTitle
	classText
	classQuiet
	classRun  // and the looks that follow
	classThin = classRun + class(looks)
	classMark = classThin + class(looks)
	classes   = classMark + class(looks)
)

type anchor int

const (
	start anchor = iota
	middle
	end
)

// layout places everything.
func (c *Chart) layout() *drawing {
	d := &drawing{title: c.Title, top: 36 + 26 + float64(lineHeight*len(c.Key))}
	if c.Note != "" {
		d.top += lineHeight
	}
	d.x, d.y = newScale(c.X.Most, plotW), newScale(c.Y.Most, d.plotH())
	d.x.most = max(c.X.Most, least) // the line reaches the edge
	for _, s := range []struct {
		s *scale
		a Axis
	}{{&d.x, c.X}, {&d.y, c.Y}} {
		if s.a.Whole {
			s.s.step = max(s.s.step, 1)
		}
	}
	d.head(c)
	d.axes(c)
	for _, l := range c.Lines {
		d.line(l)
	}
	for _, m := range c.Marks {
		d.mark(m)
	}
	return d
}

func (d *drawing) plotH() float64 { return height - d.top - bottom }

func (d *drawing) write(x, y float64, c class, a anchor, s string) {
	if s != "" {
		d.words = append(d.words, words{Point{x, y}, c, a, shorten(s)})
	}
}

func (d *drawing) stroke(c class, dashes Look, points ...Point) {
	d.strokes = append(d.strokes, stroke{c, dashes, points})
}

// head writes the title and what each line stands for.
func (d *drawing) head(c *Chart) {
	d.write(left, 24, classTitle, start, c.Title)
	y := 45.0
	for _, e := range c.Key {
		if e.Cross {
			d.cross(Point{left + 14, y - 4}, e.Look)
		} else {
			d.stroke(classRun+class(e.Look), e.Dashes, Point{left, y - 4}, Point{left + 28, y - 4})
		}
		d.write(left+36, y, classText, start, e.Text)
		y += lineHeight
	}
	d.write(left, y, classQuiet, start, c.Note)
}

func (d *drawing) axes(c *Chart) {
	d.write(left, d.top-10, classQuiet, end, c.Y.Label)
	base := d.top + d.plotH()
	for v := 0.0; v <= d.y.most*1.0001; v += d.y.step {
		y := base - d.y.at(v)
		d.stroke(classGrid, First, Point{left, y}, Point{left + plotW, y})
		d.write(left-8, y+4, classQuiet, end, tickText(v))
	}
	for v := 0.0; v <= d.x.most*1.0001; v += d.x.step {
		x := left + d.x.at(v)
		d.stroke(classAxis, First, Point{x, base}, Point{x, base + 5})
		d.write(x, base+20, classQuiet, middle, tickText(v))
	}
	d.stroke(classAxis, First, Point{left, d.top}, Point{left, base}, Point{left + plotW, base})
	d.write(left+plotW/2, height-12, classQuiet, middle, c.X.Label)
}

func (d *drawing) place(p Point) Point {
	return Point{left + d.x.at(p.X), d.top + d.plotH() - d.y.at(p.Y)}
}

func (d *drawing) line(l Line) {
	c := classRun
	if l.Thin {
		c = classThin
	}
	var points []Point
	for _, p := range l.Points {
		points = append(points, d.place(p))
	}
	if len(points) > 1 {
		d.stroke(c+class(l.Look), l.Dashes, points...)
	}
}

// mark draws a shape, and its text on the side where there is room.
func (d *drawing) mark(m Mark) {
	p, c := d.place(m.Point), classMark+class(m.Look)
	const r = 4
	switch m.Shape {
	case Dot: // an octagon is round enough at this size
		const k = 0.414 * r
		d.stroke(c, First, Point{p.X - r, p.Y - k}, Point{p.X - k, p.Y - r}, Point{p.X + k, p.Y - r}, Point{p.X + r, p.Y - k},
			Point{p.X + r, p.Y + k}, Point{p.X + k, p.Y + r}, Point{p.X - k, p.Y + r}, Point{p.X - r, p.Y + k}, Point{p.X - r, p.Y - k})
	case Box:
		d.stroke(c, First, Point{p.X - r, p.Y - r}, Point{p.X + r, p.Y - r}, Point{p.X + r, p.Y + r}, Point{p.X - r, p.Y + r}, Point{p.X - r, p.Y - r})
	case Diamond:
		d.stroke(c, First, Point{p.X, p.Y - r - 1}, Point{p.X + r + 1, p.Y}, Point{p.X, p.Y + r + 1}, Point{p.X - r - 1, p.Y}, Point{p.X, p.Y - r - 1})
	case Cross:
		d.cross(p, m.Look)
	}
	// Most curves rise: what is right below and left above is free.
	x, y, a := p.X+9, p.Y+15, start
	if m.Above {
		y = p.Y - 8
	}
	if m.Above && p.X > left+110 || p.X > left+plotW-110 {
		x, a = p.X-9, end
	}
	if y > d.top+d.plotH()-4 {
		y = d.top + d.plotH() - 4
	}
	d.write(x, y, classText, a, m.Text)
}

func (d *drawing) cross(p Point, l Look) {
	c := classMark + class(l)
	d.stroke(c, First, Point{p.X - 4, p.Y - 4}, Point{p.X + 4, p.Y + 4})
	d.stroke(c, First, Point{p.X - 4, p.Y + 4}, Point{p.X + 4, p.Y - 4})
}

func shorten(s string) string {
	if utf8.RuneCountInString(s) > longest {
		return string([]rune(s)[:longest-1]) + "…"
	}
	return s
}
