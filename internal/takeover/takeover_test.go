package takeover

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// written is when the real programs wrote the files of leases in testdata; their leases last ten days.
var written = time.Date(2026, 11, 25, 20, 0, 30, 0, time.UTC)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// brief is an account in short lines: verdict, what was taken, why.
func brief(items []Item) []string {
	var out []string
	for _, it := range items {
		s := fmt.Sprintf("%d %s", it.Line, it.Verdict)
		if r := it.Reservation; r != nil {
			s += fmt.Sprintf(" %s %v %s", r.MAC, r.Addrs, r.Name)
		}
		if l := it.Lease; l != nil {
			s += fmt.Sprintf(" %s %s %s", l.Addr, l.MAC, l.Host)
		}
		out = append(out, strings.TrimSpace(s)+" | "+strings.Join(it.Why, "; "))
	}
	return out
}

// match compares each line with the beginning of what is wanted, and what stands after | with a part of it.
func match(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		gh, gt, _ := strings.Cut(g, " | ")
		wh, wt, _ := strings.Cut(strings.TrimSuffix(w, " |"), " | ")
		if gh != wh || wt == "" && gt != "" || !strings.Contains(gt, wt) {
			t.Errorf("item %d: got  %s\n        want %s", i, g, w)
		}
	}
}

// What dhcpd, Kea and dnsmasq wrote when the same machines asked them: three of udhcpc, the first of which
// came twice, and 23 of perfdhcp, of which some gave their lease back.
func TestRealLeases(t *testing.T) {
	for name, items := range map[string][]Item{
		"dhcpd.leases":    ISCLeases("f", read(t, "dhcpd.leases"), written),
		"kea-leases4.csv": KeaLeases([]Source{{"f", read(t, "kea-leases4.csv")}}, written),
		"dnsmasq.leases":  DnsmasqLeases("f", read(t, "dnsmasq.leases"), written),
	} {
		t.Run(name, func(t *testing.T) {
			active := regexp.MustCompile(`(?m)^ {2}binding state active`)
			hosts, left, other := map[string]string{}, 0, 0
			taken := 0
			for _, it := range items {
				switch {
				case it.Lease != nil:
					taken++
					if h := it.Lease.Host; h != "" {
						hosts[h] = it.Lease.MAC.String() + " " + string(it.Verdict)
					}
					if end := it.Lease.Expires.Sub(written); end < 239*time.Hour || end > 241*time.Hour {
						t.Errorf("%s ends at %s", it.What, it.Lease.Expires)
					}
				case it.Verdict == Left && strings.HasPrefix(it.What, "lease"):
					left++
				case it.Verdict == Refused:
					t.Errorf("%s: %v", it.What, it.Why)
				default:
					other++
				}
			}
			want := map[string]string{"pc-one": "02:66:00:00:00:01 taken", "b": "02:66:00:00:00:02 taken", "odd": "02:66:00:00:00:03 changed"}
			if fmt.Sprint(hosts) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", hosts, want)
			}
			total := 26 // 3 and 23 machines had a lease at some time
			if name == "dnsmasq.leases" {
				total -= 5 // it keeps no memory of what was given back
			}
			if taken+left != total {
				t.Errorf("%d leases and %d that are over, want %d together", taken, left, total)
			}
			if name == "dhcpd.leases" {
				if n := len(active.FindAll(read(t, name), -1)); n < taken {
					t.Errorf("%d taken, %d in the file", taken, n)
				}
			}
			if len(hosts) == 0 || taken < 18 {
				t.Errorf("only %d taken", taken)
			}
		})
	}
	later := written.Add(11 * 24 * time.Hour)
	for _, items := range [][]Item{
		ISCLeases("f", read(t, "dhcpd.leases"), later), KeaLeases([]Source{{"f", read(t, "kea-leases4.csv")}}, later), DnsmasqLeases("f", read(t, "dnsmasq.leases"), later),
	} {
		if slices.ContainsFunc(items, func(it Item) bool { return it.Lease != nil }) {
			t.Error("a lease that has run out is taken")
		}
	}
}

