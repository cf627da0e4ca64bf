package journal

import (
	"slices"
	"strconv"
	"strings"

	"surefoot/internal/boot"
)

// openTransfer is a download that has not ended. A machine may run several at once.
type openTransfer struct {
	role string
	id   uint64
	Transfer
}

// transfer takes an event of a download, by TFTP or by HTTP.
func (r *record) transfer(ev *boot.Event) {
	r.begun = true
	if ev.Role == "http" { // a TCP connection, so the address is no forgery
		r.proven = true
	}
	if ev.Kind == boot.HTTPRequest && ev.Reason != "" { // refused as a whole, without a transfer
		r.Reason = ev.Reason
		r.enter(failed, ev.Time)
		return
	}
	t := r.opened(ev)
	t.note(ev)
	if t.Blocks > 0 {
		r.proven = true
	}
	shown := t.Transfer
	r.Transfer = &shown
	if ev.Kind != boot.TransferEnd {
		r.enter(moving, ev.Time)
		return
	}
	r.open = slices.DeleteFunc(r.open, func(o *openTransfer) bool { return o == t })
	r.ended(ev, t)
}

// opened finds the transfer of an event, or begins it.
func (r *record) opened(ev *boot.Event) *openTransfer {
	for _, t := range r.open {
		if t.role == ev.Role && t.id == ev.Transfer {
			return t
		}
	}
	if len(r.open) == maxOpen {
		r.open = slices.Delete(r.open, 0, 1)
	}
	t := &openTransfer{role: ev.Role, id: ev.Transfer, Transfer: Transfer{Role: ev.Role, Started: ev.Time}}
	r.open = append(r.open, t)
	if r.finished.IsZero() && ev.File != "" {
		r.File = ev.File
	}
	return t
}

// note takes the measurements out of an event.
func (t *openTransfer) note(ev *boot.Event) {
	if ev.File != "" {
		t.File = ev.File
	}
	// A transfer that stands still or gave up has not moved since its last acknowledgement.
	t.Stalled = ev.Kind == boot.Stalled
	if !t.Stalled && (ev.Kind != boot.TransferEnd || ev.Reason.Good()) || t.Moved.IsZero() {
		t.Moved = ev.Time
	}
	if t.Waits = ""; ev.Kind == boot.Waiting {
		t.Waits = ev.Reason
	}
	if ev.Kind == boot.OptionsSent {
		t.BlockSize = blockSize(ev.Options)
	}
	t.Size = max(t.Size, ev.Size)
	t.Bytes = max(t.Bytes, ev.Bytes)
	t.Blocks = max(t.Blocks, ev.Blocks)
	t.Retransmits = max(t.Retransmits, ev.Retransmits)
	t.Dur = max(t.Dur, ev.Dur)
	if t.Role == "tftp" && t.Size > 0 {
		if t.BlockSize == 0 {
			t.BlockSize = 512 // RFC 1350, where no option says otherwise
		}
		t.Total = t.Size/t.BlockSize + 1 // the last block is short, or empty
	}
	if ev.Kind == boot.TransferEnd {
		t.Reason, t.Detail = ev.Reason, ev.Detail
	}
}

// ended says what the end of a transfer means for the story.
func (r *record) ended(ev *boot.Event, t *openTransfer) {
	if ev.Reason == boot.Done {
		r.finished, r.missed = ev.Time, ""
		r.File = t.File
		r.Stages[len(r.Stages)-1].Delivered = true
	}
	if len(r.open) > 0 { // the machine has begun something else, which counts
		return
	}
	switch {
	case ev.Reason == boot.Done:
		r.Reason = boot.Done
		r.enter(delivered, ev.Time)
	case ev.Reason == boot.TsizeProbe:
		r.proven = true
		r.Reason = boot.TsizeProbe
		r.enter(probed, ev.Time)
	case ev.Reason == boot.FileMissing && !r.finished.IsZero():
		// Boot programs look for files that need not exist: GRUB for command.lst, PXELINUX for
		// one name after the other. What was delivered stays delivered.
		r.Reason, r.missed = boot.Done, t.File
		r.enter(delivered, ev.Time)
	default:
		r.Reason = ev.Reason
		r.enter(failed, ev.Time)
	}
}

// blockSize reads the granted block size, in bytes, out of "blksize=1468 tsize=0"; 0 if none.
func blockSize(options string) int64 {
	for f := range strings.FieldsSeq(options) {
		if v, ok := strings.CutPrefix(f, "blksize="); ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 8 && n <= 65464 { // RFC 2348
				return n
			}
		}
	}
	return 0
}
