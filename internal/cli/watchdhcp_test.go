package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"surefoot/internal/watch"
)

// TestSegments: who answers and who does not is said in words, within the width of a terminal, and in
// the exit status.
func TestSegments(t *testing.T) {
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	good, all := watch.Service{Server: "10.0.0.2", From: "10.0.0.2", Address: true, Offers: []string{"the address 10.0.0.100"}}, 100.0
	evil := watch.Service{Server: "10.0.0.66", From: "10.0.0.1", MAC: "52:54:00:00:00:66", Boot: true, Offers: []string{"to BIOS machines: the file evil.0"}}
	for _, c := range []struct {
		name string
		seg  watch.SegmentReport
		bad  bool
		list []string // in the table
		one  []string // of the segment alone
	}{
		{
			"answered",
			watch.SegmentReport{State: watch.Answered, Text: "an address is offered by 10.0.0.2", Availability: &all, Last: &watch.Look{State: watch.Answered, Response: time.Millisecond, Services: []watch.Service{good}}},
			false,
			[]string{"dhcp/eth1", "vdi", "answered", "100 %", "1.00 ms"},
			[]string{"not named in the site file: 10.0.0.2 offers the address 10.0.0.100"},
		},
		{
			"a stranger",
			watch.SegmentReport{State: watch.Answered, Last: &watch.Look{State: watch.Answered, Services: []watch.Service{good, evil}, Missing: []string{"10.0.0.5"}}},
			true,
			[]string{"NOT KNOWN, and says what to boot: 10.0.0.66 (MAC 52:54:00:00:00:66) by 10.0.0.1", "expected, and does not answer: 10.0.0.5"},
			[]string{"NOT KNOWN: 10.0.0.66"},
		},
		{
			"silent",
			watch.SegmentReport{State: watch.Silent, Since: now.Add(-time.Minute), Text: "nobody offers an address", Last: &watch.Look{State: watch.Silent, Text: "nobody offers an address", Hints: []string{"look at the DHCP server"}}},
			true,
			[]string{"dhcp/eth1: nobody offers an address"},
			[]string{"silent for 1 min: nobody offers an address", "look: look at the DHCP server"},
		},
		{
			"not asked",
			watch.SegmentReport{State: watch.NotAsked, Errors: 2, Last: &watch.Look{State: watch.NotAsked, Text: "interface eth1: is down"}},
			false,
			[]string{"error", "dhcp/eth1: interface eth1: is down"},
			[]string{"2 probes that could not ask"},
		},
		{"not yet", watch.SegmentReport{State: "unknown"}, false, []string{"unknown"}, []string{"dhcp/eth1: unknown"}},
	} {
		c.seg.Name, c.seg.Interface, c.seg.Network, c.seg.Every = "dhcp/eth1", "eth1", "vdi", time.Minute
		var table, one bytes.Buffer
		printSegments(&table, watch.Report{Time: now, Segments: []watch.SegmentReport{c.seg}}, false)
		printSegment(&one, c.seg, now, false, true)
		for text, wants := range map[string][]string{table.String(): c.list, one.String(): c.one} {
			flat := strings.Join(strings.Fields(text), " ")
			for _, w := range wants {
				if !strings.Contains(flat, w) {
					t.Errorf("%s: no %q in\n%s", c.name, w, text)
				}
			}
			for line := range strings.Lines(text) {
				if len([]rune(line)) > columns+1 {
					t.Errorf("%s: a line of %d characters: %s", c.name, len([]rune(line)), line)
				}
			}
		}
		var e *Error
		if err := segmentVerdict([]watch.SegmentReport{c.seg}); (err != nil) != c.bad || err != nil && (!errors.As(err, &e) || e.Code != ExitProblems) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
