package bdm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// isoView reads the ISO 9660 side of our images: the one folder and the boot catalogue.
type isoView struct {
	r       io.ReaderAt
	size    int64
	sectors int64 // as it says of itself
	files   map[string]span
	bios    int64 // where the program for BIOS begins; 0: none
	uefi    int64 // where the EFI system partition begins; 0: none
}

// span is a piece of an image.
type span struct{ at, size int64 }

var errNotISO = errors.New("no ISO 9660")

func readISO(r io.ReaderAt, size int64) (*isoView, error) {
	b := make([]byte, 3*isoSector)
	if size < 19*isoSector {
		return nil, errNotISO
	}
	if _, err := r.ReadAt(b, 16*isoSector); err != nil {
		return nil, fmt.Errorf("read the ISO: %w", err)
	}
	if string(b[:7]) != "\x01CD001\x01" {
		return nil, errNotISO
	}
	le := binary.LittleEndian
	v := &isoView{r: r, size: size, files: map[string]span{}, sectors: int64(le.Uint32(b[80:]))}
	if v.sectors*isoSector > size {
		return nil, fmt.Errorf("the ISO says it has %d bytes, and there are %d: the image was cut", v.sectors*isoSector, size)
	}
	dir := make([]byte, isoSector)
	if err := v.at(dir, int64(le.Uint32(b[156+2:])), "its folder"); err != nil {
		return nil, err
	}
	for len(dir) > 33 && dir[0] != 0 {
		n, name := int(dir[0]), int(dir[32])
		if n < 33+name || n > len(dir) {
			return nil, errors.New("the folder of the ISO is damaged")
		}
		if text, _, _ := strings.Cut(string(dir[33:33+name]), ";"); text != "\x00" && text != "\x01" && dir[25]&2 == 0 {
			s := span{int64(le.Uint32(dir[2:])) * isoSector, int64(le.Uint32(dir[10:]))}
			if s.at+s.size > size {
				return nil, fmt.Errorf("%s lies behind the end of the ISO: the image was cut, or is damaged", text)
			}
			v.files[text] = s
		}
		dir = dir[n:]
	}
	return v, v.catalogue(b[isoSector : 2*isoSector])
}

// at reads the sectors from the one with that number on.
func (v *isoView) at(b []byte, number int64, what string) error {
	if number*isoSector+int64(len(b)) > v.size {
		return fmt.Errorf("%s lies behind the end of the ISO", what)
	}
	if _, err := v.r.ReadAt(b, number*isoSector); err != nil {
		return fmt.Errorf("read %s of the ISO: %w", what, err)
	}
	return nil
}

// catalogue reads what can be started.
func (v *isoView) catalogue(record []byte) error {
	le := binary.LittleEndian
	if record[0] != 0 || !strings.HasPrefix(string(record[7:]), "EL TORITO SPECIFICATION") {
		return errors.New("the ISO has no boot record")
	}
	c := make([]byte, isoSector)
	if err := v.at(c, int64(le.Uint32(record[71:])), "the boot catalogue"); err != nil {
		return err
	}
	var sum uint16
	for i := 0; i < 32; i += 2 {
		sum += le.Uint16(c[i:])
	}
	if c[0] != 1 || sum != 0 || c[30] != 0x55 || c[31] != 0xaa {
		return errors.New("the boot catalogue of the ISO is damaged")
	}
	platform := c[1]
	for i := 32; i+32 <= 32*4; i += 32 {
		switch e := c[i : i+32]; {
		case e[0] == 0x91 || e[0] == 0x90:
			platform = e[1]
		case e[0] == 0x88 && platform == 0:
			v.bios = int64(le.Uint32(e[8:])) * isoSector
		case e[0] == 0x88 && platform == 0xef:
			v.uefi = int64(le.Uint32(e[8:])) * isoSector
		}
	}
	return nil
}
