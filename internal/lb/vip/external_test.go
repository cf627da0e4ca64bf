package vip

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// notified is keepalived as docs/vip.md has it: it moves the address, and tells Surefoot.
func (l *lab) notified(host string, priority int) *process {
	l.t.Helper()
	if _, err := exec.LookPath("keepalived"); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			l.t.Fatal("needs keepalived")
		}
		l.t.Skip("needs keepalived")
	}
	role := func(what string) string {
		return fmt.Sprintf("%s lb role %s boot --socket %s", l.binary, what, filepath.Join(l.dir, host+".sock"))
	}
	text := fmt.Sprintf(`global_defs {
 vrrp_version 3
 script_user root
 enable_script_security
}
vrrp_instance boot {
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority %d
 advert_int 0.2
 virtual_ipaddress {
  10.97.0.20/24 dev eth0
 }
 notify_master "%s"
 notify_backup "%s"
 notify_fault  "%s"
 notify_stop   "%s"
}
`, priority, role("master"), role("backup"), role("backup"), role("backup"))
	file := filepath.Join(l.dir, host+".conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return l.start(host, nil, "keepalived", "-n", "-l", "-P", "-D", "-f", file, "-p", file+".pid", "-r", file+".vrrp.pid")
}

// outside starts Surefoot on a node where others move the address.
func (l *lab) outside(host string) *process {
	l.t.Helper()
	file := filepath.Join(l.dir, host+".yaml")
	text := fmt.Sprintf(`site: vip
nodes:
  n1: {address: 10.97.0.1, interfaces: [eth0], roles: [tftp]}
  n2: {address: 10.97.0.2, interfaces: [eth0], roles: [tftp]}
boot: [{name: test, file: surefoot-test}]
status: {socket: %s}
state: %s
vips:
  boot: {address: 10.97.0.20/24, ha: external}
`, filepath.Join(l.dir, host+".sock"), filepath.Join(l.dir, host+".state"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	p := l.start(host, nil, l.binary, "serve", "--config", file, "--node", host)
	l.await(host+" runs", func() bool { return l.stands(host).State != "" })
	return p
}

// stands is how a node says that it stands with the address.
func (l *lab) stands(host string) Report {
	out, _ := exec.Command("ip", "netns", "exec", l.ns(host), l.binary, "vip", "list", "--json", "--socket", filepath.Join(l.dir, host+".sock")).Output()
	var rep struct {
		VIPs []Report `json:"vips"`
	}
	if json.Unmarshal(out, &rep) != nil || len(rep.VIPs) != 1 {
		return Report{}
	}
	return rep.VIPs[0]
}

// The real keepalived moves the address and tells Surefoot by its notify scripts; Surefoot touches nothing, follows, and
// knows after a restart without being told.
func TestExternalByKeepalived(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	first := l.outside("n1")
	l.outside("n2")
	for _, h := range []string{"n1", "n2"} {
		if r := l.stands(h); r.State != Backup || !r.External {
			t.Errorf("%s before anything was said: %+v", h, r)
		}
	}
	is := func(h string, p Phase) func() bool { return func() bool { return l.stands(h).State == p } }
	ka := l.notified("n1", 200)
	l.await("n1 is the master", is("n1", Master))
	if !l.has("n1", "10.97.0.20") {
		t.Error("the master does not have the address")
	}
	l.notified("n2", 100)
	l.await("n2 stays a backup", is("n2", Backup))

	first.kill(syscall.SIGKILL)
	if !l.has("n1", "10.97.0.20") {
		t.Error("the address went with Surefoot, whose it is not")
	}
	l.outside("n1")
	l.await("after a restart it knows by the interface", is("n1", Master))

	ka.kill(syscall.SIGTERM)
	l.await("n2 is the master", is("n2", Master))
	l.await("n1 is a backup", is("n1", Backup))
	if l.has("n1", "10.97.0.20") || !l.has("n2", "10.97.0.20") {
		t.Error("the address is not where its master is")
	}

	said := func(args ...string) string {
		out, _ := exec.Command("ip", append([]string{"netns", "exec", l.ns("n1"), l.binary, "lb", "role", "--socket", filepath.Join(l.dir, "n1.sock")}, args...)...).CombinedOutput()
		return string(out)
	}
	if text := said("master", "other"); !strings.Contains(text, "takes part in no vip") {
		t.Errorf("%s", text)
	}
	if text := said("boss"); !strings.Contains(text, "neither master nor backup") {
		t.Errorf("%s", text)
	}
	if text := said("master"); !strings.Contains(text, "master of boot") { // a lie
		t.Errorf("%s", text)
	}
	l.await("a lie is found out", func() bool { return strings.Contains(l.stands("n1").Trouble, "is not on eth0") })
}

// An address that Surefoot moves by itself takes no role from outside.
func TestRoleIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.surefoot("n1", group{version: 3, advert: "100ms", address: "10.97.0.20/24"})
	l.await("n1 has the address", func() bool { return l.has("n1", "10.97.0.20") })
	out, err := exec.Command("ip", "netns", "exec", l.ns("n1"), l.binary, "lb", "role", "backup", "boot", "--socket", filepath.Join(l.dir, "n1.sock")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "surefoot vip move boot") {
		t.Errorf("%v: %s", err, out)
	}
}
