package boot

// Reason is why something was answered or not. It is the label of a metric, the field of a log
// line, the text of an event and the expected value of a test: one constant for all of them.
type Reason string

// Reasons of decisions.
const (
	Answered        Reason = "answered"
	NoNetwork       Reason = "no-network"
	NetworkSilent   Reason = "network-silent"
	NoRule          Reason = "no-rule"
	NoServer        Reason = "no-server"
	NoTestBootstrap Reason = "no-test-bootstrap"
)

// Reasons of the DHCP side.
const (
	Malformed     Reason = "malformed"
	NotRequest    Reason = "not-request"
	NotEthernet   Reason = "not-ethernet"
	NotDHCP       Reason = "not-dhcp"
	NotPXE        Reason = "not-pxe"
	NoArch        Reason = "no-arch"
	OtherMessage  Reason = "other-message"
	OtherServer   Reason = "other-server"
	NotMulticast  Reason = "not-multicast"
	NoAddress     Reason = "no-address"
	NoOwnAddress  Reason = "no-own-address"
	FromOurselves Reason = "from-ourselves"
	RateLimited   Reason = "rate-limited"
	QueueFull     Reason = "queue-full"
	SendFailed    Reason = "send-failed"
	Draining      Reason = "draining"
	Panicked      Reason = "panicked"
)

// Reasons of leases.
const (
	ScopeUnknown    Reason = "scope-unknown"
	NoFreeAddress   Reason = "no-free-address"
	WrongNetwork    Reason = "wrong-network"
	LeaseOfOther    Reason = "lease-of-other"
	LeaseMoved      Reason = "lease-moved"
	UnknownLease    Reason = "unknown-lease"
	NotOurLease     Reason = "not-our-lease"
	AddressDeclined Reason = "address-declined"
	StoreRefused    Reason = "store-refused"
	StarvationLimit Reason = "starvation-limit"
	OfferForgotten  Reason = "offer-forgotten"
)

// Reasons of transfers.
const (
	Done             Reason = "done"
	TsizeProbe       Reason = "tsize-probe"
	FileMissing      Reason = "file-missing"
	AccessDenied     Reason = "access-denied"
	NotAFile         Reason = "not-a-file"
	ReadFailed       Reason = "read-failed"
	TemplateFailed   Reason = "template-failed"
	BadRequest       Reason = "bad-request"
	BadMode          Reason = "bad-mode"
	WriteRefused     Reason = "write-refused"
	UnexpectedOpcode Reason = "unexpected-opcode"
	UnknownTID       Reason = "unknown-tid"
	DuplicateRequest Reason = "duplicate-request"
	ClientError      Reason = "client-error"
	ClientGone       Reason = "client-gone"
	Timeout          Reason = "timeout"
	TooManyTransfers Reason = "too-many-transfers"
	TooManyOfClient  Reason = "too-many-of-client"
	TooManyOfNetwork Reason = "too-many-of-network"
	UnprovenClient   Reason = "unproven-client"
	Received         Reason = "received"
	UploadFolder     Reason = "not-upload-folder"
	UploadDenied     Reason = "upload-denied"
	UploadExists     Reason = "file-exists"
	UploadTooLarge   Reason = "upload-too-large"
	UploadFull       Reason = "upload-disk-full"
	UploadShort      Reason = "upload-too-short"
	TooManyUploads   Reason = "too-many-uploads"
	WriteFailed      Reason = "write-failed"
	BadBlock         Reason = "bad-block"
	RangeRefused     Reason = "range-refused"
	MethodRefused    Reason = "method-refused"
)

// Reasons of load balancing.
const (
	NoBackend      Reason = "no-backend"
	BackendSilent  Reason = "backend-silent"
	BackendRefused Reason = "backend-refused"
	BackendDiffers Reason = "backend-differs"
	RelayFull      Reason = "relay-full"
)

// Reasons of what servers count as.
const (
	ServerUp       Reason = "server-up"
	ServerDown     Reason = "server-down"
	ServerFlapping Reason = "server-flapping"
	ServerDrained  Reason = "server-drained"
	ServerResumed  Reason = "server-resumed"
	DrainYields    Reason = "drain-yields"
	AllServersDown Reason = "all-servers-down"
)

// Reasons of what a segment counts as, by the DISCOVERs that a node sends there.
const (
	DHCPAnswers     Reason = "dhcp-answers"
	DHCPSilent      Reason = "dhcp-silent"
	DHCPDeaf        Reason = "dhcp-deaf"
	DHCPNotAsked    Reason = "dhcp-not-asked"
	DHCPLeftOut     Reason = "dhcp-left-out"
	StrangerAnswers Reason = "stranger-answers"
)

