package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/wire/vrrp"
)

// Role is what events and log lines call this role.
const Role = "vip"

// Address is one service address, as this node takes part in it.
type Address struct {
	Name      string
	Address   netip.Prefix
	Interface string
	VRID      uint8
	Version   int // 2 or 3
	Priority  uint8
	Interval  time.Duration // between advertisements

	Preempt      bool
	PreemptDelay time.Duration
	LowerBy      int // while this node does not deliver; 0: it is not asked

	Peers   []netip.Addr // who is told; none: the group
	Self    netip.Addr   // advertisements leave from it, where the interface has it
	Members []Member     // all nodes, the first to have the address in front

	// External says that another program moves the address, and tells of it by Server.Role: no VRRP is spoken here, and
	// nothing put on an interface. Of the fields above name, address, interface and members hold.
	External bool
}

// Member is a node that may have the address.
type Member struct {
	Node     string `json:"node"`
	Priority uint8  `json:"priority"`
}

func (a Address) six() bool { return a.Address.Addr().Is6() }

func (a Address) params(self netip.Addr) Params {
	return Params{
		Version: a.Version, Priority: a.Priority, Self: self, Interval: a.Interval,
		Preempt: a.Preempt, PreemptDelay: a.PreemptDelay,
	}
}

// group is who advertisements are sent to, unless peers are named.
func (a Address) group() netip.Addr {
	switch {
	case len(a.Peers) > 0:
		return netip.Addr{}
	case a.six():
		return vrrp.Group6()
	}
	return vrrp.Group4()
}

// Config is what the node takes part in.
type Config struct {
	Node      string
	Addresses []Address
	Notes     string // the file in which it notes the addresses that it put on interfaces
}

// Deps are what the role uses.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	Link func(name string) (link.Link, error)
	// Delivers says why this node does not hand out what it should, "" if it does.
	Delivers func() string
	// Claiming is called before an address is put on its interface; an error leaves it with others.
	Claiming func(name string) error
	// Released is called after one was taken off.
	Released func(name string)
	// Carries says why packets to an address would lead nowhere, "" if they do not: it lowers the priority as well.
	Carries func(name string) string
	// Changed is told of everything that alerts are made of.
	Changed func(Report)
}

func (c Config) check() error {
	for _, a := range c.Addresses {
		switch {
		case a.External && a.Address.IsValid() && a.Interface != "":
		case !a.Address.IsValid(), a.Interface == "", a.VRID == 0, a.Priority == 0, a.Interval <= 0:
			return fmt.Errorf("vip %s: address, interface, vrid, priority or interval is missing", a.Name)
		case a.Version != 3 && (a.Version != 2 || a.six()):
			return fmt.Errorf("vip %s: version %d does not do for %s", a.Name, a.Version, a.Address.Addr())
		}
	}
	return nil
}

var errNotRunning = errors.New("the node is starting or stopping")
