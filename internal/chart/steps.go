package chart

import "strings"

// steps are columns; those that touch each other are one piece.
type steps struct{ pieces [][]column }

type column struct{ x0, x1, top, bottom float64 }

func (s *steps) add(x0, x1, top, bottom float64) {
	n := len(s.pieces)
	if n == 0 || x0-s.pieces[n-1][len(s.pieces[n-1])-1].x1 > .01 {
		s.pieces = append(s.pieces, nil)
		n++
	}
	piece := &s.pieces[n-1]
	if k := len(*piece); k > 0 && (*piece)[k-1].top == top && (*piece)[k-1].bottom == bottom {
		(*piece)[k-1].x1 = x1
		return
	}
	*piece = append(*piece, column{x0, x1, top, bottom})
}

// line is the path along the tops.
func (s *steps) line() string {
	var b strings.Builder
	for _, piece := range s.pieces {
		var points []Point
		for _, c := range piece {
			points = append(points, Point{c.x0, c.top}, Point{c.x1, c.top})
		}
		b.WriteString(pathData(points))
	}
	return b.String()
}

// area is the path around the pieces.
func (s *steps) area() string {
	var b strings.Builder
	for _, piece := range s.pieces {
		var points []Point
		for _, c := range piece {
			points = append(points, Point{c.x0, c.top}, Point{c.x1, c.top})
		}
		for i := len(piece) - 1; i >= 0; i-- {
			points = append(points, Point{piece[i].x1, piece[i].bottom}, Point{piece[i].x0, piece[i].bottom})
		}
		b.WriteString(pathData(points) + "Z")
	}
	return b.String()
}
