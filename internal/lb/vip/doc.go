// Package vip is the role that keeps service addresses: of several nodes one has the address, and when it
// dies or does not deliver, the next one takes it, as VRRP has it (RFC 9568, RFC 3768), together with
// keepalived and other programs that speak it.
//
// Step, in machine.go, decides: values and the time go in, what is to be done comes out. The driver beside
// it owns the sockets and one timer for each address. There is no virtual MAC address: whoever takes an
// address tells the neighbours by gratuitous ARP or unsolicited neighbour advertisements.
package vip
