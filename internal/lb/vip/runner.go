package vip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/vrrp"
)

// control is what people said of an address.
type control struct{ moveUntil, holdUntil time.Time }

// runner drives the machine of one address.
type runner struct {
	cfg    Address
	deps   Deps
	node   string
	notes  *notes
	others []Address // all service addresses: none of them is one to advertise from

	stopping chan bool // receives once: whether the address stays
	packets  chan vrrp.Packet
	wake     chan struct{}
	done     chan struct{}

	mu sync.Mutex // guards what follows; held while something is done
	control
	p        Params
	s        State
	link     link.Link
	conn     *vrrp.Conn // nil: the interface is not there, down, or without an address
	ours     bool       // the address on the interface was put there by us
	adopted  bool       // the process before left it there for this one
	why      string     // the node does not deliver
	trouble  string
	conflict *Conflict
	wanted   Phase       // of an address that others move: what they said last, "" nothing yet
	wantedAt time.Time   // when
	announce []time.Time // when the neighbours are told again
	ending   bool

	takeovers, sent, received uint64
	ignored                   map[boot.Reason]uint64
	told                      string // the trouble that the log told of last
}

func newRunner(a Address, d Deps, n *notes, node string) *runner {
	return &runner{
		cfg: a, deps: d, node: node, notes: n, p: a.params(netip.Addr{}), s: State{Phase: Init, Since: d.Now()},
		stopping: make(chan bool, 1), packets: make(chan vrrp.Packet, 64), wake: make(chan struct{}, 1), done: make(chan struct{}),
		ignored: map[boot.Reason]uint64{},
	}
}

// lookEvery is how often interface, health and address are looked at.
const lookEvery = 250 * time.Millisecond

func (r *runner) run(adopt bool) {
	defer close(r.done)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	if r.cfg.External {
		r.follow(look.C)
		return
	}
	r.adopted = adopt
	r.locked(func(now time.Time) { r.look(now, adopt) })
	for {
		if d, over := r.until(); over {
			return
		} else {
			timer.Reset(d)
		}
		select {
		case keep := <-r.stopping:
			r.locked(func(now time.Time) { r.end(now, keep) })
		case <-look.C:
			r.locked(func(now time.Time) { r.look(now, false) })
		case p := <-r.packets:
			r.locked(func(now time.Time) { r.packet(now, p) })
		case <-timer.C:
			r.locked(r.tick)
		case <-r.wake:
			r.locked(func(now time.Time) { r.look(now, false) })
		}
	}
}

func (r *runner) locked(f func(time.Time)) {
	r.mu.Lock()
	phase, conflict := r.s.Phase, r.conflictWith()
	f(r.deps.Now())
	var rep *Report
	if r.deps.Changed != nil && (r.s.Phase != phase || r.conflictWith() != conflict) {
		x := r.report()
		rep = &x
	}
	r.mu.Unlock()
	if rep != nil {
		r.deps.Changed(*rep)
	}
}

// until is how long there is nothing to do; over says that all is done.
func (r *runner) until() (d time.Duration, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending && r.s.Phase == Init {
		r.shut()
		return 0, true
	}
	next := r.s.Next()
	if len(r.announce) > 0 && (next.IsZero() || r.announce[0].Before(next)) {
		next = r.announce[0]
	}
	if next.IsZero() {
		return time.Hour, false
	}
	return max(0, next.Sub(r.deps.Now())), false
}

func (r *runner) stop(keep bool) {
	select {
	case r.stopping <- keep:
	default:
	}
}

// end stops taking part: with a farewell, unless somebody goes on at once.
func (r *runner) end(now time.Time, keep bool) {
	r.ending = true
	held := now.Before(r.holdUntil)
	if held && r.s.Phase == Master {
		r.step(now, Tick{}) // the others wait from now on
		r.deps.Log.Info("the address stays for the process to come", "vip", r.cfg.Name, "address", r.cfg.Address)
		r.notes.put(r.note(now.Add(r.p.Down(State{MasterInterval: r.cfg.Interval}))))
	}
	r.step(now, Shutdown{Keep: keep || held})
}

func (r *runner) note(kept time.Time) note {
	return note{
		Name: r.cfg.Name, Address: r.cfg.Address, Interface: r.cfg.Interface,
		Label: vrrp.Label(r.cfg.Interface, r.cfg.VRID), KeptUntil: kept,
	}
}

