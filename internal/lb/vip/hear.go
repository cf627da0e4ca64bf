package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/vrrp"
	wire "surefoot/internal/wire/vrrp"
)

// packet takes what came: RFC 9568 section 7.1, RFC 3768 section 7.1.
func (r *runner) packet(now time.Time, p vrrp.Packet) {
	if r.conn == nil || p.Src == r.p.Self {
		return
	}
	if len(p.Data) > 1 && p.Data[1] != r.cfg.VRID {
		return // of another group, and nobody's fault
	}
	r.received++
	a, err := wire.Parse(p.Data, p.Src, p.Dst)
	why, text := r.refuse(p, a, err)
	if why != "" {
		r.ignored[why]++
		if why == boot.VIPForeign || why == boot.VIPOtherVersion || why == boot.VIPOtherInterval {
			r.inTheWay(now, why, Conflict{From: p.Src, Text: text})
		}
		return
	}
	r.step(now, Heard{From: p.Src, Priority: a.Priority, Interval: a.Interval})
}

// refuse says why an advertisement is not heeded, "" if it is.
func (r *runner) refuse(p vrrp.Packet, a wire.Advert, err error) (boot.Reason, string) {
	ours := r.cfg.Address.Addr()
	switch {
	case p.TTL != wire.TTL:
		return boot.VIPBadTTL, fmt.Sprintf("its TTL is %d: it was routed, or is forged", p.TTL)
	case len(r.cfg.Peers) > 0 && !slices.Contains(r.cfg.Peers, p.Src):
		return boot.VIPNotPeer, "it is no peer of this address"
	case errors.As(err, new(*wire.VersionError)), err == nil && a.Version != r.cfg.Version:
		return boot.VIPOtherVersion, fmt.Sprintf("it speaks version %d, and the site file says version %d", a.Version, r.cfg.Version)
	case err != nil:
		return boot.Malformed, err.Error()
	case a.AuthType != 0:
		return boot.VIPOtherVersion, "it wants a password, which is in no version of the protocol any more"
	case !slices.Contains(a.Addrs, ours):
		return boot.VIPForeign, fmt.Sprintf("it advertises %v, and not %s: two groups have the number %d", a.Addrs, ours, r.cfg.VRID)
	case a.Version == 2 && a.Interval != r.cfg.Interval && a.Priority != wire.PriorityFarewell:
		return boot.VIPOtherInterval, fmt.Sprintf("it advertises every %s, and the site file says every %s; with version 2 all have to say the same", a.Interval, r.cfg.Interval)
	}
	return "", ""
}

// inTheWay notes somebody whose advertisements should not be there, or not so.
func (r *runner) inTheWay(now time.Time, why boot.Reason, c Conflict) {
	c.Reason, c.At = why, now
	first := r.conflict == nil || r.conflict.From != c.From || r.conflict.Reason != why
	r.conflict = &c
	if first {
		r.event(now, why, fmt.Sprintf("%s is in the way: %s", c.From, c.Text))
	}
}

// conflictWith tells conflicts apart; the zero value is none.
func (r *runner) conflictWith() (c struct {
	why  boot.Reason
	from netip.Addr
},
) {
	if r.conflict != nil {
		c.why, c.from = r.conflict.Reason, r.conflict.From
	}
	return c
}

// Report says how this node stands.
func (r *runner) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report()
}

func (r *runner) report() Report {
	now := r.deps.Now()
	out := Report{
		Name: r.cfg.Name, Address: r.cfg.Address.String(), Interface: r.cfg.Interface, VRID: r.cfg.VRID, Version: r.cfg.Version,
		Peers: r.cfg.Peers, Interval: r.cfg.Interval, Members: r.cfg.Members,
		State: r.s.Phase, Since: r.s.Since, From: r.p.Self, Priority: r.p.Effective(r.s), Base: r.cfg.Priority, Lowered: r.lowered(now),
		External: r.cfg.External, Master: r.s.Master, MasterPriority: r.s.MasterPriority, Trouble: r.trouble,
		Takeovers: r.takeovers, Sent: r.sent, Received: r.received, Ignored: map[boot.Reason]uint64{},
	}
	for why, n := range r.ignored {
		out.Ignored[why] = n
	}
	if now.Before(r.moveUntil) {
		out.MoveUntil = r.moveUntil
	}
	if now.Before(r.holdUntil) {
		out.HoldUntil = r.holdUntil
	}
	if r.conflict != nil {
		c := *r.conflict
		out.Conflict = &c
	}
	return out
}

// move is Server.Move.
func (r *runner) move(to string, span time.Duration, dry bool) (MoveResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.deps.Now()
	out := MoveResult{Name: r.cfg.Name, DryRun: dry}
	if span == 0 {
		out.Text = fmt.Sprintf("%s has its priority %d again", r.node, r.cfg.Priority)
		if !dry {
			r.moveUntil = time.Time{}
			r.poke()
		}
		return out, nil
	}
	if r.cfg.External {
		return out, &Refusal{Text: "another program moves " + r.cfg.Name + " (ha: external)", Fix: []string{"move it there: keepalived by its priority, Pacemaker by crm_resource --move"}}
	}
	next := ""
	for _, m := range r.cfg.Members {
		if m.Node != r.node {
			next = m.Node
			break
		}
	}
	switch {
	case r.s.Phase != Master:
		return out, &Refusal{Text: fmt.Sprintf("%s does not have the address: it is %s", r.node, r.s.Phase), Fix: []string{"say it on the node that has it: " + r.whoHas()}}
	case next == "":
		return out, &Refusal{Text: "no other node of the site file takes part in " + r.cfg.Name}
	case r.cfg.Priority == wire.PriorityOwner:
		return out, &Refusal{Text: "priority 255 is never lowered", Fix: []string{"give the node another priority in the site file, then surefoot reload"}}
	case to != "" && to != next:
		return out, &Refusal{
			Text: fmt.Sprintf("the next node by priority is %s, and not %s", next, to),
			Fix:  []string{"move it there first, and from there on: nodes do not talk to each other of it", "or change the priorities in the site file, then surefoot reload on every node"},
		}
	}
	out.To, out.Until = next, now.Add(span)
	out.Text = fmt.Sprintf("%s has priority 1 instead of %d until then; the highest of the others takes the address, %s if it is there", r.node, r.cfg.Priority, next)
	if !dry {
		r.moveUntil = out.Until
		r.poke()
	}
	return out, nil
}

func (r *runner) whoHas() string {
	if r.s.Master.IsValid() {
		return r.s.Master.String()
	}
	return "nobody is heard"
}

func (r *runner) hold(span time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holdUntil = r.deps.Now().Add(span)
}

// poke makes the runner look at once.
func (r *runner) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
