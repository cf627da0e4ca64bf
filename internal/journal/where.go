package journal

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// where says in one sentence where the story is, or where it got stuck and what that usually
// means. It is written for somebody who looks at it at night.
func (r *record) where() string {
	s := r.sentence()
	if n := len(r.Stages); n > 1 {
		if fw := r.Stages[n-1].Firmware; fw != "" {
			return fmt.Sprintf("stage %d (%s): %s", n, fw, s)
		}
	}
	return s
}

func (r *record) sentence() string {
	switch r.phase {
	case seen:
		return r.whereSeen()
	case refused:
		return fmt.Sprintf("asked at %s and got no answer: %s%s", clock(r.at[refused]), r.Reason.Text(), r.detail())
	case offered, requested:
		return r.whereOffered()
	case asked:
		if r.lost {
			return fmt.Sprintf("asked on port 4011 at %s, and this node did not answer: look into its log", clock(r.at[asked]))
		}
		return "asking on port 4011 since " + clock(r.at[asked])
	case answered:
		return r.whereAnswered()
	case scripted:
		return r.whereScripted()
	case moving:
		return r.whereMoving()
	case probed:
		return r.whereProbed()
	case failed:
		return r.whereFailed()
	case delivered:
		return r.whereDelivered()
	}
	return "nothing known yet"
}

func (r *record) whereSeen() string {
	s := "DISCOVER seen at " + clock(r.at[seen])
	if r.lost {
		s += ", and nothing was decided about it: this node was overloaded or being stopped"
	}
	return s
}

// next says what a machine of this kind asks for after an offer, and the port that must be open.
func (r *record) next() (request, port string) {
	switch r.Firmware {
	case boot.FirmwareEDK2:
		return "request on port 4011", "UDP 4011"
	case boot.FirmwareUEFIHTTP:
		return "HTTP request", "the HTTP port"
	}
	if r.Arch != nil && *r.Arch == boot.ArchBIOS { // by the form of the offer, which is not known here
		return "request on port 4011 and no read request", "UDP 4011 or 69"
	}
	return "read request", "UDP 69"
}

func (r *record) whereOffered() string {
	request, port := r.next()
	at := clock(r.at[offered])
	s := fmt.Sprintf("offered %s from %s at %s", r.File, r.Server, at)
	if r.phase == offered {
		if r.lost {
			return s + ", and the machine has taken no address since: no DHCP server gave it one, or our offer did not arrive"
		}
		return s
	}
	s = fmt.Sprintf("offered at %s, address%s taken at %s", at, r.address(), clock(r.at[requested]))
	if _, ok := r.at[offered]; !ok {
		s = fmt.Sprintf("address%s taken at %s", r.address(), clock(r.at[requested]))
	}
	switch {
	case !r.lost && r.peers:
		return s + "; what it asks next may come to another node"
	case !r.lost:
		return s
	case r.sentAway() && r.elsewhere():
		return fmt.Sprintf("%s, sent to %s for %s: whether it arrived is not seen on this node", s, r.Server, r.File)
	case r.elsewhere():
		return fmt.Sprintf("%s, then nothing more was asked of this node: served elsewhere or by another offer; if the machine did not start, a firewall may drop %s", s, port)
	}
	return fmt.Sprintf("%s, no %s since: the client took another offer, or a firewall drops %s", s, request, port)
}

func (r *record) address() string {
	if !r.IP.IsValid() {
		return ""
	}
	return " " + r.IP.String()
}

func (r *record) whereAnswered() string {
	s := fmt.Sprintf("answered on port 4011 at %s: %s from %s", clock(r.at[answered]), r.File, r.Server)
	switch {
	case !r.lost:
		return s
	case r.elsewhere():
		return s + ", which is another server: whether it arrived is not seen on this node"
	}
	return s + "; no read request since: a firewall drops UDP 69, or the answer did not arrive"
}

func (r *record) whereScripted() string {
	s := fmt.Sprintf("iPXE script sent at %s", clock(r.at[scripted]))
	if r.File != "" && r.Server != "" {
		s += fmt.Sprintf(": %s from %s", r.File, r.Server)
	}
	switch {
	case !r.lost:
		return s
	case r.elsewhere():
		return s + ", which is another server: whether it arrived is not seen on this node"
	}
	return s + "; nothing was fetched since: the script ended at the machine, its screen says why"
}

func (r *record) whereProbed() string {
	t := r.Transfer
	s := fmt.Sprintf("asked for the size of %s (%s) at %s", t.File, Size(t.Size), clock(r.at[probed]))
	if r.lost {
		return s + " and did not come back for the file: it may be too large for the machine, or the machine was switched off"
	}
	return s + " and will come back for it"
}

func (r *record) whereMoving() string {
	t := r.Transfer
	if r.lost {
		return fmt.Sprintf("no word of the transfer of %s since %s (%s): this node lost track of it, or was overloaded", t.File, clock(t.Moved), position(t))
	}
	if t.Waits != "" {
		return fmt.Sprintf("waiting for a place to fetch %s since %s: %s%s", t.File, clock(t.Moved), t.Waits.Text(), r.detail())
	}
	s := fmt.Sprintf("fetching %s by %s: %s", t.File, strings.ToUpper(t.Role), position(t))
	if t.Stalled {
		s += ", nothing more acknowledged since " + clock(t.Moved)
	}
	return s
}

func (r *record) whereDelivered() string {
	t := r.Transfer
	if r.missed != "" {
		return fmt.Sprintf("%s delivered at %s; then asked for %s, which is not there (boot programs look for files that need not exist)",
			r.File, clock(r.finished), r.missed)
	}
	s := fmt.Sprintf("%s delivered at %s: %s", t.File, clock(r.finished), Size(max(t.Bytes, t.Size)))
	if t.Dur > 0 {
		s += " in " + short(t.Dur)
	}
	if t.Retransmits > 0 {
		s += fmt.Sprintf(", %d blocks repeated", t.Retransmits)
	}
	return s
}

// detail is the evidence of the last step that was refused.
func (r *record) detail() string {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if s := r.Steps[i]; s.Reason == r.Reason && s.Detail != "" {
			return " (" + s.Detail + ")"
		}
	}
	return ""
}

func clock(t time.Time) string { return t.Format("15:04:05") }
