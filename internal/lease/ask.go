package lease

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// Source says which addresses may be given.
type Source uint8

// The sources.
const (
	Any      Source = iota
	OwnBlock        // what needs no shared store: reservations, and the node's own blocks
)

// How is the state that a DHCPREQUEST tells of its client (RFC 2131 4.3.2).
type How uint8

// The states of a client.
const (
	Selecting  How = iota // server identifier: it takes our offer
	InitReboot            // requested address, no server identifier: it was here before
	Renewing              // ciaddr, unicast
	Rebinding             // ciaddr, broadcast
	BootP                 // no message type: BOOTP (RFC 951)
)

// Ask is what a client wants, and who it is.
type Ask struct {
	Scope   string
	ID      ID
	MAC     boot.MAC
	Want    netip.Addr    // option 50, or ciaddr
	For     time.Duration // option 51; zero: not said
	XID     uint32
	Host    string
	Relay   netip.Addr
	Circuit string
	Class   string
	Arch    uint16
	Only    Source
	Again   bool // of Offer: only what the ID has an offer of, has, had last or has reserved; UnknownLease if there is nothing
}

// Grant is what may be told to a client, and what has to be kept before that.
type Grant struct {
	Record Record
	For    time.Duration // the time to tell the client (option 51): never more than is or will be kept
	Keep   bool          // Record must be kept (Keeper, or the shared store if Claim) before the answer; then Committed
	Claim  bool          // Record must get into the shared store, as Claims says: before the OFFER, or before the ACK
	Known  bool          // this ID holds the address, or held it last
	Ping   bool          // new to this ID: worth a conflict check

	// What the shared store has of the address as far as this node knows; see Claims.
	Prev    uint64 // Serial; 0: nothing
	PrevID  ID
	PrevEnd time.Time

	Reserved bool // for this ID: in whose block the address is does not matter
}

// Usage is how full a scope is. Size is Active, Offered, Declined, Resting, Reserved and Free
// together; Reserved are reserved addresses that nobody holds.
type Usage struct {
	Size, Active, Offered, Declined, Resting, Reserved, Free int
}

// Naks reports whether a REQUEST that was not granted is answered with a NAK. The rest is met
// with silence, since another server may know better (Q7, RFC 2131 4.3.2).
func Naks(how How, why boot.Reason, authoritative bool) bool {
	switch why {
	case boot.WrongNetwork, boot.LeaseOfOther, boot.LeaseMoved, boot.AddressDeclined:
		return how != BootP
	case boot.NotOurLease:
		return how == Selecting // it says that it had the address from this server
	case boot.UnknownLease:
		return how == Selecting || authoritative && (how == InitReboot || how == Rebinding)
	}
	return false
}
