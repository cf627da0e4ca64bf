package bdm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"surefoot/internal/bdm"
)

// disk is memory that counts and can fail.
type disk struct {
	b        []byte
	failAt   int // the write that fails, counted from 1; 0: none
	writes   int
	forgets  bool // writes are lost
	synced   int
	progress []int64
}

func (d *disk) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(d.b).ReadAt(p, at) }

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	if d.writes++; d.writes == d.failAt {
		return 0, errors.New("no space left on device")
	}
	if !d.forgets {
		copy(d.b[at:], p)
	}
	return len(p), nil
}

func (d *disk) Sync() error { d.synced++; return nil }

func open(t testing.TB, b []byte) *bdm.Image {
	t.Helper()
	m, err := bdm.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	m.CheckTexts(texts)
	return m
}

// No cut image is taken for a whole one, and none makes Open fail in another way than by an error.
func TestCutImages(t *testing.T) {
	for name, sp := range every() {
		image := build(t, sp)
		for n := 0; n < len(image); n += 4093 {
			m, err := bdm.Open(bytes.NewReader(image[:n]), int64(n))
			if err == nil && len(m.Problems) == 0 {
				t.Errorf("%s: its first %d bytes of %d pass for whole", name, n, len(image))
			}
		}
	}
}

// A bit that falls over in what matters is found: programs, settings, script, tables. Where it falls into
// padding, nothing is said, and nothing is wrong.
func TestFlippedBits(t *testing.T) {
	for name, sp := range every() {
		image := build(t, sp)
		random := rand.New(rand.NewPCG(1, 2))
		silent := 0
		const flips = 300
		for range flips {
			at := random.IntN(len(image))
			if image[at] == 0 { // most of it is padding of file systems
				continue
			}
			b := bytes.Clone(image)
			b[at] ^= 1 << random.IntN(8)
			m, err := bdm.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				continue
			}
			if m.CheckTexts(texts); len(m.Problems) == 0 {
				silent++
				t.Logf("%s: nothing is said of a flipped bit at %d", name, at)
			}
		}
		if silent > flips/20 {
			t.Errorf("%s: %d of %d flipped bits went unseen", name, silent, flips)
		}
	}
}

