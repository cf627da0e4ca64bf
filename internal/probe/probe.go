// Package probe acts as a boot client would, and says how it went or at which step it failed, with
// the evidence: it downloads a boot file by TFTP or HTTP, asks a segment who offers a boot (dhcp, dhcp6),
// asks a boot service on port 4011 (pxe), and looks names up (dns). A running process is no proof
// that a server delivers; a download with the content compared is.
//
// It prints nothing, keeps no history and takes no address from anybody: the command line and the
// monitor do the rest with its Result. TFTP is RFC 1350, 2347, 2348, 2349 and 7440.
package probe

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Options say how to download and what to expect. The zero value downloads as EDK2 does and
// expects nothing of the content.
type Options struct {
	As       Style
	Timeout  time.Duration // without a new packet; default 10 s
	MaxTime  time.Duration // of one download; default 10 min
	SHA256   string        // expected hash in hexadecimal; "" any
	Contains string        // text that the file must hold; "" any
	Slow     time.Duration // a download that takes longer has the fault TooSlow, though the file came; 0: however long
	Prove    bool          // look again where a failure has several causes; it takes up to 10 s more
	Range    bool          // HTTP: ask for the second half once more, as a download that is resumed does
	// Progress is told of bytes received and the whole size (0: not known) at most 10 times a second.
	Progress func(received, size int64)
	// Resend is how long to wait at the most before a packet is sent again; 0: as long as the
	// client does. A monitor that asks often cannot wait as firmware does.
	Resend time.Duration
	// Traced says whether the packets of a download that came or did not are to be in its result;
	// nil: always. Who downloads all the time and keeps few whole saves most of the work.
	Traced func(came bool) bool
	// Room is what the download works in, for TFTP; nil: one is made. Who downloads all the time gives
	// the same one again, when the download before has ended.
	Room *Room
	// Opened is told of every socket that the download opens, before anything is sent from it, and
	// returns what is to be called when it is closed. With it a server in the same process can
	// tell probes from machines.
	Opened func(local, server netip.AddrPort) (closed func())
	// Through lets a TFTP download reach one server behind the service address that is the target. It needs
	// CAP_NET_RAW; windows are not asked for.
	Through *Through

	enough int64 // blocks after which the download may end; 0: all of them
}

// Result is what one download showed. Times are absent (zero) when there was nothing to measure:
// a server that does not answer has no response time, not one of 0 s (F36).
type Result struct {
	Target       string        `json:"target"`
	Kind         Kind          `json:"kind,omitempty"` // "" for downloads
	As           Style         `json:"as"`
	Start        time.Time     `json:"start"`
	Available    bool          `json:"available"`
	Availability int           `json:"availability"` // 100 or 0 percent
	Response     time.Duration `json:"response_ns,omitempty"`
	FirstBlock   time.Duration `json:"first_block_ns,omitempty"` // from the last stage's request to its first data
	Resolve      time.Duration `json:"resolve_ns,omitempty"`     // looking the name up; not part of Response
	Size         int64         `json:"size"`
	Blocks       int64         `json:"blocks,omitempty"`
	SHA256       string        `json:"sha256,omitempty"`
	Retransmits  int           `json:"retransmits"` // packets that we had to send again
	Duplicates   int           `json:"duplicates"`  // blocks that came more than once or out of turn
	Asked        string        `json:"asked,omitempty"`
	Granted      string        `json:"granted,omitempty"`
	Server       string        `json:"server,omitempty"`           // address and port asked
	DataFrom     string        `json:"data_from,omitempty"`        // address and port that sent the data
	Pause        time.Duration `json:"longest_pause_ns,omitempty"` // of TFTP, between two packets that brought something new
	PauseAfter   int64         `json:"longest_pause_after,omitempty"`
	Largest      int           `json:"largest,omitempty"` // bytes of TFTP in the largest packet that came
	Offers       []Offer       `json:"offers,omitempty"`  // dhcp and pxe
	Choice       string        `json:"choice,omitempty"`  // dhcp: what UEFI firmware makes of the offers
	Records      []Record      `json:"records,omitempty"` // dns
	Through      *Side         `json:"through,omitempty"` // a server behind a service address
	Notes        []string      `json:"notes,omitempty"`   // remarkable, and no fault
	Fault        *Fault        `json:"fault,omitempty"`
	Timing       *Timing       `json:"timing,omitempty"` // of the blocks of a TFTP download
	Trace        []Packet      `json:"trace,omitempty"`
}

// Code names what went wrong: a stable word for machines.
type Code string

