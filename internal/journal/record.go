package journal

import (
	"slices"
	"time"

	"surefoot/internal/boot"
)

// phase is how far a story came: what happened last and, with it, what must come next.
type phase int

const (
	nothing   phase = iota
	seen            // a DISCOVER, not answered yet
	refused         // a packet that got no answer
	offered         // our offer went out
	requested       // and the client took somebody's address
	asked           // a request on port 4011
	answered        // our reply to it
	scripted        // an iPXE script went out
	moving          // a transfer runs
	probed          // the client learned the file's size and will come back
	failed          // a transfer ended badly
	delivered       // a transfer ended well
)

// patience is how long each phase may last before its story counts as stuck. Firmware repeats
// its DISCOVER after 4, 8, 16 and 32 s (F7) and asks port 4011 for 10 s (F3), iPXE repeats its
// read request for 16 s and EDK2 for 24 s.
var patience = map[phase]time.Duration{
	seen:      10 * time.Second,
	offered:   35 * time.Second,
	requested: 30 * time.Second,
	asked:     10 * time.Second,
	answered:  30 * time.Second,
	scripted:  60 * time.Second,
	moving:    60 * time.Second,
	probed:    30 * time.Second,
}

const (
	linger    = 2 * time.Minute  // a later stage comes within this time after a delivery
	oldest    = 10 * time.Minute // after this silence nothing but a new story
	maxXIDs   = 8
	maxOpen   = 8
	maxStages = 16
	keepHead  = 24 // steps at the beginning that are never dropped
)

// record is a story in the making.
type record struct {
	Story
	xids     []uint32
	phase    phase
	lost     bool                // patience ran out
	due      time.Time           // when it does; zero: nothing is awaited
	begun    bool                // a transfer has begun
	finished time.Time           // when the last complete delivery was
	at       map[phase]time.Time // when each phase was entered last
	open     []*openTransfer
	missed   string // a file that was asked for after a delivery, and is not there
	proven   bool   // the client acknowledged data: its address is no forgery
	peers    bool   // other nodes answer here too, unseen by this one
	counted  map[State]bool
}

// apply adds one event to the story. The event has been cleaned, and it belongs here.
func (r *record) apply(ev *boot.Event, maxSteps int) {
	r.identify(ev)
	r.stage(ev)
	r.lost = false
	switch ev.Kind {
	case boot.DiscoverSeen:
		r.enter(seen, ev.Time)
		r.remember(ev.XID)
	case boot.OfferSent:
		r.decided(ev)
		r.enter(sentOr(ev, offered), ev.Time)
	case boot.RequestSeen:
		if r.phase == nothing || r.phase == offered {
			r.enter(requested, ev.Time)
		}
	case boot.BootRequestSeen:
		r.enter(asked, ev.Time)
	case boot.BootReplySent:
		r.decided(ev)
		r.enter(sentOr(ev, answered), ev.Time)
	case boot.ScriptSent:
		r.decided(ev)
		r.proven = true
		if r.enter(scripted, ev.Time); !ev.Reason.Good() {
			r.enter(failed, ev.Time)
		}
	case boot.Ignored:
		if _, ok := refusals[ev.Reason]; ok && (r.phase <= refused || r.phase == asked) {
			r.Reason = ev.Reason
			r.enter(refused, ev.Time)
		}
	case boot.ReadRequest, boot.Waiting, boot.OptionsSent, boot.Progress, boot.Stalled, boot.TransferEnd, boot.HTTPRequest:
		r.transfer(ev)
	}
	r.append(ev, maxSteps)
	r.settle()
}

// sentOr is the phase after an answer: p if it left this node.
func sentOr(ev *boot.Event, p phase) phase {
	if ev.Reason.Good() {
		return p
	}
	return refused
}

// enter changes the phase and sets the clock for the next step.
func (r *record) enter(p phase, now time.Time) {
	r.phase = p
	r.at[p] = now
	r.due = time.Time{}
	if d, ok := patience[p]; ok {
		r.due = now.Add(d)
	}
}

// identify fills in what the event says about the machine.
func (r *record) identify(ev *boot.Event) {
	if ev.Time.After(r.Updated) {
		r.Updated = ev.Time
	}
	if !ev.UUID.IsZero() {
		r.UUID = ev.UUID
	}
	if known(ev.IP) {
		r.IP = ev.IP
	}
	if ev.Arch != nil {
		r.Arch = ev.Arch
	}
	if ev.Network != "" {
		r.Network = ev.Network
	}
	if ev.Media != nil {
		r.Media = ev.Media
	}
}

// decided fills in what the machine was told.
func (r *record) decided(ev *boot.Event) {
	st := &r.Stages[len(r.Stages)-1]
	for _, f := range []struct {
		value   string
		targets []*string
	}{
		{ev.Rule, []*string{&r.Rule, &st.Rule}},
		{ev.File, []*string{&r.File, &st.File}},
		{ev.Server, []*string{&r.Server, &st.Server}},
	} {
		for _, t := range f.targets {
			if f.value != "" {
				*t = f.value
			}
		}
	}
	r.Reason = ev.Reason
}

// stage opens a stage where a new program speaks, and marks the step as reached.
func (r *record) stage(ev *boot.Event) {
	fresh := len(r.Stages) == 0
	if ev.Kind == boot.DiscoverSeen && !fresh {
		cur := r.Stages[len(r.Stages)-1]
		fresh = cur.Delivered || (ev.Firmware != "" && cur.Firmware != "" && ev.Firmware != cur.Firmware)
	}
	if fresh {
		if len(r.Stages) == maxStages {
			r.Stages = slices.Delete(r.Stages, 1, 2)
		}
		r.Stages = append(r.Stages, Stage{Started: ev.Time})
	}
	st := &r.Stages[len(r.Stages)-1]
	if ev.Firmware != "" && (st.Firmware == "" || ev.Kind == boot.DiscoverSeen) {
		st.Firmware, r.Firmware = ev.Firmware, ev.Firmware
	}
	if !slices.Contains(st.Reached, ev.Kind) {
		st.Reached = append(st.Reached, ev.Kind)
	}
}

func (r *record) remember(xid uint32) {
	if xid == 0 || slices.Contains(r.xids, xid) {
		return
	}
	if len(r.xids) == maxXIDs {
		r.xids = slices.Delete(r.xids, 0, 1)
	}
	r.xids = append(r.xids, xid)
}

// append adds a step; the progress of one transfer is a single step that moves along, and so are
// its stalls.
func (r *record) append(ev *boot.Event, maxSteps int) {
	if ev.Kind == boot.Progress || ev.Kind == boot.Stalled {
		for i := len(r.Steps) - 1; i >= 0 && i >= len(r.Steps)-maxOpen; i-- {
			if s := &r.Steps[i]; s.Kind == ev.Kind && s.Transfer == ev.Transfer && s.Role == ev.Role {
				*s = *ev
				return
			}
		}
	}
	if len(r.Steps) >= maxSteps {
		r.Steps = slices.Delete(r.Steps, min(keepHead, maxSteps/2), min(keepHead, maxSteps/2)+1)
		r.Omitted++
	}
	r.Steps = append(r.Steps, *ev)
}
