package diagnose

import (
	"strings"
	"testing"

	"surefoot/internal/boot"
)

var pc = boot.MAC{0x52, 0x54, 0x00, 0x12, 0x34, 0x56} // bucket 156, with 01 before it 253 (F17)

func TestOwn(t *testing.T) {
	withID := Machine{MAC: pc, ClientID: append([]byte{1}, pc[:]...)}
	for _, c := range []struct {
		name string
		p    Pair
		m    Machine
		want int
	}{
		{"isc, half and half", DefaultPair(ISC), Machine{MAC: pc}, 1},
		{"isc, more for the primary", Pair{Kind: ISC, Split: 200}, Machine{MAC: pc}, 0},
		{"isc, the first bucket of the secondary", Pair{Kind: ISC, Split: 156}, Machine{MAC: pc}, 1},
		{"isc, the last bucket of the primary", Pair{Kind: ISC, Split: 157}, Machine{MAC: pc}, 0},
		{"isc, option 61 goes before the address", Pair{Kind: ISC, Split: 200}, withID, 1},
		{"kea, even", DefaultPair(Kea), Machine{MAC: pc}, 0},
		{"kea, odd with option 61", DefaultPair(Kea), withID, 1},
	} {
		if got := c.p.Own(c.m).Server; got != c.want {
			t.Errorf("%s: server %d, want %d", c.name, got, c.want)
		}
	}
}

// The cases as they were measured with the real programs (DHCP.md 1.2 and 1.3).
func TestOutcomes(t *testing.T) {
	isc, kea := DefaultPair(ISC), DefaultPair(Kea)
	for _, c := range []struct {
		name string
		p    Pair
		secs uint16
		want string // of: both hear, owner deaf, dead, hung, restarted
	}{
		{"isc, secs 0", isc, 0, "y n y y n"},
		{"isc, secs as high as the limit", isc, 3, "y n y y n"},
		{"isc, a boot ROM's secs", isc, 4, "y y y y n"},
		{"isc, balancing switched off", Pair{Kind: ISC, Split: 128}, 1, "y y y y n"},
		{"kea, secs 0", kea, 0, "y n n n n"},
		{"kea, secs that grew", kea, 28, "y n y y n"},
	} {
		var got []string
		for _, o := range c.p.Outcomes(Machine{MAC: pc, Secs: c.secs}) {
			if strings.Contains(o.Case, "%") || strings.Contains(o.Text, "%") {
				t.Errorf("%s: %+v", c.name, o)
			}
			got = append(got, map[bool]string{true: "y", false: "n"}[o.Answered])
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %s, want %s", c.name, g, c.want)
		}
	}
}

func TestDivided(t *testing.T) {
	p := DefaultPair(Kea)
	if !p.Divided(pc, Identities(pc, boot.UUID{})) {
		t.Error("156 and 253 are an even and an odd bucket")
	}
	if DefaultPair(ISC).Divided(pc, Identities(pc, boot.UUID{})) {
		t.Error("156 and 253 are both the secondary's")
	}
}
