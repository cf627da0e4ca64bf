package alert

import (
	"fmt"
	"time"
)

// ServiceAddress is how this node sees the others that have to do with a service address.
type ServiceAddress struct {
	Name, Address, Interface string
	VRID                     int
	Conflict                 string // in words, "" if there is none
	From                     string
	Foreign                  bool // it is another group of the same number, not another holder
}

// ServiceAddress takes what an address counts as now.
func (m *Machine) ServiceAddress(now time.Time, a ServiceAddress) {
	labels := []string{"vip", a.Name, "interface", a.Interface}
	if a.Conflict == "" || a.Foreign {
		m.clear(now, TwoMasters, labels...)
	}
	if a.Conflict == "" || !a.Foreign {
		m.clear(now, ForeignVRRP, labels...)
	}
	switch {
	case a.Conflict == "":
	case a.Foreign:
		m.find(now, finding{
			code: ForeignVRRP, severity: Warning, labels: labels,
			title:    fmt.Sprintf("another program uses the router number %d of %s on %s: %s", a.VRID, a.Name, a.Interface, a.From),
			evidence: []string{a.From + ": " + a.Conflict},
			meaning:  "each ignores the other, and some switches mix the two up",
			fix:      fmt.Sprintf("give vips.%s.vrid, or the other program, a number that nobody uses", a.Name),
		})
	default:
		m.find(now, finding{
			code: TwoMasters, severity: Critical, labels: labels,
			title:    fmt.Sprintf("two have the service address %s (%s) on %s: this node and %s", a.Name, a.Address, a.Interface, a.From),
			evidence: []string{a.From + ": " + a.Conflict},
			meaning:  "machines reach now the one, now the other, and transfers break off",
			fix:      "look whether multicast to 224.0.0.18 passes the switches in both directions (peers: unicast does without), and whether version and interval are the same on both sides",
		})
	}
}
