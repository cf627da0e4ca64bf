package vip

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Notes outlive the process; what cannot be read is told and loses nothing but itself.
func TestNotes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "vips.json")
	a := note{Name: "boot", Address: netip.MustParsePrefix("10.0.0.20/24"), Interface: "sf-none0", Label: "sf-none0:sf51"}
	n := &notes{file: file}
	if err := n.load(); err != nil {
		t.Fatal(err)
	}
	n.put(a)
	n.put(note{Name: "other", Address: a.Address, Interface: a.Interface})
	n.drop("other")
	if err := n.fault(); err != nil {
		t.Fatal(err)
	}
	again := &notes{file: file}
	if err := again.load(); err != nil || len(again.list) != 1 || again.list[0] != a {
		t.Fatalf("%+v, %v", again.list, err)
	}

	// Kept for this process, and for the address that the site file still has.
	a.KeptUntil = start.Add(time.Second)
	again.put(a)
	wanted := []Address{{Name: "boot", Address: a.Address, Interface: a.Interface, VRID: 51}}
	for _, c := range []struct {
		name string
		now  time.Time
		list []Address
		kept bool
	}{
		{"in time", start, wanted, true},
		{"too late", a.KeptUntil, wanted, false},
		{"another address", start, []Address{{Name: "boot", Address: netip.MustParsePrefix("10.0.0.21/24"), Interface: a.Interface, VRID: 51}}, false},
		{"gone from the site file", start, nil, false},
	} {
		x := &notes{file: file}
		if err := x.load(); err != nil {
			t.Fatal(err)
		}
		x.file = filepath.Join(t.TempDir(), "vips.json")
		kept, gone, err := x.clean(c.now, c.list)
		if err != nil || len(gone) != 0 || kept["boot"] != c.kept || (len(x.list) == 1) != c.kept {
			t.Errorf("%s: kept %v, removed %v, noted %v, %v", c.name, kept, gone, x.list, err)
		}
	}

	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&notes{file: file}).load(); err == nil {
		t.Error("a broken file is read")
	}
	n = &notes{file: filepath.Join(file, "below-a-file")}
	if n.put(a); n.fault() == nil {
		t.Error("nobody is told that notes are not kept")
	}
}
