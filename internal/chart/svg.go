package chart

import (
	"fmt"
	"html"
	"image/color"
	"math"
	"strconv"
	"strings"
)

// SVG draws a chart for browsers, in the colours of the reader's choice, light or dark.
func (c *Chart) SVG() []byte {
	d := c.layout()
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString(d.title), style())
	for _, s := range d.strokes {
		fmt.Fprintf(&b, "<path class=\"%s\"%s d=\"%s\"/>\n", s.class.name(), dashAttribute(s.dashes), pathData(s.points))
	}
	for _, w := range d.words {
		fmt.Fprintf(&b, "<text x=\"%s\" y=\"%s\" class=\"%s\" text-anchor=\"%s\">%s</text>\n",
			px(w.at.X), px(w.at.Y), w.class.name(), [...]string{"start", "middle", "end"}[w.anchor], html.EscapeString(w.text))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (c class) name() string {
	look := func(from class) string { return strconv.Itoa(int(c - from)) }
	switch {
	case c >= classMark:
		return "mark" + look(classMark)
	case c >= classThin:
		return "thin" + look(classThin)
	case c >= classRun:
		return "run" + look(classRun)
	}
	return [...]string{"grid", "axis", "title", "text", "quiet"}[c]
}

func style() string {
	var light, dark strings.Builder
	hex := func(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
	for i, k := range inks() {
		name := class(i).name()
		if k.size == 0 {
			fmt.Fprintf(&light, ".%s { stroke: %s; stroke-width: %s }\n", name, hex(k.light), px(k.width))
			fmt.Fprintf(&dark, ".%s { stroke: %s }\n", name, hex(k.dark))
			continue
		}
		weight := ""
		if k.bold {
			weight = "; font-weight: 600"
		}
		fmt.Fprintf(&light, ".%s { fill: %s; font-size: %spx%s }\n", name, hex(k.light), px(k.size), weight)
		fmt.Fprintf(&dark, ".%s { fill: %s }\n", name, hex(k.dark))
	}
	return "<style>\nsvg { background: " + hex(lightGround) + "; font-family: system-ui, sans-serif }\npath { fill: none; stroke-linejoin: round }\n" +
		light.String() + "@media (prefers-color-scheme: dark) {\nsvg { background: " + hex(darkGround) + " }\n" + dark.String() + "}\n</style>\n"
}

func dashAttribute(l Look) string {
	var out []string
	for _, v := range dashes(l) {
		out = append(out, px(v))
	}
	if len(out) == 0 {
		return ""
	}
	return fmt.Sprintf(" stroke-dasharray=\"%s\"", strings.Join(out, " "))
}

// pathData writes a line, the pieces along an axis in their short form.
func pathData(points []Point) string {
	var b strings.Builder
	lastX, lastY := "", ""
	for i, p := range points {
		x, y := px(p.X), px(p.Y)
		switch {
		case i == 0:
			b.WriteString("M" + x + " " + y)
		case x == lastX && y == lastY:
		case y == lastY:
			b.WriteString("H" + x)
		case x == lastX:
			b.WriteString("V" + y)
		default:
			b.WriteString("L" + x + " " + y)
		}
		lastX, lastY = x, y
	}
	return b.String()
}

// px writes a coordinate with one decimal.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
