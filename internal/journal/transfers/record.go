package transfers

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// State is how a transfer stands.
type State string

// The states.
const (
	Waiting   State = "waiting" // for a place: as many as are allowed run already
	Opening   State = "opening" // asked for, and the file is not open yet: the disk is slow
	Running   State = "running"
	Stalled   State = "stalled"    // running, and nothing was acknowledged for a second
	Done      State = "done"       // delivered completely
	SizeQuery State = "size-query" // ended by the client, which wanted the size only and comes back (EDK2)
	Failed    State = "failed"
)

// Directions of a transfer, as the client sees it.
const (
	Download = "download"
	Upload   = "upload"
)

// Record is one transfer. Durations are nanoseconds in JSON. Fields are only ever added.
type Record struct {
	Transfer  uint64 `json:"transfer"` // its number on this node, the same in all its events
	Direction string `json:"direction"`
	State     State  `json:"state"`

	Client string     `json:"client"` // address and port
	IP     netip.Addr `json:"ip,omitzero"`
	MAC    boot.MAC   `json:"mac,omitzero"`    // if the journal knows it
	Name   string     `json:"name,omitempty"`  // of the machine's reservation
	Boot   string     `json:"boot,omitempty"`  // the story that it belongs to
	Local  string     `json:"local,omitempty"` // the address and port that were asked

	Asked     string `json:"asked"`          // the file as asked for
	File      string `json:"file,omitempty"` // as found below the root; "" if it was not
	Size      int64  `json:"size,omitempty"`
	Options   string `json:"options_asked,omitempty"`
	Granted   string `json:"options_granted,omitempty"`
	BlockSize int64  `json:"block_size,omitempty"`
	Window    int64  `json:"window,omitempty"`

	Began      time.Time     `json:"began"`
	Updated    time.Time     `json:"updated"`               // the last event
	FirstBlock time.Duration `json:"first_block,omitempty"` // request to first acknowledged block
	Dur        time.Duration `json:"dur,omitempty"`         // request to the last event
	RTT        time.Duration `json:"rtt,omitempty"`         // smoothed, as the sender measured it

	Bytes          int64   `json:"bytes"`           // acknowledged
	Blocks         int64   `json:"blocks"`          // acknowledged
	Total          int64   `json:"total,omitempty"` // blocks of the whole file
	Packets        int64   `json:"packets"`         // sent, those sent again as well
	Retransmits    int     `json:"retransmits"`
	BytesPerSecond float64 `json:"bytes_per_second"`

	Pause   time.Duration `json:"pause,omitempty"` // the longest time without progress; of a stalled one the present one
	PauseAt int64         `json:"pause_at"`        // the block that was waited for; 0: the options

	Reason     boot.Reason `json:"reason,omitempty"` // "" while it runs
	ReasonText string      `json:"reason_text,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Where      string      `json:"where"` // in words: where it stands, or where it ended
}

// entry is a record in the making: what the events say, and nothing that can be worked out later.
type entry struct {
	Record
	stalled time.Time   // since when nothing is acknowledged; zero: it moves
	moved   bool        // an event after the request came: the file is open
	waits   boot.Reason // for a place; "": not, or not any more
}

// note takes the measurements of an event.
func (e *entry) note(ev *boot.Event) {
	e.Updated = ev.Time
	if ev.Size > 0 {
		e.Size = ev.Size
	}
	if ev.Kind == boot.OptionsSent {
		e.Granted = ev.Options
	}
	e.Bytes, e.Blocks = max(e.Bytes, ev.Bytes), max(e.Blocks, ev.Blocks)
	e.Packets, e.Retransmits = max(e.Packets, ev.Packets), max(e.Retransmits, ev.Retransmits)
	e.FirstBlock, e.Dur = max(e.FirstBlock, ev.FirstBlock), max(e.Dur, ev.Dur)
	if ev.RTT > 0 {
		e.RTT = ev.RTT
	}
	if ev.Pause > 0 {
		e.Pause, e.PauseAt = ev.Pause, ev.PauseAt
	}
}

// follow takes an event of a transfer that goes on.
func (e *entry) follow(ev *boot.Event) {
	e.note(ev)
	if ev.Kind == boot.Waiting {
		e.waits = ev.Reason
		return
	}
	e.moved, e.stalled, e.waits = true, time.Time{}, ""
	if ev.File != "" {
		e.File = ev.File
	}
	if ev.Kind == boot.Stalled {
		e.stalled = ev.Time.Add(-ev.Pause)
	}
}

// end takes the last event.
func (e *entry) end(ev *boot.Event) {
	e.note(ev)
	e.stalled, e.waits = time.Time{}, ""
	if e.opened(ev) {
		e.File = ev.File
	}
	e.Reason, e.Detail = ev.Reason, ev.Detail
}

// opened reports whether the file was found: a request that is refused before ends with the name
// that was asked for.
func (e *entry) opened(ev *boot.Event) bool { return ev.File != "" && (ev.Size > 0 || ev.Packets > 0) }
