// Package transfers makes of the events of TFTP what somebody wants to see of it: a record for
// each transfer, running or ended, the totals and the speed of the last minute, and who and which
// file makes the most work.
//
// It is pure like the story machine: no clock, lock or logger; time comes with the events and with
// Tick. Everything is bounded, whatever strangers send: see Board. It is no store, and it judges
// nothing: a record is what the server itself said.
package transfers