func TestISCReservations(t *testing.T) {
	oracle(t, "dhcpd", "-t", "-cf", "testdata/dhcpd.conf")
	match(
		t, brief(ISCReservations("f", read(t, "dhcpd.conf"))),
		"15 taken 52:54:00:12:34:56 [10.10.0.90] pc-90 |",
		"22 changed 52:54:00:12:34:57 [10.10.0.91 10.20.0.91] desk91 | called by its host-name, desk91, not pc-91; around it stands filename \"ARDBP32.BIN\", which is not taken: boot rules say that; around it stands next-server",
		"25 changed 52:54:00:12:34:58 [10.10.0.92] pc-92 | option dhcp-client-identifier 1:52:54:00:12:34:58 is not taken",
		"34 refused | fixed-address printer.example.net is a name",
		"35 changed 52:54:00:12:34:5a [] noaddr | no fixed-address",
		"36 refused | no hardware ethernet",
		"37 refused | hardware token-ring",
		"7 left | no reservation",
		"19 left | no reservation",
		"3 left | no reservation",
		"14 left | no reservation",
		"2 left | no reservation",
		"11 left | no reservation",
		"12 left | no reservation",
	)
	match(t, brief(ISCReservations("f", []byte("host a { hardware ethernet 2:0:0:0:0:1; fixed-address 10.0.0.1; }\ninclude \"x\";\nhost b {"))),
		"3 refused | not understood", "1 taken 02:00:00:00:00:01 [10.0.0.1] a |", "2 refused | not read", "3 refused | no hardware ethernet")
}

func TestISCLeasesLog(t *testing.T) {
	text := `lease 10.0.0.1 { starts 1 2026/11/23 10:00:00; ends never; binding state active; hardware ethernet 02:00:00:00:00:01; }
lease 10.0.0.2 { starts 1 2026/11/23 10:00:00; ends 4 2026/11/26 10:00:00; binding state active; hardware ethernet 02:00:00:00:00:02; }
lease 10.0.0.2 { ends 1 2026/11/23 11:00:00; binding state free; hardware ethernet 02:00:00:00:00:02; }
lease 10.0.0.3 { starts epoch 1795000000; ends epoch 1796500000; binding state active; hardware ethernet 2:0:0:0:0:3; uid 1:2:0:0:0:0:3; }
lease 10.0.0.4 { binding state abandoned; ends 4 2026/12/26 10:00:00; }
lease 10.0.0.5 { binding state backup; ends 4 2026/12/26 10:00:00; }
lease 10.0.0.6 { ends 4 2026/12/26 10:00:00; hardware token-ring 02:00:00:00:00:06; }
failover peer "x" state { my state normal at 1 2026/11/23 10:00:00; partner state normal at 1 2026/11/23 10:00:00; }
host dyn { dynamic; hardware ethernet 02:00:00:00:00:07; fixed-address 10.0.0.7; }
ia-na "x" { cltt 1 2026/11/23 10:00:00; iaaddr 2001:db8::1 { binding state active; } }
lease 10.0.0.8 { starts 1 2026/11/23 10:00:00; ends 4 2026/12/26 10:0`
	match(
		t, brief(ISCLeases("f", []byte(text), written)),
		"11 refused | cut off", "11 refused | cut off",
		"1 taken 10.0.0.1 02:00:00:00:00:01 |",
		"3 left | its state is free; the last of 2 records of it",
		"4 taken 10.0.0.3 02:00:00:00:00:03 |",
		"5 refused | abandoned",
		"6 left | its state is backup",
		"7 refused | not the address of an Ethernet card",
		"8 left | it is no lease",
		"9 refused | OMAPI",
		"10 refused | IPv6",
		"11 refused | does not say when it ends",
	)
	if l := ISCLeases("f", []byte(text), written)[2].Lease; l == nil || !l.Expires.IsZero() {
		t.Errorf("never: %+v", l)
	}
}

