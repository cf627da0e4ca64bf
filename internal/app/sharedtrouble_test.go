package app

import (
	"testing"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/lease"
	"surefoot/internal/store"
)

func TestSharedTroubles(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	node := func(off time.Duration) []store.SharedNode {
		return []store.SharedNode{{Name: "n2", Present: true, Seen: now, Clock: off}}
	}
	network := func(free, own int) []store.SharedNetwork {
		return []store.SharedNetwork{{Network: "lab", Free: free, Own: own}}
	}
	for name, c := range map[string]struct {
		st   store.Shared
		want map[alert.Code]alert.Severity
	}{
		"nothing":                 {store.Shared{Contact: true, Nodes: node(time.Second), Networks: network(0, 32)}, nil},
		"clocks differ a little":  {store.Shared{Contact: true, Nodes: node(-6 * time.Second)}, map[alert.Code]alert.Severity{alert.ClocksDiffer: alert.Warning}},
		"by more than they may":   {store.Shared{Contact: true, Nodes: node(-lease.MostSkew - time.Second)}, map[alert.Code]alert.Severity{alert.ClocksDiffer: alert.Critical}},
		"they did lately":         {store.Shared{Contact: true, Doubt: now.Add(time.Hour)}, map[alert.Code]alert.Severity{alert.ClocksDiffer: alert.Critical}},
		"alone, with enough":      {store.Shared{Since: now.Add(-silentFor), Networks: network(20, 32)}, map[alert.Code]alert.Severity{alert.StoreSilent: alert.Critical}},
		"alone, with little":      {store.Shared{Since: now.Add(-silentFor), Networks: network(8, 32)}, map[alert.Code]alert.Severity{alert.StoreSilent: alert.Critical, alert.OwnLow: alert.Warning}},
		"alone, with nothing":     {store.Shared{Since: now.Add(-silentFor), Networks: network(0, 32)}, map[alert.Code]alert.Severity{alert.StoreSilent: alert.Critical, alert.OwnLow: alert.Critical}},
		"for a moment":            {store.Shared{Since: now.Add(-time.Second), Networks: network(0, 32)}, nil},
		"no block in a network":   {store.Shared{Contact: true, Networks: []store.SharedNetwork{{Network: "lab", Crowded: true}}}, map[alert.Code]alert.Severity{alert.OwnNone: alert.Warning}},
		"and nobody answers long": {store.Shared{Since: now.Add(-time.Minute)}, map[alert.Code]alert.Severity{alert.StoreSilent: alert.Critical}},
	} {
		got := sharedTroubles(c.st, now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", name, got)
		}
		for _, g := range got {
			if want, ok := c.want[g.Code]; !ok || want != g.Severity {
				t.Errorf("%s: %s %s", name, g.Severity, g.Code)
			}
		}
	}
}
