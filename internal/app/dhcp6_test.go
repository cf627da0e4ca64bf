package app

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/probe"
)

// page6 is what a node hands out over IPv6, "" if nothing.
func page6(port int, path string) string {
	resp, err := http.Get(fmt.Sprintf("http://[::1]:%d%s", port, path))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// A node hands out files over IPv6 while the site file says that it has an address there.
func TestServesOver6(t *testing.T) {
	with := func(s string) string {
		return strings.Replace(s, "{address: 127.0.0.1,", "{address: 127.0.0.1, address6: 'fd00::11',", 1)
	}
	n := start(t, with)
	serves := func(when string) {
		t.Helper()
		if got := page6(n.http, "/a.0"); len(got) != 1100 {
			t.Errorf("%s: %d bytes over HTTP", when, len(got))
		}
		target, err := probe.ParseTarget(fmt.Sprintf("tftp://[::1]:%d/a.0", n.tftp))
		if err != nil {
			t.Fatal(err)
		}
		if r := probe.TFTP(t.Context(), target, probe.Options{}); !r.Available || r.Size != 1100 {
			t.Errorf("%s: over TFTP: %+v", when, r)
		}
	}
	serves("at the start")
	if page(t, n.http, "/a.0") == "" {
		t.Error("no longer over IPv4")
	}
	if got := n.roleNames(); !slices.Equal(got, []string{"tftp", "http", "tftp6", "http6"}) {
		t.Errorf("roles %q", got)
	}
	n.configure(t, nil)
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "nothing is handed out over IPv6", func() bool { return page6(n.http, "/a.0") == "" })
	n.configure(t, with)
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves("after it came back")
}

// The node's name is made once, and a broken one is not replaced in silence.
func TestNodeDUID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := nodeDUID(dir)
	if err != nil || first.Type() != 4 {
		t.Fatal(first, err)
	}
	if again, err := nodeDUID(dir); err != nil || string(again) != string(first) {
		t.Errorf("%s, then %s, %v", first, again, err)
	}
	if other, _ := nodeDUID(filepath.Join(dir, "other")); string(other) == string(first) {
		t.Error("two nodes have one name")
	}
	if err := os.WriteFile(filepath.Join(dir, "dhcp6-duid"), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := nodeDUID(dir); err == nil || !strings.Contains(err.Error(), "dhcp6-duid") {
		t.Errorf("a broken one: %v", err)
	}
}

// What the site file says comes to the book and to the server, beside the IPv4 side of the same network.
func TestDHCP6FromSiteFile(t *testing.T) {
	cfg, err := config.Parse("site.yaml", []byte(`nodes:
  boot1: {address: 10.10.0.11, address6: "fd00::11", interfaces: [eth1]}
  boot2: {address: 10.10.0.12, interfaces: [eth1]}
boot: [{name: any, file: surefoot-test}]
networks:
  vdi:
    subnet: 10.10.0.0/22
    deliver: dhcp
    dhcp: {range: 10.10.1.0-10.10.1.9}
    subnet6: fd00::/64
    dhcp6:
      range: "fd00::10-fd00::1f"
      split: [{node: boot1, range: "fd00::10-fd00::17"}, {node: boot2, range: "fd00::18-fd00::1f"}]
      preference: 9
    reservations: [{mac: "52:54:00:12:34:56", ip: 10.10.0.90, ip6: "fd00::90"}]
`), config.Options{Node: "boot1"})
	if err != nil {
		t.Fatal(err)
	}
	s := &setup{Config: cfg}
	if !s.hasDHCP6() || !s.hasDHCP() {
		t.Errorf("the node's roles are %q", cfg.Node.Roles)
	}
	duid, err := nodeDUID(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := s.dhcp6Config(duid)
	if len(c.Scopes) != 1 || c.Scopes[0].Name != "vdi/6" || c.Scopes[0].Network != "vdi" || c.Scopes[0].Preference != 9 {
		t.Errorf("scopes %+v", c.Scopes)
	}
	l, err := newLeases(cfg, nil, nil)
	if err == nil {
		err = l.configure(cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	// 16 addresses, of which 8 are the other node's and one is this node's own, and a reservation.
	if u := l.book.Usage("vdi/6"); u.Size != 8 || u.Reserved != 1 || u.Free != 7 {
		t.Errorf("usage %+v", u)
	}
	if u := l.book.Usage("vdi"); u.Size != 11 {
		t.Errorf("usage of the IPv4 side %+v", u)
	}
	pools := pools6(cfg)
	if got := pools[0].Reserved[lease.Hardware(1, []byte{0x52, 0x54, 0, 0x12, 0x34, 0x56})]; got != netip.MustParseAddr("fd00::90") {
		t.Errorf("the reservation is %s", got)
	}
}
