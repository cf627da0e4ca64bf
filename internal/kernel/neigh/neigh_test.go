package neigh

import (
	"net/netip"
	"testing"
)

// Who was not spoken to is not known (203.0.113.0/24 is nobody's: RFC 5737). That a neighbour who
// answers is known, the causes in package probe show.
func TestUnknown(t *testing.T) {
	if mac, ok := MAC(t.Context(), netip.MustParseAddr("203.0.113.77")); ok {
		t.Errorf("nobody's address has the MAC %s", mac)
	}
}
