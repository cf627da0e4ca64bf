package app

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/lease"
	"surefoot/internal/store"
	"surefoot/internal/store/etcd"
)

// sharedCodes are the troubles that come of the store that the nodes share.
var sharedCodes = []alert.Code{alert.StoreSilent, alert.HalfHeard, alert.ClocksDiffer, alert.OwnLow, alert.OwnNone, alert.NodeTwice}

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
	out = append(out, clockTroubles(st)...)
	for _, n := range st.Networks {
		out = append(out, ownTrouble(st, n, now)...)
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

// clockTroubles are clocks that differ, a little or by more than an address rests.
func clockTroubles(st store.Shared) []alert.Trouble {
	var out []alert.Trouble
	for _, n := range st.Nodes {
		if off := n.Clock.Abs(); n.Present && !n.Self && off >= etcd.ClockWarn {
			t := alert.Trouble{
				Code: alert.ClocksDiffer, Severity: alert.Warning, Labels: []string{"node", n.Name},
				Title:    fmt.Sprintf("the clock of %s differs by %s from this node's", n.Name, off.Round(100*time.Millisecond)),
				Evidence: []string{fmt.Sprintf("measured %s, by a message through the store", clock(n.Seen))},
				Meaning:  fmt.Sprintf("an address rests for a minute before another machine gets it, so that clocks may differ by %s; with more than that no address passes from one machine to another", lease.MostSkew),
				Fix:      "run chrony or systemd-timesyncd on both: chronyc tracking, timedatectl",
			}
			if off > lease.MostSkew {
				t.Severity = alert.Critical
			}
			out = append(out, t)
		}
	}
	if !st.Doubt.IsZero() {
		out = append(out, alert.Trouble{
			Code: alert.ClocksDiffer, Severity: alert.Critical, Title: "the clocks of the nodes differ by more than they may, or did a short while ago",
			Evidence: []string{"until " + clock(st.Doubt) + ", or longer if they still do"},
			Meaning:  "machines keep what they have, and new ones get addresses that nobody had before; no address passes from one machine to another until all is over that was promised by a wrong clock",
			Fix:      "run chrony or systemd-timesyncd on all nodes: chronyc tracking, timedatectl; surefoot status shows the clocks",
		})
	}
	return out
}

// ownTrouble is what a network lacks for the time without the store. A quarter is left for somebody to come.
func ownTrouble(st store.Shared, n store.SharedNetwork, now time.Time) []alert.Trouble {
	switch {
	case n.Crowded:
		return []alert.Trouble{{
			Code: alert.OwnNone, Severity: alert.Warning, Labels: []string{"network", n.Network},
			Title:    "this node has no addresses of its own in " + n.Network,
			Evidence: []string{"the range is too small for the nodes of the site, or too full"},
			Meaning:  "while the store that the nodes share does not answer, new machines of that network get no address from this node; known ones keep theirs",
			Fix:      "widen " + rangeOf(n.Network) + ", or set a smaller store.etcd.block_size",
		}}
	case !st.Contact && now.Sub(st.Since) >= silentFor && n.Own > 0 && 4*n.Free <= n.Own:
		t := alert.Trouble{
			Code: alert.OwnLow, Severity: alert.Warning, Labels: []string{"network", n.Network},
			Title:    fmt.Sprintf("%d addresses of %s are left to this node, and the store does not answer", n.Free, n.Network),
			Evidence: []string{fmt.Sprintf("%d of %d in its own blocks are used", n.Own-n.Free, n.Own)},
			Meaning:  "when they are used up, new machines of that network get no address from this node",
			Fix:      "bring the store back: etcdctl endpoint status --cluster says which members are there; docs/with/etcd.md has more",
		}
		if n.Free == 0 {
			t.Severity = alert.Critical
		}
		return []alert.Trouble{t}
	}
	return nil
}

// rangeOf is the key of the site file that says which addresses a scope has.
func rangeOf(scope string) string {
	if network := networkOf(scope); network != scope {
		return "networks." + network + ".dhcp6.range"
	}
	return "networks." + scope + ".dhcp.range"
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
