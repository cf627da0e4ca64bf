package transfers

import (
	"time"

	"surefoot/internal/boot"
)

// Limits bound what is remembered.
type Limits struct {
	Live  int // running transfers; more have no record until they end
	Done  int // the last that were delivered
	Other int // the last of each other outcome, so that a flood of one does not push out the others
	Keys  int // clients, and files, of each five minutes
}

// DefaultLimits bound the memory of a board: see TestRandomClients.
func DefaultLimits() Limits { return Limits{Live: 16384, Done: 500, Other: 100, Keys: 1024} }

// maxOutcomes bounds the outcomes that have a place of their own. There are fewer reasons.
const maxOutcomes = 64

// silent is how long a running transfer may say nothing before its end counts as lost: a server
// gives up a client after 40 s at the most. While a file is being opened, there is nothing to say.
const (
	silent        = time.Minute
	silentOpening = 10 * time.Minute
)

// id names a transfer. The number alone would not do: a reload may begin a new server, which
// counts anew, while the one before finishes its transfers.
type id struct {
	number uint64
	peer   string
}

// Board takes the events of TFTP. It is not safe for concurrent use.
type Board struct {
	limits  Limits
	since   time.Time
	live    map[id]*entry
	ended   map[boot.Reason]*ring
	spare   []*entry
	totals  Totals
	pace    pace
	talkers *talkers
}

// New makes a board that begins now.
func New(now time.Time, l Limits) *Board {
	return &Board{
		limits: l, since: now, live: map[id]*entry{}, ended: map[boot.Reason]*ring{},
		totals: Totals{Ended: map[boot.Reason]int64{}}, pace: pace{since: now}, talkers: newTalkers(now, l.Keys),
	}
}

// Feed takes an event, cleaned, with what the journal knows about its client. Events of other
// roles, and those of no transfer, are none of its business.
func (b *Board) Feed(ev *boot.Event, mac boot.MAC, story string) {
	if ev.Role != "tftp" || ev.Transfer == 0 || ev.Kind == boot.Ignored {
		return
	}
	b.talkers.turn(ev.Time)
	e := b.entry(ev)
	if e == nil {
		return
	}
	if !mac.IsZero() {
		e.MAC = mac
	}
	if story != "" {
		e.Boot = story
	}
	bytes, packets, resent := e.Bytes, e.Packets, e.Retransmits
	switch ev.Kind {
	case boot.ReadRequest, boot.WriteRequest:
		e.Asked, e.Options = ev.File, ev.Options
		return
	case boot.TransferEnd:
		e.end(ev)
	default:
		e.follow(ev)
	}
	s := b.pace.at(ev.Time)
	if e.Direction == Upload { // the figures of downloads say nothing of it
		b.totals.UploadBytes += e.Bytes - bytes
	} else {
		b.moved(s, e.Bytes-bytes, e.Packets-packets, int64(e.Retransmits-resent))
	}
	switch ev.Kind {
	case boot.Stalled:
		b.totals.Stalls++
	case boot.TransferEnd:
		b.close(s, e, ev)
	}
}

// entry finds the record of an event's transfer, or begins one: the event that began it may have
// been lost. It is nil where there is no room.
func (b *Board) entry(ev *boot.Event) *entry {
	key := id{ev.Transfer, ev.Peer}
	switch e := b.live[key]; {
	case e != nil && (ev.Kind == boot.ReadRequest || ev.Kind == boot.WriteRequest):
		b.lose(key)
	case e != nil:
		return e
	case len(b.live) >= b.limits.Live && ev.Kind != boot.TransferEnd:
		return nil
	}
	b.totals.Begun++
	e := b.fresh()
	e.Transfer, e.Direction = ev.Transfer, Download
	if ev.Upload {
		e.Direction = Upload
	}
	e.Client, e.IP, e.Local, e.Asked = ev.Peer, ev.IP, ev.Local, ev.File
	e.Began, e.Updated = ev.Time.Add(-ev.Dur), ev.Time
	if ev.Kind != boot.TransferEnd {
		b.live[key] = e
	}
	return e
}

func (b *Board) moved(s *second, bytes, packets, retransmits int64) {
	s.bytes += bytes
	s.packets += packets
	s.retransmits += retransmits
	b.totals.Bytes += bytes
	b.totals.Packets += packets
	b.totals.Retransmits += retransmits
}

// close counts a transfer that ended, and keeps its record.
func (b *Board) close(s *second, e *entry, ev *boot.Event) {
	delete(b.live, id{ev.Transfer, ev.Peer})
	b.totals.Ended[e.Reason]++
	switch {
	case e.Reason == boot.TsizeProbe:
		s.probes++
		b.totals.SizeQueries++
	case e.Reason.Good() && e.Direction == Upload:
		b.totals.Uploads++
	case e.Reason.Good():
		s.done++
		b.totals.Done++
	default:
		s.failed++
		b.totals.Failed++
	}
	if e.Direction != Upload {
		b.talkers.ended(e)
	}
	b.keep(e)
}

// keep puts a record among the last ones of its outcome.
func (b *Board) keep(e *entry) {
	r := b.ended[e.Reason]
	if r == nil {
		if len(b.ended) >= maxOutcomes {
			return
		}
		r = &ring{max: b.limits.Other}
		if e.Reason == boot.Done {
			r.max = b.limits.Done
		}
		b.ended[e.Reason] = r
	}
	if old := r.push(e); old != nil {
		b.spare = append(b.spare, old)
	}
}

// fresh returns an empty entry, one that was pushed out if there is any.
func (b *Board) fresh() *entry {
	n := len(b.spare)
	if n == 0 {
		return &entry{}
	}
	e := b.spare[n-1]
	b.spare = b.spare[:n-1]
	*e = entry{}
	return e
}

// Tick lets time pass: records whose end was never told are given up.
func (b *Board) Tick(now time.Time) {
	b.talkers.turn(now)
	for key, e := range b.live {
		limit := silent
		if !e.moved {
			limit = silentOpening
		}
		if now.Sub(e.Updated) >= limit {
			b.lose(key)
		}
	}
}

// lose gives up a record whose end was never told.
func (b *Board) lose(key id) {
	b.spare = append(b.spare, b.live[key])
	delete(b.live, key)
	b.totals.Lost++
}

// Counts says how many transfers run, how many of those stand still, and how many requests wait
// for a place besides.
func (b *Board) Counts() (running, stalled, waiting int) {
	for _, e := range b.live {
		switch {
		case !e.stalled.IsZero():
			stalled++
		case e.waits != "":
			waiting++
		}
	}
	return len(b.live) - waiting, stalled, waiting
}
