package cli

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"surefoot/internal/lb"
	"surefoot/internal/lb/check"
	"surefoot/internal/web"
)

func TestPeerFindings(t *testing.T) {
	out := peerFindings([]web.Warning{
		{Code: "history-full", Title: "another thing"},
		{Code: "lb-peer-stale", Title: "balancer lb2 has not been heard for a while", Text: "what it saw last is of 12:00:00", Fix: "is it running?"},
	})
	if len(out) != 1 || out[0].Code != "lb-peer-stale" || out[0].Warning || !strings.Contains(out[0].Text, "12:00:00") || out[0].Fix[0] != "is it running?" {
		t.Errorf("%+v", out)
	}
}

func TestPrintLBCheck(t *testing.T) {
	var b bytes.Buffer
	r := check.Report{
		Service: "boot", Address: netip.MustParseAddrPort("10.0.0.20:69"), Mode: lb.DSR, Role: check.Balancer,
		Good:     []check.Good{{Subject: "pvs1", Text: "delivers"}},
		Findings: []check.Finding{{Code: check.SecondMAC, Subject: "10.0.0.20", Text: "two answer", Fix: []string{"find it"}}, {Code: check.Redirects, Subject: "this machine", Warning: true, Text: "on"}},
	}
	printLBCheck(&b, &r)
	for _, x := range []string{"service boot  10.0.0.20:69  mode dsr; this machine: balancer", "good     pvs1", "PROBLEM  10.0.0.20", "second-mac: two answer", "do:  find it", "warning  this machine"} {
		if !strings.Contains(b.String(), x) {
			t.Errorf("%q is missing in:\n%s", x, b.String())
		}
	}
	if !r.Bad() {
		t.Error("a problem is no warning")
	}
}

func TestLBCheckFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--service boot --backends 10.0.0.1", "neither an address nor address:port"},
		{"--service 10.0.0.20 --mode tunnel --backends 10.0.0.1", "none of dsr, nat, snat and relay"},
		{"--service 10.0.0.20", "--backends is missing"},
		{"--service 10.0.0.20 --backends 10.0.0.1 --clients 10.0.0.0", "is not a network"},
		{"--service 10.0.0.20 --backends pvs1=x", "neither an address"},
		{"--as wds --service 10.0.0.20 --backends 10.0.0.1", "not a kind of client"},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"lb", "check"}, strings.Fields(c.args)...), Env{Out: &out, Err: &errs, Getenv: func(string) string { return "" }})
		if code != ExitUsage || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: exit %d: %s", c.args, code, errs.String())
		}
	}
}
