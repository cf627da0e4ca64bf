package alert

import (
	"testing"
	"time"
)

func TestServiceAddress(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := New(Rules{})
	a := ServiceAddress{Name: "boot", Address: "10.0.0.20/24", Interface: "eth1", VRID: 51}
	for _, c := range []struct {
		conflict string
		foreign  bool
		code     Code
		state    State
	}{
		{"", false, "", ""},
		{"does not yield", false, TwoMasters, Firing},
		{"other addresses", true, ForeignVRRP, Firing},
		{"", false, ForeignVRRP, Resolved},
	} {
		a.Conflict, a.Foreign, a.From = c.conflict, c.foreign, "10.0.0.9"
		m.ServiceAddress(now, a)
		now = now.Add(2 * time.Minute)
		var notes []Note
		for _, n := range m.Tick(now) {
			if n.Alert.Code == c.code && n.Alert.State == c.state {
				notes = append(notes, n)
			}
		}
		if (len(notes) == 1) != (c.code != "") {
			t.Errorf("%+v: told %+v", c, notes)
		}
	}
}
