package chart

import (
	"math"

	"golang.org/x/image/vector"
)

// cut splits a line into its dashes.
func cut(points []Point, dashes []float64) [][]Point {
	if len(dashes) == 0 {
		return [][]Point{points}
	}
	var out [][]Point
	piece, i, room := []Point{points[0]}, 0, dashes[0]
	for k := 1; k < len(points); k++ {
		from, to := points[k-1], points[k]
		length := math.Hypot(to.X-from.X, to.Y-from.Y)
		done := 0.0
		for length-done > room {
			done += room
			p := Point{from.X + (to.X-from.X)*done/length, from.Y + (to.Y-from.Y)*done/length}
			if i%2 == 0 {
				out = append(out, append(piece, p))
			}
			i++
			piece, room = []Point{p}, dashes[i%len(dashes)]
		}
		room -= length - done
		piece = append(piece, to)
	}
	if i%2 == 0 && len(piece) > 1 {
		out = append(out, piece)
	}
	return out
}

// outline adds a line of some width as a rectangle for each piece, all turning the same way, so that where
// they overlap is filled once. Each is longer by half its width at both ends: that closes the
// corners.
func outline(z *vector.Rasterizer, points []Point, width float64) {
	for k := 1; k < len(points); k++ {
		a, b := points[k-1], points[k]
		length := math.Hypot(b.X-a.X, b.Y-a.Y)
		if length == 0 {
			continue
		}
		h := width / 2
		ux, uy := (b.X-a.X)/length*h, (b.Y-a.Y)/length*h
		if k > 1 {
			a = Point{a.X - ux, a.Y - uy}
		}
		if k < len(points)-1 {
			b = Point{b.X + ux, b.Y + uy}
		}
		at := func(x, y float64) (float32, float32) { return float32(zoom * x), float32(zoom * y) }
		z.MoveTo(at(a.X-uy, a.Y+ux))
		z.LineTo(at(b.X-uy, b.Y+ux))
		z.LineTo(at(b.X+uy, b.Y-ux))
		z.LineTo(at(a.X+uy, a.Y-ux))
		z.ClosePath()
	}
}
