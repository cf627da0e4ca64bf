package transfers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/boot"
)

const (
	// slowOpen is how long a transfer may say nothing after its request before its disk counts as
	// slow: a client that does not answer would have been told as a stall by then.
	slowOpen = 2 * time.Second
	// notablePause is the shortest pause of an ended transfer that is worth a word: a lost packet
	// costs less, a client's own time-out more.
	notablePause = time.Second
)

// record works out what the events do not say.
func (e *entry) record(now time.Time) Record {
	r := e.Record
	if r.BlockSize, r.Window = option(r.Granted, "blksize"), option(r.Granted, "windowsize"); r.BlockSize == 0 {
		r.BlockSize = 512 // RFC 1350, where no option says otherwise
	}
	r.Window = max(r.Window, 1)
	if r.Size > 0 {
		r.Total = r.Size/r.BlockSize + 1 // the last block is short, or empty
	}
	if s := r.Dur.Seconds(); s > 0 {
		r.BytesPerSecond = float64(r.Bytes) / s
	}
	r.State, r.ReasonText = e.state(now), ""
	if r.Reason != "" {
		r.ReasonText = r.Reason.Text()
	}
	if r.State == Stalled {
		r.Pause = max(now.Sub(e.stalled), r.Pause)
	}
	if r.Where = r.where(e.stalled, now); r.State == Waiting {
		r.Where = fmt.Sprintf("waits for a place since %s (%s): %s", r.Began.Format(time.TimeOnly), seconds(now.Sub(r.Began)), e.waits.Text())
	}
	return r
}

func (e *entry) state(now time.Time) State {
	switch {
	case e.Reason == boot.Done, e.Reason == boot.Received:
		return Done
	case e.Reason == boot.TsizeProbe:
		return SizeQuery
	case e.Reason != "":
		return Failed
	case !e.stalled.IsZero():
		return Stalled
	case e.waits != "":
		return Waiting
	case !e.moved && now.Sub(e.Began) >= slowOpen:
		return Opening
	}
	return Running
}

// where says in words where a transfer stands, or how it ended.
func (r *Record) where(stalled, now time.Time) string {
	switch r.State {
	case Opening:
		return fmt.Sprintf("the file is not open yet after %s: the disk is slow", seconds(now.Sub(r.Began)))
	case Running:
		return r.position()
	case Stalled:
		return fmt.Sprintf("no ACK of %s since %s (%s)", r.awaited(), stalled.Format(time.TimeOnly), seconds(now.Sub(stalled)))
	case Failed:
		s := r.ReasonText
		if r.Detail != "" {
			s += ": " + r.Detail
		}
		return s
	case SizeQuery:
		return r.ReasonText
	}
	if r.Pause >= notablePause {
		return fmt.Sprintf("longest pause %s, at %s", seconds(r.Pause), r.awaited())
	}
	return ""
}

func (r *Record) position() string {
	switch {
	case r.Blocks == 0:
		return "begun"
	case r.Total == 0:
		return fmt.Sprintf("block %d", r.Blocks)
	}
	return fmt.Sprintf("block %d of %d", r.Blocks, r.Total)
}

// awaited is what the longest pause, or the present one, waited for.
func (r *Record) awaited() string {
	switch {
	case r.PauseAt == 0:
		return "the options"
	case r.Total == 0:
		return fmt.Sprintf("block %d", r.PauseAt)
	}
	return fmt.Sprintf("block %d of %d", r.PauseAt, r.Total)
}

// Percent returns how much of the file is delivered, 0 to 100, or -1 when the size is not known.
func (r *Record) Percent() int {
	switch {
	case r.State == Done:
		return 100
	case r.Size > 0:
		return int(min(100, 100*float64(r.Bytes)/float64(r.Size)))
	}
	return -1
}

// Machine names the client's machine as well as it is known: "" if only its address is.
func (r *Record) Machine() string {
	if r.Name != "" {
		return r.Name
	}
	return r.MAC.String()
}

func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// option reads a number out of "blksize=1468 windowsize=4"; 0 if it is not there.
func option(options, name string) int64 {
	for f := range strings.FieldsSeq(options) {
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			n, err := strconv.ParseInt(v, 10, 64)
			if err == nil && n > 0 && n <= 65535 {
				return n
			}
		}
	}
	return 0
}
