package web

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
)

func mustPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// elements parses a page as a browser does and returns every element.
func elements(t *testing.T, text string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

// File names, details, names of machines and of firmware come from strangers. Whatever they
// hold, the page has the elements that it has without them, and nothing runs.
func TestHostileTexts(t *testing.T) {
	page := func(evil string) string {
		n := start(t, Config{Status: loopback})
		n.set(func(st *Status) {
			st.Warnings[0].Text, st.Warnings[0].Title, st.Warnings[0].Fix = evil, evil, evil
			st.Config.LastError, st.Config.Path, st.Site = evil, evil, evil
			st.Rules[0].File, st.Rules[0].From, st.NotReady = evil, []string{evil}, []string{evil}
			st.Networks[0].Name, st.Roles[0].Listen, st.Nodes[0].Address = evil, []string{evil}, evil
		})
		m := boot.MAC{2, 0, 0, 0, 0, 1}
		x := boot.Arch(7)
		for i, k := range []boot.Kind{boot.DiscoverSeen, boot.OfferSent, boot.ScriptSent, boot.ReadRequest, boot.OptionsSent, boot.TransferEnd} {
			n.journal.Emit(boot.Event{
				Time: time.Now(), Role: "tftp", Kind: k, MAC: m, XID: 1, IP: netip.MustParseAddr("10.0.0.1"), Arch: &x, Transfer: uint64(i / 3),
				File: evil, Server: evil, Rule: evil, Detail: evil, Options: evil, Network: evil, Peer: evil, Firmware: boot.Firmware(evil), Reason: boot.FileMissing,
			})
		}
		n.told(t)
		w := get(t, n.guard(n.pages()), "GET", "/")
		if w.Code != 200 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	names := func(list []*html.Node) []string {
		var out []string
		for _, n := range list {
			out = append(out, n.Data)
		}
		return out
	}
	plain := names(elements(t, page("plain")))
	for _, evil := range []string{
		hostile, `</pre><svg onload=alert(1)>`, `javascript:alert(1)`, `"onmouseover="alert(1)`, `</title><script>`, "<!--", "]]>", `{{template "x"}}`,
	} {
		text := page(evil)
		if got := names(elements(t, text)); !slices.Equal(got, plain) {
			t.Errorf("%q changes the page: %d elements, want %d", evil, len(got), len(plain))
		}
		for _, n := range elements(t, text) {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") || a.Key == "style" {
					t.Errorf("%q: <%s %s=%q>", evil, n.Data, a.Key, a.Val)
				}
			}
		}
		if !strings.Contains(text, html.EscapeString(evil[:2])[:1]) || strings.Contains(text, "<script>alert") {
			t.Errorf("%q is not shown as text", evil)
		}
	}
}