// Reasons of DNS.
const (
	NoRecord        Reason = "no-record"
	NoSuchName      Reason = "no-such-name"
	OutsideZone     Reason = "outside-zone"
	NotImplemented  Reason = "not-implemented"
	TransferRefused Reason = "transfer-refused"
	BadVersion      Reason = "bad-version"
	Truncated       Reason = "truncated"
	RateSlipped     Reason = "rate-slipped"
	ToldByDNS       Reason = "told-by-dns"
)

// Reasons of service addresses.
const (
	VIPMaster        Reason = "vip-master"
	VIPBackup        Reason = "vip-backup"
	VIPStopped       Reason = "vip-stopped"
	VIPPriority      Reason = "vip-priority"
	VIPTwoMasters    Reason = "vip-two-masters"
	VIPForeign       Reason = "vip-foreign"
	VIPOtherVersion  Reason = "vip-other-version"
	VIPOtherInterval Reason = "vip-other-interval"
	VIPBadTTL        Reason = "vip-bad-ttl"
	VIPNotPeer       Reason = "vip-not-peer"
)

// Reasons why a record is not in the history.
const (
	HistoryBehind  Reason = "history-behind"
	HistoryRefused Reason = "history-refused"
)

// reasonTexts says each reason in words; a test checks that none is missing.
var reasonTexts = map[Reason]string{
	Answered:        "answered with a server and a file",
	NoNetwork:       "the client is on no network of the site file",
	NetworkSilent:   "the network says deliver: none",
	NoRule:          "no rule matches this client",
	NoServer:        "no server of the rule speaks a protocol that this client understands",
	NoTestBootstrap: "the built-in test bootstrap exists for bios and uefi-x64 only",

	Malformed:     "the packet cannot be decoded",
	NotRequest:    "the packet is not a request of a client",
	NotEthernet:   "the client's hardware address is not an Ethernet address",
	NotDHCP:       "a BOOTP packet without a DHCP message type",
	NotPXE:        "not a network boot: option 60 is neither PXEClient nor HTTPClient",
	NoArch:        "the client does not say its architecture (option 93, or within option 60)",
	OtherMessage:  "a DHCP message that is the address server's business",
	OtherServer:   "the request names another server (option 54)",
	NoAddress:     "a request on port 4011 from a client that gives no address to answer to",
	NoOwnAddress:  "the interface has no IPv4 address now, so this node cannot name itself",
	FromOurselves: "our own packet",
	RateLimited:   "this client asks too often",
	QueueFull:     "more packets than can be worked on",
	SendFailed:    "the answer could not be sent",
	Draining:      "this node is being stopped and starts nothing new",
	Panicked:      "a fault in Surefoot while working on this packet (please report it)",

	NotMulticast:    "a DHCPv6 message that was sent to this node alone, which only a relay may do",
	ScopeUnknown:    "the addresses of this network are not served here",
	NoFreeAddress:   "every address of the scope is taken or rests",
	WrongNetwork:    "the machine asks for an address of another network than the one it is on",
	LeaseOfOther:    "another machine holds the address",
	LeaseMoved:      "the machine is to have another address now: its reservation or the ranges changed, or its lease is elsewhere",
	UnknownLease:    "no lease of this machine on this address is known here",
	NotOurLease:     "the address is none that this scope gives",
	AddressDeclined: "somebody outside the leases was seen using the address",
	StoreRefused:    "the lease could not be kept, so it was not given",
	OfferForgotten:  "perhaps this node offered the address just before it was started anew, and another machine has it by now",
	StarvationLimit: "too many new machines behind this relay or port in a short time",

	Done:             "delivered completely",
	TsizeProbe:       "the client asked for the size, or looked at the beginning, and will come back (EDK2, Raspberry Pi)",
	FileMissing:      "no such file",
	AccessDenied:     "the name leads out of the root",
	NotAFile:         "not a regular file",
	ReadFailed:       "the file could not be read",
	TemplateFailed:   "the file could not be made from its template",
	BadRequest:       "the request cannot be decoded",
	BadMode:          "the transfer mode is neither octet nor netascii",
	WriteRefused:     "uploads are off",
	UnexpectedOpcode: "a packet on the request port that is not a request",
	UnknownTID:       "a packet that belongs to no transfer",
	DuplicateRequest: "the same request once more, from a client whose transfer goes on",
	ClientError:      "the client ended the transfer with an error",
	ClientGone:       "the client closed the connection or its port",
	Timeout:          "the client stopped acknowledging",
	TooManyTransfers: "as many transfers as are allowed are running",
	TooManyOfClient:  "this client address has as many transfers as one may have",
	TooManyOfNetwork: "this network has as many transfers as one may have",
	UnprovenClient:   "this address has acknowledged nothing yet, and asks for more: it may be forged",
	Received:         "received completely, and on the disk",
	UploadFolder:     "the name is in no folder that takes uploads",
	UploadDenied:     "this client is in none of the networks that may upload there",
	UploadExists:     "a file of that name is there already",
	UploadTooLarge:   "the upload is larger than its folder allows",
	UploadShort:      "fewer bytes were uploaded than the client said it had",
	UploadFull:       "no room for the upload: the disk, or what the folder may hold, is full",
	TooManyUploads:   "as many uploads as are allowed are running",
	WriteFailed:      "the upload could not be written",
	BadBlock:         "an acknowledgement of a block that was never sent",
	RangeRefused:     "the range asked for is not in the file",
	MethodRefused:    "an HTTP method other than GET and HEAD",

	NoBackend:      "no backend of the service delivers the file",
	BackendSilent:  "the backend does not answer, or stopped in mid-transfer",
	BackendRefused: "the backend answered with an error",
	BackendDiffers: "the backends have different contents under this name, so none can go on where another stopped",
	RelayFull:      "as many downloads for single clients run as the relay's memory allows",

	ServerUp:       "the server hands the file out: enough downloads in a row were good",
	ServerDown:     "the server does not hand the file out: enough downloads in a row were bad",
	ServerFlapping: "the server goes up and down too often, and stays down for a while",
	ServerDrained:  "an administrator drained the server: it gets no new machines",
	ServerResumed:  "the server's drain is over",
	DrainYields:    "only drained servers are alive, so they are named all the same",
	AllServersDown: "every server of the file looks dead, so all are named",

	DHCPAnswers:     "DISCOVERs of this node are answered with an address",
	DHCPSilent:      "nobody offers an address to the DISCOVERs of this node",
	DHCPDeaf:        "answers to one form of DISCOVER do not arrive: with the broadcast flag, or without",
	DHCPNotAsked:    "this node could not send its DISCOVERs, or cannot tell what silence means",
	DHCPLeftOut:     "no DISCOVERs are sent there, as the site file wants it",
	StrangerAnswers: "somebody whom the site file does not know says what to boot",

	NoRecord:        "the name is there, with records of other types only",
	NoSuchName:      "no such name in the zone",
	OutsideZone:     "the name is in no zone of this server, which asks nobody else",
	NotImplemented:  "a DNS operation other than a query",
	TransferRefused: "zones are not handed out whole",
	BadVersion:      "an EDNS version other than 0",
	Truncated:       "the answer is longer than the client takes by UDP; it comes back by TCP",
	RateSlipped:     "this network asks too often; told to come back by TCP, which proves its address",
	ToldByDNS:       "the network says deliver: dns, so its DHCP server names the servers",

	VIPMaster:        "this node has the service address",
	VIPBackup:        "this node waits until the service address needs it",
	VIPStopped:       "this node takes no part in the service address",
	VIPPriority:      "this node's claim to the service address changed",
	VIPTwoMasters:    "two nodes have the service address at the same time: they do not hear each other",
	VIPForeign:       "another program uses the same router number (VRID) for other addresses",
	VIPOtherVersion:  "another program speaks another version of VRRP, so neither heeds the other",
	VIPOtherInterval: "another program advertises at another interval, which version 2 forbids",
	VIPBadTTL:        "a VRRP packet that came through a router, or is forged",
	VIPNotPeer:       "a VRRP packet from somebody who is no peer of the service address",

	HistoryBehind:  "more to keep in the history than its disk takes",
	HistoryRefused: "the disk of the history refused it",
}

// Text says the reason in words.
func (r Reason) Text() string {
	if t, ok := reasonTexts[r]; ok {
		return t
	}
	return string(r)
}

// Reasons returns every reason, for docs and metrics.
func Reasons() []Reason {
	var out []Reason
	for r := range reasonTexts {
		out = append(out, r)
	}
	return out
}

// Good reports whether the reason ends a step as it should.
func (r Reason) Good() bool {
	switch r {
	case Answered, Done, TsizeProbe, Received, NoRecord, Truncated, ServerUp, ServerResumed, DHCPAnswers, DHCPLeftOut,
		VIPMaster, VIPBackup, VIPStopped, VIPPriority, "":
		return true
	}
	return false
}
