package lab

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Report is what the built-in test bootstrap says on the console once it runs: the proof that a
// machine booted, and through whom.
type Report struct {
	OK     bool
	Fields map[string]string // node, ip, server, file or url, len, sum
	At     time.Duration     // after the machine was switched on, by the wall clock
	Line   string
}

// outcomes are the lines that end a boot, one way or the other.
var outcomes = regexp.MustCompile(`SUREFOOT-TEST (?:OK|FAIL)[^\n]*\n|No bootable device\.(?:[^\n]*)\n?|No bootable option or device|UEFI Interactive Shell`)

// AwaitReport waits for the test bootstrap's report. A machine that gives up, or ends, before it
// has one is an error that shows the console's last lines.
func (vm *VM) AwaitReport(ctx context.Context) (Report, error) {
	for {
		m, err := vm.Console.Expect(ctx, outcomes)
		if err != nil {
			return Report{}, fmt.Errorf("%s: no report of the test bootstrap: %w\n%s", vm.MAC, err, vm.Console.lastLines(12))
		}
		line := strings.TrimSpace(m.Groups[0])
		if r, ok := parseReport(line); ok {
			r.At = m.At
			return r, nil
		}
		if vm.RetryAfter == 0 {
			return Report{}, fmt.Errorf("%s found nothing to boot:\n%s", vm.MAC, vm.Console.lastLines(12))
		}
	}
}

// AwaitLastWords waits, for at most a second or two, until the test bootstrap has said all that it
// says after its report, for those who watch.
func (vm *VM) AwaitLastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, _ = vm.Console.Expect(ctx, lastWords)
}

var lastWords = regexp.MustCompile(`Any key, or[^\n]*\n`)

// parseReport reads the line "SUREFOOT-TEST OK key=value ...".
func parseReport(line string) (Report, bool) {
	rest, ok := strings.CutPrefix(line, "SUREFOOT-TEST ")
	if !ok {
		return Report{}, false
	}
	word, rest, _ := strings.Cut(rest, " ")
	r := Report{OK: word == "OK", Line: line, Fields: map[string]string{}}
	for _, f := range strings.Fields(rest) {
		k, v, _ := strings.Cut(f, "=")
		r.Fields[k] = v
	}
	return r, true
}

// lastLines returns the end of what the machine printed, without empty lines.
func (c *Console) lastLines(n int) string {
	var lines []string
	for l := range strings.Lines(c.Text()) {
		if l = strings.TrimRight(l, " \n"); l != "" {
			lines = append(lines, "  "+l)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
