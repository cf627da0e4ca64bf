package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServesNamesWithTheUnitsCapabilities asks for a name on port 53 of a node that runs as nobody
// with what the unit grants and nothing else.
func TestServesNamesWithTheUnitsCapabilities(t *testing.T) {
	need(t, "setpriv")
	dig := need(t, "dig")
	s := newSite(t)
	dir, _ := workplace(t)
	site := filepath.Join(dir, "site.yaml")
	text := fmt.Sprintf(`root: %[1]s/boot
nodes: {pk: {address: %[2]s, interfaces: [%[3]s]}}
boot: [{name: bios, file: ARDBP32.BIN}]
status: {socket: %[1]s/api.sock}
dns: {zone: boot.example.net}
`, dir, nodeAddr, nodeIf)
	if err := os.WriteFile(site, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d := start(t, dir, in(s.node, unprivileged(unitCapabilities(t), "serve", "--config", site, "--node", "pk")...))
	for _, over := range []string{"+notcp", "+tcp"} {
		out, err := in(s.client, dig, "+short", "+norec", over, "@"+nodeAddr, "bios.boot.example.net").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != nodeAddr {
			t.Errorf("dig %s: %v %s\n%s", over, err, out, d.stderr)
		}
	}
	d.stop(t)
}
