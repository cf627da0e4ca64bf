package boot

import (
	"net/netip"
	"time"
)

// Kind is the step of a boot that an event tells of.
type Kind string

const (
	DiscoverSeen    Kind = "discover"     // a DHCPDISCOVER of a network boot
	OfferSent       Kind = "offer"        // our offer, as ProxyDHCP or with an address
	RequestSeen     Kind = "dhcp-request" // the client takes somebody's address: tells address and MAC
	BootRequestSeen Kind = "boot-request" // a request on port 4011
	BootReplySent   Kind = "boot-reply"   // our reply to it
	AddressOffered  Kind = "lease-offer"  // our DHCPOFFER to a machine that does not say that it boots from the network
	AddressGiven    Kind = "lease"        // our DHCPACK: an address for a time
	AddressRefused  Kind = "nak"          // our DHCPNAK
	AddressEnded    Kind = "lease-end"    // a machine gives its address back, or says that it is somebody's
	AddressInUse    Kind = "lease-in-use" // somebody answers at an address that is nobody's
	Ignored         Kind = "ignored"      // a packet that got no answer; Reason says why
	ReadRequest     Kind = "rrq"          // a TFTP read request
	WriteRequest    Kind = "wrq"          // a TFTP write request
	Waiting         Kind = "waiting"      // a TFTP request waits for a place; Reason says for which
	OptionsSent     Kind = "oack"         // TFTP options granted
	Progress        Kind = "progress"     // a transfer under way, a few times a second at most
	Stalled         Kind = "stalled"      // nothing was acknowledged for a second; once for each pause
	TransferEnd     Kind = "transfer-end" // Reason says how
	HTTPRequest     Kind = "http-request"
	ScriptSent      Kind = "script" // an iPXE script made for this client
	HealthChanged   Kind = "health" // what a server counts as; no step of a boot
	VIPChanged      Kind = "vip"    // who has a service address; no step of a boot
	NameAsked       Kind = "name"   // a DNS query, answered or not
)

// Event is one step of one client, answered or not. A role emits it and knows nothing of what
// becomes of it: story, metric or log line.
type Event struct {
	Time time.Time `json:"time"`
	Node string    `json:"node,omitempty"`
	Role string    `json:"role"` // proxydhcp, dhcp4, dhcp6, tftp, http, dns, vip or watch
	Kind Kind      `json:"kind"`

	// Who: as far as the packet tells.
	MAC      MAC        `json:"mac,omitzero"`
	UUID     UUID       `json:"uuid,omitzero"`   // option 97, when sent
	IP       netip.Addr `json:"ip,omitzero"`     // the client's own address
	Peer     string     `json:"peer,omitempty"`  // where the packet came from, with its port
	Local    string     `json:"local,omitempty"` // the address and port that it was sent to
	If       string     `json:"if,omitempty"`
	XID      uint32     `json:"xid,omitempty"`
	Arch     *Arch      `json:"arch,omitempty"`
	Firmware Firmware   `json:"firmware,omitempty"`
	Network  string     `json:"network,omitempty"`
	Relay    netip.Addr `json:"relay,omitzero"`
	Media    *Media     `json:"media,omitempty"` // it boots from one of our media

	// What was decided or done.
	Rule   string `json:"rule,omitempty"`
	File   string `json:"file,omitempty"`
	Server string `json:"server,omitempty"` // the one the client was sent to
	// Backend is whom a balancer got the file from for the client; several, if one took over from another.
	Backend string `json:"backend,omitempty"`

	// Where the file is from, when it is not simply there by its name.
	Version  string `json:"version,omitempty"`  // of the tree of files, if it has versions
	Template string `json:"template,omitempty"` // what the file was made from

	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"` // evidence in words; DNS: the name asked for

	// How far a transfer came.
	Upload      bool          `json:"upload,omitempty"`   // the client sends the file
	Transfer    uint64        `json:"transfer,omitempty"` // one number for all events of a transfer
	Options     string        `json:"options,omitempty"`  // TFTP: asked or granted, as in "blksize=1468 tsize=0"; DNS: the type, as in "A"
	Quirk       string        `json:"quirk,omitempty"`    // TFTP: what was done for this kind of client or by the site file
	Bytes       int64         `json:"bytes,omitempty"`
	Size        int64         `json:"size,omitempty"` // of the whole file
	Blocks      int64         `json:"blocks,omitempty"`
	Packets     int64         `json:"packets,omitempty"` // sent, those sent again as well
	Retransmits int           `json:"retransmits,omitempty"`
	FirstBlock  time.Duration `json:"first_block,omitempty"` // request to first acknowledged block
	Dur         time.Duration `json:"dur,omitempty"`         // of the exchange so far
	RTT         time.Duration `json:"rtt,omitempty"`         // smoothed round trip, as the sender measures it
	Pause       time.Duration `json:"pause,omitempty"`       // the longest time without progress; of Stalled the present one
	PauseAt     int64         `json:"pause_at,omitempty"`    // the block that was waited for; 0: the options
}

// Emit takes an event. Roles hold one of these; nil means that nobody listens.
type Emit func(Event)

// To calls the function if there is one.
func (e Emit) To(ev Event) {
	if e != nil {
		e(ev)
	}
}
