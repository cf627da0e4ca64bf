package sqlite

import (
	"strings"
	"testing"
	"time"
)

// TestFault: a fault of ours in the writer is told, and the history goes on.
func TestFault(t *testing.T) {
	d, log, _ := start(t, Config{}, nil)
	if err := saved(t.Context(), d, "before", ""); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	close(closed)
	d.queue.put(item{kind: kindSync, done: closed}) // the answer panics
	for !strings.Contains(log.String(), "please report it") {
		time.Sleep(10 * time.Millisecond)
	}
	for saved(t.Context(), d, "after", "") != nil { // it is opened anew after a second
		time.Sleep(10 * time.Millisecond)
	}
	if got, err := d.LoadSilences(t.Context()); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
