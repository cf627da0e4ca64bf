package chart

import "image/color"

// ink is a class's colours on a light and on a dark ground, and the width of its lines or the size
// of its letters.
type ink struct {
	light, dark color.RGBA
	width       float64
	size        float64 // of text; 0: it is a line
	bold        bool
}

var (
	lightGround = rgb(0xffffff)
	darkGround  = rgb(0x0d1117)
)

func rgb(v uint32) color.RGBA {
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff}
}

// inks says how each class looks. The colours tell apart for those who see no red and green, and lines
// have dashes besides.
func inks() [classes]ink {
	out := [classes]ink{
		classGrid:  {light: rgb(0xd1d9e0), dark: rgb(0x30363d), width: 1},
		classAxis:  {light: rgb(0x59636e), dark: rgb(0x9198a1), width: 1},
		classTitle: {light: rgb(0x1f2328), dark: rgb(0xe6edf3), size: 16, bold: true},
		classText:  {light: rgb(0x1f2328), dark: rgb(0xe6edf3), size: 13},
		classQuiet: {light: rgb(0x59636e), dark: rgb(0x9198a1), size: 13},
	}
	for l, c := range [looks][2]uint32{First: {0x0550ae, 0x79c0ff}, Second: {0xbc4c00, 0xffa657}, Third: {0x1a7f37, 0x7ee787}, Bad: {0xa40e26, 0xff7b72}} {
		for from, width := range map[class]float64{classRun: 2, classThin: 1, classMark: 1.5} {
			out[from+class(l)] = ink{light: rgb(c[0]), dark: rgb(c[1]), width: width}
		}
	}
	return out
}

// dashes are lengths of line and of gap, in turn; none: a line without gaps.
func dashes(l Look) []float64 {
	switch l {
	case Second:
		return []float64{7, 4}
	case Third:
		return []float64{2, 3}
	}
	return nil
}
