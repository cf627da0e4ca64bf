package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/boot"
)

const tableSite = `site: hq
root: /srv/boot
nodes:
  boot1: {address: 10.10.0.11, interfaces: [eth1]}
boot:
  - {name: uefi, file: snponly.efi}
networks:
  vdi:
    subnet: 10.10.0.0/22
    deliver: dhcp
    reservations: [{mac: "52:54:00:12:34:56", ip: 10.10.0.90, name: pc-90}]
    reservations_file: /etc/vdi.csv
`

func reads(text string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if path != "/etc/vdi.csv" {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

func TestTable(t *testing.T) {
	text := "\ufeff# VDI, rack 4\r\nMAC;Name;IP;boot\r\n52-54-00-12-34-57;pc-91;10.10.0.91;uefi\r\n\r\n525400123458;;;\r\n \"5254.0012.3459\" ;\"pc-93\"\r\n"
	o := Options{Read: reads(text)}
	c, err := Parse("site.yaml", []byte(tableSite), o)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Site.Networks[0].Reservations
	want := map[boot.MAC]boot.Reservation{
		{0x52, 0x54, 0, 0x12, 0x34, 0x56}: {Name: "pc-90", Addr: netip.MustParseAddr("10.10.0.90")},
		{0x52, 0x54, 0, 0x12, 0x34, 0x57}: {Name: "pc-91", Addr: netip.MustParseAddr("10.10.0.91"), Rule: "uefi"},
		{0x52, 0x54, 0, 0x12, 0x34, 0x58}: {Name: "52:54:00:12:34:58"},
		{0x52, 0x54, 0, 0x12, 0x34, 0x59}: {Name: "pc-93"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	again, err := Parse("site.yaml", c.YAML(), o)
	if err != nil || fmt.Sprint(again.Site.Networks) != fmt.Sprint(c.Site.Networks) {
		t.Errorf("the effective file means something else: %v\n%s", err, c.YAML())
	}
	if strings.Contains(string(c.YAML()), "34:57") {
		t.Errorf("the effective file repeats what the table says:\n%s", c.YAML())
	}
	// Without a reader nothing is read, and nothing is concluded from that.
	if _, err := Parse("site.yaml", []byte(strings.Replace(tableSite, `reservations: [{mac: "52:54:00:12:34:56", ip: 10.10.0.90, name: pc-90}]`, "bios: direct", 1)), Options{}); err != nil {
		t.Error(err)
	}
}

// Every mistake has its place in the file that it stands in.
func TestTableMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty":   {"", "/etc/vdi.csv:1:1: the file has no first line"},
		"nohead":  {"52:54:00:12:34:57,10.10.0.91\n", "/etc/vdi.csv:1:1: the first line has to name the columns"},
		"column":  {"mac,colour\n", "/etc/vdi.csv:1:5: there is no column \"colour\""},
		"twice":   {"mac,mac\n", "/etc/vdi.csv:1:5: mac: the column mac is here twice"},
		"nomac":   {"ip,name\n", "/etc/vdi.csv:1:1: the column mac is missing"},
		"mac":     {"mac\n52:54:00:12:34:zz\n", "/etc/vdi.csv:2:1: mac: \"52:54:00:12:34:zz\" is not a MAC address"},
		"ip":      {"mac,ip\n52:54:00:12:34:57, 10.10.0.300\n", "/etc/vdi.csv:2:20: ip: \"10.10.0.300\" is not an IPv4 address"},
		"outside": {"mac,ip\n52:54:00:12:34:57,10.11.0.3\n", "/etc/vdi.csv:2:19: ip: 10.11.0.3 is not within the subnet 10.10.0.0/22"},
		"same":    {"mac,ip\n52:54:00:12:34:56,10.10.0.91\n", "has a reservation in this network already, in line 11 of site.yaml"},
		"address": {"mac,ip\n52:54:00:12:34:57,10.10.0.90\n", "10.10.0.90 is reserved already, in line 11 of site.yaml"},
		"within":  {"mac,ip\n52:54:00:12:34:57,\n52:54:00:12:34:57,\n", "already, in line 2\n"},
		"rule":    {"mac,boot\n52:54:00:12:34:57,uefy\n", "there is no rule \"uefy\""},
		"quote":   {"mac,name\n52:54:00:12:34:57,\"pc\n", "/etc/vdi.csv:2:19: the quote \" is never closed"},
		"many":    {"mac\n52:54:00:12:34:57,a\n", "this line has 2 columns"},
		"latin1":  {"mac,name\n52:54:00:12:34:57,b\xfcro\n", "/etc/vdi.csv:2:20: byte 0xfc is not UTF-8"},
		"control": {"mac\n\x0052:54:00:12:34:57\n", "/etc/vdi.csv:2:1: control character"},
		"big":     {strings.Repeat("#", maxTable+1), "larger than 8 MiB"},
		"rows":    {"mac\n" + strings.Repeat("\n", 10), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CheckWith("site.yaml", []byte(tableSite), Options{Read: reads(tc.text)})
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *Errors
			if !errors.As(err, &e) || !strings.Contains(e.Text(), tc.want) {
				t.Errorf("want %q in:\n%v", tc.want, err)
			}
		})
	}
	_, err := CheckWith("site.yaml", []byte(tableSite), Options{Read: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
	if err == nil || !strings.Contains(err.Error(), "site.yaml:12:") || !strings.Contains(err.Error(), "surefoot reservation add") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Lines are added and taken away without a change of the others.
func TestTableEdit(t *testing.T) {
	mac := func(n byte) boot.MAC { return boot.MAC{0x52, 0x54, 0, 0x12, 0x34, n} }
	before := "# rack 4\r\nname,mac\r\npc-1,52-54-00-12-34-01\r\n\r\n# the printer\r\np,525400123402"
	after, err := AddToTable([]byte(before), []Placed{{MAC: mac(3), Name: `the "new" one, here`}})
	if want := before + "\r\n\"the \"\"new\"\" one, here\",52:54:00:12:34:03\r\n"; err != nil || string(after) != want {
		t.Errorf("added: %q, %v", after, err)
	}
	after, n, err := DropFromTable(after, Placed{MAC: mac(2)})
	if want := strings.Replace(before, "p,525400123402", "\"the \"\"new\"\" one, here\",52:54:00:12:34:03\r\n", 1); err != nil || n != 1 || string(after) != want {
		t.Errorf("dropped %d: %q, %v", n, after, err)
	}
	if _, err := AddToTable([]byte(before), []Placed{{MAC: mac(4), Boot: "uefi"}}); err == nil {
		t.Error("a rule without a column for it is lost")
	}
	if made, err := AddToTable(nil, []Placed{{MAC: mac(1), Addr: netip.MustParseAddr("10.0.0.1")}}); err != nil || string(made) != TableHeader+"52:54:00:12:34:01,10.0.0.1,,\n" {
		t.Errorf("a new file: %q, %v", made, err)
	}
	six := Placed{DUID: "00030001525400123456", Addr6: netip.MustParseAddr("fd00::90"), Name: "pc-90"}
	made, err := AddToTable(nil, []Placed{six})
	if want := "mac,ip,name,boot,ip6,duid\n,,pc-90,,fd00::90,00030001525400123456\n"; err != nil || string(made) != want {
		t.Errorf("with a DUID: %q, %v", made, err)
	}
	if left, n, err := DropFromTable(append(made, ",,x,,fd00::91,0003000152:54:00:12:34:57\n"...), Placed{DUID: "00030001525400123457"}); err != nil || n != 1 || string(left) != string(made) {
		t.Errorf("dropped %d by DUID: %q, %v", n, left, err)
	}
}

// IPv6 addresses stand in the file as well, for machines by MAC address or by DUID.
func TestTable6(t *testing.T) {
	const site = `
root: /srv/boot
nodes: {boot1: {address: 10.10.0.11, address6: "fd00::11", interfaces: [eth1]}}
boot: [{name: uefi, file: snponly.efi}]
networks: {vdi: {subnet6: "fd00::/64", dhcp6: {range: "fd00::1000-fd00::1fff"}, reservations_file: /etc/vdi.csv}}
`
	read := func(text string) (*Config, error) {
		return Parse("site.yaml", []byte(site), Options{Node: "boot1", Read: func(string) ([]byte, error) { return []byte(text), nil }})
	}
	cfg, err := read("mac,duid,ip6,name\n52:54:00:12:34:57,,fd00::90,pc-90\n,00:03:00:01:52:54:00:12:34:58,fd00::91,\n")
	if err != nil {
		t.Fatal(err)
	}
	n := cfg.Site.Networks[0]
	mac := boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x57}
	if r := n.Reservations[mac]; r.Addr6.String() != "fd00::90" || r.Name != "pc-90" || len(n.Reservations) != 1 {
		t.Errorf("%+v", n.Reservations)
	}
	if r := n.ByDUID["00030001525400123458"]; r.Addr6.String() != "fd00::91" || len(n.ByDUID) != 1 {
		t.Errorf("%+v", n.ByDUID)
	}
	for text, want := range map[string]string{
		"mac,ip6\n52:54:00:12:34:57,fd01::1\n":                                          "/etc/vdi.csv:2:19: ip6: fd01::1 is not within the subnet",
		"mac,duid,ip6\n52:54:00:12:34:57,00030001525400123457,fd00::1\n":                "already, by its MAC address",
		"duid,ip6\n00030001525400123457,fd00::1\n00:03:00:01:52:54:00:12:34:57,fd00::2": "has a reservation in this network already, in line 2",
		"duid,ip6,boot\n00030001525400123457,fd00::1,x\n":                               "a rule is bound to a MAC address",
		"duid\n00030001525400123457\n":                                                  "nothing is reserved here",
		"duid,ip6\n12,fd00::1\n":                                                        "is not a DUID",
		"mac,ip6\n52:54:00:12:34:57,fd00::90\n52:54:00:12:34:58,fd00::90\n":             "is reserved already, in line 2",
		"duid,ip6\n,fd00::1\n":                                                          "no MAC address",
	} {
		var e *Errors
		if _, err := read(text); !errors.As(err, &e) || !strings.Contains(e.Text(), want) {
			t.Errorf("%q: want %q in\n%v", text, want, err)
		}
	}
}

// No table makes the reader panic, and what is added to one that it accepts is read back.
func FuzzTable(f *testing.F) {
	for _, s := range []string{"mac,ip\n52:54:00:12:34:57,10.10.0.91\n", "mac;name\r\n525400123457;\"a;b\"\r\n", "# x\n\nMAC\n", "\ufeffmac\n\"5254.0012.3457\" \n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{Read: func(string) ([]byte, error) { return data, nil }}
		_, err := CheckWith("site.yaml", []byte(tableSite), o)
		var e *Errors
		if errors.As(err, &e) {
			for _, p := range e.Problems {
				if p.Line < 1 || p.Column < 1 {
					t.Errorf("%+v", p)
				}
			}
			return
		}
		m := boot.MAC{2, 9, 9, 9, 9, 9}
		more, err := AddToTable(data, []Placed{{MAC: m}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse("site.yaml", []byte(tableSite), Options{Read: func(string) ([]byte, error) { return more, nil }})
		if err != nil && strings.Contains(err.Error(), "already") {
			return
		}
		if err != nil {
			t.Fatalf("%v\n%q", err, more)
		}
		if _, ok := c.Site.Networks[0].Reservations[m]; !ok {
			t.Errorf("not there: %q", more)
		}
		less, _, err := DropFromTable(more, Placed{MAC: m})
		if err != nil || len(less) > len(more) {
			t.Errorf("%v: %q", err, less)
		}
	})
}

func TestReadTable(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadTable(dir); err == nil {
		t.Error("a folder is read")
	}
	path := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(path, []byte("mac\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadTable(path); err != nil || string(data) != "mac\n" {
		t.Errorf("%q, %v", data, err)
	}
}
