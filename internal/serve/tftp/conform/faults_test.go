package conform

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// faults are what the reference server can do wrong, and a check that must notice each.
func faults() []struct {
	fault
	does, noticed string
} {
	return []struct {
		fault
		does, noticed string
	}{
		{"empty-silent", "an empty file is not answered", "size-0"},
		{"no-empty-last", "no empty block after a multiple of the block size", "size-512"},
		{"from-0", "blocks are counted from 0", "block-1"},
		{"wraps-to-1", "block 65535 is followed by 1", "window-wrap"},
		{"ends-at-65535", "a file ends with block 65535", "window-wrap"},
		{"gap-at-wrap", "block 65536 is left out", "window-wrap"},
		{"runs-ahead", "sends a block before the one before it is acknowledged", "waits-for-ack"},
		{"talks-on", "answers the last ACK", "end-silent"},
		{"talks-later", "sends the last block after its ACK", "end-silent"},
		{"last-never-again", "the last block is sent once", "last-ack-lost"},
		{"request-port", "DATA comes from the request port", "tid-own-port"},
		{"wrong-address", "answers from one address, whichever was asked", "asked-address"},
		{"foreign-counts", "anybody's ACK counts", "foreign-port"},
		{"foreign-address", "only the port is compared", "foreign-address"},
		{"foreign-ends", "a foreign packet ends the transfer", "foreign-error5"},
		{"foreign-silent", "a foreign packet is not answered", "foreign-error5"},
		{"foreign-all-answered", "each of any number of foreign packets is answered", "foreign-flood"},
		{"foreign-error-ends", "a foreign ERROR ends the transfer", "foreign-ends-nothing"},
		{"foreign-error-answered", "a foreign ERROR is answered", "foreign-ends-nothing"},
		{"odd-ends", "an unexpected packet ends the transfer", "odd-packets"},
		{"mode-case", "modes are compared with case", "mode-case"},
		{"any-mode", "any mode is octet", "mode-unknown"},
		{"lf-bare", "netascii leaves LF alone", "netascii-lf"},
		{"cr-bare", "netascii leaves CR alone", "netascii-cr"},
		{"pair-kept", "netascii pads blocks so as not to part a pair", "netascii-cut"},
		{"forgets-netascii", "netascii goes wrong when a block is sent again", "netascii-again"},
		{"tsize-source", "tsize of netascii is that of the file", "netascii-tsize"},
		{"option-case", "option names are compared with case", "option-case"},
		{"unknown-granted", "unknown options are granted", "option-unknown"},
		{"empty-oack", "an OACK without options", "option-only-unknown"},
		{"all-options", "the OACK names what was not asked for", "option-only-asked"},
		{"reversed", "the OACK is in another order", "option-order"},
		{"option-twice", "an option asked for twice is granted twice", "option-twice"},
		{"oack-no-wait", "DATA before the OACK is acknowledged", "oack-waits"},
		{"oack-never-again", "the OACK is sent once", "oack-lost"},
		{"any-ack-for-oack", "any ACK acknowledges the OACK", "oack-ack1"},
		{"blksize-7", "block size 7 is granted", "blksize=7"},
		{"blksize-0", "block size 0 is granted", "blksize=0"},
		{"not-a-number", "a block size that is no number is granted", "blksize=abc"},
		{"not-a-number-silent", "a block size that is no number is not answered", "blksize=-1"},
		{"not-a-number-silent", "a bad value costs the file", "option-bad"},
		{"spaces", "numbers are read loosely", "blksize=_1024"},
		{"blksize-huge", "a block size beyond 65464 is granted", "blksize=65465"},
		{"blksize-more", "block sizes below 512 become 512", "blksize=8"},
		{"blksize-least", "block sizes below 16 become 16", "blksize-never-more"},
		{"blksize-unused", "the block size is granted, not used", "blksize-used"},
		{"timeout-0", "timeout 0 is granted", "timeout=0"},
		{"timeout-256", "timeout 256 is granted", "timeout=256"},
		{"timeout-changed", "another timeout than asked for is granted", "timeout=255"},
		{"timeout-whole", "a granted timeout is the exact wait, as long as the client's own", "timeout-half"},
		{"timeout-long", "a granted timeout is waited twice", "timeout-kept"},
		{"slow", "the first repetition comes after 2.5 s", "data-within-1s"},
		{"tsize-0", "tsize is always 0", "tsize"},
		{"tsize-blocks", "tsize counts whole blocks", "tsize"},
		{"no-windowsize", "windows are not offered", "windowsize=1"},
		{"window-0", "a window of 0 is granted", "windowsize=0"},
		{"window-more", "a larger window than asked for is granted", "window-never-more"},
		{"window-huge", "windows beyond 64 are granted", "windowsize=1000"},
		{"window-plus-1", "a window has a block too many", "window-exact"},
		{"ack-inside-unheard", "an ACK inside the window counts for nothing", "window-at-once"},
		{"second-gap-waits", "a gap among blocks that were sent again waits for the timer", "window-gaps"},
		{"ack-whole-window", "any ACK acknowledges the window", "window-lost-3-of-4"},
		{"sorcerer", "a repeated ACK is answered", "sas"},
		{"sorcerer", "a repeated ACK is answered, in windows as well", "window-ack-twice"},
		{"echoes", "what a repeated block's ACK asks for is sent twice, for ever", "window-duplicates"},
		{"rewinds", "an old ACK takes the transfer back", "ack-old"},
		{"ack-believed", "an ACK of a block never sent is believed", "ack-beyond"},
		{"ack-believed", "the same in windows", "window-ack-beyond"},
		{"never-again", "nothing is ever repeated", "data-lost"},
		{"only-once", "a block is repeated once", "backoff"},
		{"fixed", "the waits do not grow", "backoff"},
		{"impatient", "gives up after 3 s", "patience"},
		{"ack-exact", "an ACK with a byte too many counts for nothing", "wds"},
		{"answers-error", "an ERROR is answered", "error-to-request-port"},
		{"answers-junk", "unknown opcodes are answered", "opcode-0"},
		{"low-byte", "half of the opcode is looked at", "opcode-16-bit"},
		{"error-to-error", "a client's ERROR is sent back", "error-after-data"},
		{"error-unheard", "a client's ERROR does not end the transfer", "error-in-window"},
		{"error-no-nul", "the text of an ERROR has no NUL", "error-once"},
		{"error-again", "an ERROR is repeated", "error-once"},
		{"broadcast", "a broadcast is answered", "broadcast"},
		{"missing-silent", "a missing file is not answered", "name-missing"},
		{"missing-code", "a missing file is ERROR 0", "name-missing"},
		{"empty-name", "the empty name is an empty file", "name-empty"},
		{"directory", "a directory is an empty file", "name-directory"},
		{"dots", ".. leaves the root", "name-dots"},
		{"absolute", "absolute paths are the machine's", "name-absolute"},
		{"percent", "escapes are decoded after the check", "name-percent"},
		{"single-pass", "../ is cut out in one pass", "name-odd-dots"},
		{"links", "links leave the root", "link-out"},
		{"slash", "a leading slash is not below the root", "name-slash"},
		{"no-backslash", "backslashes are letters", "name-backslash"},
		{"case", "names are compared with case", "name-case"},
		{"takes-writes", "uploads are taken", "write-refused"},
		{"stale", "a file is read once and for all", "file-replaced"},
		{"reads-again", "a replaced file changes a running transfer", "file-replaced"},
		{"one-per-port", "a port has one transfer until it times out", "lpxelinux"},
		{"twice", "a request that came twice is two transfers", "same-request-twice"},
		{"one-at-a-time", "one client at a time", "crowd"},
		{"dies", "a stump of a request kills the server", "request-2-bytes"},
		{"no-nul", "a name without NUL is served", "request-no-nul"},
		{"no-mode", "a request without a mode is served", "request-no-mode"},
		{"mode-no-nul", "a mode without NUL is served", "request-mode-no-nul"},
		{"pipe", "a pipe hangs everybody", "pipe"},
	}
}

