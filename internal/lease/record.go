package lease

import (
	"fmt"
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// State is what an address is.
type State uint8

// The states. An Active or Offered record whose time is over stays as it is: Expires tells.
const (
	Free State = iota
	Offered
	Active
	Released
	Declined
)

// stateNames are what String prints, in the order of the constants.
var stateNames = [...]string{"free", "offered", "active", "released", "declined"}

// String prints the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText makes a State a JSON string.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if name == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a state of a lease", b)
}

// Record is what is kept of an address: one row on disk, one key in a shared store.
type Record struct {
	Scope          string
	Addr           netip.Addr
	ID             ID
	MAC            boot.MAC
	State          State
	Start, Expires time.Time  // whole seconds, UTC; the lease is valid through the second of Expires
	Node           string     // who committed it
	Host           string     // option 12, at most 64 bytes of printable text
	Relay          netip.Addr // giaddr
	Circuit        string     // option 82.1, printable or in hexadecimal, bounded
	Arch           uint16     // option 93
	Class          string     // option 60, bounded
	Serial         uint64     // grows with every change of this address; a higher one replaces
	Own            bool       // given on this node's own authority, without the shared store
}

// Live reports whether somebody may be using the address at a time.
func (r Record) Live(now time.Time) bool {
	return r.State == Active && now.Unix() <= r.Expires.Unix()
}
