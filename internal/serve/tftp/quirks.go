package tftp

import (
	"slices"
	"strings"
	"time"

	wire "surefoot/internal/wire/tftp"
)

// quirk is something that a kind of client does in its own way, with the fact or capture that
// proves it, and what this server does about it. Captures are in testdata/captures.
//
// Two that have no entry. Clients that never acknowledge an OACK: the one that was reported
// (fbtftp#51, a DGX) turned out to be EDK2, whose answer to the OACK of its size query is ERROR 8; tftpd-hpa
// says "client does not accept options" of it and serves its next request. Nothing is known that
// takes DATA instead of an OACK repeated, and RFC 2347 has none sent; a ROM that cannot take an OACK at
// all is a matter of Offer.Refuse. Clients that choke on fragments: they cannot be told from
// others by what they ask, so that is Offer.BlockSize (F26).
type quirk struct {
	name     string
	evidence string
	does     string
	so       string // what the server does about it
	is       func(wire.Request) bool

	own    time.Duration // the client's first wait before it repeats itself; 0: not known
	grows  bool          // its later waits are longer
	ending string        // the text of an ERROR that ends a look at the file, and is no failure
}

// quirks are all of them. More than one may hold for a client.
func quirks() []quirk {
	return []quirk{
		{
			name:     "edk2-size-probe",
			evidence: "F7, F25, ovmf-pxe4-proxy1.pcap, ovmf-pxe6.pcap; fbtftp#51 without windowsize",
			does:     "asks for the size, and ends the transfer with ERROR 8 as soon as it has the OACK; repeats itself after 4 s",
			so:       "the ERROR is no failure",
			is: func(r wire.Request) bool {
				return asks(r, "tsize=0", "blksize", "windowsize") ||
					asks(r, "tsize=0", "blksize") && !asks(r, "tsize=0", "blksize=1408") && !asks(r, "tsize=0", "blksize=1024")
			},
			own: 4 * time.Second,
		},
		{
			name:     "edk2",
			evidence: "F25, ovmf-pxe4-proxy1.pcap; with blocks of 512 for shim: sb-shim-grub-pxe.pcap",
			does:     "downloads in windows of 4, and acknowledges every block that comes twice or out of turn; repeats itself after 4 s",
			so:       "such ACKs are counted, and send nothing again",
			is:       func(r wire.Request) bool { return asks(r, "blksize", "windowsize") },
			own:      4 * time.Second,
		},
		{
			name:     "ipxe",
			evidence: "F25, ipxe-tftp-closed-port-realtime.pcap: requests at 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s",
			does:     "repeats itself after 0.25 s, then after twice as long each time",
			so:       "the first repetition comes after an eighth of a second",
			is:       func(r wire.Request) bool { return asks(r, "blksize=1432", "tsize=0") },
			own:      250 * time.Millisecond, grows: true,
		},
		{
			name:     "pxelinux",
			evidence: "F25, bios-pxelinux.0.pcap; core/fs/pxe/tftp.c: 2 ticks of 55 ms, each wait a fifth longer",
			does:     "repeats itself after 0.11 s, then a little later each time",
			so:       "the first repetition comes after half of that",
			is:       func(r wire.Request) bool { return asks(r, "tsize=0", "blksize=1408") },
			own:      110 * time.Millisecond, grows: true,
		},
		{
			name:     "raspberry-pi",
			evidence: "raspberrypi/rpi-eeprom#74 (request), raspberrypi/firmware#1605 (ERROR 0 \"Early terminate\"), raspberrypi/firmware#1025 (gives up after 1 s)",
			does:     "looks at the beginning of a file and ends with ERROR 0 \"Early terminate\"; gives a file up when nothing comes for a second",
			so:       "the ERROR is no failure, and a lost packet comes again twice within that second",
			is:       func(r wire.Request) bool { return asks(r, "tsize=0", "blksize=1024") || asks(r, "tsize=0") },
			own:      time.Second, ending: "early terminate",
		},
		{
			name:     "msftwindow",
			evidence: "F25: asks msftwindow=31416 and wants 27182; each ACK has a fifth byte, the next window",
			does:     "the boot manager of Windows asks for windows of its own kind",
			so: "the option is left out and the fifth byte is ignored, so that it downloads in lock-step. To grant it " +
				"would take a capture of a WDS server that shows how windows grow and what it does after a loss",
			is: func(r wire.Request) bool { _, ok := wire.Lookup(r.Options, "msftwindow"); return ok },
		},
	}
}

// asks reports whether a request has exactly these options in this order, each a name with or without a
// value.
func asks(r wire.Request, options ...string) bool {
	return slices.EqualFunc(r.Options, options, func(o wire.Option, want string) bool {
		name, value, valued := strings.Cut(want, "=")
		return strings.EqualFold(o.Name, name) && (!valued || o.Value == value)
	})
}

// manners are what a sender does for the quirks of its client.
type manners struct {
	names  []string
	own    time.Duration
	grows  bool
	ending string
}

// mannersFor finds the quirks of a client by its request.
func mannersFor(r wire.Request) manners {
	var m manners
	for _, q := range quirks() {
		if !q.is(r) {
			continue
		}
		m.names = append(m.names, q.name)
		if q.own > 0 {
			m.own, m.grows = q.own, q.grows
		}
		if q.ending != "" {
			m.ending = q.ending
		}
	}
	return m
}
