// Package dhcp6 reads and writes DHCPv6 packets (RFC 8415), with what network boot adds to them (RFC 5970) and
// what relays do (RFC 6939, RFC 4994, RFC 8357).
//
// It is bytes and values: no socket, no clock, and nothing of who gets which address.
package dhcp6

import "fmt"

// MessageType is the first byte of a packet.
type MessageType uint8

// The message types (RFC 8415 section 7.3).
const (
	Solicit            MessageType = 1
	Advertise          MessageType = 2
	Request            MessageType = 3
	Confirm            MessageType = 4
	Renew              MessageType = 5
	Rebind             MessageType = 6
	Reply              MessageType = 7
	Release            MessageType = 8
	Decline            MessageType = 9
	Reconfigure        MessageType = 10
	InformationRequest MessageType = 11
	RelayForward       MessageType = 12
	RelayReply         MessageType = 13
)

// The ports (RFC 8415 section 7.2).
const (
	ClientPort = 546
	ServerPort = 547
)

// Code is the number of an option.
type Code uint16

// The options that Surefoot has to do with (RFC 8415 section 21 unless said).
const (
	ClientID        Code = 1
	ServerID        Code = 2
	IANA            Code = 3 // addresses that stay
	IATA            Code = 4 // temporary addresses
	IAAddress       Code = 5
	OptionRequest   Code = 6
	PreferenceOpt   Code = 7
	ElapsedTime     Code = 8
	RelayMessage    Code = 9
	Authentication  Code = 11
	ServerUnicast   Code = 12
	StatusCode      Code = 13
	RapidCommit     Code = 14
	UserClass       Code = 15
	VendorClass     Code = 16
	VendorOptions   Code = 17
	InterfaceID     Code = 18
	ReconfMessage   Code = 19
	ReconfAccept    Code = 20
	DNSServers      Code = 23 // RFC 3646
	DomainSearch    Code = 24 // RFC 3646
	IAPD            Code = 25 // prefixes
	SNTPServers     Code = 31 // RFC 4075
	InfoRefreshTime Code = 32
	RemoteID        Code = 37 // RFC 4649
	ClientFQDN      Code = 39 // RFC 4704
	EchoRequest     Code = 43 // RFC 4994
	NTPServer       Code = 56 // RFC 5908
	BootFileURL     Code = 59 // RFC 5970, as the three after it
	BootFileParam   Code = 60
	ClientArch      Code = 61
	NetworkID       Code = 62 // UNDI version
	SolMaxRT        Code = 82 // RFC 8415 section 21.24
	InfMaxRT        Code = 83
	ClientLinkLayer Code = 79  // RFC 6939
	RelayPort       Code = 135 // RFC 8357
)

// Status is the value of a status code option (RFC 8415 section 21.13).
type Status uint16

// The status codes.
const (
	Success       Status = 0
	UnspecFail    Status = 1
	NoAddrsAvail  Status = 2
	NoBinding     Status = 3
	NotOnLink     Status = 4
	UseMulticast  Status = 5
	NoPrefixAvail Status = 6
)

// EnterprisePXE is the number under which boot firmware says what it is, Intel's.
const EnterprisePXE = 343

// Infinity is a lifetime without an end (RFC 8415 section 7.7).
const Infinity = 1<<32 - 1

var messageNames = [...]string{
	"", "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE",
	"RECONFIGURE", "INFORMATION-REQUEST", "RELAY-FORW", "RELAY-REPL",
}

// String prints the name of the type.
func (t MessageType) String() string {
	if t > 0 && int(t) < len(messageNames) {
		return messageNames[t]
	}
	return fmt.Sprintf("message type %d", uint8(t))
}

var statusNames = [...]string{
	"Success", "UnspecFail", "NoAddrsAvail", "NoBinding", "NotOnLink", "UseMulticast", "NoPrefixAvail",
}

// String prints the name of the code.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint16(s))
}

// String prints name and number.
func (c Code) String() string {
	if name := c.name(); name != "" {
		return fmt.Sprintf("%s (%d)", name, uint16(c))
	}
	return fmt.Sprintf("option %d", uint16(c))
}

func (c Code) name() string {
	switch c {
	case ClientID:
		return "client id"
	case ServerID:
		return "server id"
	case IANA:
		return "IA_NA"
	case IATA:
		return "IA_TA"
	case IAAddress:
		return "IA address"
	case OptionRequest:
		return "option request"
	case PreferenceOpt:
		return "preference"
	case ElapsedTime:
		return "elapsed time"
	case RelayMessage:
		return "relay message"
	case StatusCode:
		return "status code"
	case RapidCommit:
		return "rapid commit"
	case UserClass:
		return "user class"
	case VendorClass:
		return "vendor class"
	case VendorOptions:
		return "vendor options"
	case InterfaceID:
		return "interface id"
	case DNSServers:
		return "DNS servers"
	case DomainSearch:
		return "domain search list"
	case IAPD:
		return "IA_PD"
	case InfoRefreshTime:
		return "information refresh time"
	case NTPServer:
		return "NTP server"
	case BootFileURL:
		return "boot file URL"
	case BootFileParam:
		return "boot file parameters"
	case ClientArch:
		return "client architecture"
	case NetworkID:
		return "network interface id"
	case ClientLinkLayer:
		return "client link-layer address"
	}
	return ""
}