// TestReferencePasses shows that every check can be passed, by a server that is not ours.
func TestReferencePasses(t *testing.T) {
	to := faulty(t, directory(t), "")
	to.retries = 2
	for _, v := range to.run(suite(), chosen(t)) {
		if v.outcome != passed && v.outcome != absent {
			t.Errorf("%d %s: %s %s", v.number, v.check.name, v.outcome, v.seen)
		}
	}
}

// TestFaultsAreNoticed shows that checks fail when they should: each fault makes its check fail
// (or, where an option is missing, say so).
func TestFaultsAreNoticed(t *testing.T) {
	t.Parallel()
	all, parts := faults(), suite()
	var names []string
	for _, g := range parts {
		for _, c := range g.checks {
			names = append(names, c.name)
		}
	}
	out := make([]string, len(all))
	slots := make(chan struct{}, 48)
	common := directory(t)
	var wg sync.WaitGroup
	for i, f := range all {
		if !slices.Contains(names, f.noticed) {
			t.Fatalf("%s: no check is named %s", f.fault, f.noticed)
		}
		dir := common
		if slices.Contains([]string{"file-replaced", "write-refused", "pipe"}, f.noticed) {
			dir = directory(t)
		}
		to := faulty(t, dir, f.fault)
		to.limit = 5 * time.Second
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for range 3 { // a busy machine may hide a fault for once
				v := to.run(parts, func(c check) bool { return c.name == f.noticed })[0]
				if out[i] = string(v.outcome) + " " + v.seen; v.outcome != passed {
					return
				}
			}
		})
	}
	wg.Wait()
	for i, f := range all {
		t.Logf("%-22s %-20s %s", f.fault, f.noticed, out[i])
		if !strings.HasPrefix(out[i], string(failed)) && !strings.HasPrefix(out[i], string(lacked)) {
			t.Errorf("%s: check %s does not notice that %s: %s", f.fault, f.noticed, f.does, out[i])
		}
	}
}
