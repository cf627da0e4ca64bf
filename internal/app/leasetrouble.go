package app

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/web"
)

// leaseCodes are the troubles of the leases of this node.
var leaseCodes = []alert.Code{alert.PoolNearlyFull, alert.PoolEmpty, alert.LeasesRefused}

// troublesEvery is how often the alerts look for them: it is a walk over all addresses.
const troublesEvery = 10 * time.Second

// nearlyFor is how long a network may be nearly full until somebody is told: a whole site that is switched
// on is offered addresses that it does not take.
const nearlyFor = 2 * time.Minute

// leaseTroubles are what is wrong with the leases: the same for warnings and for alerts.
func (a *App) leaseTroubles(pools []web.PoolUsage) []alert.Trouble {
	return append(a.leases.refused(), poolTroubles(pools)...)
}

// refused tells of a disk that takes no leases.
func (l *leases) refused() []alert.Trouble {
	select {
	case <-l.up:
	default:
		return nil // no network needs them
	}
	err := l.refuses()
	if err == nil {
		return nil
	}
	t := alert.Trouble{
		Code: alert.LeasesRefused, Severity: alert.Critical, Title: "leases cannot be written to the disk", Evidence: []string{firstLine(err)},
		Meaning: "machines with a lease or a reservation keep it; new ones get none",
		Fix:     cmp.Or(hintOf(err), "make room on the disk of the leases, or look at the file's owner and mode") + "; it is tried again by itself",
	}
	if l.file() == nil {
		t.Title, t.Meaning = "the leases cannot be read", "only machines with a reservation get an address"
		t.Fix = cmp.Or(hintOf(err), "look at the file's owner and mode") + "; it is tried again by itself"
	}
	return []alert.Trouble{t}
}

// poolTroubles tells of networks whose new machines get no address, or soon will.
func poolTroubles(pools []web.PoolUsage) []alert.Trouble {
	var out []alert.Trouble
	for _, p := range pools {
		t := alert.Trouble{
			Labels: []string{"network", p.Network},
			Evidence: []string{fmt.Sprintf("of %d addresses %d are leased, %d offered, %d declined, %d reserved for machines that are off; %d are left",
				p.Size, p.Active, p.Offered, p.Declined, p.Reserved, p.Free+p.Resting)},
			Fix: fmt.Sprintf("widen %s, or shorten its lease; surefoot lease list --network %s shows who has them", rangeOf(p.Network), networkOf(p.Network)),
		}
		switch p.Full {
		case "empty":
			t.Code, t.Severity, t.Title = alert.PoolEmpty, alert.Critical, "network "+p.Network+" has no address left"
			t.Meaning = "new machines get none; those that have one keep it"
		case "nearly":
			t.Code, t.Severity, t.After, t.Title = alert.PoolNearlyFull, alert.Warning, nearlyFor, "network "+p.Network+" has few addresses left"
			t.Meaning = "new machines will soon get none"
		default:
			continue
		}
		out = append(out, t)
	}
	return out
}

// warnTroubles tells of troubles by status.
func warnTroubles(add adder, list []alert.Trouble) {
	for _, t := range list {
		add(string(t.Code), t.Title, strings.Join(t.Evidence, "; ")+": "+t.Meaning, t.Fix)
	}
}

// alertElsewhere tells the alerts what nobody tells them of by himself, every second.
func (a *App) alertElsewhere() func(time.Time, *alert.Machine) {
	var looked time.Time
	return func(now time.Time, m *alert.Machine) {
		a.alertShared(now, m)
		m.Troubles(now, []alert.Code{alert.Starvation}, a.starved.troubles(now))
		if now.Sub(looked).Abs() >= troublesEvery {
			looked = now
			m.Troubles(now, leaseCodes, a.leaseTroubles(a.leased.usage(a.leased.cfg())))
		}
	}
}
