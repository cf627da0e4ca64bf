package lease

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 63, 64, 65, 4096, 4097, 300_000}).Draw(t, "n")
		b, set := newBitmap(n), map[uint32]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			i := rapid.Uint32Range(0, uint32(n-1)).Draw(t, "i")
			if rapid.Bool().Draw(t, "set") {
				b.set(i)
				set[i] = true
			} else {
				b.clear(i)
				delete(set, i)
			}
			from := rapid.Uint32Range(0, uint32(n-1)).Draw(t, "from")
			var all, behind []uint32
			for m := range set {
				all = append(all, m)
				if m >= from {
					behind = append(behind, m)
				}
			}
			got, ok := b.next(from)
			switch {
			case len(behind) > 0:
				all = behind
				fallthrough
			case len(all) > 0:
				if want := slices.Min(all); !ok || got != want {
					t.Fatalf("next(%d) is %d %v, want %d", from, got, ok, want)
				}
			case ok:
				t.Fatalf("next(%d) is %d in an empty set", from, got)
			}
		}
	})
}

func TestTimersComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h timers
		in := rapid.SliceOf(rapid.Uint32Range(1, 50)).Draw(t, "in")
		for i, at := range in {
			h.push(at, uint32(i))
		}
		slices.Sort(in)
		for _, want := range in {
			if at, _, ok := h.top(); !ok || at != want {
				t.Fatalf("%d, want %d", at, want)
			}
			h.pop()
		}
	})
}

func TestIDsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "key")
		for _, id := range []ID{Hardware(rapid.Byte().Draw(t, "type"), key), Client(key), Machine(key), DUID(key, rapid.Uint32().Draw(t, "iaid"))} {
			if back, err := ParseID(id.String()); err != nil || back != id {
				t.Fatalf("%s: %v, %v", id, back, err)
			}
		}
	})
	for id, want := range map[ID]string{
		machine(1):                      "52:00:00:00:00:01",
		Client([]byte{1, 0x52}):         "id:0152",
		DUID([]byte{0, 1}, 7):           "duid:0001/7",
		Hardware(6, []byte{1, 2, 3, 4}): "hw6:01020304",
	} {
		if got := id.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, bad := range []string{"x", "id:zz", "duid:00", "hw999:00", "id:#00", "52:00"} {
		if id, err := ParseID(bad); err == nil {
			t.Errorf("%q is %v", bad, id)
		}
	}
}
