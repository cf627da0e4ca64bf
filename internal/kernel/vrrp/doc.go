// Package vrrp is the kernel's side of service addresses: raw sockets of IP protocol 112, addresses on
// interfaces, and the ARP and neighbour packets that tell the others of them. It knows nothing of who is
// the master (package lb/vip), and reads no VRRP packet (package wire/vrrp).
package vrrp
