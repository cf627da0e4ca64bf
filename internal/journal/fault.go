package journal

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// whereFailed says why a transfer failed and what that usually means.
func (r *record) whereFailed() string {
	t := r.Transfer
	if t == nil || r.phase == failed && r.at[scripted].Equal(r.at[failed]) {
		return fmt.Sprintf("asked at %s: %s%s", clock(r.at[failed]), r.Reason.Text(), r.detail())
	}
	switch t.Reason {
	case boot.FileMissing:
		s := fmt.Sprintf("asked for %s, which is not there", t.File)
		if target := StandsFor(t.Detail); target != "" {
			s = fmt.Sprintf("asked for %s, which stands for %s in the site file, and that is not there", t.File, target)
		}
		if n := Near(t.Detail); n != "" {
			s += "; near: " + n
		}
		return s
	case boot.Timeout:
		return fmt.Sprintf("%s %s", r.timeout(t), meaning(t))
	case boot.ClientError:
		return fmt.Sprintf("the machine refused %s at %s (%s)", t.File, clock(r.at[failed]), t.Detail)
	case boot.ClientGone:
		return fmt.Sprintf("the machine left the transfer of %s at %s: switched off, or it went on to something else", t.File, position(t))
	case boot.Draining:
		return fmt.Sprintf("this node was stopped during the transfer of %s (%s): the machine asks again, and another node answers", t.File, position(t))
	}
	s := fmt.Sprintf("asked for %s: %s", t.File, t.Reason.Text())
	if t.Detail != "" {
		s += " (" + t.Detail + ")"
	}
	return s
}

// timeout says what was never acknowledged, and for how long.
func (r *record) timeout(t *Transfer) string {
	silence := r.at[failed].Sub(t.Moved)
	if t.Role != "tftp" {
		return fmt.Sprintf("%s of %s, then the machine took nothing for %s:", Size(t.Bytes), t.File, short(silence))
	}
	if t.Blocks == 0 {
		return fmt.Sprintf("nothing of %s was ever acknowledged in %s:", t.File, short(silence))
	}
	total := ""
	if t.Total > 0 {
		total = fmt.Sprintf(" of %d", t.Total)
	}
	return fmt.Sprintf("block %d%s of %s never acknowledged for %s:", t.Blocks+1, total, t.File, short(silence))
}

// meaning says what a silence usually means.
func meaning(t *Transfer) string {
	if t.Role == "tftp" && t.Blocks == 0 {
		return "a firewall or NAT drops the transfer's own port (it is not 69), or the machine gave up" // F29
	}
	if t.BlockSize > 1428 { // what fits through a tunnel (F26)
		return fmt.Sprintf("blocks of %d bytes are lost on the way (MTU), or the machine was switched off", t.BlockSize)
	}
	return "packets are lost on the way, or the machine was switched off"
}

// Near takes the names that are near a missing one out of the detail of its event: "near: a, b",
// or the text of files.NotFoundError, where that stands in parentheses.
func Near(detail string) string {
	if _, rest, ok := strings.Cut(detail, "(near: "); ok {
		return strings.TrimSuffix(rest, ")")
	}
	_, rest, _ := strings.Cut(detail, "near: ")
	return rest
}

// StandsFor takes what an entry of the site file leads to out of the detail of an event that says
// that it is not there: `… stands for "a/b", which is not there …`.
func StandsFor(detail string) string {
	_, rest, _ := strings.Cut(detail, `stands for "`)
	target, _, ok := strings.Cut(rest, `", which is not there`)
	if !ok {
		return ""
	}
	return target
}

// position says how far a transfer is.
func position(t *Transfer) string {
	switch {
	case t.Total > 0 && t.Blocks > 0:
		return fmt.Sprintf("block %d of %d", t.Blocks, t.Total)
	case t.Size > 0:
		return fmt.Sprintf("%s of %s", Size(t.Bytes), Size(t.Size))
	case t.Bytes > 0:
		return Size(t.Bytes)
	}
	return "begun"
}

// Size prints a number of bytes for people: 12 bytes, 5 KB, 1.2 MB, 48 MB, 3.1 GB (powers of ten).
func Size(n int64) string {
	switch {
	case n >= 10_000_000_000:
		return fmt.Sprintf("%.0f GB", float64(n)/1e9)
	case n >= 1_000_000_000:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 10_000_000:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%.0f KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// short prints a duration for people: 20 s, 0.8 s, 12 ms.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
}