func TestKeaReservations(t *testing.T) {
	oracle(t, "kea-dhcp4", "-t", "testdata/kea.conf")
	match(
		t, brief(KeaReservations("f", read(t, "kea.conf"))),
		"11 changed 52:54:00:12:34:01 [] roamer | its name is taken alone",
		"12 refused | no hw-address",
		"21 left | only its reservations",
		"24 taken 52:54:00:12:34:03 [10.10.0.90] pc-90.hq.example.net |",
		"25 refused | no hw-address", "26 refused | no hw-address",
		"27 changed 52:54:00:12:34:04 [10.10.0.93] | option-data is not taken: write it with its network or its boot rule; client-classes is not taken",
		"16 left | only its reservations",
		"18 changed 52:54:00:12:34:02 [10.20.0.7] | next-server 10.10.0.21 is not taken",
		"6 left | no reservations",
	)
}

func oracle(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatalf("%s is not installed: scripts/setup does that", name)
		}
		t.Logf("%s is not installed: its own check is left out", name)
		return
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s refuses the file: %v\n%s", name, err, out)
	}
}

func TestKeaLeases(t *testing.T) {
	head := "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
	row := func(ip, mac string, valid, expire int64, host, state string) string {
		return fmt.Sprintf("%s,%s,,%d,%d,1,0,0,%s,%s,,0\n", ip, mac, valid, expire, host, state)
	}
	soon := written.Unix() + 600
	older := head + row("10.0.0.1", "02:00:00:00:00:01", 3600, soon, "old", "0") + row("10.0.0.9", "02:00:00:00:00:09", 3600, soon, "", "0")
	now := head + row("10.0.0.1", "02:00:00:00:00:02", 3600, soon, "a&#x2cb.", "0") +
		row("10.0.0.2", "02:00:00:00:00:03", 0, soon, "", "0") + row("10.0.0.3", "", 3600, soon, "", "1") + row("10.0.0.4", "02:00:00:00:00:04", 3600, soon, "", "2") +
		row("10.0.0.5", "02:00:00:00:00:05", 3600, soon-1000, "", "0") + row("10.0.0.6", "02:00:00:00:00:06", forever, 0, "", "0") + row("10.0.0.7", "", 3600, soon, "", "0") + "10.0.0.8,02:0"
	items := KeaLeases([]Source{{"f.2", []byte(older)}, {"f", []byte(now)}}, written)
	match(
		t, brief(items),
		"9 refused | cut off",
		"2 taken 10.0.0.1 02:00:00:00:00:02 a,b |",
		"3 taken 10.0.0.9 02:00:00:00:00:09 |",
		"3 left | given back or deleted", "4 refused | declined", "5 left | reclaimed", "6 left | it ended at",
		"7 taken 10.0.0.6 02:00:00:00:00:06 |", "8 refused | no hardware address",
	)
	if items[2].File != "f.2" || items[1].File != "f" || !items[7].Lease.Expires.IsZero() {
		t.Errorf("%+v", items)
	}
	match(t, brief(KeaLeases([]Source{{"f", []byte("address,duid,valid_lifetime,expire\n")}}, written)), "1 refused | IPv6")
	match(t, brief(KeaLeases([]Source{{"f", []byte("hello\n")}}, written)), "1 refused | not the first line")
}

