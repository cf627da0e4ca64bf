package chart

import (
	"math"
	"strconv"
)

// least is the shortest axis.
const least = 1e-3

// scale puts values from 0 to most on an axis of so many pixels, with a mark every step.
type scale struct{ most, step, pixels float64 }

// newScale chooses marks of 1, 2 or 5 times a power of ten, about five to ten of them, and ends the
// axis at one.
func newScale(most, pixels float64) scale {
	most = max(most, least)
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

func tickText(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) }
