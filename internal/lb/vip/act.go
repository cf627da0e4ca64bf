package vip

import (
	"context"
	"fmt"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/vrrp"
	wire "surefoot/internal/wire/vrrp"
)

// announceAfter are the times after a take-over at which the neighbours are told: at once, and again, as
// one frame may be lost, or a switch not yet forward.
func announceAfter() []time.Duration {
	return []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, time.Second, 5 * time.Second}
}

// announceEvery is how often they are told after that.
const announceEvery = time.Minute

// step lets the machine decide, and does what it says. r.mu is held.
func (r *runner) step(now time.Time, ev Event) {
	was := r.s
	next, do := Step(now, r.p, r.s, ev)
	r.s = next
	for _, a := range do {
		if err := r.do(now, a); err != nil {
			r.say(err.Error())
			if a.Do == Claim { // without the address there is nothing to be the master of
				r.s, _ = Step(now, r.p, r.s, Shutdown{Quiet: true, Keep: true})
				r.release()
				r.shut()
				break
			}
		}
	}
	if r.s.Phase != was.Phase {
		r.changed(now, was)
	}
	if r.s.Phase == Master && r.s.Rivals >= rivals {
		r.inTheWay(now, boot.VIPTwoMasters, Conflict{From: r.s.Rival, Text: "it advertises with a lower priority and does not yield: it does not hear this node"})
	}
}

// rivals is how often another master may be heard until it counts as one: one that was just overtaken
// has sent one or two on its way.
const rivals = 4

func (r *runner) do(now time.Time, a Action) error {
	switch a.Do {
	case Claim:
		return r.claim(now)
	case Release:
		return r.release()
	case Announce:
		r.announce = nil
		for _, d := range announceAfter() {
			r.announce = append(r.announce, now.Add(d))
		}
		r.tell()
	case Send:
		return r.send(a.Priority)
	}
	return nil
}

// claim puts the address on the interface.
func (r *runner) claim(now time.Time) error {
	if r.deps.Claiming != nil {
		if err := r.deps.Claiming(r.cfg.Name); err != nil {
			return err
		}
	}
	r.takeovers++
	if r.cfg.External {
		return nil // whoever moves the address has put it there
	}
	n := r.note(time.Time{})
	r.notes.put(n)
	added, err := vrrp.Add(r.cfg.Interface, r.cfg.Address, n.Label)
	switch {
	case err != nil:
		r.notes.drop(r.cfg.Name)
		return err
	case added, r.ours:
		r.ours = true
	case r.adopted || vrrp.Ours(r.cfg.Interface, r.cfg.Address, n.Label):
		r.ours = true
	default: // it is somebody else's, and stays when we go
		r.notes.drop(r.cfg.Name)
		if r.cfg.Priority != wire.PriorityOwner {
			r.say(fmt.Sprintf("%s was on %s before Surefoot put it there: it stays there when another node takes over", r.cfg.Address.Addr(), r.cfg.Interface))
		}
	}
	r.adopted = false
	return nil
}

// release takes it off again.
func (r *runner) release() error {
	r.announce = nil
	if r.deps.Released != nil {
		defer r.deps.Released(r.cfg.Name)
	}
	if !r.ours {
		return nil
	}
	_, err := vrrp.Remove(r.cfg.Interface, r.cfg.Address, vrrp.Label(r.cfg.Interface, r.cfg.VRID))
	if err == nil {
		r.ours = false
		r.notes.drop(r.cfg.Name)
	}
	return err
}

// guard puts the address back that somebody took off the interface of the master.
func (r *runner) guard(now time.Time) {
	if !r.ours {
		return
	}
	added, err := vrrp.Add(r.cfg.Interface, r.cfg.Address, vrrp.Label(r.cfg.Interface, r.cfg.VRID))
	switch {
	case err != nil:
		r.lose(now, err.Error())
	case added:
		r.deps.Log.Warn("somebody removed a service address, and it was put back", "vip", r.cfg.Name, "address", r.cfg.Address, "if", r.cfg.Interface)
		_ = r.do(now, Action{Do: Announce})
	}
}

// tell announces the address.
func (r *runner) tell() {
	if err := vrrp.Announce(context.Background(), r.link.Name, r.link.Index, r.link.MAC, r.cfg.Address.Addr()); err != nil {
		r.deps.Log.Debug("not announced", "vip", r.cfg.Name, "err", err)
	}
}

// send advertises.
func (r *runner) send(priority uint8) error {
	if r.conn == nil {
		return nil
	}
	a := wire.Advert{Version: r.cfg.Version, VRID: r.cfg.VRID, Priority: priority, Interval: r.cfg.Interval}
	a.Addrs = append(a.Addrs, r.cfg.Address.Addr())
	to := r.cfg.Peers
	if g := r.cfg.group(); g.IsValid() {
		to = append(to[:0:0], g)
	}
	for _, dst := range to {
		if err := r.conn.Write(a.Append(nil, r.p.Self, dst), dst); err != nil {
			r.deps.Log.Debug("an advertisement was not sent", "vip", r.cfg.Name, "to", dst, "err", err) // a peer without a MAC address is one
			continue
		}
		r.sent++
	}
	return nil
}

// changed tells of a new phase.
func (r *runner) changed(now time.Time, was State) {
	switch r.s.Phase {
	case Master:
		text := "took the address"
		if was.Phase == Backup && was.Master.IsValid() && !now.Before(was.DownAt) {
			text = fmt.Sprintf("took the address: the master %s was not heard in time, or has a lower priority", was.Master)
		}
		if was.Phase != Leaving {
			r.event(now, boot.VIPMaster, text)
		}
	case Backup:
		switch {
		case was.Phase == Master || was.Phase == Leaving:
			r.event(now, boot.VIPBackup, fmt.Sprintf("gave the address to %s, priority %d", r.s.Master, r.s.MasterPriority))
		default:
			r.event(now, boot.VIPBackup, "listens to who has the address")
		}
	case Leaving:
		r.deps.Log.Debug("says farewell", "vip", r.cfg.Name)
	case Init:
		text := "takes no part any more"
		if r.trouble != "" {
			text += ": " + r.trouble
		}
		r.event(now, boot.VIPStopped, text)
	}
}

func (r *runner) event(now time.Time, why boot.Reason, text string) {
	r.deps.Emit.To(boot.Event{
		Time: now, Node: r.node, Role: Role, Kind: boot.VIPChanged, Reason: why, If: r.cfg.Interface,
		Server: r.cfg.Name, Detail: r.cfg.Address.Addr().String() + ": " + text,
	})
}
