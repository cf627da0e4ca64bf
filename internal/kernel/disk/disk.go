// Package disk says what a block device is and who uses it, and opens it for writing so that nobody
// else does. It reads /sys and /proc; it writes nothing. A regular file counts as a disk whose
// users are loop devices.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// System is where the kernel tells of its disks; the zero value is this machine's.
type System struct{ Sys, Proc string }

func (s System) sys(path ...string) string {
	return filepath.Join(append([]string{orElse(s.Sys, "/sys")}, path...)...)
}

func (s System) proc(path string) string { return filepath.Join(orElse(s.Proc, "/proc"), path) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Disk is a device, or a file that stands for one.
type Disk struct {
	Path      string   `json:"path"`
	Name      string   `json:"name"` // the kernel's, as in sdb; of a file its own
	Model     string   `json:"model,omitempty"`
	Size      int64    `json:"size"`
	Sector    int      `json:"sector"` // bytes of a logical sector
	Removable bool     `json:"removable,omitempty"`
	ReadOnly  bool     `json:"read_only,omitempty"`
	File      bool     `json:"file,omitempty"`
	PartOf    string   `json:"part_of,omitempty"` // the disk, if the device is a partition
	Parts     []Part   `json:"parts,omitempty"`
	Users     []string `json:"users,omitempty"` // of the device itself
}

// Part is a partition as the kernel knows it.
type Part struct {
	Name  string   `json:"name"`
	Size  int64    `json:"size"`
	Users []string `json:"users,omitempty"` // "mounted on /mnt", "part of dm-0"
}

// InUse says who uses the disk or a part of it, nil if nobody does.
func (d *Disk) InUse() []string {
	out := slices.Clone(d.Users)
	for _, p := range d.Parts {
		for _, u := range p.Users {
			out = append(out, p.Name+" is "+u)
		}
	}
	return out
}

// Look finds out what is at a path.
func (s System) Look(path string) (*Disk, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		d := &Disk{Path: path, Name: filepath.Base(real), Size: st.Size, Sector: 512, File: true}
		d.Users = s.loops(real)
		return d, nil
	case unix.S_IFBLK:
		return s.device(path, fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	}
	return nil, fmt.Errorf("%s is neither a block device nor a file", path)
}

// device reads what /sys says of a device number.
func (s System) device(path, number string) (*Disk, error) {
	dir, err := filepath.EvalSymlinks(s.sys("dev", "block", number))
	if err != nil {
		return nil, fmt.Errorf("%s: the kernel knows no device %s: %w", path, number, err)
	}
	d := &Disk{Path: path, Name: filepath.Base(dir), Size: readNumber(dir, "size") * 512, ReadOnly: readNumber(dir, "ro") == 1}
	whole := dir
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		whole = filepath.Dir(dir)
		d.PartOf = filepath.Base(whole)
	}
	d.Model = strings.Join(strings.Fields(readText(whole, "device/vendor")+" "+readText(whole, "device/model")), " ")
	if file := readText(whole, "loop/backing_file"); file != "" {
		d.Model = "loop device on " + file
	}
	d.Removable = readNumber(whole, "removable") == 1
	d.Sector = int(max(512, readNumber(whole, "queue/logical_block_size")))
	mounts, err := s.mounts()
	if err != nil {
		return nil, err
	}
	d.Users = s.users(dir, mounts)
	for i, u := range d.Users {
		d.Users[i] = d.Name + " is " + u
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(sub, "partition")); err == nil {
			d.Parts = append(d.Parts, Part{Name: e.Name(), Size: readNumber(sub, "size") * 512, Users: s.users(sub, mounts)})
		}
	}
	return d, nil
}

// users says who uses the device whose folder in /sys this is.
func (s System) users(dir string, mounts map[string][]string) []string {
	var out []string
	for _, at := range mounts[readText(dir, "dev")] {
		out = append(out, "mounted on "+at)
	}
	for _, at := range mounts["/dev/"+filepath.Base(dir)] {
		if text := "mounted on " + at; !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	holders, _ := os.ReadDir(filepath.Join(dir, "holders"))
	for _, h := range holders {
		out = append(out, "part of "+h.Name())
	}
	if b, err := os.ReadFile(s.proc("swaps")); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 0 && f[0] == "/dev/"+filepath.Base(dir) {
				out = append(out, "swap space")
			}
		}
	}
	return out
}

// mounts says by device number, and by the name of the source, what is mounted where. btrfs and
// overlays have numbers of their own, so that only the name tells.
func (s System) mounts() (map[string][]string, error) {
	b, err := os.ReadFile(s.proc("self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("find out what is mounted: %w", err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) { // proc(5): id parent major:minor root mount-point options - type source
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if len(f) < 7 || dash < 0 || dash+2 >= len(f) {
			continue
		}
		at := unescape(f[4])
		for _, key := range []string{f[2], unescape(f[dash+2])} {
			if !slices.Contains(out[key], at) {
				out[key] = append(out[key], at)
			}
		}
	}
	return out, nil
}

// unescape undoes the octal numbers that stand for blanks in mountinfo.
func unescape(s string) string {
	for _, r := range [][2]string{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return s
}

// loops lists the loop devices that a file is behind.
func (s System) loops(file string) []string {
	var out []string
	found, _ := filepath.Glob(s.sys("block", "loop*", "loop", "backing_file"))
	for _, f := range found {
		dir := filepath.Dir(filepath.Dir(f))
		if readText(dir, "loop/backing_file") == file {
			out = append(out, filepath.Base(file)+" is behind /dev/"+filepath.Base(dir))
		}
	}
	return out
}

func readText(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func readNumber(dir, name string) int64 {
	n, _ := strconv.ParseInt(readText(dir, name), 10, 64)
	return n
}

// Open opens a disk for reading and writing. For a device, O_EXCL makes the kernel refuse it to us
// while it is mounted or held, and to others who ask so while we have it.
func (d *Disk) Open() (*os.File, error) {
	flags := os.O_RDWR
	if !d.File {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(d.Path, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("open %s: somebody uses it (%w)", d.Path, err)
	}
	return f, err
}

// Reread tells the kernel to read the partition table again; files have nobody to tell.
func (d *Disk) Reread(f *os.File) error {
	if d.File || d.PartOf != "" {
		return nil
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKRRPART, 0); err != nil {
		return fmt.Errorf("have the kernel read the partition table of %s again: %w", d.Path, err)
	}
	return nil
}