// FuzzOpen cuts an image and changes bytes of it: five bytes of edits say where and how. Whole images as
// inputs would be too large for a fuzzer.
func FuzzOpen(f *testing.F) {
	var images [][]byte
	for _, name := range []string{"partition.u", "iso.ub", "iso.b", "raw.u", "vhd.u"} {
		sp := every()[name]
		if sp.BIOS != nil { // small ones, so that the fuzzer gets around
			sp.BIOS.IPXE, sp.BIOS.Ldlinux, sp.BIOS.Isolinux = sp.BIOS.IPXE[:100], sp.BIOS.Ldlinux[:100], sp.BIOS.Isolinux[:2100]
		}
		if sp.ESP != nil {
			sp.ESP[0].Data = []byte("MZ")
		}
		image := build(f, sp)
		if name == "vhd.u" { // a disk of 4 MB is mostly nothing
			footer := image[len(image)-512:]
			image = append(bytes.Clone(image[:64<<10]), footer...)
		}
		images = append(images, image)
		for _, at := range []uint32{11, 446, 512, 600, 1024, 1536, 16 * 2048, 32768 + 158, 17*2048 + 71, 15*2048 + 30, uint32(len(image) - 500)} {
			f.Add(uint8(len(images)-1), uint32(0), binary.LittleEndian.AppendUint32([]byte{0x40}, at))
		}
		f.Add(uint8(len(images)-1), uint32(len(image)/2), []byte{})
	}
	f.Fuzz(func(t *testing.T, which uint8, cut uint32, edits []byte) {
		b := bytes.Clone(images[int(which)%len(images)])
		for ; len(edits) >= 5; edits = edits[5:] {
			b[int(binary.LittleEndian.Uint32(edits[1:]))%len(b)] ^= edits[0]
		}
		b = b[:len(b)-int(cut)%len(b)]
		m, err := bdm.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
			return
		}
		m.CheckTexts(texts)
		if err := m.Settings.Check(); err != nil {
			t.Errorf("settings that nobody could have built: %v", err)
		}
		d := &disk{b: bytes.Clone(b)}
		_, _ = m.PlanWhole(int64(len(b)))
		_, _ = m.PlanBeside(d, int64(len(b)))
		_, _ = m.PlanPartition(d, int64(len(b)), 1)
		s := m.Settings
		s.Wait = 7
		if err := m.Set(d, s, texts); err == nil {
			again, err := bdm.Open(bytes.NewReader(d.b), int64(len(d.b)))
			if err != nil || again.Settings.Wait != 7 {
				t.Errorf("set says done, and then: %v", err)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	s := full()
	b, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < bdm.TextSize {
			text += strings.Repeat("\n", bdm.TextSize-len(text))
		}
		s, err := bdm.Decode([]byte(text))
		if err != nil {
			return
		}
		b, err := s.Encode()
		if err != nil {
			t.Skip() // comments may leave room that their absence does not need: not the other way round
		}
		if again, err := bdm.Decode(b); err != nil || !bytes.Equal(b, must(again.Encode())) {
			t.Errorf("decoded, encoded and decoded: %v", err)
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// Settings are changed in place in every format, and only there.
func TestSet(t *testing.T) {
	for name, sp := range every() {
		image := build(t, sp)
		d := &disk{b: bytes.Clone(image)}
		m := open(t, d.b)
		s := m.Settings
		s.Servers = []string{"tftp://10.9.9.9/"}
		s.VLAN = 7
		if err := m.Set(d, s, texts); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := open(t, d.b)
		if len(again.Problems) > 0 || again.Settings.Servers[0] != "tftp://10.9.9.9/" || again.Settings.VLAN != 7 || d.synced == 0 {
			t.Errorf("%s: afterwards %v, problems %q, synced %d times", name, again.Settings.Servers, again.Problems, d.synced)
		}
		changed := 0
		for i := range image {
			if image[i] != d.b[i] {
				changed++
			}
		}
		if changed == 0 || changed > 4096+6144 {
			t.Errorf("%s: %d bytes changed", name, changed)
		}
		sp.Settings.Servers, sp.Settings.VLAN = s.Servers, 7
		if !bytes.Equal(d.b, build(t, sp)) {
			t.Errorf("%s: changed in place, it is not what is built with the same settings", name)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	image := build(t, spec(bdm.ISO, "ub"))
	f := func(want string, d *disk, change func(*bdm.Settings)) {
		t.Helper()
		before := bytes.Clone(d.b)
		m := open(t, d.b)
		s := m.Settings
		change(&s)
		err := m.Set(d, s, texts)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if !bytes.Equal(before, d.b) {
			t.Errorf("%s: the image is not what it was", want)
		}
	}
	other := func(s *bdm.Settings) { s.Servers = []string{"tftp://10.9.9.9/"} }
	f("no server is named", &disk{b: bytes.Clone(image)}, func(s *bdm.Settings) { s.Servers = nil })
	f("has to name a file", &disk{b: bytes.Clone(image)}, func(s *bdm.Settings) { s.FileBIOS = "" })
	f("no space left", &disk{b: bytes.Clone(image), failAt: 1}, other)
	f("no space left", &disk{b: bytes.Clone(image), failAt: 2}, other) // half-way: the first text is put back
	f("other bytes than were written", &disk{b: bytes.Clone(image), forgets: true}, other)
	damaged := bytes.Clone(image)
	damaged[200_000] ^= 1
	f("damaged", &disk{b: damaged}, other)
	uefi := build(t, spec(bdm.ISO, "u"))
	f("does not boot BIOS", &disk{b: uefi}, func(s *bdm.Settings) { s.FileBIOS = "x.0" })
}

// Settings that somebody edited by hand are said to be so, and set cures that.
func TestEditedByHand(t *testing.T) {
	image := build(t, spec(bdm.ISO, "ub"))
	image = bytes.ReplaceAll(image, []byte("tftp://10.0.0.1/"), []byte("tftp://10.0.0.7/")) // in the script as well
	m := open(t, image)
	if len(m.Problems) != 2 || len(m.Damaged()) > 0 || !strings.Contains(m.Problems[0], "edited by hand") || m.Settings.Servers[0] != "tftp://10.0.0.7/" {
		t.Fatalf("problems %q", m.Problems)
	}
	d := &disk{b: image}
	if err := m.Set(d, m.Settings, texts); err != nil {
		t.Fatal(err)
	}
	if again := open(t, d.b); len(again.Problems) > 0 {
		t.Errorf("problems %q", again.Problems)
	}
}
