package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reservationSite writes a site file with a file of reservations that is not there yet.
func reservationSite(t *testing.T) (site, table string) {
	t.Helper()
	dir := t.TempDir()
	site, table = filepath.Join(dir, "site.yaml"), filepath.Join(dir, "vdi.csv")
	text := `site: hq
root: /srv/boot
nodes: {boot1: {address: 10.10.0.11, interfaces: [eth1]}}
boot: [{name: uefi, file: snponly.efi}]
networks:
  vdi:
    subnet: 10.10.0.0/22
    deliver: dhcp
    reservations: [{mac: "52:54:00:12:34:99", ip: 10.10.0.99, name: inline}]
    reservations_file: ` + table + `
  lab: {subnet: 10.20.0.0/24, deliver: none}
`
	if err := os.WriteFile(site, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return site, table
}

func TestReservations(t *testing.T) {
	site, table := reservationSite(t)
	run := func(want int, says string, args ...string) {
		t.Helper()
		code, out, errs := call(t, filepath.Join(t.TempDir(), "none"), "", append([]string{"reservation", "--config", site}, args...)...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("%v: code %d, want %d and %q:\n%s%s", args, code, want, says, out, errs)
		}
	}
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(table)
		if err != nil || string(got) != want {
			t.Errorf("the file is %q (%v), want %q", got, err, want)
		}
	}
	run(ExitOK, "would be added", "add", "52-54-00-12-34-01", "--ip", "10.10.0.1", "--dry-run", "--config", site)
	if _, err := os.Stat(table); err == nil {
		t.Error("a dry run writes")
	}
	run(ExitOK, "surefoot reload", "add", "525400123401", "--ip", "10.10.0.1", "--name", "pc-1", "--config", site)
	holds("mac,ip,name,boot\n52:54:00:12:34:01,10.10.0.1,pc-1,\n")
	if err := os.Chmod(table, 0o640); err != nil {
		t.Fatal(err)
	}
	run(ExitFailed, "reservation in this network already, in line 2", "add", "52:54:00:12:34:01", "--config", site)
	run(ExitFailed, "reserved already, in line 9 of "+site, "add", "52:54:00:12:34:02", "--ip", "10.10.0.99", "--config", site)
	run(ExitFailed, `there is no rule "uefy"`, "add", "52:54:00:12:34:02", "--boot", "uefy", "--config", site)
	run(ExitFailed, "no network of", "add", "52:54:00:12:34:02", "--ip", "10.99.0.1", "--config", site)
	run(ExitFailed, "network lab has no file of reservations", "add", "52:54:00:12:34:02", "--ip", "10.20.0.5", "--config", site)
	run(ExitUsage, "is not a MAC address", "add", "52:54", "--config", site)
	holds("mac,ip,name,boot\n52:54:00:12:34:01,10.10.0.1,pc-1,\n")
	run(ExitOK, table+":2", "list", "--config", site)
	run(ExitOK, site+":9", "list", "inline", "--config", site)
	run(ExitFailed, "stands in the site file", "remove", "inline", "--config", site)
	run(ExitFailed, "there is no reservation of", "remove", "nobody", "--config", site)
	run(ExitNoDaemon, "removed from", "remove", "pc-1", "--reload", "--config", site) // written, and nobody there to read it
	holds("mac,ip,name,boot\n")
	if st, err := os.Stat(table); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v: the mode is another one", st.Mode(), err)
	}
}

func TestReservationImport(t *testing.T) {
	site, table := reservationSite(t)
	conf := filepath.Join(t.TempDir(), "dhcpd.conf")
	text := `host a { hardware ethernet 52:54:00:12:34:01; fixed-address 10.10.0.1; }
host b { hardware ethernet 52:54:00:12:34:02; fixed-address 10.20.0.1, 10.10.0.2; }
host c { hardware ethernet 52:54:00:12:34:03; fixed-address 10.10.0.99; }
host d { hardware ethernet 52:54:00:12:34:01; fixed-address 10.10.0.4; }
host e { hardware ethernet 52:54:00:12:34:05; fixed-address 10.30.0.1; }
host f { hardware ethernet 52:54:00:12:34:06; fixed-address 10.10.3.255; }
option domain-name "x";
`
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, "", "", "reservation", "import", "--config", site, "--network", "vdi", "--from", "isc", conf, "--all")
	for _, want := range []string{
		":1: taken: host a", ":2: changed: host b\n    of its 2 addresses 10.10.0.2 is taken", ":3: refused: host c\n    10.10.0.99 is reserved already: " + site + ":9",
		":4: refused: host d\n    52:54:00:12:34:01 has a reservation in this network already: " + conf + ":1", ":5: refused: host e\n    10.30.0.1 is not within network vdi",
		":6: refused: host f\n    10.10.3.255 is the first or the last address", ":7: left: 1 options", "7 objects: 1 taken as they are, 1 taken with a change, 4 refused, 1 left", "added to",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is not in\n%s%s", want, out, errs)
		}
	}
	got, err := os.ReadFile(table)
	if want := "mac,ip,name,boot\n52:54:00:12:34:01,10.10.0.1,a,\n52:54:00:12:34:02,10.10.0.2,b,\n"; code != ExitProblems || err != nil || string(got) != want {
		t.Errorf("code %d: %q, %v", code, got, err)
	}
}
