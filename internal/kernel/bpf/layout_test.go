package bpf

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
)

// What Go writes into the maps is as large as what the programs read there.
func TestLayout(t *testing.T) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ key, value any }{
		mapClients: {Client{}, Kept{}},
		mapCounts:  {uint32(0), Count{}},
		mapReasons: {uint32(0), uint64(0)},
		mapTurns:   {uint32(0), uint64(0)},
		mapAbout:   {uint32(0), about{}},
	} {
		m := spec.Maps[name]
		if int(m.KeySize) != binary.Size(want.key) || int(m.ValueSize) != binary.Size(want.value) {
			t.Errorf("%s: %d and %d bytes in C, %d and %d in Go", name, m.KeySize, m.ValueSize, binary.Size(want.key), binary.Size(want.value))
		}
	}
	inner := spec.Maps[mapServices].InnerMap
	if int(inner.KeySize) != binary.Size(Addr{}) || int(inner.ValueSize) != binary.Size(Service{}) || inner.MaxEntries != MaxServices {
		t.Errorf("services: %+v", inner)
	}
	if n := spec.Maps[mapReasons].MaxEntries; int(n) != len(Reasons()) {
		t.Errorf("%d reasons in C, %d in Go", n, len(Reasons()))
	}
	if n := len(spec.Maps); n != len(mapNames()) {
		t.Errorf("%d maps in C, %d in Go", n, len(mapNames()))
	}
	if spec.Maps[mapCounts].MaxEntries != MaxCounters || spec.Maps[mapClients].MaxEntries != MaxClients {
		t.Error("the limits differ")
	}
	for name, p := range spec.Programs {
		if p.License != "Apache-2.0" {
			t.Errorf("%s: licence %s", name, p.License)
		}
	}
}
