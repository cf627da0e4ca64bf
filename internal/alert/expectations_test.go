package alert

import (
	"testing"
	"time"
)

// The alarm comes before the table is full, stays while it is nearly so, and ends well below.
func TestExpectations(t *testing.T) {
	m := New(Rules{})
	at := time.Unix(1_000_000, 0)
	for i, c := range []struct {
		n    int
		told State
	}{{100, ""}, {3000, ""}, {3300, Firing}, {2800, ""}, {4096, ""}, {1000, Resolved}} {
		m.Expectations(at, c.n, 4096)
		at = at.Add(2 * time.Minute)
		var told State
		for _, n := range m.Tick(at) {
			if n.Alert.Code == ExpectationsFull {
				told = n.Alert.State
			}
		}
		if told != c.told {
			t.Errorf("step %d: %d of 4096: told %q, want %q", i, c.n, told, c.told)
		}
	}
	m.Expectations(at, 10, 0)
}
