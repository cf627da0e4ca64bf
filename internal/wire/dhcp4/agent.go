package dhcp4

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// AgentCode is the number of a sub-option of RelayAgentInfo.
type AgentCode uint8

// What relays say and ask for in option 82.
const (
	AgentCircuit   AgentCode = 1  // RFC 3046: the port that the client is behind
	AgentRemote    AgentCode = 2  // RFC 3046: who the client is, to the relay
	AgentLink      AgentCode = 5  // RFC 3527: the subnet that the client is in, where giaddr is not in it
	AgentFlags     AgentCode = 10 // RFC 5010: how the client's packet came to the relay
	AgentServerID  AgentCode = 11 // RFC 5107: what the client shall take for its server
	AgentRelayPort AgentCode = 19 // RFC 8357: the reply goes to the port that the relay sent from
)

// agentFlagUnicast says in AgentFlags that the client sent to the relay alone (RFC 5010 section 3).
const agentFlagUnicast = 0x80

// Agent is the value of option 82: sub-options, as they are on the wire.
type Agent []byte

// Agent returns option 82, nil if there is none.
func (v *View) Agent() Agent {
	b, _ := v.Get(RelayAgentInfo)
	return b
}

// Get returns the value of a sub-option. What follows one that is cut short is not seen: relays put
// all sorts of things there, and the whole goes back to them as it came.
func (a Agent) Get(want AgentCode) (data []byte, ok bool) {
	for len(a) >= 2 && len(a) >= 2+int(a[1]) {
		n := 2 + int(a[1])
		if AgentCode(a[0]) == want {
			return a[2:n:n], true
		}
		a = a[n:]
	}
	return nil, false
}

// Addr returns a sub-option that holds one IPv4 address, the zero value if it is missing, malformed
// or 0.0.0.0.
func (a Agent) Addr(want AgentCode) netip.Addr {
	if b, _ := a.Get(want); len(b) == 4 {
		return addrOf(b)
	}
	return netip.Addr{}
}

// Has reports whether a sub-option is there, be it without a value.
func (a Agent) Has(want AgentCode) bool {
	_, ok := a.Get(want)
	return ok
}

// Unicast reports whether the relay says that the client sent to it alone; ok is false if it says nothing.
func (a Agent) Unicast() (unicast, ok bool) {
	b, _ := a.Get(AgentFlags)
	if len(b) != 1 {
		return false, false
	}
	return b[0]&agentFlagUnicast != 0, true
}

// text writes the sub-options for people; ok is false if the last one is cut short.
func (a Agent) text() (text string, ok bool) {
	var out []string
	for len(a) > 0 {
		if len(a) < 2 || len(a) < 2+int(a[1]) {
			return "", false
		}
		n := 2 + int(a[1])
		out = append(out, AgentCode(a[0]).value(a[2:n]))
		a = a[n:]
	}
	return strings.Join(out, ", "), true
}

// value writes one sub-option, as in circuit "eth1".
func (c AgentCode) value(d []byte) string {
	name := fmt.Sprintf("sub-option(%d)", uint8(c))
	switch c {
	case AgentCircuit:
		name = "circuit"
	case AgentRemote:
		name = "remote"
	case AgentLink:
		name = "link"
	case AgentFlags:
		name = "flags"
	case AgentServerID:
		name = "server-id"
	case AgentRelayPort:
		return "relay-port"
	}
	switch {
	case (c == AgentLink || c == AgentServerID) && len(d) == 4:
		return name + " " + netip.AddrFrom4([4]byte(d)).String()
	case (c == AgentCircuit || c == AgentRemote) && printable(d):
		return name + " " + strconv.Quote(string(d))
	}
	return strings.TrimRight(fmt.Sprintf("%s % x", name, d), " ")
}
