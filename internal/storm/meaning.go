package storm

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/probe"
)

// meaning says in plain words what a run showed: how long it took, what the limit was, and what would change it.
// It says nothing that was not measured; what it reckons from it says so.
func (r *Result) meaning() []string {
	if r.Begun == 0 {
		return nil
	}
	if r.Done+r.Failed == 0 {
		return []string{"Interrupted before any download was done."}
	}
	out, trouble := []string{r.outcome()}, r.trouble()
	if len(trouble) == 0 || r.Busy >= busyAll { // else it is what limited the run
		trouble = append(trouble, r.limit())
	}
	return append(out, trouble...)
}

// outcome is how many machines had their file after which time.
func (r *Result) outcome() string {
	last, _ := r.lastDone()
	switch {
	case r.Done == 0:
		return "No machine got the file."
	case r.Begun > r.Clients: // clients that begin anew
		s := fmt.Sprintf("%s got the file, at most %d at the same time: %.0f a second", r.ofAll(), r.Clients, r.DownloadsPerSecond)
		if !r.keptUp() {
			s += "; at that rate 1000 machines take " + rounded(time.Duration(1000/r.DownloadsPerSecond*float64(time.Second)))
		}
		return s + "."
	}
	half, n := r.reached(50)
	if n == 0 || r.Done < 2 {
		return fmt.Sprintf("%s got the file, the last one %s after the first had asked.", r.ofAll(), rounded(last))
	}
	return fmt.Sprintf("%s got the file, the last one %s after the first had asked, half of them after %s.", r.ofAll(), rounded(last), rounded(half))
}

func machines(n int) string {
	if n == 1 {
		return "1 machine"
	}
	return fmt.Sprintf("%d machines", n)
}

func (r *Result) ofAll() string {
	if r.Done == r.Begun {
		return machines(r.Done)
	}
	return fmt.Sprintf("%d of %s", r.Done, machines(r.Begun))
}

// lastDone is when the last download was done, and how many began after that.
func (r *Result) lastDone() (at time.Duration, later int) {
	n, begun := 0, 0
	for _, p := range r.Progress {
		if p.Done > n {
			at, n, begun = p.At, p.Done, p.Begun
		}
	}
	return at, r.Begun - begun
}

// trouble is what went wrong, and what to do about it.
func (r *Result) trouble() []string {
	var out []string
	silent, gone, errors, bad := 0, 0, 0, 0
	for _, f := range r.Failures {
		switch f.Code {
		case probe.Refused, probe.Unreachable:
			silent, gone = silent+f.Count, gone+f.Count
		case probe.NoAnswer, probe.Stalled, probe.NoFirstBlock, probe.NoSecondBlock:
			silent += f.Count
		case probe.ServerError:
			errors += f.Count
		case probe.WrongHash, probe.ShortFile:
			bad += f.Count
		}
	}
	switch last, later := r.lastDone(); {
	case silent > 0 && r.Done > 0 && (gone > 0 || later >= 3):
		out = append(out, fmt.Sprintf("Nothing was delivered after %s, though %d more machines asked: the server, or the way to it, was gone from then on.", rounded(last), later))
	case silent > 0:
		out = append(out, fmt.Sprintf("%s got no answer, or none any more: their packets were lost or dropped. Look at the server's log, and at its limit on transfers.", machines(silent)))
	}
	if errors > 0 {
		out = append(out, fmt.Sprintf("The server refused %s by an ERROR: if it says that it is busy, raise its limit on transfers or add a server.", machines(errors)))
	}
	if bad > 0 {
		out = append(out, fmt.Sprintf("%s got other content than the first download had: the file changed meanwhile, or the server mixes transfers up.", machines(bad)))
	}
	if r.RequestsLost > silent && r.Loss == 0 {
		out = append(out, fmt.Sprintf("%d first requests got no answer in time, and each cost its machine a time-out: the server's receive buffer or its limit on "+
			"transfers is too small for so many at once. Raise it, add a server, or let machines start one after another.", r.RequestsLost))
	}
	return out
}

// busyAll is the share of time from which on the generator is the limit.
const busyAll = 0.9

// limit says what kept the run from being faster.
func (r *Result) limit() string {
	switch {
	case r.Done == 0:
		return "That is a matter of the server or the network: surefoot probe looks at one download closely."
	case r.Busy >= busyAll:
		return fmt.Sprintf("The limit was this generator (%.0f %% busy), so the server can do more: storm it from a machine with a faster core, or from two machines.", 100*r.Busy)
	case r.keptUp():
		return "The server kept up with the machines as they came. Its limit was not reached: more clients or a faster arrival will find it."
	case r.Loss > 0 && r.RequestsLost+r.Retransmits+r.Duplicates > 0:
		return fmt.Sprintf("Packets were lost on purpose, and clients waited for what was sent again (%d packets by them, %d blocks came twice): --loss 0 shows the server alone.", r.Retransmits, r.Duplicates)
	}
	s := fmt.Sprintf("The generator had time left (%.0f %% busy), and no request was lost: the limit was the server's processor or the network.", 100*r.Busy)
	if t, err := probe.ParseTarget(r.Target); err == nil && strings.HasPrefix(t.Host, "127.") {
		s += " Server and clients shared this machine, so on one of its own it can do more."
	}
	return s
}

// keptUp reports whether machines that came over a time were done about as they came: at the moment the last one
// asked, all but few of the others were done.
func (r *Result) keptUp() bool {
	if r.Arrive == "all" || r.Arrive == "" || r.Failed > 0 {
		return false
	}
	for _, p := range r.Progress {
		if p.Begun == r.Begun {
			return p.Begun-p.Done <= max(1, p.Begun/20)
		}
	}
	return false
}
