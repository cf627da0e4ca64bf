package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExplainDHCP(t *testing.T) {
	out, errs, code := invoke(t, "explain", "dhcp", "--mac", "52:54:00:12:34:56", "--pair", "isc", "--names", "pvs1,pvs2")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{"belongs to pvs2: bucket 156", `pvs1 logs "load balance to peer"`, "relay", "Surefoot's nodes"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	out, _, _ = invoke(t, "explain", "dhcp", "--mac", "52:54:00:12:34:56", "--client-id", "01:52:54:00:12:34:56", "--json")
	var views []pairView
	if err := json.Unmarshal([]byte(out), &views); err != nil || len(views) != 2 || views[1].Owner.Bucket != 253 || views[1].Owner.Server != 1 {
		t.Errorf("%v: %s", err, out)
	}
	for _, args := range [][]string{
		{},
		{"--mac", "x"},
		{"--mac", "52:54:00:12:34:56", "--pair", "dnsmasq"},
		{"--mac", "52:54:00:12:34:56", "--names", "one"},
		{"--mac", "52:54:00:12:34:56", "--client-id", "zz"},
		{"--mac", "52:54:00:12:34:56", "--split", "300"},
	} {
		if _, errs, code := invoke(t, append([]string{"explain", "dhcp"}, args...)...); code != ExitUsage || errs == "" {
			t.Errorf("%v: exit %d, %q", args, code, errs)
		}
	}
}
