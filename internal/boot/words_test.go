package boot

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

func TestMAC(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		m, err := ParseMAC(in)
		if err != nil || m.String() != want {
			t.Errorf("ParseMAC(%q) = %v, %v; want %s", in, m, err, want)
		}
	}
	f("52:54:00:12:34:56", "52:54:00:12:34:56")
	f("52-54-00-12-34-5A", "52:54:00:12:34:5a")
	f("5254.0012.3456", "52:54:00:12:34:56")
	for _, bad := range []string{"", "41135085296", "52:54:00:12:34", "52:54:00:12:34:zz", "00:00:00:00:fe:80:00:00"} {
		if _, err := ParseMAC(bad); err == nil {
			t.Errorf("ParseMAC(%q) succeeded", bad)
		}
	}
}

// Option 97 as QEMU's firmware sends it for -uuid 11223344-5566-7788-99aa-bbccddeeff00.
func TestUUIDOrder(t *testing.T) {
	u := UUID{0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0}
	const want = "11223344-5566-7788-99aa-bbccddeeff00"
	if u.String() != want {
		t.Errorf("String = %s, want %s", u, want)
	}
	if back, err := ParseUUID(want); err != nil || back != u {
		t.Errorf("ParseUUID = %v, %v", back, err)
	}
	if _, err := ParseUUID("1234"); err == nil {
		t.Error("a short UUID was taken")
	}
}

func TestArch(t *testing.T) {
	f := func(a Arch, want string) {
		t.Helper()
		if a.String() != want {
			t.Errorf("Arch %d = %s, want %s", a, a, want)
		}
	}
	f(ArchBIOS, "bios(0)")
	f(ArchX64, "uefi-x64(7)")
	f(ArchX64HTTP, "uefi-x64-http(16)")
	f(21, "arch(21)")
	f(ArchUnknown, "unknown")
	if as, err := ParseArchs("uefi-x64"); err != nil || len(as) != 3 {
		t.Errorf("uefi-x64 = %v, %v; want the three numbers of F9", as, err)
	}
	if as, err := ParseArchs("7"); err != nil || len(as) != 1 || as[0] != ArchX64 {
		t.Errorf("7 = %v, %v", as, err)
	}
	if _, err := ParseArchs("x86"); err == nil {
		t.Error("x86 was taken")
	}
}

func TestEventJSONRoundTrip(t *testing.T) {
	arch := ArchBIOS
	in := Event{Role: "tftp", Kind: TransferEnd, MAC: macA, Arch: &arch, Reason: Done, Bytes: 5}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out Event
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if out.MAC != in.MAC || out.Arch == nil || *out.Arch != arch || out.Reason != Done || out.Bytes != 5 {
		t.Errorf("%s became %+v", b, out)
	}
}

func TestIsIPXEBinary(t *testing.T) {
	for _, f := range []string{"ipxe.efi", "efi/snponly.efi", "undionly.kpxe", "ipxe-x64.efi", `boot\IPXE.EFI`} {
		if !isIPXEBinary(f) {
			t.Errorf("%s is not seen as iPXE", f)
		}
	}
	for _, f := range []string{"boot.ipxe", "menu.ipxe", "ARDBP32.BIN", "grubx64.efi", "ipxe", "snapshot.efi"} {
		if isIPXEBinary(f) {
			t.Errorf("%s is seen as iPXE", f)
		}
	}
}

// Every Reason constant has its words.
func TestReasonTexts(t *testing.T) {
	src, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t\w+\s+Reason = "([^"]+)"`).FindAllSubmatch(src, -1)
	if len(found) < 30 {
		t.Fatalf("only %d reasons found in the source", len(found))
	}
	for _, m := range found {
		if r := Reason(m[1]); r.Text() == string(r) {
			t.Errorf("reason %s has no text", r)
		}
	}
	if len(Reasons()) != len(found) {
		t.Errorf("%d texts for %d reasons", len(Reasons()), len(found))
	}
}
