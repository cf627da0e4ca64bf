package journal

import (
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
)

// State is how a boot attempt stands.
type State string

// The states. A story leaves Done, Stuck and Ended again when its machine goes on after all.
const (
	Running State = "running" // something is under way or expected soon
	Done    State = "done"    // what was asked for last was delivered completely
	Stuck   State = "stuck"   // refused, failed, or the expected next step did not come
	Ended   State = "ended"   // over without a fault that this node could see: served elsewhere, or not ours
)

// States lists them in the order in which help texts and metrics name them.
func States() []State { return []State{Running, Done, Stuck, Ended} }

// Story is all that happened in one boot attempt of one machine, from the power button to the
// last bootstrap.
type Story struct {
	ID       string        `json:"id"` // short, unique on this node, later ones sort behind
	Node     string        `json:"node,omitempty"`
	MAC      boot.MAC      `json:"mac,omitzero"` // zero: only the address is known
	UUID     boot.UUID     `json:"uuid,omitzero"`
	IP       netip.Addr    `json:"ip,omitzero"`
	Name     string        `json:"name,omitempty"` // of its reservation
	Arch     *boot.Arch    `json:"arch,omitempty"`
	Firmware boot.Firmware `json:"firmware,omitempty"` // who asked last
	Network  string        `json:"network,omitempty"`
	Rule     string        `json:"rule,omitempty"`
	File     string        `json:"file,omitempty"`   // decided or asked for last
	Server   string        `json:"server,omitempty"` // the one the machine was sent to
	Media    *boot.Media   `json:"media,omitempty"`  // the boot medium that it boots from
	Started  time.Time     `json:"started"`
	Updated  time.Time     `json:"updated"`
	State    State         `json:"state"`
	Reason   boot.Reason   `json:"reason,omitempty"` // of the last thing that ended or was refused
	Where    string        `json:"where"`            // in one sentence: where it is, or stuck, and what that usually means
	Stages   []Stage       `json:"stages,omitempty"`
	Transfer *Transfer     `json:"transfer,omitempty"` // the last one
	Steps    []boot.Event  `json:"steps,omitempty"`    // in order; Progress of a transfer is one step
	Omitted  int           `json:"omitted,omitempty"`  // steps dropped from the middle, to bound memory
}

// Stage is one program of a boot: the firmware, then the iPXE it loaded, and so on.
type Stage struct {
	Firmware  boot.Firmware `json:"firmware,omitempty"`
	Started   time.Time     `json:"started"`
	Reached   []boot.Kind   `json:"reached"` // kinds of steps seen, in order of first appearance
	Rule      string        `json:"rule,omitempty"`
	File      string        `json:"file,omitempty"`
	Server    string        `json:"server,omitempty"`
	Delivered bool          `json:"delivered,omitempty"`
}

// Has reports whether the stage came to a step of this kind.
func (s Stage) Has(k boot.Kind) bool { return slices.Contains(s.Reached, k) }

// Transfer is how far one download came.
type Transfer struct {
	Role        string        `json:"role"` // tftp or http
	File        string        `json:"file"`
	Started     time.Time     `json:"started"`
	Moved       time.Time     `json:"moved"` // last sign of life
	Bytes       int64         `json:"bytes"`
	Size        int64         `json:"size,omitempty"`
	Blocks      int64         `json:"blocks,omitempty"` // acknowledged
	Total       int64         `json:"total,omitempty"`  // blocks of the whole file; 0: not known
	BlockSize   int64         `json:"block_size,omitempty"`
	Retransmits int           `json:"retransmits,omitempty"`
	Dur         time.Duration `json:"dur,omitempty"`
	Stalled     bool          `json:"stalled,omitempty"` // nothing was acknowledged for a second, and nothing since
	Waits       boot.Reason   `json:"waits,omitempty"`   // the limit for which it waits; "" if it does not
	Reason      boot.Reason   `json:"reason,omitempty"`  // "" while it runs
	Detail      string        `json:"detail,omitempty"`
}

// Percent returns how much of the file is delivered, 0 to 100, or -1 when the size is not known.
func (t *Transfer) Percent() int {
	switch {
	case t == nil:
		return -1
	case t.Reason == boot.Done:
		return 100
	case t.Size > 0:
		return int(min(100, 100*float64(t.Bytes)/float64(t.Size)))
	case t.Total > 0:
		return int(min(100, 100*t.Blocks/t.Total))
	}
	return -1
}

// Stage returns the last stage, or an empty one.
func (s *Story) Stage() Stage {
	if len(s.Stages) == 0 {
		return Stage{}
	}
	return s.Stages[len(s.Stages)-1]
}

// Machine names the machine: its MAC address, else its address.
func (s *Story) Machine() string {
	switch {
	case !s.MAC.IsZero():
		return s.MAC.String()
	case s.IP.IsValid():
		return s.IP.String()
	}
	return ""
}

// snapshot returns a copy that shares nothing that changes, with or without the steps.
func (r *record) snapshot(steps bool) Story {
	s := &r.Story
	out := *s
	out.Where = r.where()
	out.Stages = slices.Clone(s.Stages)
	for i := range out.Stages {
		out.Stages[i].Reached = slices.Clone(out.Stages[i].Reached)
	}
	if s.Transfer != nil {
		t := *s.Transfer
		out.Transfer = &t
	}
	if out.Steps = nil; steps {
		out.Steps = slices.Clone(s.Steps)
	}
	return out
}
