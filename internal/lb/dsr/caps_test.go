package dsr

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"surefoot/internal/lb"
)

// With the two capabilities, and nothing else, an ordinary user's process balances; without one of them it says
// which it lacks.
func TestCapabilities(t *testing.T) {
	program(t, "setpriv")
	l := newLab(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(l.path("node"), b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	tables, err := json.Marshal([]lb.Table{table(vip4, lb.Maglev, 0, 1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ caps, want string }{
		{"bpf,net_admin", ""},
		{"sys_admin,net_admin", ""},
		{"net_admin", "needs CAP_BPF:"},
		{"bpf", "needs CAP_NET_ADMIN:"},
		{"net_raw", "needs CAP_BPF and CAP_NET_ADMIN:"},
	} {
		pins := l.pins("lb1") + strings.ReplaceAll(c.caps, ",", "")
		l.sh("", "mkdir "+pins+" && chown nobody "+pins)
		caps := "+" + strings.ReplaceAll(c.caps, ",", ",+")
		cmd := l.in("lb1", "setpriv", "--reuid", "nobody", "--clear-groups", "--bounding-set", "-all,"+caps, "--inh-caps", "-all,"+caps, "--ambient-caps", "-all,"+caps, "--no-new-privs", l.path("node"))
		cmd.Env = append(os.Environ(), "SUREFOOT_DSR_DIR="+pins)
		cmd.Stdin = strings.NewReader("apply " + string(tables) + "\nremove\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", c.caps, err, out)
		}
		var a struct{ Err string }
		if err := json.Unmarshal([]byte(strings.Split(string(out), "\n")[0]), &a); err != nil {
			t.Fatal(err)
		}
		if c.want == "" && a.Err != "" || !strings.Contains(a.Err, c.want) {
			t.Errorf("%s: %q, want %q", c.caps, a.Err, c.want)
		}
		t.Logf("with %s: %s", c.caps, a.Err)
	}
}
