package bdm_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"surefoot/internal/bdm"
)

// other is a disk with another system's partitions, made by sgdisk, their content random.
func other(t *testing.T) *disk {
	t.Helper()
	path := file(t, "disk", make([]byte, 32<<20))
	if out, err := oracle(t, "sgdisk", "-n", "1:2048:+4M", "-t", "1:8300", "-c", "1:other", "-n", "3:20480:+4M", "-t", "3:ef00", path); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1 << 20; i < 5<<20; i++ {
		b[i] = byte(i * 31 >> 3)
	}
	return &disk{b: b}
}

// A partition beside others: theirs stay what they were, sgdisk finds nothing wrong, and it can be
// renewed and changed in place.
func TestWriteBeside(t *testing.T) {
	d := other(t)
	before := bytes.Clone(d.b)
	m := open(t, build(t, spec(bdm.ISO, "ub")))
	plan, err := m.PlanBeside(d, int64(len(d.b)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, d.b) {
		t.Fatal("planning wrote something")
	}
	if err := plan.Run(d, func(done, total int64) { d.progress = append(d.progress, done, total) }); err != nil {
		t.Fatal(err)
	}
	if n := len(d.progress); n == 0 || d.progress[n-2] != d.progress[n-1] || d.progress[n-1] != plan.Bytes() {
		t.Errorf("progress %v of %d", d.progress, plan.Bytes())
	}
	out, err := oracle(t, "sgdisk", "-v", "-p", file(t, "after", d.b))
	if err != nil || plan.Partition != 2 {
		t.Errorf("partition %d, %v", plan.Partition, err)
	}
	contains(t, "sgdisk", out, "No problems found", "other", "EF00  Surefoot boot")
	if !bytes.Equal(before[1<<20:5<<20], d.b[1<<20:5<<20]) || !bytes.Equal(before[10<<20:14<<20], d.b[10<<20:14<<20]) {
		t.Error("the others' content changed")
	}
	after := open(t, d.b)
	if len(after.Problems) > 0 || after.Settings.ID != m.Settings.ID {
		t.Errorf("read back: %q", after.Problems)
	}
	if _, err := m.PlanBeside(d, int64(len(d.b))); err == nil || !strings.Contains(err.Error(), "--partition 2 renews it") {
		t.Errorf("a second one beside the first: %v", err)
	}
	again, err := m.PlanPartition(d, int64(len(d.b)), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Run(d, nil); err != nil {
		t.Error(err)
	}
}

// Whatever fails on the way, the disk's partition table is the old one, and so is everybody's content.
func TestWriteBesideFails(t *testing.T) {
	m := open(t, build(t, spec(bdm.Partition, "u")))
	for failAt := 1; failAt <= 3; failAt++ {
		d := other(t)
		before := bytes.Clone(d.b)
		plan, err := m.PlanBeside(d, int64(len(d.b)))
		if err != nil {
			t.Fatal(err)
		}
		d.failAt = failAt
		if err := plan.Run(d, nil); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("write %d fails: %v", failAt, err)
		}
		if !bytes.Equal(before[:34*512], d.b[:34*512]) || !bytes.Equal(before[1<<20:5<<20], d.b[1<<20:5<<20]) {
			t.Errorf("write %d fails, and the disk is not what it was", failAt)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	iso, part := open(t, build(t, spec(bdm.ISO, "ub"))), open(t, build(t, spec(bdm.Partition, "u")))
	f := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	whole := func(m *bdm.Image, size int64) error { _, err := m.PlanWhole(size); return err }
	f("the disk is too small: the image needs", whole(iso, 500_000))
	f("the image is a partition alone", whole(part, 1<<30))
	d := other(t)
	partition := func(b []byte, n int) error {
		_, err := part.PlanPartition(&disk{b: b}, int64(len(b)), n)
		return err
	}
	f("no partition 2", partition(d.b, 2))
	f("no EFI system partition", partition(d.b, 1))
	f("no partition table (GPT)", partition(make([]byte, 1<<20), 1))
	beside := func(b []byte) error { _, err := part.PlanBeside(&disk{b: b}, int64(len(b))); return err }
	f("not at its end", beside(append(bytes.Clone(d.b), make([]byte, 1<<20)...)))
	broken := bytes.Clone(d.b)
	broken[len(broken)-100] ^= 1
	broken[len(broken)-512] ^= 1
	f("the copy of its partition table", beside(broken))
	full := file(t, "full", make([]byte, 4<<20))
	if out, err := oracle(t, "sgdisk", "-a", "1", "-n", "1:34:8150", full); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	f("the largest free space", beside(b))
	small := file(t, "small", make([]byte, 4<<20))
	if out, err := oracle(t, "sgdisk", "-n", "1:2048:2060", "-t", "1:ef00", small); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if b, err = os.ReadFile(small); err != nil {
		t.Fatal(err)
	}
	f("partition 1 is too small", partition(b, 1))
}

// A whole disk larger than the image: the copy of the table goes to its end.
func TestWriteWhole(t *testing.T) {
	for name, sp := range every() {
		if sp.Format == bdm.Partition {
			continue
		}
		image := build(t, sp)
		m := open(t, image)
		for _, more := range []int{0, 5 << 20} {
			d := &disk{b: bytes.Repeat([]byte{0xa5}, len(image)+more)}
			plan, err := m.PlanWhole(int64(len(d.b)))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := plan.Run(d, nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if sp.Format != bdm.VHD { // a VHD's footer is no part of its disk, so its size fits none
				if got := open(t, d.b); len(got.Problems) > 0 {
					t.Errorf("%s and %d: %q", name, more, got.Problems)
				}
			}
			out, err := oracle(t, "sgdisk", "-v", file(t, "disk", d.b[:len(d.b)/512*512]))
			if err != nil || !strings.Contains(out, "No problems found") {
				t.Errorf("%s and %d: %v: %s", name, more, err, out)
			}
		}
	}
}
