package diagnose

import (
	"fmt"
	"slices"

	"surefoot/internal/boot"
)

// PairKind is a program whose two servers divide the machines between them.
type PairKind string

// The programs.
const (
	ISC PairKind = "isc" // dhcpd with a failover peer
	Kea PairKind = "kea" // the HA hook in load-balancing mode
)

// Pair is two DHCP servers of one program.
type Pair struct {
	Kind    PairKind
	Names   [2]string // ISC: primary and secondary; Kea: the first and the second that are active
	Split   int       // ISC: buckets of the primary, of 256
	MaxSecs uint16    // ISC: load balance max seconds
}

// DefaultPair is a pair as its program's manual has it.
func DefaultPair(k PairKind) Pair {
	if k == Kea {
		return Pair{Kind: Kea, Names: [2]string{"server1", "server2"}}
	}
	return Pair{Kind: ISC, Names: [2]string{"primary", "secondary"}, Split: 128, MaxSecs: 3}
}

// Machine is what a pair looks at in a DHCPDISCOVER. The broadcast flag is not among it.
type Machine struct {
	MAC      boot.MAC
	ClientID []byte // option 61, nil if it is not sent
	Secs     uint16
}

// Owner says which of two servers a machine belongs to.
type Owner struct {
	Bucket byte   `json:"bucket"`
	Server int    `json:"server"` // 0 or 1
	Name   string `json:"name"`
	Over   string `json:"over"` // what was hashed
}

// Own computes the owner (F17).
func (p Pair) Own(m Machine) Owner {
	key, over := m.MAC[:], "the hardware address"
	if len(m.ClientID) > 0 {
		key, over = m.ClientID, "option 61"
	}
	o := Owner{Bucket: Bucket(key), Over: over}
	switch p.Kind {
	case Kea:
		o.Server = int(o.Bucket) % 2
	default:
		if int(o.Bucket) >= p.Split {
			o.Server = 1
		}
	}
	o.Name = p.Names[o.Server]
	return o
}

// Case is a state of the pair in which it was measured who answers (facts in docs/troubleshoot.md).
type Case string

// The cases. "The owner" is the server that a machine belongs to, "the other" the one that is left.
const (
	BothHear   Case = "both hear the machine"
	OwnerDeaf  Case = "%s runs, but does not hear it: a relay that lists only the other, a filter, a wrong VLAN"
	OwnerDead  Case = "%s was killed"
	OwnerHangs Case = "%s hangs"
	Restarted  Case = "%s is away and the other was restarted"
)

// Outcome is who answers in a case, and when.
type Outcome struct {
	Case     string `json:"case"`
	Answered bool   `json:"answered"`
	Text     string `json:"text"`
}

// Outcomes lists who answers a machine whose DISCOVERs have this secs for ever, as programs do that
// never count: boot device managers, lwIP, and the first packets of everybody.
func (p Pair) Outcomes(m Machine) []Outcome {
	o := p.Own(m)
	owner, other := o.Name, p.Names[1-o.Server]
	about := func(c Case) string {
		if c == BothHear {
			return string(c)
		}
		return fmt.Sprintf(string(c), owner)
	}
	yes := func(c Case, format string, args ...any) Outcome {
		return Outcome{about(c), true, fmt.Sprintf(format, args...)}
	}
	no := func(c Case, format string, args ...any) Outcome {
		return Outcome{about(c), false, fmt.Sprintf(format, args...)}
	}
	if p.Kind == Kea {
		return []Outcome{
			yes(BothHear, "%s, at once", owner),
			no(OwnerDeaf, "nobody, ever, whatever secs says: the heartbeats go through, so %s drops it (HA_BUFFER4_RECEIVE_NOT_FOR_US)", other),
			p.keaDead(m, owner, other, about(OwnerDead)),
			p.keaDead(m, owner, other, about(OwnerHangs)),
			no(Restarted, "nobody for about 61 s: %s waits max-response-delay before it serves alone", other),
		}
	}
	beyond := m.Secs > p.MaxSecs
	deaf := no(OwnerDeaf, "nobody, ever: %s logs \"load balance to peer\" as long as secs is at most %d", other, p.MaxSecs)
	both := yes(BothHear, "%s, at once", owner)
	if beyond {
		both = yes(BothHear, "both, at once: secs is more than %d", p.MaxSecs)
		deaf = yes(OwnerDeaf, "%s, at once: secs is more than %d", other, p.MaxSecs)
	}
	return []Outcome{
		both, deaf,
		yes(OwnerDead, "%s, as soon as it notices: the connection between the two is closed", other),
		yes(OwnerHangs, "%s, after max-response-delay (30 s): until then the connection looks alive", other),
		no(Restarted, "nobody for about 16 s; if the lease file of %s is new, nobody until somebody acts (\"not responding (recovering)\")", other),
	}
}

// keaDead: whoever answers for a partner that is gone first counts clients whose secs grew beyond
// max-ack-delay, and secs that never grow are never counted (F18).
func (p Pair) keaDead(m Machine, owner, other, about string) Outcome {
	if m.Secs > 10 {
		return Outcome{about, true, fmt.Sprintf("%s, some 20 s after more than ten machines have such a secs", other)}
	}
	return Outcome{about, false, fmt.Sprintf("nobody: %s counts a machine as waiting only when its secs is more than 10 (max-ack-delay), and needs more than ten of them; max-unacked-clients: 0 makes it about 56 s", other)}
}

// Identity is a form of option 61 that some stage of a machine sends.
type Identity struct {
	Name     string
	ClientID []byte
}

// Identities are those that the stages of one machine's boot are known to send, so that it can be
// told who of them belongs to whom. The UUID's form is left out without one.
func Identities(mac boot.MAC, uuid boot.UUID) []Identity {
	out := []Identity{
		{"no option 61 (boot device managers, many boot ROMs)", nil},
		{"option 61 of type 1: 01 and the hardware address (iPXE, Windows, dhclient)", append([]byte{1}, mac[:]...)},
	}
	if !uuid.IsZero() {
		out = append(out, Identity{"option 61 of type 0: 00 and the UUID (PXE boot ROMs, PXE 2.1)", append([]byte{0}, uuid[:]...)})
	}
	return out
}

// Divided reports whether the stages of a machine belong to different servers.
func (p Pair) Divided(mac boot.MAC, list []Identity) bool {
	first := p.Own(Machine{MAC: mac, ClientID: list[0].ClientID}).Server
	return slices.ContainsFunc(list, func(i Identity) bool { return p.Own(Machine{MAC: mac, ClientID: i.ClientID}).Server != first })
}
