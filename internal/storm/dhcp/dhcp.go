// Package dhcp plays many machines that ask for an address at the same time, to see what a DHCP server
// holds: who is answered, how soon, which address each gets, and whether two get the same.
//
// It writes and reads raw frames on one interface, as firmware does before it has an address, or plays the
// relay in front of the machines. The machines differ in what servers wrongly go by: the broadcast flag,
// secs, option 61. It gives nothing back at the end: an address that was taken stays taken.
package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// Secs is what machines write into secs.
type Secs string

// The ways of firmware (DHCP 1.2: none of them is to decide about an answer).
const (
	SecsZero Secs = "zero" // always 0: lwIP, the boot device managers of Citrix
	SecsReal Secs = "real" // seconds since the first DISCOVER: EDK2
	SecsPXE4 Secs = "pxe4" // 4 at the first: PXE ROMs
	SecsSwap Secs = "swap" // the seconds with their bytes exchanged: Windows
)

// What is what the machines want.
type What string

const (
	Lease What = "lease" // an address: DISCOVER, OFFER, REQUEST, ACK
	Offer What = "offer" // DISCOVERs only
	Again What = "again" // the address that they had before: REQUEST after a start (INIT-REBOOT)
)

// Had is an address that a machine got.
type Had struct {
	MAC  boot.MAC
	Addr netip.Addr
}

// Config is one storm.
type Config struct {
	Interface string
	Relay     netip.Addr // an address of this host on the interface: the machines are behind it
	Server    netip.Addr // whom the relay asks
	Machines  int
	First     boot.MAC // the first machine's; the others count on from it
	What      What
	Had       []Had // for Again: instead of Machines and First

	Broadcast bool // they set the broadcast flag
	ClientID  bool // they send option 61
	PXE       bool // they ask as UEFI boot ROMs do
	Secs      Secs

	Rate     float64         // so many begin in a second; 0: all at once, or as Window lets them
	Window   int             // at most so many wait for an answer; 0: as many as there are
	Duration time.Duration   // go round and round through the machines until then; 0: once
	Retries  []time.Duration // when the first packet is sent again, from the first one on
	Patience time.Duration   // how long the last one is waited for

	Each func(Had) // told each ACK, in its order, by one goroutine
}

// firmwareRetries are the times at which boot ROMs ask again (PXE 2.1 section 2.4.8; EDK2).
func firmwareRetries() []time.Duration {
	return []time.Duration{4 * time.Second, 12 * time.Second, 28 * time.Second}
}

// maxMachines bounds the numbers that count on from First.
const maxMachines = 1 << 22

// Check fills in defaults and says what makes no sense.
func (c *Config) Check() error {
	if c.What == "" {
		c.What = Lease
	}
	if c.Secs == "" {
		c.Secs = SecsReal
	}
	if c.Retries == nil {
		c.Retries = firmwareRetries()
	}
	if c.Patience == 0 {
		c.Patience = 4 * time.Second
	}
	if c.First.IsZero() {
		c.First = boot.MAC{0x02, 0x5f, 0, 0, 0, 1}
	}
	if c.What == Again {
		c.Machines = len(c.Had)
	}
	switch {
	case c.Interface == "":
		return errors.New("no interface is named")
	case c.Machines < 1 || c.Machines > maxMachines:
		return fmt.Errorf("%d machines: from 1 to %d are possible", c.Machines, maxMachines)
	case c.Relay.IsValid() != c.Server.IsValid():
		return errors.New("a relay needs the server that it asks, and only a relay asks one")
	case c.Relay.IsValid() && (!c.Relay.Is4() || !c.Server.Is4()):
		return errors.New("relay and server must be IPv4 addresses")
	case c.First[0]&1 != 0:
		return fmt.Errorf("%s is the address of a group, not of a machine", c.First)
	case c.Duration > 0 && c.Rate == 0 && c.Window == 0:
		return errors.New("going round until a time needs a rate or a window")
	}
	switch c.What {
	case Lease, Offer, Again:
	default:
		return fmt.Errorf("%q is not lease, offer or again", c.What)
	}
	switch c.Secs {
	case SecsZero, SecsReal, SecsPXE4, SecsSwap:
	default:
		return fmt.Errorf("%q is not zero, real, pxe4 or swap", c.Secs)
	}
	for i, d := range c.Retries {
		if i > 0 && d <= c.Retries[i-1] {
			return errors.New("each retry has to be later than the one before")
		}
	}
	return nil
}

// number is a MAC as a number.
func number(m boot.MAC) uint64 {
	var n uint64
	for _, b := range m {
		n = n<<8 | uint64(b)
	}
	return n
}

func macOf(n uint64) boot.MAC {
	var m boot.MAC
	for i := 5; i >= 0; i-- {
		m[i] = byte(n)
		n >>= 8
	}
	return m
}