func TestDnsmasqReservations(t *testing.T) {
	oracle(t, "dnsmasq", "--test", "-C", "testdata/dnsmasq.conf")
	match(
		t, brief(DnsmasqReservations("f", read(t, "dnsmasq.conf"))),
		"4 taken 52:54:00:12:34:01 [10.10.0.90] |",
		"5 changed 52:54:00:12:34:02 [10.10.0.91] pc-91 | lease time 45m",
		"6 changed 52:54:00:12:34:03 [10.10.0.92] laptop | lease time infinite",
		"6 changed 52:54:00:12:34:04 [] | two cards cannot have one address",
		"7 changed 52:54:00:12:34:05 [10.10.0.93] | set:red is not taken",
		"8 refused | no hardware address",
		"9 changed 52:54:00:12:34:06 [10.10.0.95] | holds here anyway",
		"10 refused | many machines",
		"11 refused | ignored",
		"12 refused | by its name alone",
		"13 refused | no Ethernet address",
		"14 changed 52:54:00:12:34:09 [10.10.0.98] | IPv6",
		"15 refused | name /etc/ethers",
		"16 refused | not read",
		"2 left | no reservations",
	)
	match(
		t, brief(DnsmasqReservations("ethers", []byte("# ethers\n2:0:0:0:0:1 10.0.0.1\n02:00:00:00:00:02\tpc-2 # desk\n02:00:00:00:00:03,10.0.0.3\nnonsense line\n02:00:00:00:00:04,10.0.0.3\n"))),
		"2 taken 02:00:00:00:00:01 [10.0.0.1] |", "3 changed 02:00:00:00:00:02 [] pc-2 | the name is taken alone",
		"4 taken 02:00:00:00:00:03 [10.0.0.3] |", "5 refused | not the address of an Ethernet card",
		"6 refused | reserved already, in line 4",
	)
}

func TestDnsmasqLeases(t *testing.T) {
	text := "0 02:00:00:00:00:01 10.0.0.1 pc *\n1700000000 02:00:00:00:00:02 10.0.0.2 * *\n1796500000 06-02:00:00:00:00:03 10.0.0.3 * *\n1796500000 02:00\nduid 00:01\n1796500000 1 2001:db8::1 x 00:01\n"
	match(
		t, brief(DnsmasqLeases("f", []byte(text), written)),
		"1 taken 10.0.0.1 02:00:00:00:00:01 pc |", "2 left | it ended", "3 refused | no Ethernet address", "4 refused | cut off", "5 left | identifier", "6 refused | IPv6",
	)
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"pc-1": "pc-1", "pc 1": "pc-1", "-x": "x", "büro": "b-ro", "": "", strings.Repeat("a", 70): strings.Repeat("a", 63)} {
		if got, changed := foldName(in); got != want || changed != (in != want) {
			t.Errorf("%q: %q, %v", in, got, changed)
		}
	}
	if a, ok := (Reservation{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.1.0.1")}}).One(netip.MustParsePrefix("10.1.0.0/16")); !ok || a.String() != "10.1.0.1" {
		t.Error(a, ok)
	}
}

// No file makes a reader panic or take long, and every item has a place, a verdict and, unless it is taken, a
// reason.
func FuzzTakeover(f *testing.F) {
	for _, name := range []string{"dhcpd.conf", "dhcpd.leases", "kea.conf", "kea-leases4.csv", "dnsmasq.conf", "dnsmasq.leases"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n") + 1
		for name, items := range map[string][]Item{
			"isc": ISCReservations("f", data), "isc leases": ISCLeases("f", data, written),
			"kea": KeaReservations("f", data), "kea leases": KeaLeases([]Source{{"f", data}}, written),
			"dnsmasq": DnsmasqReservations("f", data), "dnsmasq leases": DnsmasqLeases("f", data, written),
		} {
			for _, it := range items {
				if it.Line < 1 || it.Line > n || it.Verdict == "" || it.What == "" && it.Verdict != Left {
					t.Errorf("%s: %+v", name, it)
				}
				if (it.Verdict == Taken || it.Verdict == Changed) != (it.Reservation != nil || it.Lease != nil) || it.Verdict != Taken && len(it.Why) == 0 {
					t.Errorf("%s: %+v", name, it)
				}
				if r := it.Reservation; r != nil && (r.MAC.IsZero() || len(r.Name) > maxName) {
					t.Errorf("%s: %+v", name, r)
				}
				if l := it.Lease; l != nil && (!l.Addr.Is4() || l.ID.IsZero()) {
					t.Errorf("%s: %+v", name, l)
				}
			}
		}
	})
}
