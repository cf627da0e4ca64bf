package link

import (
	"errors"
	"testing"
)

// TestReader: a Reader says the same as ByName, for what is there and for what is not.
func TestReader(t *testing.T) {
	r, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want, err := ByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.ByName("lo"); err != nil || got.Index != want.Index || len(got.Addrs) != len(want.Addrs) {
		t.Errorf("lo = %+v, %v, want %+v", got, err, want)
	}
	var missing *MissingError
	if _, err := r.ByName("nosuch0"); !errors.As(err, &missing) {
		t.Errorf("nosuch0: %v, want a MissingError", err)
	}
}