// The codes of faults. docs/probe.md explains each; a test holds the two together.
const (
	NotResolved     Code = "name-not-resolved"
	HostDown        Code = "host-down"
	Unreachable     Code = "unreachable"
	Filtered        Code = "filtered"
	Refused         Code = "refused"
	NoAnswer        Code = "no-answer"
	ServerError     Code = "server-error"
	WrongAddress    Code = "wrong-address"
	NotTaken        Code = "service-not-taken"
	AnswersARP      Code = "answers-arp"
	OtherContent    Code = "other-content"
	SecondPort      Code = "second-port"
	LargeBlocksLost Code = "large-blocks-lost"
	NoFirstBlock    Code = "no-first-block"
	NoSecondBlock   Code = "no-second-block"
	Stalled         Code = "stalled"
	BadAnswer       Code = "bad-answer"
	ShortFile       Code = "short-file"
	WrongHash       Code = "wrong-hash"
	TextMissing     Code = "text-missing"
	NoRange         Code = "no-range"
	TooSlow         Code = "too-slow"
	OtherServer     Code = "other-server"
	MissingServer   Code = "missing-server"
	FlagMatters     Code = "flag-matters"
	WrongRecords    Code = "wrong-records"
	Interrupted     Code = "interrupted"
	LocalError      Code = "local-error"
)

// Codes lists all.
func Codes() []Code {
	return []Code{
		NotResolved, HostDown, Unreachable, Filtered, Refused, NoAnswer, ServerError, WrongAddress, NotTaken, AnswersARP, OtherContent, SecondPort,
		LargeBlocksLost, NoFirstBlock, NoSecondBlock, Stalled, BadAnswer, ShortFile, WrongHash, TextMissing, NoRange,
		TooSlow, OtherServer, MissingServer, FlagMatters, WrongRecords, Interrupted, LocalError,
	}
}

// Kind is what was asked, where it was not for a file.
type Kind string

// The kinds.
const (
	KindDHCP Kind = "dhcp"
	KindPXE  Kind = "pxe"
	KindDNS  Kind = "dns"
	// KindDHCP6 is a segment that is asked by DHCPv6.
	KindDHCP6 Kind = "dhcp6"
)

// Step is the part of a download in which it failed.
type Step string

// The steps, in their order.
const (
	StepResolve  Step = "resolve"
	StepRequest  Step = "request"
	StepOptions  Step = "options"
	StepTransfer Step = "transfer"
	StepContent  Step = "content"
)

// Fault is a failure with its evidence.
type Fault struct {
	Step Step     `json:"step"`
	Code Code     `json:"code"`
	Text string   `json:"text"`           // the evidence: what was asked, what came, in what time
	Hint []string `json:"hint,omitempty"` // what it commonly means, what to look at
	Err  error    `json:"-"`              // of this machine, behind LocalError; may be nil
}

func (f *Fault) Error() string { return string(f.Step) + ": " + f.Text }

// Unwrap returns the error of this machine.
func (f *Fault) Unwrap() error { return f.Err }

func (o Options) withDefaults() Options {
	if o.As == "" {
		o.As = EDK2
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxTime <= 0 {
		o.MaxTime = 10 * time.Minute
	}
	return o
}

// opened tells of a socket.
func (o Options) opened(local net.Addr, server netip.AddrPort) (closed func()) {
	var port netip.AddrPort
	switch a := local.(type) {
	case *net.UDPAddr:
		port = a.AddrPort()
	case *net.TCPAddr:
		port = a.AddrPort()
	}
	if o.Opened == nil {
		return func() {}
	}
	return o.Opened(port, server)
}

func (r *Result) finish(f *Fault) {
	r.Fault = f
	if f == nil || r.Available { // what came, and came slowly, did come
		r.Available, r.Availability = true, 100
		return
	}
	r.Response = 0
}

// pause says where the download stood still for longest.
func (r *Result) pause() string {
	if r.Pause <= 0 {
		return ""
	}
	return fmt.Sprintf(", the longest pause is %s after block %d", exact(r.Pause), r.PauseAfter)
}

// exact writes a time that was measured.
func exact(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// slow is the fault of a download that came whole and right, and late.
func (r *Result) slow(o Options) *Fault {
	if o.Slow <= 0 || r.Response <= o.Slow {
		return nil
	}
	r.Available = true
	return &Fault{
		Step: StepTransfer, Code: TooSlow,
		Text: fmt.Sprintf("%d bytes took %s, at most %s is allowed; the first came after %s%s, %s sent again",
			r.Size, exact(r.Response), exact(o.Slow), exact(r.FirstBlock), r.pause(), plural(r.Retransmits, "packet")),
		Hint: []string{"late from the first byte on: a busy server; one long pause: the server or the way stood still; packets sent again: loss; none of these: a slow link or large round trips, so compare with a probe from the server itself"},
	}
}
