package app

import (
	"fmt"
	"testing"
	"time"

	"surefoot/internal/lb"
)

func TestTableOf(t *testing.T) {
	now := time.Unix(10000, 0)
	up, dead := condition{}, condition{dead: true, out: true}
	drained := func(ago time.Duration) condition { return condition{out: true, drained: now.Add(-ago)} }
	deadAndDrained := condition{dead: true, out: true, drained: now}
	for _, c := range []struct {
		name string
		of   [3]condition
		want string
	}{
		{"all up", [3]condition{up, up, up}, "[0 1 2] []"},
		{"one is dead", [3]condition{up, dead, up}, "[0 2] []"},
		{"one is drained", [3]condition{up, drained(time.Second), up}, "[0 2] [1]"},
		{"its time is over", [3]condition{up, drained(time.Hour), up}, "[0 2] []"},
		{"drained and dead", [3]condition{up, deadAndDrained, up}, "[0 2] []"},
		{"only a drained one lives", [3]condition{dead, drained(time.Hour), dead}, "[1] []"},
		{"nobody lives", [3]condition{dead, dead, deadAndDrained}, "[0 1 2] []"},
	} {
		s := lb.Service{Drain: time.Minute}
		by := map[string]condition{}
		for i, x := range c.of {
			name := fmt.Sprint("s", i)
			s.Backends, by[name] = append(s.Backends, lb.Backend{Name: name}), x
		}
		got := tableOf(s, true, now, func(server string) condition { return by[server] })
		if text := fmt.Sprint(got.Alive, got.Drained); text != c.want || !got.Active {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}
