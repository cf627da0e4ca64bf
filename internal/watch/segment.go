package watch

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// What a segment counts as. A network segment is what DISCOVERs of one interface reach.
const (
	Answered health.Status = "answered" // somebody offers an address, to every form of DISCOVER
	Silent   health.Status = "silent"   // nobody does
	Deaf     health.Status = "deaf"     // answers to one form of DISCOVER arrive, those to the other do not
	NotAsked health.Status = "error"    // this node could not ask, or its silence says nothing
	LeftOut  health.Status = "left-out" // the site file does not want it asked
)

// Discovery says where DISCOVERs are sent, how often, and who is known there.
type Discovery struct {
	Site       *boot.Site // Self is the node
	Interfaces []string   // of the node
	Networks   []string   // only on these; none: on all that Surefoot does not stay silent on
	Every      time.Duration
	Wait       time.Duration         // for offers
	Probes     int                   // so many in a row make a segment silent or deaf
	Expect     []netip.Addr          // servers that are to answer
	Nodes      map[string]netip.Addr // of the site: one that hands out addresses alone is no server
	// NoAddress has the networks that the nodes answer by DHCPv6: whether machines there get no address from them.
	// Without any nothing is asked by DHCPv6.
	NoAddress map[string]bool
}

// Look is what one run on one segment showed.
type Look struct {
	Name      string         `json:"name"`              // dhcp/INTERFACE, dhcp6/INTERFACE
	Network   string         `json:"network,omitempty"` // with /6 behind it over IPv6
	Interface string         `json:"interface"`
	MAC       string         `json:"mac,omitempty"` // that was asked from
	Time      time.Time      `json:"time"`
	State     health.Status  `json:"state"`
	Lost      string         `json:"lost_flags,omitempty"` // deaf: the flags of the DISCOVER whose answers do not arrive
	Text      string         `json:"text"`
	Hints     []string       `json:"hints,omitempty"`
	Response  time.Duration  `json:"response_ns,omitempty"` // to the first offer of an address; absent: none came
	Services  []Service      `json:"services,omitempty"`
	Missing   []string       `json:"missing,omitempty"`    // servers that were expected and do not answer
	OwnServer bool           `json:"own_server,omitempty"` // error: a DHCP server of this machine may be the one
	Note      string         `json:"note,omitempty"`
	Trace     []probe.Packet `json:"trace,omitempty"`
}

// Service is somebody who answers DISCOVERs.
type Service struct {
	Server  string   `json:"server"` // option 54, or where it came from
	From    string   `json:"from"`   // IP of the packets: a relay's, where there is one
	MAC     string   `json:"mac,omitempty"`
	DUID    string   `json:"duid,omitempty"`    // of a DHCPv6 server: several may be behind one relay
	Address bool     `json:"address,omitempty"` // it offers addresses
	Boot    bool     `json:"boot,omitempty"`    // it says what to boot
	Files   []string `json:"files,omitempty"`
	Offers  []string `json:"offers"`          // in words
	Known   string   `json:"known,omitempty"` // as what; absent: a stranger
	Flags   []string `json:"flags"`           // of the DISCOVERs that it answers
}

// Stranger reports whether it decides boots, and nobody said that it may.
func (s *Service) Stranger() bool { return s.Boot && s.Known == "" }

// SegmentReport tells of one segment.
type SegmentReport struct {
	Name         string        `json:"name"`
	Network      string        `json:"network,omitempty"`
	Interface    string        `json:"interface"`
	Every        time.Duration `json:"every_ns"`
	State        health.Status `json:"state"`
	Since        time.Time     `json:"since,omitzero"`
	Text         string        `json:"text,omitempty"`
	Runs         int64         `json:"runs"`
	BadRuns      int64         `json:"bad_runs"` // without an offer of an address
	Errors       int64         `json:"errors"`   // that could not ask; they are no runs
	Availability *float64      `json:"availability,omitempty"`
	Last         *Look         `json:"last,omitempty"`
	Next         time.Time     `json:"next,omitzero"`
	Samples      []Sample      `json:"samples,omitempty"`
}

// segment is everything that is known of one. The Discoverer's lock guards it.
type segment struct {
	job
	name, iface string
	running     bool

	state         health.Status
	since         time.Time
	text          string
	pending, lost string // what the last bad looks said, and how many in a row did
	inRow         int
	last          *Look
	ring          ring
	runs, badRuns int64
	errors        int64
	own           int // so many runs more are made from the card's own address
	strangers     map[string]bool
}

// step takes a look into account, and reports whether the segment counts as something else now.
// What could not be asked says nothing of the segment, and is said at once.
func (s *segment) step(l *Look, probes int) (from health.Status, changed bool) {
	to := s.state
	switch l.State {
	case Silent, Deaf:
		if s.pending != string(l.State) || s.lost != l.Lost {
			s.pending, s.lost, s.inRow = string(l.State), l.Lost, 0
		}
		if s.inRow++; s.inRow >= probes {
			to = l.State
		}
	default:
		s.pending, s.lost, s.inRow = "", "", 0
		to = l.State
	}
	from, changed = s.state, to != s.state
	if changed {
		s.state, s.since = to, l.Time
	}
	if to == l.State {
		s.text = l.Text
	}
	return from, changed
}

// doubt reports whether the last look does not agree with what the segment counts as.
func (s *segment) doubt() bool { return s.last != nil && s.last.State != s.state }

// note keeps a look.
func (s *segment) note(l *Look) {
	s.last = l
	switch l.State {
	case NotAsked:
		s.errors++
	case Answered, Silent, Deaf:
		s.runs++
		r := Result{Time: l.Time, Response: l.Response}
		if l.Response > 0 {
			r.Availability = 100
		} else {
			s.badRuns++
		}
		s.ring.add(pack(&r))
	}
}

func (s *segment) report(q Query, every time.Duration) SegmentReport {
	r := SegmentReport{
		Name: s.name, Interface: s.iface, Every: every, State: s.state, Since: s.since, Text: s.text,
		Runs: s.runs, BadRuns: s.badRuns, Errors: s.errors, Next: s.at, Samples: s.ring.last(q.Samples),
	}
	if n := len(s.ring.buf); n > 0 {
		r.Availability = percent(s.ring.good, n)
	}
	if s.last != nil {
		last := *s.last
		if !q.Diagnoses {
			last.Trace = nil
		}
		r.Last, r.Network = &last, last.Network
	}
	return r
}
