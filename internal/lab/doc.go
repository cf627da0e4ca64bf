// Package lab builds a boot site on one machine: network namespaces joined by a bridge, a foreign
// DHCP server (dnsmasq) that hands out addresses only, Surefoot nodes as child processes of the
// real binary, optionally a relay with a second client network, and emulated PCs (QEMU) whose
// firmware boots over that network. `surefoot lab` shows it to people, e2e asserts on it.
//
// It is not a test framework: nothing here knows package testing. It is not the production
// wiring either: a lab node is started as an administrator would start it, with a site file and
// a command line, and is asked through its API like any other.
//
// The parts of a lab called ID:
//
//	sf-ID-sw     a bridge, the taps of the machines, QEMU, the capture
//	sf-ID-dhcp   10.77.0.2    dnsmasq
//	sf-ID-n1     10.77.0.11   surefoot serve --node n1     (n2: .12, ...)
//	sf-ID-r      10.77.0.1    dhcrelay; 10.78.0.1 on the second client network
//
// Everything a lab made ends with it; what a killed lab left behind is removed by Sweep.
package lab
