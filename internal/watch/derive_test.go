package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"surefoot/internal/boot"
)

func TestDerive(t *testing.T) {
	ap := netip.MustParseAddrPort
	site := &boot.Site{
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", TFTP: ap("10.0.0.1:69"), HTTP: ap("10.0.0.1:8067"), Node: true},
			"pvs1":  {Name: "pvs1", TFTP: ap("10.0.0.2:1069")},
			"web":   {Name: "web", HTTP: ap("10.0.0.3:80")},
			"mute":  {Name: "mute", PXE: netip.MustParseAddr("10.0.0.4"), Node: true},
		},
		Rules: []boot.Rule{
			{Name: "pvs", When: boot.Match{Arch: []boot.Arch{boot.ArchBIOS}}, File: "ARDBP32.BIN", From: []string{"pvs1", "web", "gone"}, Contains: "text"},
			{Name: "again", File: "ARDBP32.BIN", From: []string{"pvs1"}, SHA256: "00"},
			{Name: "menu", When: boot.Match{Firmware: []boot.Firmware{boot.FirmwareIPXE}}, File: `x\menu.ipxe`, From: []string{"boot1", "web", "mute"}},
			{Name: "rom", When: boot.Match{Firmware: []boot.Firmware{boot.FirmwarePXE}}, File: "rom.0", From: []string{"boot1", "web"}},
			{Name: "url", File: "http://elsewhere/x", From: []string{"boot1"}},
			{Name: "test", File: boot.TestBootstrap, From: []string{"boot1", "pvs1"}},
		},
	}
	tests, groups := Derive(site, 10*time.Second, 2*time.Second)
	var got []string
	for _, x := range tests {
		got = append(got, fmt.Sprintf("%s %s %s %s%s", x.Name, x.Target, x.As, x.Contains, x.SHA256))
		if by := map[string]boot.Protocol{"tftp": boot.ByTFTP, "http": boot.ByHTTP}[x.Target.Scheme]; x.By != by || !x.Steers() || x.Every != 10*time.Second || x.Timeout != 2*time.Second {
			t.Errorf("%+v", x)
		}
	}
	want := []string{
		"pvs1/ARDBP32.BIN tftp://10.0.0.2:1069/ARDBP32.BIN pxelinux text00",
		"web/ARDBP32.BIN http://10.0.0.3/ARDBP32.BIN pxelinux text",
		`boot1/x\menu.ipxe tftp://10.0.0.1/x\menu.ipxe ipxe `,
		`http:boot1/x\menu.ipxe http://10.0.0.1:8067/x/menu.ipxe ipxe `,
		`web/x\menu.ipxe http://10.0.0.3/x/menu.ipxe ipxe `,
		"boot1/rom.0 tftp://10.0.0.1/rom.0 edk2 ", // no ROM asks by HTTP
		"web/rom.0 http://10.0.0.3/rom.0 edk2 ",
		"boot1/surefoot-test.0 tftp://10.0.0.1/surefoot-test.0 edk2 ",
		"http:boot1/surefoot-test.0 http://10.0.0.1:8067/surefoot-test.0 edk2 ",
		"boot1/surefoot-test.efi tftp://10.0.0.1/surefoot-test.efi edk2 ",
		"http:boot1/surefoot-test.efi http://10.0.0.1:8067/surefoot-test.efi edk2 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("tests\n%q, want\n%q", got, want)
	}
	var choices []string
	for _, g := range groups {
		choices = append(choices, fmt.Sprint(g.Rule, " ", g.File, " ", g.By, " ", g.Servers))
	}
	if want := []string{
		"pvs ARDBP32.BIN TFTP [pvs1]", "pvs ARDBP32.BIN HTTP [web]", "again ARDBP32.BIN TFTP [pvs1]",
		`menu x\menu.ipxe TFTP [boot1]`, `menu x\menu.ipxe HTTP [boot1 web]`, "rom rom.0 TFTP [boot1]", "rom rom.0 HTTP [web]",
		"test surefoot-test.0 TFTP [boot1]", "test surefoot-test.0 HTTP [boot1]", "test surefoot-test.efi TFTP [boot1]", "test surefoot-test.efi HTTP [boot1]",
	}; !slices.Equal(choices, want) {
		t.Errorf("groups\n%q, want\n%q", choices, want)
	}
}

func TestRing(t *testing.T) {
	var r ring
	if len(r.last(5)) != 0 {
		t.Error("an empty ring has something")
	}
	for i := range keep + 100 {
		res := Result{Time: start.Add(time.Duration(i) * time.Second), Availability: 100, Response: time.Duration(i) * time.Millisecond}
		if i%2 == 1 {
			res.Availability = 0
		}
		r.add(pack(&res))
	}
	if len(r.buf) != keep || r.good != keep/2 {
		t.Errorf("%d kept, %d good", len(r.buf), r.good)
	}
	last := r.last(3)
	if len(last) != 3 || last[2].Good || !last[1].Good || last[1].Response != (keep+98)*time.Millisecond || !last[2].Time.Equal(start.Add((keep+99)*time.Second)) {
		t.Errorf("%+v", last)
	}
	if all := r.last(keep * 2); len(all) != keep || !all[0].Time.Before(all[1].Time) {
		t.Errorf("%d samples", len(all))
	}
}
