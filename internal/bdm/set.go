package bdm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Target is where images are changed and written to: a file or a device.
type Target interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// Damaged lists the problems of an image that changing its settings does not cure.
func (m *Image) Damaged() []string {
	var out []string
	for _, p := range m.Problems {
		if !m.cured[p] {
			out = append(out, p)
		}
	}
	return out
}

// piece is what is to be written where.
type piece struct {
	what string
	at   int64
	data []byte
}

// Set gives an image other Settings, in place: every text that holds them has a fixed size. It
// changes nothing that it did not find whole, reads back what it wrote, and puts the old texts
// back if it fails half-way. Which programs there are does not change.
func (m *Image) Set(t Target, s Settings, texts Texts) error {
	if d := m.Damaged(); len(d) > 0 {
		return fmt.Errorf("the image is damaged (%s): build it again", d[0])
	}
	switch {
	case (s.File != "") != (len(m.UEFI) > 0):
		return halfError("UEFI", len(m.UEFI) > 0)
	case m.iso != nil && (s.FileBIOS != "") != (len(m.BIOS) > 0):
		return halfError("BIOS", len(m.BIOS) > 0)
	}
	s.Sums = m.Settings.Sums
	text, err := s.Encode()
	if err != nil {
		return err
	}
	pieces := []piece{{TextName, m.texts[TextName].at, text}}
	for name, place := range m.texts {
		if name == TextName {
			continue
		}
		derive := texts[name]
		if derive == nil {
			return fmt.Errorf("the image has a %s, of which this Surefoot knows nothing", name)
		}
		b, err := derive(s)
		if err != nil {
			return err
		}
		if int64(len(b)) != place.size {
			return fmt.Errorf("the image has %d bytes for %s, and this Surefoot needs %d: build it again", place.size, name, len(b))
		}
		pieces = append(pieces, piece{name, place.at, b})
	}
	if err := replace(t, pieces); err != nil {
		return err
	}
	m.Settings = s
	return nil
}

func halfError(half string, has bool) error {
	if has {
		return fmt.Errorf("the image boots %s machines, so it has to name a file for them", half)
	}
	return fmt.Errorf("the image does not boot %s machines, so it can name no file for them: build another", half)
}

// replace writes pieces and reads them back; what failed leaves what was there.
func replace(t Target, pieces []piece) error {
	old := make([][]byte, len(pieces))
	for i, p := range pieces {
		old[i] = make([]byte, len(p.data))
		if _, err := t.ReadAt(old[i], p.at); err != nil {
			return fmt.Errorf("read %s: %w", p.what, err)
		}
	}
	err := write(t, pieces, nil)
	if err == nil {
		return nil
	}
	for i, p := range pieces {
		if _, e := t.WriteAt(old[i], p.at); e != nil {
			err = errors.Join(err, fmt.Errorf("put the old %s back: %w", p.what, e))
		}
	}
	return errors.Join(err, t.Sync())
}

// step is how much is written at once, between two words of progress.
const step = 1 << 20

// write writes pieces in their order, has them on the disk, and compares.
func write(t Target, pieces []piece, progress func(done, total int64)) error {
	var done, total int64
	for _, p := range pieces {
		total += int64(len(p.data))
	}
	for _, p := range pieces {
		for at := 0; at < len(p.data); at += step {
			part := p.data[at:min(at+step, len(p.data))]
			if _, err := t.WriteAt(part, p.at+int64(at)); err != nil {
				return fmt.Errorf("write %s: %w", p.what, err)
			}
			if done += int64(len(part)); progress != nil {
				progress(done, total)
			}
		}
	}
	if err := t.Sync(); err != nil {
		return fmt.Errorf("have it on the disk: %w", err)
	}
	for _, p := range pieces {
		b := make([]byte, len(p.data))
		if _, err := t.ReadAt(b, p.at); err != nil {
			return fmt.Errorf("read %s back: %w", p.what, err)
		}
		if !bytes.Equal(b, p.data) {
			return fmt.Errorf("%s reads back other bytes than were written: the medium is broken, or keeps nothing", p.what)
		}
	}
	return nil
}
