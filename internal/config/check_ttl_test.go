package config

import (
	"strings"
	"testing"
)

// A TTL beyond the time after which the monitor leaves a dead server out is told, where it stands
// and with what to write; what nobody wrote is not.
func TestTTLBeyondTheMonitor(t *testing.T) {
	for _, c := range []struct{ name, dns, watch, says, write string }{
		{"longer than thirty seconds", ", ttl: 31s", "", "31s, and a dead server is left out of new ones after 30s", "ttl: 30s"},
		{"just as long", ", ttl: 30s", "", "", ""},
		{"a quick monitor", ", ttl: 10s", "watch: {every: 1s, down_after: 2}", "10s, and a dead server is left out of new ones after 2s", "ttl: 2s"},
		{"quicker than DNS counts", ", ttl: 2s", "watch: {every: 100ms, down_after: 1, timeout: 50ms}", "after 100ms", "ttl: 1s"},
		{"a patient monitor", ", ttl: 5m", "watch: {every: 1m, down_after: 5}", "", ""},
		{"the default, with a quick monitor", "", "watch: {every: 1s, down_after: 1}", "", ""},
		{"nobody watches", ", ttl: 5m", "watch: {enabled: false}", "", ""},
		{"nor here", ", ttl: 5m", "watch: {every: 0s}", "", ""},
	} {
		text := []byte("nodes: {n1: {address: 10.0.0.1, interfaces: [eth1]}}\nservers: {s: {tftp: 10.0.0.2}}\nboot: [{name: a, file: a, from: [s]}]\n" +
			"dns: {zone: boot.hq.example.net" + c.dns + "}\n" + c.watch + "\n")
		if _, err := Check("f", text, nil); err != nil {
			t.Fatalf("%s: no mistake of the file, but %v", c.name, err)
		}
		got := Warnings("f", text)
		switch {
		case c.says == "" && len(got) == 0:
		case c.says == "" || len(got) != 1:
			t.Errorf("%s: %+v", c.name, got)
		case got[0].Line != 4 || got[0].Path != "dns.ttl" || !strings.Contains(got[0].Message, c.says) || !strings.Contains(got[0].Remedy, c.write):
			t.Errorf("%s: %+v", c.name, got[0])
		}
	}
}
