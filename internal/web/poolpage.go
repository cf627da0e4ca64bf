package web

import (
	"fmt"
	"time"
)

// poolBar is a network's addresses as a bar.
type poolBar struct {
	PoolUsage
	Words string
	Parts []poolPart
}

// poolPart is a part of it, from X on, W wide, of a thousand.
type poolPart struct {
	Class string
	N     int
	X, W  int
}

// poolBars makes them. What is there shows, be it ever so little.
func poolBars(list []PoolUsage) []poolBar {
	var out []poolBar
	for _, p := range list {
		b := poolBar{PoolUsage: p, Words: fmt.Sprintf("%d of %d addresses leased, %d free", p.Active, p.Size, p.Free)}
		x := 0
		for _, part := range []poolPart{{Class: "leased", N: p.Active}, {Class: "offered", N: p.Offered}, {Class: "declined", N: p.Declined}, {Class: "reserved", N: p.Reserved}, {Class: "resting", N: p.Resting}} {
			if part.N == 0 || p.Size == 0 {
				continue
			}
			part.X, part.W = x, min(max(4, 1000*part.N/p.Size), 1000-x)
			x += part.W
			b.Parts = append(b.Parts, part)
		}
		out = append(out, b)
	}
	return out
}

// leftIn says how long a lease lasts.
func leftIn(now time.Time, l Lease) string {
	d := l.Expires.Sub(now)
	switch {
	case l.State != "active" && l.State != "declined":
		return "-"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
