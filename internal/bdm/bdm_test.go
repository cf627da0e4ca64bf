package bdm_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"surefoot/internal/bdm"
	"surefoot/internal/bdm/bios"
	"surefoot/internal/bdm/efi"
)

var update = flag.Bool("update", false, "write golden files")

var ignoreNetip = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// full are settings with everything in them.
func full() bdm.Settings {
	return bdm.Settings{
		ID: bdm.ID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, Version: "1.2.3", Built: "2026-11-25", Site: "hq",
		File: "snponly.efi", SHA256: strings.Repeat("a1", 32), FileBIOS: "ARDBP32.BIN", SHA256BIOS: strings.Repeat("b2", 32),
		Servers: []string{"tftp://10.0.0.1/", "http://10.0.0.1:8080/path/", "tftp://boot.example.com/"},
		Static:  netip.MustParsePrefix("10.0.0.9/24"), Gateway: netip.MustParseAddr("10.0.0.254"),
		DNS: []netip.Addr{netip.MustParseAddr("10.0.0.53")}, VLAN: 10, Tries: 2, Timeout: 2, Wait: 5,
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// trimmed is a text without its padding.
func trimmed(b []byte) []byte { return append(bytes.TrimRight(b, "\n"), '\n') }

func TestTextOfSettings(t *testing.T) {
	s := full()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != bdm.TextSize {
		t.Errorf("%d bytes", len(b))
	}
	golden(t, "full.cfg", trimmed(b))
	back, err := bdm.Decode(b)
	if diff := cmp.Diff(s, back, ignoreNetip); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	script, err := bios.Script(s)
	if err != nil || len(script) != bios.ScriptSize {
		t.Fatalf("%d bytes, %v", len(script), err)
	}
	golden(t, "full.ipxe", trimmed(script))
	s.Static, s.Gateway, s.VLAN, s.DNS = netip.Prefix{}, netip.Addr{}, 0, nil
	if script, err = bios.Script(s); err != nil {
		t.Fatal(err)
	}
	golden(t, "dhcp.ipxe", trimmed(script))
}

// As many servers as an image may name, with names as long as they are in earnest, fit.
func TestSixteenServersFit(t *testing.T) {
	s := full()
	s.Servers = nil
	for range 16 {
		s.Servers = append(s.Servers, "http://bootserver-with-a-name.datacentre-7.example.com:8080/tftpboot/pvs/")
	}
	if _, err := s.Encode(); err != nil {
		t.Error(err)
	}
	if _, err := bios.Script(s); err != nil {
		t.Error(err)
	}
	for i := range s.Servers {
		s.Servers[i] = "http://" + strings.Repeat("a-rather-long-label.", 8) + "example.com/" + strings.Repeat("p", 20) + "/"
	}
	if _, err := bios.Script(s); err == nil || !strings.Contains(err.Error(), "fewer servers or shorter names") {
		t.Errorf("servers that do not fit: %v", err)
	}
}

func TestSettingsRefuse(t *testing.T) {
	f := func(want string, change func(*bdm.Settings)) {
		t.Helper()
		s := full()
		change(&s)
		if _, err := s.Encode(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("no server is named", func(s *bdm.Settings) { s.Servers = nil })
	f("17 servers are more", func(s *bdm.Settings) { s.Servers = make([]string, 17) })
	f("no file is named", func(s *bdm.Settings) { s.File, s.FileBIOS = "", "" })
	f("cannot stand in an image", func(s *bdm.Settings) { s.File = "a file.efi" })
	f("cannot stand in an image", func(s *bdm.Settings) { s.FileBIOS = "${net0/mac}" })
	f("cannot stand in an image", func(s *bdm.Settings) { s.Site = "a\nserver tftp://6.6.6.6/" })
	f("is not in the network", func(s *bdm.Settings) { s.Gateway = netip.MustParseAddr("10.1.0.1") })
	f("a gateway without", func(s *bdm.Settings) { s.Static = netip.Prefix{} })
	f("name a DNS server", func(s *bdm.Settings) { s.DNS = nil })
	f("not a VLAN number", func(s *bdm.Settings) { s.VLAN = 4095 })
	f("is not a date", func(s *bdm.Settings) { s.Built = "yesterday" })
	f("is not a SHA-256 hash", func(s *bdm.Settings) { s.SHA256 = "abc" })
	f("to be written as", func(s *bdm.Settings) { s.Servers = []string{"tftp://10.0.0.1:69"} })
}

func TestParseServer(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1": "tftp://10.0.0.1/", "tftp://10.0.0.1:69": "tftp://10.0.0.1/", "10.0.0.1:1069": "tftp://10.0.0.1:1069/",
		"http://h.example:80/a/b": "http://h.example/a/b/", "http://10.0.0.1:8067": "http://10.0.0.1:8067/", "boot": "tftp://boot/",
	} {
		if got, err := bdm.ParseServer(in); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "https://10.0.0.1/", "tftp://", "tftp://[fd77::1]/", "http://u:p@h/", "http://h/?q", "http://h/#f", "10.0.0.256", "10.0.0", "10.0.0.1:0", "10.0.0.1:x",
		"a b", "http://h/${x}", "http://h/`x`", "..", "h..x",
	} {
		if got, err := bdm.ParseServer(in); err == nil {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	s := full()
	good, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// edited replaces a piece of the text and makes its sum right again, unless asked not to.
	edited := func(old, new string) []byte {
		body, _, _ := strings.Cut(string(good), "crc ")
		if !strings.Contains(body, old) {
			t.Fatalf("no %q", old)
		}
		body = strings.Replace(body, old, new, 1)
		body += "crc " + hex8(crc32.ChecksumIEEE([]byte(body))) + "\n"
		return append([]byte(body), bytes.Repeat([]byte("\n"), bdm.TextSize-len(body))...)
	}
	if _, err := bdm.Decode(edited("wait 5\n", "# a word of a person\n\nwait 5\n")); err != nil {
		t.Errorf("comments and empty lines: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"surefoot-bdm 1", "surefoot-bdm 2", "begins with"},
		{"vlan 10", "vlan ten", `line 15: vlan "ten" is not a number`},
		{"vlan 10", "vlan 010", "is not a number"},
		{"vlan 10", "mtu 9000", `"mtu" is no setting`},
		{"site hq\n", "site hq\nsite hq\n", `"site" stands there twice`},
		{"ip static", "ip stat", "is neither"},
		{"tftp://10.0.0.1/", "nfs://10.0.0.1/", `not by "nfs"`},
		{"id 01", "id 0", "is not an image id"},
		{"tries 2\n", "", `has no line "tries"`},
		{"snponly.efi", strings.Repeat("x", 200), "205 bytes are more than 200"},
	} {
		if _, err := bdm.Decode(edited(c.old, c.new)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: got %v, want %q", c.new, c.old, err, c.want)
		}
	}
	broken := bytes.Replace(good, []byte("10.0.0.1/"), []byte("10.0.0.2/"), 1)
	got, err := bdm.Decode(broken)
	var sum *bdm.SumError
	if !asSum(err, &sum) || got.Servers[0] != "tftp://10.0.0.2/" {
		t.Errorf("a text with a wrong sum: %v, servers %v", err, got.Servers)
	}
	if _, err := bdm.Decode(good[:100]); err == nil {
		t.Error("a cut text is taken")
	}
}

func asSum(err error, to **bdm.SumError) bool {
	s, ok := err.(*bdm.SumError)
	*to = s
	return ok
}

func hex8(n uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	const digits = "0123456789abcdef"
	var out []byte
	for _, x := range b {
		out = append(out, digits[x>>4], digits[x&15])
	}
	return string(out)
}

// loaders stand in for Debian's packages where only their sizes matter.
func loaders() *bdm.BIOS {
	fill := func(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }
	return &bdm.BIOS{MBR: fill(432, 1), Isolinux: fill(38912, 2), Ldlinux: fill(119524, 3), IPXE: fill(306521, 4), Config: []byte("DEFAULT bdm\n")}
}

var texts = bdm.Texts{bdm.ScriptName: bios.Script}

// spec is an image of a format with all that it can have.
func spec(f bdm.Format, halves string) bdm.Spec {
	sp := bdm.Spec{Format: f, Settings: full(), Texts: texts}
	if strings.Contains(halves, "u") {
		sp.ESP = []bdm.File{{Path: "EFI/BOOT/BOOTX64.EFI", Data: efi.Program()}}
	} else {
		sp.Settings.File, sp.Settings.SHA256 = "", ""
	}
	if strings.Contains(halves, "b") {
		sp.BIOS = loaders()
	} else {
		sp.Settings.FileBIOS, sp.Settings.SHA256BIOS = "", ""
	}
	return sp
}

// every lists the images that can be built.
func every() map[string]bdm.Spec {
	out := map[string]bdm.Spec{"partition.u": spec(bdm.Partition, "u")}
	for _, f := range []bdm.Format{bdm.ISO, bdm.USB, bdm.Raw, bdm.VHD} {
		for _, h := range []string{"u", "b", "ub"} {
			out[string(f)+"."+h] = spec(f, h)
		}
	}
	return out
}

func build(t testing.TB, sp bdm.Spec) []byte {
	t.Helper()
	b, err := bdm.Build(sp)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every image is read back as what was built, has nothing wrong, and is the same bytes the next time.
func TestBuildAndOpen(t *testing.T) {
	for name, sp := range every() {
		image := build(t, sp)
		if again := build(t, sp); !bytes.Equal(image, again) {
			t.Errorf("%s: built twice, other bytes", name)
		}
		m, err := bdm.Open(bytes.NewReader(image), int64(len(image)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m.CheckTexts(texts)
		if len(m.Problems) > 0 {
			t.Errorf("%s: problems %q", name, m.Problems)
		}
		if diff := cmp.Diff(sp.Settings, m.Settings, ignoreNetip, cmpopts.IgnoreFields(bdm.Settings{}, "Sums")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		_, halves, _ := strings.Cut(name, ".")
		if got := len(m.UEFI) > 0; got != strings.Contains(halves, "u") {
			t.Errorf("%s: boots UEFI machines: %v", name, m.UEFI)
		}
		if got := len(m.BIOS) > 0; got != strings.Contains(halves, "b") {
			t.Errorf("%s: boots BIOS machines: %v", name, m.BIOS)
		}
	}
}

// The sizes that a trial reached are not exceeded.
func TestSizes(t *testing.T) {
	for name, most := range map[string]int{"iso.ub": 573_440, "partition.u": 181_248, "raw.u": 181_248} {
		if got := len(build(t, every()[name])); got > most {
			t.Errorf("%s: %d bytes are more than %d", name, got, most)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	f := func(want string, sp bdm.Spec) {
		t.Helper()
		if _, err := bdm.Build(sp); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("boots UEFI machines only", spec(bdm.Partition, "ub"))
	sp := spec(bdm.ISO, "u")
	sp.ESP = nil
	f("neither BIOS nor UEFI", sp)
	sp = spec(bdm.ISO, "ub")
	sp.BIOS.Isolinux = []byte("short")
	f("no isolinux.bin", sp)
	sp = spec(bdm.ISO, "u")
	sp.Settings.Built = "1970-01-01"
	f("years 1980 to 2107", sp)
	sp = spec(bdm.ISO, "u")
	sp.ESP[0].Path = "EFI/BOOT/lower.efi"
	f("8 and 3 capitals", sp)
}
