package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

func stairs(n int, toX, toY float64) []Point {
	out := []Point{{}}
	for i := range n {
		x := toX * float64(i+1) / float64(n)
		out = append(out, Point{x, toY * float64(i) / float64(n)}, Point{x, toY * float64(i+1) / float64(n)})
	}
	return out
}

// example has every kind of line, mark and text.
func example() *Chart {
	return &Chart{
		Title: "Downloads of tftp://10.0.0.5/a&b<c>.efi",
		X:     Axis{Label: "seconds since the first client asked", Most: 23},
		Y:     Axis{Label: "downloads", Most: 1000, Whole: true},
		Note:  "thick: done;  thin: asked for",
		Key: []Entry{
			{Look: First, Dashes: First, Text: "this run"},
			{Look: Bad, Cross: true, Text: "3 failed"},
			{Look: Second, Dashes: Second, Text: "before: " + strings.Repeat("very long ", 20)},
		},
		Lines: []Line{
			{Look: First, Dashes: First, Points: stairs(10, 12, 1000)},
			{Look: Second, Dashes: Second, Points: stairs(20, 23, 700)},
			{Look: Third, Dashes: Third, Thin: true, Points: stairs(4, 20, 300)},
			{Look: Bad, Dashes: First, Points: []Point{{5, 0}, {10, 100}}},
		},
		Marks: []Mark{
			{Point: Point{6, 500}, Shape: Dot, Text: "50 % 6 s"},
			{Point: Point{11.5, 350}, Look: Second, Shape: Box, Text: "above", Above: true},
			{Point: Point{15, 225}, Look: Third, Shape: Diamond},
			{Point: Point{10, 100}, Look: Bad, Shape: Cross},
			{Point: Point{23, 0}, Shape: Dot, Text: "at the edge"},
		},
	}
}

func TestSVG(t *testing.T) {
	f := func(golden string, c *Chart) {
		t.Helper()
		got := c.SVG()
		file := filepath.Join("testdata", golden)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is drawn otherwise (go test -update writes it, then look at it)", golden)
		}
		d := xml.NewDecoder(bytes.NewReader(got))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v", golden, err)
			}
		}
	}
	f("example.svg", example())
	f("empty.svg", &Chart{Title: "nothing", Y: Axis{Most: 1, Whole: true}})
}

// The PNG is the same picture: where the layout has a line, there is its colour, and elsewhere is not.
func TestPNG(t *testing.T) {
	c := example()
	b, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, zoom*width, zoom*height) || len(b) > 200<<10 {
		t.Errorf("%v, %d bytes", img.Bounds(), len(b))
	}
	at := func(p Point) color.Color { return img.At(int(zoom*p.X), int(zoom*p.Y)) }
	near := func(a, b color.Color) bool {
		r, g, bl, _ := a.RGBA()
		r2, g2, b2, _ := b.RGBA()
		d := func(x, y uint32) float64 { return math.Abs(float64(x) - float64(y)) }
		return d(r, r2)+d(g, g2)+d(bl, b2) < 0x3000
	}
	d, all := c.layout(), inks()
	if got := at(d.place(Point{5.4, 400})); !near(got, all[classRun].light) { // in the middle of a step
		t.Errorf("the first run's colour is %v", got)
	}
	if got := at(d.place(Point{2, 950})); !near(got, lightGround) {
		t.Errorf("%v where nothing is", got)
	}
	// Dashes: on the second run's last step there is colour and ground.
	drawn, blank := 0, 0
	for x := 21.9; x < 22.9; x += 0.01 {
		switch got := at(d.place(Point{x, 665})); {
		case near(got, all[classRun+class(Second)].light):
			drawn++
		case near(got, lightGround):
			blank++
		}
	}
	if drawn < 20 || blank < 10 {
		t.Errorf("dashes: %d points drawn, %d blank", drawn, blank)
	}
	// Text: as much ink where the title is as letters have, none left of it.
	ink := func(x0, y0, x1, y1 float64) (n int) {
		for y := int(zoom * y0); y < int(zoom*y1); y++ {
			for x := int(zoom * x0); x < int(zoom*x1); x++ {
				if near(img.At(x, y), all[classTitle].light) {
					n++
				}
			}
		}
		return n
	}
	if n := ink(left, 8, left+330, 28); n < 800 || n > 8000 {
		t.Errorf("title: %d dark points", n)
	}
	if n := ink(0, 8, left-2, 28); n != 0 {
		t.Errorf("left of the title: %d dark points", n)
	}
}

// Everything lies within the picture, and no text is longer than what fits.
func TestLayoutStaysInside(t *testing.T) {
	d := example().layout()
	for _, s := range d.strokes {
		for _, p := range s.points {
			if p.X < 0 || p.X > width || p.Y < 0 || p.Y > height {
				t.Errorf("class %s at %v", s.class.name(), p)
			}
		}
	}
	for _, w := range d.words {
		size := inks()[w.class].size
		room := width - w.at.X
		if w.anchor == end {
			room = w.at.X
		}
		if need := 0.5 * size * float64(len([]rune(w.text))); w.at.Y > height || w.at.Y < size || need > room+size {
			t.Errorf("%q at %v needs %.0f pixels", w.text, w.at, need)
		}
	}
}

func TestScale(t *testing.T) {
	f := func(most, wantMost, wantStep float64) {
		t.Helper()
		s := newScale(most, 100)
		if math.Abs(s.most-wantMost) > 1e-9 || math.Abs(s.step-wantStep) > 1e-9 || math.Abs(s.at(s.most)-100) > 1e-9 {
			t.Errorf("%g: %+v, want %g by %g", most, s, wantMost, wantStep)
		}
	}
	f(1, 1, 0.2)
	f(23, 25, 5)
	f(60, 60, 10)
	f(997, 1000, 100)
	f(0, 0.001, 0.0002)
}

func TestCut(t *testing.T) {
	got := cut([]Point{{0, 0}, {10, 0}, {10, 10}}, []float64{7, 4})
	want := [][]Point{{{0, 0}, {7, 0}}, {{10, 1}, {10, 8}}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		for k := range want[i] {
			if math.Abs(got[i][k].X-want[i][k].X)+math.Abs(got[i][k].Y-want[i][k].Y) > 1e-9 {
				t.Errorf("dash %d: %v, want %v", i, got[i], want[i])
			}
		}
	}
	if all := cut([]Point{{0, 0}, {3, 0}}, nil); len(all) != 1 {
		t.Errorf("a line without gaps: %v", all)
	}
}
