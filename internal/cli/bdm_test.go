package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/bdm"
	"surefoot/internal/bdm/bios"
	"surefoot/internal/boot"
	"surefoot/internal/journal"
)

const mediaSite = `site: hq
root: /nowhere/boot
nodes:
  boot1: {address: 10.10.0.11, roles: [tftp, http]}
  boot2: {address: 10.10.0.12, roles: [tftp, http]}
servers:
  pvs1: {tftp: 10.10.0.21}
boot:
  - {name: pvs,  when: {arch: bios},     file: ARDBP32.BIN, from: [pvs1]}
  - {name: uefi, when: {arch: uefi-x64}, file: snponly.efi, from: [boot1, boot2]}
networks:
  vdi: {subnet: 10.10.0.0/22, deliver: none}
`

// answering is invoke with somebody at the keyboard, and variables.
func answering(t *testing.T, in string, vars map[string]string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, Env{In: strings.NewReader(in), Out: &out, Err: &errs, Getenv: func(k string) string { return vars[k] }})
	return out.String(), errs.String(), code
}

// needLoaders skips or fails without Debian's loaders.
func needLoaders(t *testing.T) {
	t.Helper()
	if _, err := bios.Load(bios.Paths{}); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// must runs a command that has to work.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := invoke(t, args...)
	if code != ExitOK {
		t.Fatalf("%s: exit %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// refused runs a command that has to fail with that code and these words.
func refused(t *testing.T, code int, words []string, args ...string) {
	t.Helper()
	out, errs, got := invoke(t, args...)
	if got != code {
		t.Errorf("%s: exit %d, want %d: %s%s", strings.Join(args, " "), got, code, out, errs)
	}
	contains(t, errs, words...)
}

func TestBDMBuildFromTheSiteFile(t *testing.T) {
	needLoaders(t)
	site, dir := siteFile(t, mediaSite), t.TempDir()
	iso := filepath.Join(dir, "boot.iso")
	id := []string{"--id", "0123456789abcdef0123456789abcdef", "--date", "2026-11-25", "--state", dir}
	out := must(t, append([]string{"bdm", "build", "-c", site, "-o", iso}, id...)...)
	contains(t, out, "hybrid ISO (CD and disk)", "UEFI machines (disk, cd) and BIOS machines (cd, disk)", "UEFI file  snponly.efi", "BIOS file  ARDBP32.BIN",
		"servers    tftp://10.10.0.11/\n             tftp://10.10.0.12/\n             tftp://10.10.0.21/\n", "by DHCP", "id         0123456789abcdef0123456789abcdef")
	if got := must(t, "bdm", "inspect", iso); got != out {
		t.Errorf("inspect says another thing than build:\n%s%s", got, out)
	}
	first, err := os.ReadFile(iso)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, out, fmt.Sprintf("sha256     %x", sha256.Sum256(first)))

	refused(t, ExitFailed, []string{"boot.iso exists", "hint: --force overwrites it"}, append([]string{"bdm", "build", "-c", site, "-o", iso}, id...)...)
	must(t, append([]string{"bdm", "build", "-c", site, "-o", iso, "--force"}, id...)...)
	if again, err := os.ReadFile(iso); err != nil || !bytes.Equal(first, again) {
		t.Errorf("built again, other bytes: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	var doc struct {
		Settings struct{ Servers []string }
		UEFI     []string
		AgeDays  *int `json:"age_days"`
	}
	if err := json.Unmarshal([]byte(must(t, "bdm", "inspect", "--json", iso)), &doc); err != nil || len(doc.Settings.Servers) != 3 || len(doc.UEFI) != 2 || doc.AgeDays == nil {
		t.Errorf("%v: %+v", err, doc)
	}
}

// SOURCE_DATE_EPOCH dates an image; without a site file flags say everything.
func TestBDMBuildByFlags(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.partition")
	boot := filepath.Join(dir, "boot.efi")
	if err := os.WriteFile(boot, []byte("bootstrap"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := map[string]string{"SUREFOOT_CONFIG": "", "SOURCE_DATE_EPOCH": "1700000000"}
	out, errs, code := answering(t, "", none, "bdm", "build", "-o", path, "--servers", "10.0.0.1,http://boot.example.com:8067/x", "--file", "/boot.efi", "--bootstrap", boot,
		"--ip", "10.0.0.9/24,10.0.0.254", "--dns-server", "10.0.0.53", "--vlan", "12", "--timeout", "3")
	if code != ExitOK {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	contains(t, out, "EFI system partition alone", "UEFI file  boot.efi, sha256 "+fmt.Sprintf("%x", sha256.Sum256([]byte("bootstrap"))), "http://boot.example.com:8067/x/",
		"10.0.0.9/24, gateway 10.0.0.254, DNS server 10.0.0.53, VLAN 12", "2 tries of 3 s", "built      2023-11-14")
}

func TestBDMBuildRefuses(t *testing.T) {
	site, dir := siteFile(t, mediaSite), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		code  int
		words string
		args  string
	}{
		{ExitUsage, "-o names the file to write", ""},
		{ExitUsage, `--format: "floppy" is not a format`, "-o x --format floppy"},
		{ExitUsage, "--firmware: \"arm\" is neither bios nor uefi", "-o x --firmware arm"},
		{ExitUsage, "a partition boots UEFI machines only", "-o x.partition --firmware bios"},
		{ExitUsage, "the site file has no service address \"v\"", "-o x --service v"},
		{ExitUsage, "--servers: server \"10.0.0\": \"10.0.0\" is neither an IPv4 address nor a name", "-o x --servers 10.0.0"},
		{ExitUsage, "--servers: server \"https://h/\": media fetch by tftp and http", "-o x --servers https://h/"},
		{ExitUsage, "--servers and --dns exclude each other", "-o x --servers a --dns b"},
		{ExitUsage, "--ip \"10.0.0.9\" is neither", "-o x --ip 10.0.0.9"},
		{ExitFailed, "no network \"nowhere\"", "-o x --network nowhere"},
		{ExitFailed, "name a DNS server", "-o x --ip 10.0.0.9/24 --dns boot.example.com"},
		{ExitFailed, "--id: \"1\" is not an image id", "-o x --id 1"},
		{ExitFailed, "is not a date", "-o x --date 25.11.2026"},
		{ExitFailed, "is not a SHA-256 hash", "-o x --hash abc"},
		{ExitFailed, "no such file", "-o x --root-efi " + at("none.efi") + " --firmware uefi"},
		{ExitFailed, "is no EFI program", "-o x --root-efi " + site + " --firmware uefi"},
		{ExitFailed, "isolinux.bin: ", "-o x --isolinux " + at("none")},
		{ExitFailed, "no such file", "-o " + at("none/x.partition")},
	} {
		refused(t, c.code, []string{c.words}, append([]string{"bdm", "build", "-c", site}, strings.Fields(strings.ReplaceAll(c.args, "-o x", "-o "+at("x")))...)...)
	}
	if left, _ := filepath.Glob(at("*")); len(left) > 0 {
		t.Errorf("something was written: %q", left)
	}
}

func TestBDMInspectRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("no image at all\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, ExitFailed, []string{"text: no boot medium of Surefoot: no partition table (GPT) at sector 1; no FAT12 file system"}, "bdm", "inspect", text)
	refused(t, ExitFailed, []string{"no such file"}, "bdm", "inspect", filepath.Join(dir, "none"))
	refused(t, ExitFailed, []string{"is a folder"}, "bdm", "inspect", dir)
	site, img := siteFile(t, mediaSite), filepath.Join(dir, "x.raw")
	must(t, "bdm", "build", "-c", site, "-o", img, "--firmware", "uefi")
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	b[60_000] ^= 1 // in the program
	if err := os.WriteFile(img, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, code := invoke(t, "bdm", "inspect", img)
	if code != ExitProblems {
		t.Errorf("exit %d", code)
	}
	contains(t, out, "PROBLEM    the programs for UEFI machines are damaged")
}

func TestBDMSet(t *testing.T) {
	needLoaders(t)
	site, dir := siteFile(t, mediaSite), t.TempDir()
	for _, name := range []string{"x.iso", "x.vhd", "x.usb", "x.raw"} {
		path := filepath.Join(dir, name)
		must(t, "bdm", "build", "-c", site, "-o", path, "--state", dir)
		out := must(t, "bdm", "set", path, "-c", site, "--servers", "boot2,10.5.5.5", "--file", "other.efi", "--state", dir)
		contains(t, out, "UEFI file  other.efi", "BIOS file  ARDBP32.BIN", "servers    tftp://10.10.0.12/\n             tftp://10.5.5.5/\n")
		if again := must(t, "bdm", "inspect", path); again != out {
			t.Errorf("inspect says %s, set said %s", again, out)
		}
	}
	path := filepath.Join(dir, "x.iso")
	before, _ := os.ReadFile(path)
	refused(t, ExitUsage, []string{"no flag says what to change"}, "bdm", "set", path)
	refused(t, ExitFailed, []string{"has to name a file"}, "bdm", "set", path, "--file-bios", "none")
	refused(t, ExitFailed, []string{"not a VLAN number"}, "bdm", "set", path, "--vlan", "5000")
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refusal changed the image")
	}
}

func TestBDMWrite(t *testing.T) {
	site, dir := siteFile(t, mediaSite), t.TempDir()
	img, disk := filepath.Join(dir, "x.raw"), filepath.Join(dir, "disk")
	must(t, "bdm", "build", "-c", site, "-o", img, "--firmware", "uefi")
	if err := os.WriteFile(disk, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	blank, _ := os.ReadFile(disk)
	unchanged := func() {
		t.Helper()
		if b, _ := os.ReadFile(disk); !bytes.Equal(b, blank) {
			t.Error("the disk was written to")
		}
	}
	for _, answer := range []string{"", "y\n", "no\n"} {
		out, errs, code := answering(t, answer, nil, "bdm", "write", img, disk)
		if code != ExitFailed {
			t.Errorf("answer %q: exit %d", answer, code)
		}
		contains(t, out, disk+": file of 3.1 MB", "everything on the disk is lost")
		contains(t, errs, "Type yes: ", "the answer was not yes")
	}
	contains(t, must(t, "bdm", "write", img, disk, "--dry-run"), "everything on the disk is lost")
	refused(t, ExitFailed, []string{"no partition table"}, "bdm", "write", img, disk, "--beside", "--yes")
	refused(t, ExitUsage, []string{"--partition and --beside exclude each other"}, "bdm", "write", img, disk, "--beside", "--partition", "1")
	refused(t, ExitUsage, []string{"counted from 1"}, "bdm", "write", img, disk, "--partition", "0")
	refused(t, ExitFailed, []string{"neither a block device nor a file"}, "bdm", "write", img, "/dev/null", "--yes")
	unchanged()
	small := filepath.Join(dir, "small")
	if err := os.WriteFile(small, make([]byte, 40_000), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, ExitFailed, []string{"the disk is too small: the image needs ", " bytes, and it has 40000"}, "bdm", "write", img, small, "--yes")

	out, errs, code := answering(t, "yes\n", nil, "bdm", "write", img, disk)
	if code != ExitOK {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	contains(t, out, "bytes written and read back")
	contains(t, must(t, "bdm", "inspect", disk), "disk with a partition table (GPT)", "snponly.efi")
	var doc bdmWritten
	if err := json.Unmarshal([]byte(must(t, "bdm", "write", img, disk, "--partition", "1", "--yes", "--json")), &doc); err != nil || !doc.Written || doc.Partition != 1 {
		t.Errorf("%v: %+v", err, doc)
	}
}

// A device that somebody uses is refused, and so is the file behind one.
func TestBDMWriteRefusesUsedDisks(t *testing.T) {
	site, dir := siteFile(t, mediaSite), t.TempDir()
	img, disk := filepath.Join(dir, "x.raw"), filepath.Join(dir, "disk")
	must(t, "bdm", "build", "-c", site, "-o", img, "--firmware", "uefi")
	if err := os.WriteFile(disk, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", disk).CombinedOutput()
	if err != nil {
		t.Skipf("no loop devices here: %v: %s", err, out)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	refused(t, ExitFailed, []string{"is in use: disk is behind " + dev, "hint: unmount it first"}, "bdm", "write", img, disk, "--yes")
	contains(t, must(t, "bdm", "write", img, dev, "--yes"), "loop device on "+disk, "bytes written and read back")
	contains(t, must(t, "bdm", "inspect", dev), "snponly.efi")

	if out, err := exec.Command("mkfs.vfat", dev).CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
	at := filepath.Join(dir, "mnt")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", dev, at).CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", at).Run() })
	refused(t, ExitFailed, []string{"is mounted on " + at}, "bdm", "write", img, dev, "--yes")
	refused(t, ExitFailed, []string{"is mounted on " + at}, "bdm", "set", dev, "--file", "x")
}

func TestBDMWizard(t *testing.T) {
	site, dir := siteFile(t, mediaSite), t.TempDir()
	path := filepath.Join(dir, "w.usb")
	// A wrong answer is asked again; Enter takes what stands in brackets; spaces behind commas do no harm.
	answers := "floppy\nusb\n10.0.0.300\nboot2, 10.5.5.5\n\nnone\n10.0.0.9/24\n12\n" + path + "\nyes\n"
	out, errs, code := answering(t, answers, map[string]string{"SUREFOOT_CONFIG": site}, "bdm", "wizard")
	if code != ExitOK {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	contains(t, errs, "[tftp://10.10.0.11/,tftp://10.10.0.12/,tftp://10.10.0.21/]", "[snponly.efi]", `"floppy" is not a format`, "neither an IPv4 address nor a name",
		"surefoot bdm build -o "+path+" --servers boot2,10.5.5.5 --file-bios none --ip 10.0.0.9/24 --vlan 12\n")
	contains(t, out, "servers    tftp://10.10.0.12/\n             tftp://10.5.5.5/\n", "UEFI file  snponly.efi", "10.0.0.9/24, VLAN 12")

	_, errs, code = answering(t, "iso\n\n\n", map[string]string{"SUREFOOT_CONFIG": site}, "bdm", "wizard")
	if code != ExitFailed {
		t.Errorf("answers that end: exit %d", code)
	}
	contains(t, errs, "the answers ended before the questions")
	_, errs, code = answering(t, "partition\n\n\n\n\n"+filepath.Join(dir, "n")+"\nno\n", map[string]string{"SUREFOOT_CONFIG": site}, "bdm", "wizard")
	if code != ExitFailed || strings.Contains(errs, "BIOS machines") {
		t.Errorf("exit %d: %s", code, errs)
	}
	contains(t, errs, "not built: the answer was no")
}

func TestBDMList(t *testing.T) {
	site, dir := siteFile(t, mediaSite), t.TempDir()
	socket := filepath.Join(dir, "none.sock")
	list := func(args ...string) (string, string, int) {
		return invoke(t, append([]string{"bdm", "list", "-c", site, "--state", dir, "--socket", socket}, args...)...)
	}
	if _, errs, code := list(); code != ExitNoDaemon || !strings.Contains(errs, "surefoot does not run here") {
		t.Errorf("nothing built and nobody runs: exit %d: %s", code, errs)
	}
	img := filepath.Join(dir, "x.partition")
	must(t, "bdm", "build", "-c", site, "-o", img, "--state", dir)
	out, errs, code := list()
	if code != ExitOK {
		t.Errorf("exit %d: %s", code, errs)
	}
	contains(t, out, "  up to date\n", "never seen booting", "tftp://10.10.0.11/", img)
	contains(t, errs, "note: boots are not known")
	must(t, "bdm", "set", img, "-c", site, "--servers", "boot1", "--state", dir)
	if out, _, code = list(); code != ExitOK {
		t.Errorf("exit %d", code)
	}
	contains(t, out, "works, older than the site file", "lacks      tftp://10.10.0.12/")
	must(t, "bdm", "set", img, "-c", site, "--servers", "boot1,10.5.5.5", "--state", dir)
	if out, _, code = list(); code != ExitProblems {
		t.Errorf("exit %d", code)
	}
	contains(t, out, "  stale\n", "the site file knows tftp://10.5.5.5/ no more")
	out, _, _ = list("--json")
	var doc struct {
		Media []struct{ Stale struct{ Gone []string } }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Media) != 1 || len(doc.Media[0].Stale.Gone) != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

// What machines say of their media, and what is remembered, come together in the list.
func TestMediaOfStories(t *testing.T) {
	at := func(min int) time.Time { return time.Date(2026, 11, 25, 12, min, 0, 0, time.UTC) }
	story := func(id, mac string, min int, version string) journal.Story {
		m, err := boot.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Story{MAC: m, Started: at(min), Media: &boot.Media{ID: id, Version: version}}
	}
	a, b, c := strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)
	got := mediaOf([]journal.Story{story(a, "52:54:00:00:00:02", 1, "1"), story(b, "52:54:00:00:00:01", 2, "2"), story(a, "52:54:00:00:00:01", 3, "1.1"), story(a, "52:54:00:00:00:01", 2, "1")},
		map[string]bdm.Entry{a: {Settings: bdm.Settings{Servers: []string{"s"}}}, c: {}})
	if len(got) != 3 || got[0].ID != a || got[1].ID != b || got[2].ID != c {
		t.Fatalf("%+v", got)
	}
	if x := got[0]; x.Boots != 3 || len(x.Machines) != 2 || x.Version != "1.1" || !x.LastBoot.Equal(at(3)) || !x.Known {
		t.Errorf("%+v", x)
	}
	if got[1].Known || !got[2].Known {
		t.Errorf("%+v", got)
	}
}

func TestProbeBDM(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	boot := filepath.Join(root, "boot.efi")
	if err := os.WriteFile(boot, []byte("bootstrap"), 0o644); err != nil {
		t.Fatal(err)
	}
	server, img := serveTree(t, root), filepath.Join(dir, "x.partition")
	build := func(args ...string) {
		t.Helper()
		must(t, append([]string{"bdm", "build", "-o", img, "--force", "--file", "boot.efi", "--timeout", "1", "--tries", "1"}, args...)...)
	}
	build("--servers", server, "--bootstrap", boot)
	contains(t, must(t, "probe", "bdm", img), "9 bytes in ", ", the right content", "so       UEFI machines boot, from tftp://"+server+"/")
	build("--servers", "127.0.0.1:1,"+server)
	out, _, code := invoke(t, "probe", "bdm", img)
	if code != ExitProblems {
		t.Errorf("one server dead: exit %d", code)
	}
	contains(t, out, "tftp://127.0.0.1:1/boot.efi: FAILS (refused)", "UEFI machines boot, from tftp://"+server+"/")
	build("--servers", server, "--hash", strings.Repeat("0", 64))
	if out, _, code = invoke(t, "probe", "bdm", img); code != ExitProblems {
		t.Errorf("another content: exit %d", code)
	}
	contains(t, out, "FAILS (wrong-hash)", "UEFI machines would NOT boot from it")
	var doc bdmProbe
	if out, _, _ = invoke(t, "probe", "bdm", img, "--json"); json.Unmarshal([]byte(out), &doc) != nil || doc.Boots["uefi"] != "" || len(doc.Downloads) != 1 {
		t.Errorf("%s", out)
	}
}
