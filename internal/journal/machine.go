package journal

import (
	"container/list"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
)

const maxIPs = 4

// machine is what is known of one machine: its addresses and its stories, the newest last.
type machine struct {
	mac     boot.MAC // zero: only an address is known
	ips     []netip.Addr
	stories []*record
	proven  bool // on the list of machines that showed themselves to be real
	elem    *list.Element
}

// current returns the newest story, or nil.
func (m *machine) current() *record {
	if len(m.stories) == 0 {
		return nil
	}
	return m.stories[len(m.stories)-1]
}

// firstAttempt is how long the attempts of one power-on may follow each other before anything is
// transferred: PXEv4 and then HTTPv4, with DISCOVERs 4, 8, 16 and 32 s apart (F7).
const firstAttempt = 90 * time.Second

// joins reports whether an event belongs to the machine's newest story.
func (m *machine) joins(ev *boot.Event) bool {
	r := m.current()
	if r == nil {
		return false
	}
	age := ev.Time.Sub(r.Updated)
	switch ev.Kind {
	case boot.DiscoverSeen:
		return r.goesOn(ev, age)
	case boot.RequestSeen: // later ones are an operating system's
		return r.phase <= requested && age < firstAttempt
	case boot.NameAsked: // an operating system asks again and again
		return r.finished.IsZero() && age < linger
	case boot.Ignored:
		_, refusal := refusals[ev.Reason]
		known := ev.XID != 0 && slices.Contains(r.xids, ev.XID)
		return (refusal || known || ev.Role == "tftp") && age < linger
	}
	if m.mac.IsZero() {
		return age < linger // without DISCOVERs nothing else tells attempts apart
	}
	return age < oldest
}

// goesOn reports whether a DISCOVER belongs to the story that runs already.
func (r *record) goesOn(ev *boot.Event, age time.Duration) bool {
	same := ev.XID != 0 && slices.Contains(r.xids, ev.XID)
	switch {
	case same && r.finished.IsZero() && age < linger:
		return true // some ROMs make the xid from their MAC: after a delivery it proves nothing
	case !r.begun && ev.Time.Sub(r.Started) < firstAttempt:
		return true
	}
	return !r.finished.IsZero() && age < linger && r.laterStage(ev.Firmware)
}

// laterStage reports whether this firmware can be what the story's last file started.
func (r *record) laterStage(fw boot.Firmware) bool {
	switch fw {
	case boot.FirmwareIPXE, boot.FirmwareGRUB, boot.FirmwarePXELINUX:
		return fw != r.Stage().Firmware || fw == boot.FirmwareIPXE && namesIPXE(r.File)
	}
	return false
}

// opens reports whether a story may begin with this event. Junk and ordinary computers must not
// make stories, and an address alone (RequestSeen) tells nothing.
func opens(ev *boot.Event) bool {
	switch ev.Kind {
	case boot.Ignored:
		return ev.Reason == boot.NoArch
	case boot.RequestSeen, boot.NameAsked:
		return false
	case boot.AddressOffered, boot.AddressGiven, boot.AddressRefused, boot.AddressEnded, boot.AddressInUse:
		return false // ordinary computers have addresses too
	}
	return true
}

// introduces reports whether a machine may become known by this event. A download without a MAC
// counts from its request on: later events of a machine that was forgotten do not bring it back.
func introduces(ev *boot.Event) bool {
	if ev.MAC.IsZero() {
		return ev.Kind == boot.ReadRequest || ev.Kind == boot.HTTPRequest || ev.Kind == boot.ScriptSent
	}
	if ev.Kind == boot.AddressOffered {
		return false // nobody has it yet, and invented machines would push out those that boot
	}
	return ev.Kind != boot.Ignored || opens(ev)
}

func known(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() }
