package bdm_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"surefoot/internal/bdm"
	"surefoot/internal/boot"
)

func tftpAt(name, at string) boot.Server {
	return boot.Server{Name: name, TFTP: netip.MustParseAddrPort(at)}
}

func site() *boot.Site {
	return &boot.Site{
		Name: "hq", Self: "b2",
		Servers: map[string]boot.Server{
			"b1": tftpAt("b1", "10.0.0.11:69"), "b2": tftpAt("b2", "10.0.0.12:69"), "pvs": tftpAt("pvs", "10.0.0.21:1069"),
			"web": {Name: "web", HTTP: netip.MustParseAddrPort("10.0.0.31:8067")},
		},
		Rules: []boot.Rule{
			{Name: "pvs", When: boot.Match{Arch: []boot.Arch{boot.ArchBIOS}}, File: "ARDBP32.BIN", From: []string{"pvs", "b1"}, SHA256: "AB"},
			{Name: "vdi", When: boot.Match{Network: []string{"vdi"}}, File: "vdi.efi", From: []string{"b1", "b2"}},
			{Name: "rest", File: "rest.efi", From: []string{"web", "b1"}},
		},
		Networks: []boot.Network{
			{Name: "quiet", Subnet: netip.MustParsePrefix("10.1.0.0/24"), Deliver: boot.DeliverNone},
			{Name: "vdi", Subnet: netip.MustParsePrefix("10.2.0.0/24"), Deliver: boot.DeliverDHCP},
		},
	}
}

// Files and servers are those of boot.Decide, in the order of the rules, whatever node this is and however
// the network's machines hear of their bootstrap otherwise.
func TestChoose(t *testing.T) {
	s := site()
	c, err := bdm.Choose(s, "vdi")
	if err != nil || c.File != "vdi.efi" || c.FileBIOS != "ARDBP32.BIN" || c.SHABIO != "ab" || c.Site != "hq" {
		t.Errorf("%+v, %v", c, err)
	}
	if want := []string{"tftp://10.0.0.11/", "tftp://10.0.0.12/", "tftp://10.0.0.21:1069/"}; !slices.Equal(c.Servers, want) {
		t.Errorf("servers %q, want %q", c.Servers, want)
	}
	if c, err = bdm.Choose(s, ""); err != nil || c.Network != "quiet" || c.File != "rest.efi" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := bdm.Choose(s, "nowhere"); err == nil {
		t.Error("a network that is not there")
	}
	if s.Self != "b2" || s.Networks[0].Deliver != boot.DeliverNone {
		t.Error("the site was changed")
	}
	s.Rules = s.Rules[:0]
	if _, err := bdm.Choose(s, ""); err == nil {
		t.Error("a site without rules")
	}
}

func TestCompare(t *testing.T) {
	s := site()
	now, err := bdm.Choose(s, "vdi")
	if err != nil {
		t.Fatal(err)
	}
	f := func(servers, gone, lacking []string, vips ...netip.Addr) {
		t.Helper()
		got := bdm.Compare(&bdm.Settings{Servers: servers}, s, vips, now)
		if !slices.Equal(got.Gone, gone) || !slices.Equal(got.Lacking, lacking) {
			t.Errorf("%q: gone %q, lacking %q", servers, got.Gone, got.Lacking)
		}
	}
	f(now.Servers, nil, nil)
	f([]string{"tftp://10.0.0.11/", "tftp://10.0.0.99/"}, []string{"tftp://10.0.0.99/"}, now.Servers[1:])
	f([]string{"http://10.0.0.31:8067/", "tftp://10.0.0.11/", "tftp://10.0.0.12/"}, nil, now.Servers[2:])
	f([]string{"tftp://boot.example.com/"}, nil, nil) // whoever it is today
	f([]string{"tftp://10.0.0.20/"}, []string{"tftp://10.0.0.20/"}, now.Servers)
	f([]string{"tftp://10.0.0.20/"}, nil, nil, netip.MustParseAddr("10.0.0.20"))
}

func TestRemember(t *testing.T) {
	dir := t.TempDir()
	e := bdm.Entry{Settings: full(), Form: "hybrid ISO", Path: "/x/boot.iso", Changed: time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)}
	if err := bdm.Remember(dir, e); err != nil {
		t.Fatal(err)
	}
	e.Path = "/y/boot.iso" // the same image once more
	if err := bdm.Remember(dir, e); err != nil {
		t.Fatal(err)
	}
	got, err := bdm.Entries(dir)
	if err != nil || len(got) != 1 || got[e.Settings.ID.String()].Path != "/y/boot.iso" || got[e.Settings.ID.String()].Settings.Static != e.Settings.Static {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := bdm.Entries(t.TempDir()); err != nil || len(got) != 0 {
		t.Errorf("nothing remembered: %v, %v", got, err)
	}
	if err := bdm.Remember(dir+"/none", e); err == nil {
		t.Error("a state directory that is not there")
	}
}
