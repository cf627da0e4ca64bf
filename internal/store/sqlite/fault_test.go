package sqlite

import (
	"strings"
	"testing"
	"time"

	"surefoot/internal/store"
)

// TestFault: a fault of ours in the writer is told, and the history goes on.
func TestFault(t *testing.T) {
	d, log, _ := start(t, Config{}, nil)
	if err := d.Save(t.Context(), store.Drain{Name: "before"}); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	close(closed)
	d.queue.put(item{kind: kindSync, done: closed}) // the answer panics
	for !strings.Contains(log.String(), "please report it") {
		time.Sleep(10 * time.Millisecond)
	}
	for d.Save(t.Context(), store.Drain{Name: "after"}) != nil { // it is opened anew after a second
		time.Sleep(10 * time.Millisecond)
	}
	if got, err := d.Load(t.Context()); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
