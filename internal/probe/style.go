package probe

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"surefoot/internal/wire/tftp"
)

// Style is the kind of boot client whose habits a download follows (F25; packets captured from
// each).
type Style string

// The styles.
const (
	EDK2     Style = "edk2"     // size probe ended by ERROR 8, then blksize 1468 and windowsize 4
	IPXE     Style = "ipxe"     // blksize 1432 and tsize; takes its peer from the first reply, address included
	PXELINUX Style = "pxelinux" // tsize and blksize 1408
	Plain    Style = "plain"    // no options: 512 bytes a block, as shim asks
)

// Styles lists them in the order of the help text.
func Styles() []Style { return []Style{EDK2, IPXE, PXELINUX, Plain} }

// ParseStyle reads the name of a style.
func ParseStyle(s string) (Style, error) {
	if slices.Contains(Styles(), Style(s)) {
		return Style(s), nil
	}
	var names []string
	for _, x := range Styles() {
		names = append(names, string(x))
	}
	return "", fmt.Errorf("%q is not a kind of client (one of %s)", s, strings.Join(names, ", "))
}

// habits are what a style comes down to.
type habits struct {
	sizeProbe []tftp.Option // a request of its own, nil: none
	options   []tftp.Option
	anyServer bool // takes a reply from another address than it asked
	agent     string
	head      bool // HTTP: HEAD before GET
	// resend is how long the client waits before it sends the n-th packet again (n from 0).
	resend func(n int) time.Duration
	tries  int  // how often firmware sends one packet before it gives up
	deaf   bool // to ICMP port unreachable
}

func habitsOf(s Style) habits {
	opt := func(pairs ...string) (o []tftp.Option) {
		for i := 0; i < len(pairs); i += 2 {
			o = append(o, tftp.Option{Name: pairs[i], Value: pairs[i+1]})
		}
		return o
	}
	every := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	doubling := func(d, limit time.Duration) func(int) time.Duration {
		return func(n int) time.Duration { return min(d<<min(n, 10), limit) }
	}
	switch s {
	case IPXE:
		return habits{
			options: opt("blksize", "1432", "tsize", "0"), anyServer: true, agent: "iPXE",
			resend: doubling(250*time.Millisecond, 8*time.Second), tries: 6, deaf: true, // measured: gives up after 16 s
		}
	case PXELINUX:
		return habits{options: opt("tsize", "0", "blksize", "1408"), agent: "Syslinux", resend: growing, tries: 31}
	case Plain:
		return habits{agent: "plain", resend: every(time.Second), tries: 10}
	}
	return habits{
		sizeProbe: opt("tsize", "0", "blksize", "1468", "windowsize", "4"), options: opt("blksize", "1468", "windowsize", "4"),
		agent: "UefiHttpBoot/1.0", head: true, resend: every(4 * time.Second), tries: 6, // measured: PXE-E18 after 24 s
	}
}

// growing is PXELINUX's table of time-outs (syslinux, core/fs/pxe/tftp.c): from 2 ticks of the PC's
// clock of 18.2 Hz up to 255, each a fifth longer than the one before.
func growing(n int) time.Duration {
	const first, most = 110 * time.Millisecond, 14 * time.Second
	return min(time.Duration(float64(first)*math.Pow(1.2, float64(min(n, 100)))), most)
}
