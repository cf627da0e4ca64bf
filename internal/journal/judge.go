package journal

import "surefoot/internal/boot"

// refusals are the reasons for which a network boot gets no answer, or a transfer ends, and what
// that makes of the story. Reasons that are not here mean Stuck after a transfer, and nothing for
// a packet.
var refusals = map[boot.Reason]State{
	boot.NoRule:          Stuck,
	boot.NoServer:        Stuck,
	boot.NoTestBootstrap: Stuck,
	boot.NoArch:          Stuck,
	boot.NoAddress:       Stuck,
	boot.NoOwnAddress:    Stuck,
	boot.RateLimited:     Stuck,
	boot.QueueFull:       Stuck,
	boot.SendFailed:      Stuck,
	boot.Panicked:        Stuck,
	boot.NoNetwork:       Ended, // somebody else's client
	boot.NetworkSilent:   Ended,
	boot.ToldByDNS:       Ended, // its DHCP server answers
	boot.OtherServer:     Ended,
	boot.Draining:        Ended, // other nodes go on
}

// settle works out the state after something happened. The sentence is made for whoever reads it.
func (r *record) settle() { r.State = r.judge() }

func (r *record) judge() State {
	switch {
	case r.phase == delivered:
		return Done
	case r.phase == refused || r.phase == failed:
		if s, ok := refusals[r.Reason]; ok {
			return s
		}
		return Stuck
	case r.lost && r.elsewhere():
		return Ended
	case r.lost:
		return Stuck
	}
	return Running
}

// elsewhere reports whether the next step was to be seen by another node or server only, so that
// its absence here proves nothing.
func (r *record) elsewhere() bool {
	switch r.phase {
	case requested:
		return r.peers || r.sentAway() && r.Firmware != boot.FirmwareEDK2 // EDK2 asks our port 4011 first
	case answered, scripted:
		return r.sentAway()
	}
	return false
}

// sentAway reports whether the client was sent to another server than this node.
func (r *record) sentAway() bool { return r.Server != "" && r.Server != r.Node }
