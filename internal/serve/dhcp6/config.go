package dhcp6

import (
	"log/slog"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	"surefoot/internal/rate"
	wire "surefoot/internal/wire/dhcp6"
)

// Config is what the role serves and where.
type Config struct {
	Node       string
	DUID       wire.DUID // what this node calls itself, the same for ever
	Site       *boot.Site
	Interfaces []string // must exist; their links may be down, and their addresses may come later
	Scopes     []Scope
	Limits     Limits
}

// Scope is what the machines of one subnet are told. Which addresses there are, and for how long, is the business
// of the Book: its pool has the same name.
type Scope struct {
	Name       string // of the pool
	Network    string // of the site file
	Subnet     netip.Prefix
	Preference uint8   // clients take the server with the highest; one that says 255 at once (RFC 8415 section 18.2.1)
	NoRapid    bool    // never gives an address in answer to the first message (RFC 8415 section 21.14)
	Renew      float64 // T1 and T2 as parts of the lease; 0: 0.5 and 0.8 (RFC 8415 section 21.4)
	Rebind     float64
	Refresh    time.Duration // when a client without an address of ours asks again; 0: the RFC's day (section 21.23)

	DNS, NTP []netip.Addr
	Search   []string
	Params   map[string][]string   // option 60 by the name of a boot rule
	Hosts    map[lease.ID]struct{} // those that an address is reserved for
}

// Limits are how much is answered. A zero field means its default.
type Limits struct {
	Overall    rate.Rate // packets of all machines together; 50,000 in a second
	PerMachine rate.Rate // of one machine; 5 in a second, 20 at once
	PerPlace   rate.Rate // of one relay, or of one interface without it; 25,000
	// NewMachines are machines without a lease or reservation, of one relay or interface; 5,000 in a second.
	// Machines that are known are never refused by it, so invented ones cannot shut them out.
	NewMachines rate.Rate
	// Offered is how many addresses may be offered to new machines of one port without being asked for, where the
	// switch says which port (RFC 6221); 256.
	Offered int
	// PerSender is how many new machines of one link-local address get something in a minute or two; 32. It is one
	// machine, whatever it calls itself.
	PerSender int
}

// Keeper makes records durable. Keep returns at once; done is called exactly once, in the order of commits, possibly
// from another goroutine.
type Keeper interface {
	Keep(r lease.Record, done func(error))
}

// Deps is what the role uses of the rest. Book and Keeper must be there.
type Deps struct {
	Log    *slog.Logger
	Now    func() time.Time
	Emit   boot.Emit
	Down   boot.Down
	Book   *lease.Book
	Keeper Keeper
	Shared Shared // nil: this node is the only one, or has ranges of its own
}
