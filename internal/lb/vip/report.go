package vip

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// Report is how this node stands with one address. Fields are only ever added.
type Report struct {
	Name      string        `json:"name"`
	Address   string        `json:"address"`
	Interface string        `json:"interface"`
	VRID      uint8         `json:"vrid"`
	Version   int           `json:"version"`
	Peers     []netip.Addr  `json:"peers,omitempty"` // none: the multicast group
	Interval  time.Duration `json:"interval_ns"`
	Members   []Member      `json:"nodes"`
	External  bool          `json:"external,omitempty"` // another program moves it

	State     Phase      `json:"state"`
	Since     time.Time  `json:"since"`
	From      netip.Addr `json:"from,omitzero"` // advertisements leave from it
	Priority  uint8      `json:"priority"`      // now
	Base      uint8      `json:"base_priority"`
	Lowered   string     `json:"lowered,omitempty"` // why it is lower than that
	MoveUntil time.Time  `json:"move_until,omitzero"`
	HoldUntil time.Time  `json:"hold_until,omitzero"`

	Master         netip.Addr `json:"master,omitzero"` // whom a backup hears
	MasterPriority uint8      `json:"master_priority,omitempty"`

	Trouble  string    `json:"trouble,omitempty"`  // why it takes no part, or not as it should
	Conflict *Conflict `json:"conflict,omitempty"` // somebody else is in the way

	Takeovers uint64                 `json:"takeovers"`
	Sent      uint64                 `json:"sent"`
	Received  uint64                 `json:"received"`
	Ignored   map[boot.Reason]uint64 `json:"ignored,omitempty"`
}

// Conflict is another program that should not be there, or not so.
type Conflict struct {
	Reason boot.Reason `json:"reason"`
	From   netip.Addr  `json:"from"`
	Text   string      `json:"text"`
	At     time.Time   `json:"at"` // heard last
}

// MoveResult is what came of a wish to move an address.
type MoveResult struct {
	Name   string    `json:"name"`
	To     string    `json:"to,omitempty"` // the node that is next in priority
	Until  time.Time `json:"until,omitzero"`
	DryRun bool      `json:"dry_run,omitempty"`
	Text   string    `json:"text"`
}

// Refusal is a wish that cannot be had, with what to do instead.
type Refusal struct {
	Text string   `json:"error"`
	Fix  []string `json:"hints,omitempty"`
}

func (e *Refusal) Error() string { return e.Text }

// Hint says what to do instead.
func (e *Refusal) Hint() []string { return e.Fix }
