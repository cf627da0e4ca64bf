package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes files: path → content.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sticks is a kernel with a stick of three partitions, in use in three ways, and a disk that nobody uses.
func sticks(t *testing.T) System {
	t.Helper()
	dir := tree(t, map[string]string{
		"sys/devices/pci/block/sdb/size":                         "62333952\n",
		"sys/devices/pci/block/sdb/dev":                          "8:16\n",
		"sys/devices/pci/block/sdb/removable":                    "1\n",
		"sys/devices/pci/block/sdb/queue/logical_block_size":     "512\n",
		"sys/devices/pci/block/sdb/device/vendor":                "SanDisk \n",
		"sys/devices/pci/block/sdb/device/model":                 "Cruzer Fit      \n",
		"sys/devices/pci/block/sdb/sdb1/partition":               "1\n",
		"sys/devices/pci/block/sdb/sdb1/dev":                     "8:17\n",
		"sys/devices/pci/block/sdb/sdb1/size":                    "2048\n",
		"sys/devices/pci/block/sdb/sdb2/partition":               "2\n",
		"sys/devices/pci/block/sdb/sdb2/dev":                     "8:18\n",
		"sys/devices/pci/block/sdb/sdb2/holders/dm-0/x":          "",
		"sys/devices/pci/block/sdb/sdb3/partition":               "3\n",
		"sys/devices/pci/block/sdb/sdb3/dev":                     "8:19\n",
		"sys/devices/pci/block/sdb/sdb4/partition":               "4\n",
		"sys/devices/pci/block/sdb/sdb4/dev":                     "8:20\n",
		"sys/devices/pci/block/nvme0n1/size":                     "1000\n",
		"sys/devices/pci/block/nvme0n1/dev":                      "259:0\n",
		"sys/devices/pci/block/nvme0n1/ro":                       "1\n",
		"sys/devices/pci/block/nvme0n1/queue/logical_block_size": "4096\n",
		"proc/swaps": "Filename Type Size\n/dev/sdb3 partition 1024 0 -2\n",
		"proc/self/mountinfo": "22 1 0:20 / / rw - overlay overlay rw\n" +
			"30 22 8:17 / /media/my\\040stick rw,nosuid shared:5 - vfat /dev/sdb1 rw\n" +
			"31 22 0:44 / /data rw - btrfs /dev/sdb4 rw\n",
	})
	if err := os.MkdirAll(filepath.Join(dir, "sys/dev/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	for number, to := range map[string]string{"8:16": "sdb", "8:17": "sdb/sdb1", "259:0": "nvme0n1"} {
		if err := os.Symlink("../../devices/pci/block/"+to, filepath.Join(dir, "sys/dev/block", number)); err != nil {
			t.Fatal(err)
		}
	}
	return System{Sys: filepath.Join(dir, "sys"), Proc: filepath.Join(dir, "proc")}
}

func TestDevice(t *testing.T) {
	s := sticks(t)
	d, err := s.device("/dev/sdb", "8:16")
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "sdb" || d.Model != "SanDisk Cruzer Fit" || d.Size != 62333952*512 || !d.Removable || d.Sector != 512 || len(d.Parts) != 4 {
		t.Errorf("%+v", d)
	}
	want := []string{"sdb1 is mounted on /media/my stick", "sdb2 is part of dm-0", "sdb3 is swap space", "sdb4 is mounted on /data"}
	if got := strings.Join(d.InUse(), "; "); got != strings.Join(want, "; ") {
		t.Errorf("in use: %s", got)
	}
	if d, err = s.device("/dev/sdb1", "8:17"); err != nil || d.PartOf != "sdb" || len(d.InUse()) != 1 || d.Model != "SanDisk Cruzer Fit" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = s.device("/dev/nvme0n1", "259:0"); err != nil || len(d.InUse()) != 0 || !d.ReadOnly || d.Sector != 4096 || d.PartOf != "" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err = s.device("/dev/sdz", "8:99"); err == nil || !strings.Contains(err.Error(), "the kernel knows no device 8:99") {
		t.Errorf("%v", err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := System{}.Look(path)
	if err != nil || !d.File || d.Size != 1<<20 || len(d.InUse()) != 0 {
		t.Errorf("%+v, %v", d, err)
	}
	s := System{Sys: tree(t, map[string]string{"block/loop3/loop/backing_file": path + "\n"})}
	if d, err = s.Look(path); err != nil || strings.Join(d.InUse(), "") != "disk.img is behind /dev/loop3" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := (System{}).Look("/dev/null"); err == nil || !strings.Contains(err.Error(), "neither a block device nor a file") {
		t.Errorf("/dev/null: %v", err)
	}
	if _, err := (System{}).Look(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
}

// A real loop device: opened so that nobody else opens it so, its partitions found again after a change.
func TestLoopDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", path).CombinedOutput()
	if err != nil {
		t.Skipf("no loop devices here: %v: %s", err, out) // containers have none, root or not
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	d, err := System{}.Look(dev)
	if err != nil || d.Size != 4<<20 || d.File || !strings.Contains(d.Model, path) {
		t.Fatalf("%+v, %v", d, err)
	}
	f, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if again, err := d.Open(); err == nil {
		again.Close()
		t.Error("opened twice")
	} else if !strings.Contains(err.Error(), "somebody uses it") {
		t.Error(err)
	}
	if used, err := (System{}).Look(path); err != nil || len(used.InUse()) != 1 {
		t.Errorf("the file behind it: %+v, %v", used, err)
	}
}
