package dhcp4

import "fmt"

// Code is the number of an option.
type Code uint8

// The options that Surefoot has to do with (RFC 2132 unless said).
const (
	Pad                Code = 0
	SubnetMask         Code = 1
	TimeOffset         Code = 2 // seconds east of UTC; PCode and TCode replace it
	Router             Code = 3
	TimeServer         Code = 4
	DNSServer          Code = 6
	LogServer          Code = 7
	RLPServer          Code = 11 // read by the UEFI bootstrap of Citrix Provisioning
	HostName           Code = 12
	BootFileSize       Code = 13
	DomainName         Code = 15
	RootPath           Code = 17
	InterfaceMTU       Code = 26
	BroadcastAddress   Code = 28
	StaticRoutes       Code = 33 // without masks; ClasslessRoutes replaces it
	NTPServers         Code = 42
	VendorSpecific     Code = 43 // in PXE: sub-options, see wire/pxe
	NetBIOSNameServers Code = 44
	NetBIOSNodeType    Code = 46
	RequestedAddress   Code = 50
	LeaseTime          Code = 51
	Overload           Code = 52
	MessageTypeOption  Code = 53
	ServerID           Code = 54
	ParameterList      Code = 55
	Message            Code = 56
	MaxMessageSize     Code = 57
	RenewalTime        Code = 58
	RebindingTime      Code = 59
	VendorClass        Code = 60
	ClientID           Code = 61
	TFTPServerName     Code = 66
	BootFileName       Code = 67
	UserClass          Code = 77  // RFC 3004
	RapidCommit        Code = 80  // RFC 4039
	ClientFQDN         Code = 81  // RFC 4702
	RelayAgentInfo     Code = 82  // RFC 3046
	ClientArch         Code = 93  // RFC 4578
	ClientNDI          Code = 94  // RFC 4578
	ClientUUID         Code = 97  // RFC 4578
	PCode              Code = 100 // RFC 4833: the time zone as POSIX writes it
	TCode              Code = 101 // RFC 4833: the time zone's name
	AutoConfigure      Code = 116 // RFC 2563
	SubnetSelection    Code = 118 // RFC 3011
	DomainSearch       Code = 119 // RFC 3397
	ClasslessRoutes    Code = 121 // RFC 3442
	VendorIdentifying  Code = 125 // RFC 3925
	TFTPServers        Code = 150 // RFC 5859
	IPXE               Code = 175
	PXELinuxMagic      Code = 208 // RFC 5071, as the three after it
	PXELinuxConfig     Code = 209
	PXELinuxPrefix     Code = 210
	PXELinuxReboot     Code = 211
	MicrosoftRoutes    Code = 249 // ClasslessRoutes, as Windows before Vista asked for it
	WPAD               Code = 252
	End                Code = 255
)

// Name returns the option's name without its number.
func (c Code) Name() string { name, _, _ := c.describe(); return name }

// String prints name and number, as in "vendor-class(60)".
func (c Code) String() string { return fmt.Sprintf("%s(%d)", c.Name(), uint8(c)) }

// MessageType is the value of option 53 (RFC 2132 section 9.6).
type MessageType uint8

// The messages.
const (
	Discover MessageType = 1
	Offer    MessageType = 2
	Request  MessageType = 3
	Decline  MessageType = 4
	ACK      MessageType = 5
	NAK      MessageType = 6
	Release  MessageType = 7
	Inform   MessageType = 8
)

// String prints name and number, as in "DISCOVER(1)".
func (t MessageType) String() string {
	names := [...]string{"none", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"}
	if int(t) < len(names) {
		return fmt.Sprintf("%s(%d)", names[t], uint8(t))
	}
	return fmt.Sprintf("message(%d)", uint8(t))
}
