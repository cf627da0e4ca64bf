package storm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Arrival is when clients ask. The zero value is all of them at once.
type Arrival struct {
	kind arrivalKind
	over time.Duration // uniform, curve
	rate float64       // rate: a second
}

type arrivalKind int

const (
	atOnce arrivalKind = iota
	uniform
	curve
	fixedRate
)

// ParseArrival reads "all", "uniform 30s", "curve 30s" or "rate 50/s"; ":" or "=" do instead of the
// space.
func ParseArrival(s string) (Arrival, error) {
	word, value, _ := strings.Cut(strings.NewReplacer(":", " ", "=", " ").Replace(strings.TrimSpace(s)), " ")
	value = strings.TrimSpace(value)
	bad := fmt.Errorf(`%q is not "all", "uniform 30s", "curve 30s" or "rate 50/s"`, s)
	switch word {
	case "all":
		if value == "" {
			return Arrival{}, nil
		}
	case "uniform", "curve":
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return Arrival{}, bad
		}
		if word == "curve" {
			return Arrival{kind: curve, over: d}, nil
		}
		return Arrival{kind: uniform, over: d}, nil
	case "rate":
		r, err := strconv.ParseFloat(strings.TrimSuffix(value, "/s"), 64)
		if err != nil || !(r > 0) || math.IsInf(r, 0) {
			return Arrival{}, bad
		}
		return Arrival{kind: fixedRate, rate: r}, nil
	}
	return Arrival{}, bad
}

// String is what ParseArrival reads.
func (a Arrival) String() string {
	switch a.kind {
	case uniform:
		return "uniform " + a.over.String()
	case curve:
		return "curve " + a.over.String()
	case fixedRate:
		return "rate " + strconv.FormatFloat(a.rate, 'g', -1, 64) + "/s"
	}
	return "all"
}

// At is when download i of a run with n clients may begin, since the run's start. What exceeds the
// first of each client begins as soon as a client is free, except at a fixed rate. It never
// decreases with i while i < n.
func (a Arrival) At(i, n int) time.Duration {
	if a.kind == fixedRate {
		return time.Duration(float64(i) / a.rate * float64(time.Second))
	}
	if i >= n || n < 2 {
		return 0
	}
	switch a.kind {
	case uniform:
		return time.Duration(float64(a.over) * float64(i) / float64(n-1))
	case curve:
		return time.Duration(float64(a.over) * powerFailure(float64(i)/float64(n-1)))
	}
	return 0
}

// powerFailure is the share of the time after which the share q of the machines has asked, when
// power comes back for all of them: firmware takes about as long everywhere, so most ask soon after
// one another and some late. Modelled, not measured: a triangle with its peak at a quarter of the
// time.
func powerFailure(q float64) float64 {
	const peak = 0.25
	if q < peak {
		return math.Sqrt(q * peak)
	}
	return 1 - math.Sqrt((1-q)*(1-peak))
}
