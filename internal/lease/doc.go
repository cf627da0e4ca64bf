// Package lease accounts for addresses: whose they are, until when, and which one a machine gets.
//
// It is pure: time is handed in, records come out. Packets, options, disk, network and log are its
// callers' business: the server asks Offer and Request, keeps the record that a Grant holds, and
// says Committed. It knows nothing of DHCP messages but the states of a client (RFC 2131 4.3.2), and
// serves IPv6 addresses just as well.
//
// # One node
//
// At any time no address is used by two machines. A machine uses an address between an ACK and the
// end of its lease by its own clock, which counts from when it sent its request (RFC 2131 4.4.1).
//
//   - One hold for each address, and one row. A hold is an OFFER, or a record on its way (Q7): only
//     its own ID may ask for the address meanwhile.
//   - An ACK follows a commit. What is committed never ends before what its ID was promised,
//     whatever the new lease time is: it may not have heard of the new one.
//   - A row is another's until the second of its end is over and it has rested. Sub-seconds are
//     the client's.
//   - Serials of an address grow and are never used twice, also of commits that failed, since the
//     disk may have them after all. Thus a restart from any prefix of what was kept is safe: what
//     is missing was not acknowledged.
//
// # Several nodes
//
// Every address is in one of three classes, said by SetOwn and SetOthers: shared, in an own block, in
// a block of another node. Four rules hold whatever the network between the nodes does:
//
//  1. An address passes from one ID to another only by a claim: the shared store replaces what it has
//     by the grant's record if Claims says so, in one transaction that also finds the address in nobody's
//     block. It asks that the store has the Serial, the ID and at most the end that the node
//     decided by, so of two claims one wins, and it does not matter how late a claim arrives or how
//     old the view was that it was made from. Only then the OFFER or ACK leaves. (Serials alone are
//     not enough: two nodes count on from the same one.) In a block a claim can only prolong what
//     the ID has already, from whatever node, or be a Sweep by the owner; reservations are not
//     subject to blocks. So a claim from before the grant of a block comes too late, also one of the
//     owner itself, which may have been restarted since.
//  2. A node gives an address on its own authority (Record.Own) if nobody else can give it: it is in an own
//     block, and fresh, or this ID's anyway. Fresh means that the store never had a record of it, or
//     has one that says Free (Sweep makes them, by a claim). Others can prolong a lease in the block
//     that they saw in the store, of the same ID, and can do nothing with a fresh address. The same
//     holds for a reservation while the store does not answer; one that a reload brought meanwhile
//     does not count before the next contact.
//  3. Without the store nothing else is promised but what is kept: what is left of a lease, at most
//     5 minutes (Confirm does that, and Request by itself). Since a record's end never gets lower,
//     neither by a release nor by a shorter lease nor by a decline, a promise made from an old view
//     ends before the address can pass to another ID. An ended lease rests, for a minute at least:
//     clocks may differ by MostSkew, and the rest of that is for the way of the packets and for finding out.
//  4. With clocks that differ by more, no address passes from one ID to another (Doubt).
//
// What the caller has to do for that:
//
//   - A block is granted in the shared store, and the transaction of a claim checks it there.
//     SetOwn names the block after all records up to its grant were loaded and are on the node's own
//     disk. A node whose disk is new does not take up its old blocks. Sweep is called every minute or
//     so, since an address of an own block passes to another ID in no other way. A block is given up by GiveUp,
//     and passes on when the node's own records in it are published and its disk does not name it any more.
//   - Whoever compares clocks says Doubt, until the Hold of every pool has gone by since the difference was seen.
//   - A lost claim is reported by Committed with an error after Load of what the store has.
//   - Records with Own are published when the store answers, by Merge. Contact(true) is said when that
//     is done and the store's records are loaded.
//   - All nodes have the same reservations. While one site file replaces another, a reservation that
//     is new may be given on a node's own authority only after a contact.
//   - The records of Release and Decline get into the store by End. If that cannot be done
//     they are not committed, and a Decline is tried again.
//
// # Structure
//
// Positions number the addresses of a scope (plan.go). Fresh ones are bits of a set with summaries
// (bitmap.go); rows and holds lie in slabs and are found by position and by ID; what ends is in lazy
// heaps (timers.go). Offer, Request and Committed cost the same in a pool of 262,144 addresses,
// empty or nearly full, as in a small one.
package lease
