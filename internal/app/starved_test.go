package app

import (
	"testing"
	"time"

	"surefoot/internal/boot"
)

// Who refuses new machines is told of while it lasts, and for a while after.
func TestStarved(t *testing.T) {
	var s starved
	n := 0
	emit := s.emit(func(boot.Event) { n++ })
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for i := range 10 {
		emit(boot.Event{Time: at.Add(time.Duration(i) * time.Second), Reason: boot.StarvationLimit, Network: "vdi", If: "eth1", Peer: "[fe80::bad]:546"})
		emit(boot.Event{Time: at, Reason: boot.Answered, Network: "vdi", If: "eth1"})
	}
	list := s.troubles(at.Add(time.Minute))
	if n != 20 || len(list) != 1 || list[0].Labels[1] != "vdi" {
		t.Fatalf("%d events, %+v", n, list)
	}
	if list := s.troubles(at.Add(6 * time.Minute)); len(list) != 0 || len(s.at) != 0 {
		t.Errorf("%+v", list)
	}
}
