// Package journal takes every boot.Event of every role and makes five things of it: stories (all
// events of one boot attempt of one machine, and one sentence that says where it is or got
// stuck), records of TFTP transfers (transfers), metrics, log lines, and a stream for whoever
// follows.
//
// It is not the store: everything here is in memory, bounded, and gone with the process. It decides
// nothing about boots, and a role never waits for it: what does not fit the queue is counted
// and lost.
//
// The story machine (stories, record, where) is pure: time comes with the events and with tick.
package journal
