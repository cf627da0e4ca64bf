package dhcp4

import (
	"log/slog"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// Config is what the role serves and where.
type Config struct {
	Node       string
	Site       *boot.Site
	Interfaces []string // must exist; their links may be down, and their addresses may come later
	Scopes     []Scope
	Rules      map[string]Rule // by the name of a boot rule: what its machines are told besides
	// BootService says that this node answers on port 4011 of the same interfaces. Without it no
	// reply says PXEClient: EDK2 would ask there, and the boot would end (finding 4; F11).
	BootService bool
	Limits      Limits
}

// Scope is what the machines of one subnet are told. Which addresses there are, and for how long, is
// the business of the Book: its pool has the same name.
type Scope struct {
	Name   string // of the pool, and of the network in the site file
	Subnet netip.Prefix
	// Link joins scopes that share a wire: when one has no address left, the next gives one. "" shares
	// with nobody.
	Link string

	Authoritative bool // says NAK where it is certain, also of leases that it does not know
	NAKPXE        bool // says it to boot ROMs as well, which then often start from their disk (Q7)
	ByClientID    bool // as in the pool: leases belong to option 61
	Broadcast     bool // every reply goes to everybody, whatever the flag says (Q6)
	BOOTP         bool // answers machines that know no DHCP

	ConflictCheck bool          // asks the network whether somebody has an address that is new to its machine
	ConflictWait  time.Duration // how long its first OFFER waits for that; 0: not at all

	Renew, Rebind float64 // T1 and T2 as parts of the lease; 0: 0.5 and 0.875 (RFC 2131 section 4.4.5)

	Routers, DNS, NTP []netip.Addr
	Domain            string
	MTU               uint16
	Routes            []wire.Route
	Option66          ListMode
	Options           []Option // before all that is said otherwise
	Hosts             map[lease.ID]Host
}

// ListMode is how several servers are written into option 66.
type ListMode uint8

const (
	// ListFirst names the first: RFC 2132 knows one name only (F20).
	ListFirst ListMode = iota
	// ListAll names all, with semicolons between, for the clients that take them.
	ListAll
)

// Option is an option with its value. Without Always it goes to clients that ask for it.
type Option struct {
	Code   wire.Code
	Data   []byte
	Always bool
}

// Host is what one machine is told.
type Host struct {
	Name    string // option 12
	Options []Option
}

// Rule is what the machines of a boot rule are told besides the file.
type Rule struct {
	// RootPath is option 17; {server} stands for the address of the first server, {servers} for all
	// with commas between: "pvs:[{server}]:17:6910".
	RootPath string
	Options  []Option
}

// Keeper makes records durable. Keep returns at once; done is called exactly once, in the order of
// commits, possibly from another goroutine, possibly for many records after one fsync.
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
	Shared Shared // nil: this node is the only one
	// Refuses says why the Keeper keeps nothing at present, nil if it does. Then nobody is offered what could
	// not be given: another server's OFFER is worth more. Nil: it is not known before the answer of Keep.
	Refuses func() error
}
