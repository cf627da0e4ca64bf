package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dhcpPeers is the short form of the matrix on other people's pairs, for comparison: it shows what they
// do and fails only if they cannot be run. They are set up as their manuals say, in the mode in which
// both servers answer.
func dhcpPeers(t *testing.T, b *bench) {
	if !named("dhcp-peers") {
		t.Skip("shows other people's servers: make e2e E2E=dhcp-peers")
	}
	trial := &dhcpTrial{policies: firmwarePolicies(), machines: 64, spread: 1500 * time.Millisecond, waits: []time.Duration{4 * time.Second, 8 * time.Second}}
	var rows []dhcpRow
	for _, kind := range []dhcpPair{iscPair(), keaPair()} {
		if _, err := exec.LookPath(kind.program); err != nil {
			t.Errorf("%s is not installed: scripts/setup test", kind.program)
			continue
		}
		t.Run(kind.program, func(t *testing.T) { rows = append(rows, kind.situations(t, trial)...) })
	}
	document(t, "dhcp-peers", dhcpTable(trial.policies, rows), rows)
}

// dhcpPair is two servers that know of each other.
type dhcpPair struct {
	name, program string
	start         func(n *dhcpNet, i int, state string) *dhcpProgram
	ready         string // what both say when they work together
}

func (k dhcpPair) situations(t *testing.T, trial *dhcpTrial) (rows []dhcpRow) {
	n := newDHCPNet(t, 2, false)
	record := newRecorder()
	grounds := map[string]*ground{onDirect: n.ground("eth0", record), onFar: n.ground("eth1", record)}
	var pair [2]*dhcpProgram
	var relay *dhcpProgram
	for round, f := range []struct {
		name, where string
		do          func()
	}{
		{"all hear", onDirect, func() {}},
		{"all hear", onFar, func() {}},
		{"relay lists one server", onFar, func() { relay = n.startRelay(relay, 0) }},
		{"one deaf, link between them up", onDirect, func() { n.deafen(1) }},
		{"one hung", onDirect, func() { pair[1].signal(syscall.SIGSTOP) }},
		{"one killed", onDirect, func() { pair[1].kill() }},
	} {
		// Each begins anew, with nothing that the one before it has left.
		for i := range pair {
			n.heal(i)
			state := filepath.Join(n.dir, fmt.Sprintf("state-%d-%d", round, i))
			if err := os.Mkdir(state, 0o755); err != nil {
				t.Fatal(err)
			}
			pair[i] = k.start(n, i, state)
		}
		relay = n.startRelay(relay, 0, 1)
		for _, p := range pair {
			n.await(p.name+" and its peer work together", 2*time.Minute, func() bool {
				if p.ended() {
					t.Fatalf("%s ended:\n%s", p.name, p.said())
				}
				return strings.Contains(p.said(), k.ready)
			})
		}
		// They say that they work together some time before both give addresses to everybody.
		warm := &dhcpTrial{policies: trial.policies[:1], machines: 32, waits: []time.Duration{soon}, next: uint32(round+1) << 20}
		n.await(k.name+": all are answered", 2*time.Minute, func() bool {
			return warm.run(t.Context(), grounds[onDirect])[0].good() && warm.run(t.Context(), grounds[onFar])[0].good()
		})
		f.do()
		row := dhcpRow{where: k.name + ", " + map[string]string{onDirect: "direct", onFar: "relay"}[f.where], name: f.name, cells: trial.run(t.Context(), grounds[f.where])}
		for i := range row.cells {
			t.Logf("%s: %-32s %-26s %s", row.where, f.name, trial.policies[i].name, &row.cells[i])
		}
		rows = append(rows, row)
		for _, p := range pair {
			p.signal(syscall.SIGCONT)
			p.kill()
		}
	}
	return rows
}

// iscPair is dhcpd with failover, as dhcpd.conf(5) shows it.
func iscPair() dhcpPair {
	return dhcpPair{"ISC dhcpd failover", "dhcpd", func(n *dhcpNet, i int, state string) *dhcpProgram {
		role := []string{"primary; mclt 60; split 128", "secondary"}[i]
		conf := fmt.Sprintf(`
default-lease-time 28800; max-lease-time 28800; ping-check false;
failover peer "pair" { %s; address %s; port 647; peer address %s; peer port 647;
  max-response-delay 30; max-unacked-updates 10; load balance max seconds 3; }
subnet 10.77.0.0 netmask 255.255.255.0 {}
subnet 10.78.0.0 netmask 255.255.0.0 { pool { failover peer "pair"; range 10.78.64.0 10.78.79.255; } }
subnet 10.76.0.0 netmask 255.255.0.0 { pool { failover peer "pair"; range 10.76.64.0 10.76.79.255; } }
`, role, storeAddr(i), storeAddr(1-i))
		for name, text := range map[string]string{"dhcpd.conf": conf, "dhcpd.leases": ""} {
			if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o644); err != nil {
				n.t.Fatal(err)
			}
		}
		return n.start(serverPart(i), "dhcpd-"+filepath.Base(state), nil, "dhcpd", "-4", "-f", "-d", "--no-pid",
			"-cf", filepath.Join(state, "dhcpd.conf"), "-lf", filepath.Join(state, "dhcpd.leases"), "eth0", "eth1")
	}, "Both servers normal"}
}

// keaPair is Kea with its hook for high availability, as its manual's load-balancing example.
func keaPair() dhcpPair {
	const hooks = "/usr/lib/x86_64-linux-gnu/kea/hooks/"
	return dhcpPair{"Kea load-balancing", "kea-dhcp4", func(n *dhcpNet, i int, state string) *dhcpProgram {
		subnet := func(net string) string {
			return fmt.Sprintf(`{"subnet": "%[1]s.0.0/16", "pools": [
  {"pool": "%[1]s.64.0 - %[1]s.71.255", "client-class": "HA_s1"}, {"pool": "%[1]s.72.0 - %[1]s.79.255", "client-class": "HA_s2"}]}`, net)
		}
		conf := fmt.Sprintf(`{"Dhcp4": {
"interfaces-config": {"interfaces": ["eth0", "eth1"]}, "valid-lifetime": 28800,
"multi-threading": {"enable-multi-threading": true},
"lease-database": {"type": "memfile", "persist": true, "name": "%[1]s/leases.csv"},
"hooks-libraries": [{"library": "%[2]slibdhcp_lease_cmds.so"}, {"library": "%[2]slibdhcp_ha.so", "parameters": {"high-availability": [{
  "this-server-name": "%[3]s", "mode": "load-balancing",
  "multi-threading": {"enable-multi-threading": true, "http-dedicated-listener": true, "http-listener-threads": 0, "http-client-threads": 0},
  "peers": [{"name": "s1", "url": "http://%[4]s:8000/", "role": "primary"}, {"name": "s2", "url": "http://%[5]s:8000/", "role": "secondary"}]}]}}],
"subnet4": [%[6]s, %[7]s],
"loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]}}`,
			state, hooks, serverPart(i), storeAddr(0), storeAddr(1), subnet("10.78"), subnet("10.76"))
		file := filepath.Join(state, "kea.json")
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			n.t.Fatal(err)
		}
		return n.start(serverPart(i), "kea-"+filepath.Base(state), []string{"KEA_PIDFILE_DIR=" + state, "KEA_LOCKFILE_DIR=" + state}, "kea-dhcp4", "-c", file)
	}, "to LOAD-BALANCING state"}
}
