// Package etcd is the store that several nodes share: an etcd cluster, whose quorum decides which
// machine an address belongs to. It knows records, blocks and nodes, and nothing of DHCP.
//
// # What is kept where
//
// Every node has all records in memory and on its own disk, by a watch. The store is asked for what is
// new only: an address is claimed for a machine by comparing and swapping the record of that address.
// Nobody waits for it for more than 150 ms, and nobody waits for another node at all.
//
// Each node has blocks of every pool for itself. What it gives out of them needs no store, so it is
// given out when the store does not answer; it is published as soon as that is possible. A block is
// used only when every record up to its grant is on the node's own disk, so that a node that starts
// alone, without the others and without the store, answers from its blocks at once.
//
// # Keys
//
//	PREFIX/SITE/1/l/SCOPE/ADDRESS   a record: whose the address is, until when
//	PREFIX/SITE/1/b/SCOPE           the blocks of a pool, and their nodes
//	PREFIX/SITE/1/n/NODE            a node: when it started, its clock, whom it hears
//
// There is one key for a lease. A machine is found by its name in the copy that every node has, so a
// second key by machine would double what is written and say nothing new. There are no etcd leases:
// when an address is over stands in its record.
package etcd