// The page asks for nothing that is not on this node.
func TestPageIsSelfContained(t *testing.T) {
	n := start(t, Config{Status: loopback})
	demoBoots(n.journal.Emit, time.Now(), hostile)
	n.told(t)
	scripts := 0
	for _, e := range elements(t, get(t, n.guard(n.pages()), "GET", "/").Body.String()) {
		if e.Data == "script" {
			scripts++
		}
		for _, a := range e.Attr {
			if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && a.Val != "data:," || strings.HasPrefix(a.Val, "//") {
				t.Errorf("<%s %s=%q> leads away", e.Data, a.Key, a.Val)
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%d scripts, want one", scripts)
	}
}

// What a person needs at night is in the first answer, without any script.
func TestPageSays(t *testing.T) {
	n := start(t, Config{Status: loopback})
	if text := get(t, n.pages(), "GET", "/").Body.String(); !strings.Contains(text, "No machine has asked yet") {
		t.Error("an empty journal is not explained")
	}
	n.set(func(st *Status) {
		st.Ready, st.NotReady = false, []string{"tftp starting"}
		st.Config.LastError = "surefoot.yaml:6:12: no such server"
	})
	demoBoots(n.journal.Emit, time.Now(), "undionly.kpxe")
	n.told(t)
	text := get(t, n.pages(), "GET", "/").Body.String()
	for _, want := range []string{
		"✗ not ready", "tftp starting", "last reload refused", "surefoot.yaml:6:12: no such server",
		"<b>stuck</b>: asked for ARDBP32.BN, which is not there; near: ARDBP32.BIN",
		"<b>done</b>: stage 2 (ipxe): pc-image.bin delivered", "edk2 → ipxe uefi-x64(7)",
		"<b>running</b>: fetching snponly.efi by TFTP: block 300 of 711", `value="42"`, "42 %", "✗ stuck", "✓ delivered",
		"pvs1", "10.10.0.21:69", "10.10.0.0/22", "rule pvs-bios names a file that is not here", "/etc/surefoot/surefoot.yaml",
		"asks for snponly.efi (tsize=0 blksize=1468 windowsize=4)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestMarks(t *testing.T) {
	bar := func(s journal.Story) string {
		var out []string
		for _, m := range marksOf(s) {
			out = append(out, m.Name+":"+m.State)
		}
		return strings.Join(out, " ")
	}
	m := boot.MAC{2}
	for _, c := range []struct {
		s    journal.Story
		want string
	}{
		{journal.Story{MAC: m, State: journal.Running}, "discover: offer: address: rrq: oack: delivered:now"},
		{
			journal.Story{MAC: m, State: journal.Stuck, Firmware: boot.FirmwareEDK2, Stages: []journal.Stage{{Reached: []boot.Kind{boot.DiscoverSeen, boot.OfferSent}}}},
			"discover:done offer:done address: 4011: rrq: oack: stuck:bad",
		},
		{journal.Story{State: journal.Done, Stages: []journal.Stage{{Delivered: true, Reached: []boot.Kind{boot.ReadRequest}}}}, "rrq:done delivered:done"},
		{
			journal.Story{MAC: m, State: journal.Ended, Firmware: boot.FirmwareUEFIHTTP, Stages: []journal.Stage{{Reached: []boot.Kind{boot.DiscoverSeen}}}},
			"discover:done offer: address: http: ended:",
		},
		{
			journal.Story{MAC: m, State: journal.Done, Stages: []journal.Stage{{Reached: []boot.Kind{boot.ReadRequest}}, {Delivered: true, Reached: []boot.Kind{boot.DiscoverSeen, boot.OfferSent, boot.RequestSeen, boot.ScriptSent, boot.HTTPRequest}}}},
			"discover:done offer:done address:done script:done http:done delivered:done",
		},
	} {
		if got := bar(c.s); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		ev   boot.Event
		want string
	}{
		{boot.Event{Kind: boot.DiscoverSeen}, "asks who can boot it"},
		{boot.Event{Kind: boot.OfferSent, File: "a.0", Server: "boot1", Reason: boot.Answered, Detail: "broadcast"}, "is offered a.0 from boot1"},
		{boot.Event{Kind: boot.OfferSent, File: "a.0", Server: "boot1", Reason: boot.SendFailed, Detail: "network is down"}, "is offered a.0 from boot1 [network is down]"},
		{boot.Event{Kind: boot.RequestSeen, IP: netip.MustParseAddr("10.0.0.9"), Reason: boot.OtherMessage}, "takes an address 10.0.0.9"},
		{boot.Event{Kind: boot.RequestSeen, Reason: boot.OtherMessage, Detail: "takes 10.0.0.9 from 10.0.0.1"}, "takes 10.0.0.9 from 10.0.0.1"},
		{boot.Event{Kind: boot.Ignored, Reason: boot.NoRule, Detail: "rule a: no"}, "is not answered: no rule matches this client [rule a: no]"},
		{boot.Event{Kind: boot.ReadRequest, File: "a.0", Options: "blksize=1468"}, "asks for a.0 (blksize=1468)"},
		{boot.Event{Kind: boot.Progress, File: "a.0", Bytes: 5000, Size: 10000, Dur: 20 * time.Millisecond, Retransmits: 2}, "gets a.0, 5 KB of 10 KB in 20ms, 2 packets repeated"},
		{boot.Event{Kind: boot.TransferEnd, File: "a.0", Reason: boot.Done, Bytes: 10, Size: 10}, "delivered completely: a.0, 10 bytes of 10 bytes"},
		{boot.Event{Kind: boot.TransferEnd, File: "a.0", Reason: boot.FileMissing, Detail: `no such file: "a.0" (near: a.1)`}, `no such file: a.0 (near: a.1)`},
		{boot.Event{Kind: boot.TransferEnd, File: "a.0", Reason: boot.FileMissing, Detail: "near: a.1, a (2)"}, "no such file: a.0 (near: a.1, a (2))"},
		{boot.Event{Kind: boot.TransferEnd, File: "a.0", Reason: boot.FileMissing}, "no such file: a.0"},
		{boot.Event{Kind: boot.TransferEnd, File: "a.0", Reason: boot.Timeout, Detail: "block 3 of 9"}, "the client stopped acknowledging: a.0 [block 3 of 9]"},
	} {
		if got := Describe(c.ev); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "now", -time.Second: "now", 5 * time.Second: "5 s ago", 5 * time.Minute: "5 min ago", 5 * time.Hour: "2026-11-22 05:00:00",
	} {
		if got := ago(now, now.Add(-d)); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
