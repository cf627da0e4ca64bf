package vip

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/vrrp"
)

// An address that another program moves (keepalived, Pacemaker): it says so by `surefoot lb role`. Nothing is put on an
// interface here, and nobody told. Before anything was said, as after a restart of this program, the interface is asked: who
// has the address is its master.

// roleGrace is how long what was said and what is on the interface may differ: keepalived speaks after it acts, and
// another may before.
const roleGrace = 2 * time.Second

// follow is run, for such an address.
func (r *runner) follow(look <-chan time.Time) {
	r.locked(r.compare)
	for {
		select {
		case <-r.stopping:
			r.locked(func(now time.Time) {
				r.ending = true
				r.turn(now, Init, "takes no part any more")
			})
			return
		case <-look:
			r.locked(r.compare)
		case <-r.wake:
			r.locked(r.compare)
		}
	}
}

// hearRole notes what somebody said.
func (r *runner) hearRole(master bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted, r.wantedAt = Backup, r.deps.Now()
	if master {
		r.wanted = Master
	}
	r.poke()
}

// compare goes by what was said, and by the interface where nothing was.
func (r *runner) compare(now time.Time) {
	if r.ending {
		return
	}
	l, err := r.deps.Link(r.cfg.Interface)
	has := err == nil && r.holds(l)
	to, why := Backup, "does not have the address"
	switch {
	case r.wanted != "":
		to, why = r.wanted, "another program made this node the "+string(r.wanted)
	case has:
		to, why = Master, "has the address on "+r.cfg.Interface
	}
	trouble := ""
	switch {
	case err != nil:
		trouble = err.Error()
	case now.Sub(r.wantedAt) < roleGrace:
	case r.wanted == Master && !has:
		trouble = fmt.Sprintf("surefoot lb role master was said, and %s is not on %s", r.cfg.Address.Addr(), r.cfg.Interface)
	case r.wanted == Backup && has:
		trouble = fmt.Sprintf("surefoot lb role backup was said, and %s is on %s all the same", r.cfg.Address.Addr(), r.cfg.Interface)
	}
	if not := r.turn(now, to, why); trouble == "" {
		trouble = not
	}
	r.say(trouble)
}

// turn goes over to a phase, or says why not: what cannot be the master yet is tried again at the next look.
func (r *runner) turn(now time.Time, to Phase, why string) (trouble string) {
	was := r.s.Phase
	switch {
	case was == to:
		return ""
	case to == Master:
		if err := r.claim(now); err != nil {
			return err.Error()
		}
	case was == Master:
		if err := r.release(); err != nil {
			trouble = err.Error()
		}
	}
	r.s = State{Phase: to, Since: now}
	r.event(now, map[Phase]boot.Reason{Master: boot.VIPMaster, Backup: boot.VIPBackup, Init: boot.VIPStopped}[to], why)
	return trouble
}

// holds reports whether the interface has the address.
func (r *runner) holds(l link.Link) bool {
	if !r.cfg.six() {
		return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == r.cfg.Address.Addr() })
	}
	return vrrp.Has(r.cfg.Interface, r.cfg.Address.Addr())
}