// tick lets time pass.
func (r *runner) tick(now time.Time) {
	if n := r.s.Next(); !n.IsZero() && !now.Before(n) {
		r.step(now, Tick{})
	}
	if len(r.announce) > 0 && !now.Before(r.announce[0]) {
		r.announce = r.announce[1:]
		if len(r.announce) == 0 {
			r.announce = append(r.announce, now.Add(announceEvery))
		}
		r.tell()
	}
}

// look compares the world with what the machine goes by.
func (r *runner) look(now time.Time, adopt bool) {
	if r.ending {
		return
	}
	l, err := r.deps.Link(r.cfg.Interface)
	switch {
	case err != nil:
		r.lose(now, err.Error())
		return
	case !l.Up || l.Cut:
		r.lose(now, fmt.Sprintf("interface %s is down", l.Name))
		return
	case r.conn != nil && l.Index != r.link.Index:
		r.lose(now, fmt.Sprintf("interface %s is another one now", l.Name))
	}
	if r.conn == nil && !r.open(now, l, adopt) {
		return
	}
	r.link = l
	r.health(now)
	if r.s.Phase == Master || r.s.Phase == Leaving {
		r.guard(now)
	}
	if c := r.conflict; c != nil && now.Sub(c.At) > conflictFor(r.cfg.Interval) {
		r.conflict = nil
		r.deps.Log.Info("nobody is in the way any more", "vip", r.cfg.Name, "was", c.From)
	}
}

func conflictFor(interval time.Duration) time.Duration { return max(3*interval, 10*time.Second) }

// open opens the socket and starts the machine; it is tried again at the next look.
func (r *runner) open(now time.Time, l link.Link, adopt bool) bool {
	service := func(a netip.Addr) bool {
		return slices.ContainsFunc(r.others, func(o Address) bool { return o.Address.Addr() == a && a != r.cfg.Self })
	}
	from, err := vrrp.From(r.cfg.Interface, r.cfg.six(), r.cfg.Self, service)
	if err != nil {
		r.say(err.Error())
		return false
	}
	conn, err := vrrp.Open(context.Background(), vrrp.Via{If: l.Name, Index: l.Index, From: from, Group: r.cfg.group()})
	if err != nil {
		r.say(err.Error())
		return false
	}
	r.say("")
	r.conn, r.link, r.p = conn, l, r.cfg.params(from)
	go func() {
		for {
			p, err := conn.Read()
			if err != nil {
				return // closed
			}
			p.Data = slices.Clone(p.Data)
			select {
			case r.packets <- p:
			case <-r.done:
				return
			}
		}
	}()
	r.health(now)
	r.step(now, Startup{Adopt: adopt})
	return true
}

// lose ends taking part for as long as the interface cannot be used.
func (r *runner) lose(now time.Time, why string) {
	r.say(why)
	r.step(now, Shutdown{Quiet: true})
	r.shut()
}

func (r *runner) shut() {
	if r.conn != nil {
		_ = r.conn.Close()
		r.conn = nil
	}
}

// say keeps what is wrong, and logs it once.
func (r *runner) say(trouble string) {
	r.trouble = trouble
	if trouble == r.told {
		return
	}
	r.told = trouble
	if trouble != "" {
		r.deps.Log.Warn("no part is taken in a service address", "vip", r.cfg.Name, "why", trouble)
	}
}

// health lowers the priority while the node does not deliver, and while somebody wants the address moved.
func (r *runner) health(now time.Time) {
	by := 0
	r.why = ""
	if r.cfg.LowerBy > 0 && r.deps.Delivers != nil {
		if r.why = r.deps.Delivers(); r.why != "" {
			by = r.cfg.LowerBy
		}
	}
	if r.why == "" && r.deps.Carries != nil {
		if r.why = r.deps.Carries(r.cfg.Name); r.why != "" {
			by = max(r.cfg.LowerBy, lowerUncarried)
		}
	}
	if now.Before(r.moveUntil) {
		by = 254
	}
	if by == r.s.Lower {
		return
	}
	was := r.p.Effective(r.s)
	r.step(now, Lower{By: by})
	if is := r.p.Effective(r.s); is != was {
		r.event(now, boot.VIPPriority, fmt.Sprintf("priority %d instead of %d%s", is, was, because(r.lowered(now))))
	}
}

// lowerUncarried is what is subtracted where the site file lets nothing else lower the priority.
const lowerUncarried = 100

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func (r *runner) lowered(now time.Time) string {
	switch {
	case r.p.Effective(r.s) >= r.cfg.Priority:
		return ""
	case now.Before(r.moveUntil):
		return "moved away until " + r.moveUntil.Local().Format(time.TimeOnly)
	}
	return r.why
}
