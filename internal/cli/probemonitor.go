package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/probe"
)

const monitorHelp = `FOR MONITORS
  --nagios      a line with performance data; exits with 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
  --keepalived  for MISC_CHECK: exits with 0 up, 1 down, and nothing else
  These exit codes stand instead of those below.`

const nsumonHelp = `
  --nsumon      NetScaler user monitor: ADDRESS PORT "file=...;content=..." [SECONDS]; 0 up, 1 down`

// monitor is how a probe answers somebody else's monitor.
type monitor struct {
	nagios, keepalived, nsumon bool
	warning, critical          time.Duration
	maxTime                    time.Duration // of NetScaler
}

func (m *monitor) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&m.nagios, "nagios", false, "answer as a Nagios plugin")
	f.BoolVar(&m.keepalived, "keepalived", false, "answer as keepalived's MISC_CHECK wants it")
	f.DurationVar(&m.warning, "warning", 0, "with --nagios: a response time above it is a WARNING; 0: none is")
	f.DurationVar(&m.critical, "critical", 0, "with --nagios: a response time above it is CRITICAL; 0: none is")
}

func (m *monitor) on() bool { return m.nagios || m.keepalived || m.nsumon }

func (m *monitor) check() error {
	n := 0
	for _, x := range []bool{m.nagios, m.keepalived, m.nsumon} {
		if x {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("one of --nagios, --keepalived and --nsumon")
	case m.warning < 0 || m.critical < 0:
		return errors.New("--warning and --critical: not less than 0")
	case (m.warning > 0 || m.critical > 0) && !m.nagios:
		return errors.New("--warning and --critical go with --nagios; --slow is the limit of the others")
	case m.warning > 0 && m.critical > 0 && m.warning > m.critical:
		return errors.New("--warning is above --critical")
	}
	return nil
}

// The states of a Nagios plugin (monitoring-plugins' guidelines; F35).
const (
	nagiosOK       = 0
	nagiosWarning  = 1
	nagiosCritical = 2
	nagiosUnknown  = 3
)

// What keepalived and NetScaler take: 1 is down for both. With keepalived's misc_dynamic every other
// code would be "up" with a weight (F34).
const (
	monitorUp   = 0
	monitorDown = 1
)

// finish says what a probe showed, and returns the exit code as an error.
func (m *monitor) finish(w io.Writer, res probe.Result) error {
	code := monitorUp
	switch {
	case m.nagios:
		var word string
		code, word = m.state(res)
		fmt.Fprintf(w, "SUREFOOT %s - %s | %s\n", word, said(res), m.performance(res))
		if res.Fault != nil {
			for _, h := range res.Fault.Hint {
				fmt.Fprintln(w, plainLine(h))
			}
		}
	case res.Fault != nil:
		code = monitorDown
		fallthrough
	default:
		if m.nsumon {
			fmt.Fprintf(w, "%d,", code)
		}
		fmt.Fprintln(w, said(res))
	}
	if code == 0 {
		return nil
	}
	return &Error{Code: code}
}

func (m *monitor) state(res probe.Result) (int, string) {
	switch f := res.Fault; {
	case f != nil && (f.Code == probe.LocalError || f.Code == probe.Interrupted):
		return nagiosUnknown, "UNKNOWN" // of this machine, so nothing is known of the other
	case f != nil, m.critical > 0 && res.Response > m.critical:
		return nagiosCritical, "CRITICAL"
	case m.warning > 0 && res.Response > m.warning:
		return nagiosWarning, "WARNING"
	}
	return nagiosOK, "OK"
}

// said is the first line: what was asked, and how it went.
func said(res probe.Result) string {
	if f := res.Fault; f != nil {
		return plainLine(fmt.Sprintf("%s failed at %s (%s): %s", res.Target, f.Step, f.Code, f.Text))
	}
	switch res.Kind {
	case probe.KindDHCP, probe.KindDHCP6:
		return plainLine(fmt.Sprintf("%s: %s, the first in %.3f s", res.Target, plural(len(res.Offers), "offer"), res.Response.Seconds()))
	case probe.KindPXE:
		return plainLine(fmt.Sprintf("%s: %s in %.3f s", res.Target, res.Offers[0], res.Response.Seconds()))
	case probe.KindDNS:
		return plainLine(fmt.Sprintf("%s: %s from %s in %.3f s", res.Target, plural(len(res.Records), "record"), res.Server, res.Response.Seconds()))
	}
	return plainLine(fmt.Sprintf("%s: %d bytes in %.3f s", res.Target, res.Size, res.Response.Seconds()))
}

// plainLine leaves out what would begin performance data or a new line.
func plainLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '|':
			return '/'
		case '\n', '\r':
			return ' '
		}
		return r
	}, s)
}

// performance is the machine's part: 'label'=value[unit];warn;crit;min (F35). A time that was not
// measured is U, undetermined, and never 0 (F36).
func (m *monitor) performance(res probe.Result) string {
	limit := func(d time.Duration) string {
		if d <= 0 {
			return ""
		}
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	when := func(d time.Duration) string {
		if d <= 0 || !res.Available {
			return "U"
		}
		return fmt.Sprintf("%.6fs", d.Seconds())
	}
	out := []string{
		fmt.Sprintf("'time'=%s;%s;%s;0", when(res.Response), limit(m.warning), limit(m.critical)),
		fmt.Sprintf("'availability'=%d%%;;;0;100", res.Availability),
	}
	switch res.Kind {
	case probe.KindDHCP, probe.KindDHCP6:
		out = append(out, fmt.Sprintf("'offers'=%d;;;0", len(res.Offers)))
	case probe.KindDNS:
		out = append(out, fmt.Sprintf("'records'=%d;;;0", len(res.Records)))
	case probe.KindPXE:
	default:
		out = append(out, fmt.Sprintf("'first_block'=%s;;;0", when(res.FirstBlock)), fmt.Sprintf("'size'=%dB;;;0", res.Size))
		if strings.HasPrefix(res.Target, "tftp:") {
			out = append(out, fmt.Sprintf("'retransmits'=%d;;;0", res.Retransmits))
		}
	}
	return strings.Join(out, " ")
}

// monitorOf finds the monitor whose answer a command line asks for, however wrong the rest of it is.
func monitorOf(args []string) *monitor {
	if len(args) == 0 || args[0] != "probe" {
		return nil
	}
	m := &monitor{
		nagios: slices.Contains(args, "--nagios"), keepalived: slices.Contains(args, "--keepalived"), nsumon: slices.Contains(args, "--nsumon"),
	}
	if !m.on() {
		return nil
	}
	return m
}

// failed is what a monitor is told when there was no probe at all: wrong usage, or a fault of this
// machine. To Nagios that is UNKNOWN (F35); the others know up and down only.
func (m *monitor) failed(env *Env, err error) int {
	var e *Error
	if errors.As(err, &e) && e.Err == nil {
		return e.Code
	}
	text := plainLine(err.Error())
	switch {
	case m.nagios:
		fmt.Fprintf(env.Out, "SUREFOOT UNKNOWN - %s\n", text)
		return nagiosUnknown
	case m.nsumon:
		fmt.Fprintf(env.Out, "%d,%s\n", monitorDown, text)
	default:
		fmt.Fprintln(env.Out, text)
	}
	return monitorDown
}
