package app

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/store"
	"surefoot/internal/store/etcd"
)

// sharedCodes are the troubles that come of the store that the nodes share.
var sharedCodes = []alert.Code{alert.StoreSilent, alert.HalfHeard, alert.ClocksDiffer, alert.NodeTwice}

// silentFor is how long the store may be silent until somebody is told: an election takes a second or two.
const silentFor = 10 * time.Second

// sharedTroubles are what is wrong with the shared store, and between the nodes: the same for warnings
// and for alerts.
func sharedTroubles(st store.Shared, now time.Time) []alert.Trouble {
	var out []alert.Trouble
	if !st.Contact && now.Sub(st.Since) >= silentFor {
		free := []string{"since " + clock(st.Since) + ": " + firstWords(st.Why)}
		for _, n := range st.Networks {
			free = append(free, fmt.Sprintf("%s: %d of this node's own %d addresses are free", n.Network, n.Free, n.Own))
		}
		out = append(out, alert.Trouble{
			Code: alert.StoreSilent, Severity: alert.Critical, Title: "the store that the nodes share does not answer", Evidence: free,
			Meaning: "machines still boot: new ones get addresses of this node's own blocks, until those are used up; known ones keep theirs, five minutes at a time",
			Fix:     "etcdctl endpoint status --cluster says which members are there: more than half must be; docs/with/etcd.md has more",
		})
	}
	for _, d := range st.Deaf {
		t := alert.Trouble{
			Code: alert.HalfHeard, Severity: alert.Critical, Labels: []string{"network", d.Network},
			Evidence: []string{"heard by " + strings.Join(d.Hear, ", ") + "; not by " + strings.Join(d.Miss, ", ") + ", since " + clock(d.Since)},
		}
		switch {
		case d.Relay.IsValid():
			t.Labels = append(t.Labels, "relay", d.Relay.String())
			t.Title = fmt.Sprintf("relay %s forwards to %s and not to %s", d.Relay, strings.Join(d.Hear, ", "), strings.Join(d.Miss, ", "))
			t.Meaning = "nobody behind that relay gets an address when the nodes that it forwards to are gone"
			t.Fix = "name every node as a helper address (ip helper-address, dhcp relay server) on the router that has " + d.Relay.String()
		default:
			t.Title = fmt.Sprintf("%s does not hear the machines of %s", strings.Join(d.Miss, ", "), d.Network)
			t.Meaning = "the machines of that network depend on the other nodes alone"
			t.Fix = "look at the switch port, VLAN and firewall of " + strings.Join(d.Miss, ", ") + "; surefoot probe dhcp, there, asks the network"
		}
		out = append(out, t)
	}
	for _, n := range st.Nodes {
		if off := n.Clock.Abs(); n.Present && !n.Self && off >= etcd.ClockWarn {
			out = append(out, alert.Trouble{
				Code: alert.ClocksDiffer, Severity: alert.Warning, Labels: []string{"node", n.Name},
				Title:    fmt.Sprintf("the clock of %s differs by %s from this node's", n.Name, off.Round(100*time.Millisecond)),
				Evidence: []string{fmt.Sprintf("measured %s, by a message through the store", clock(n.Seen))},
				Meaning:  "an address rests for a minute before another machine gets it, so that clocks may differ; with more than that two machines could have one",
				Fix:      "run chrony or systemd-timesyncd on both: chronyc tracking, timedatectl",
			})
		}
	}
	if st.Twin {
		out = append(out, alert.Trouble{
			Code: alert.NodeTwice, Severity: alert.Critical, Title: "two processes work under the name of this node",
			Evidence: []string{"the store has words of another process with the same name"},
			Meaning:  "both would give out of the same blocks, so neither does: while the store does not answer, new machines get no address from them",
			Fix:      "give one of them another name (--node), in the site file as well, and restart both",
		})
	}
	return out
}

// firstWords bounds an error to what a person reads.
func firstWords(s string) string {
	line := firstLineOf(s)
	if len(line) > 200 {
		line = line[:200] + "..."
	}
	return line
}

func firstLineOf(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// warnShared tells of the same by status.
func (a *App) warnShared(add adder) {
	if a.leases == nil || a.leases.shared == nil {
		return
	}
	warnTroubles(add, sharedTroubles(a.leases.shared.Status(), a.now()))
}

// alertShared tells the alerts of the same, every second.
func (a *App) alertShared(now time.Time, m *alert.Machine) {
	if a.leases.shared != nil {
		m.Troubles(now, sharedCodes, sharedTroubles(a.leases.shared.Status(), now))
	}
}
