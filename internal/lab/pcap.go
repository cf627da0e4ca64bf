package lab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
)

// pcapWriter writes the classic capture format with microseconds, link type Ethernet
// (draft-ietf-opsawg-pcap).
type pcapWriter struct {
	f   *os.File
	buf *bufio.Writer
	err error // the first
}

func newPcap(path string) (*pcapWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	w := &pcapWriter{f: f, buf: bufio.NewWriter(f)}
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	head = binary.LittleEndian.AppendUint16(head, 2) // version 2.4
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = append(head, make([]byte, 8)...)
	head = binary.LittleEndian.AppendUint32(head, maxFrame)
	head = binary.LittleEndian.AppendUint32(head, 1) // Ethernet
	_, w.err = w.buf.Write(head)
	return w, nil
}

func (w *pcapWriter) write(f Frame) {
	if w.err != nil {
		return
	}
	rec := binary.LittleEndian.AppendUint32(nil, uint32(f.At.Unix()))
	rec = binary.LittleEndian.AppendUint32(rec, uint32(f.At.Nanosecond()/1000))
	rec = binary.LittleEndian.AppendUint32(rec, uint32(len(f.Bytes)))
	rec = binary.LittleEndian.AppendUint32(rec, uint32(len(f.Bytes)))
	_, w.err = w.buf.Write(append(rec, f.Bytes...))
}

func (w *pcapWriter) close() error {
	if err := w.buf.Flush(); w.err == nil {
		w.err = err
	}
	if err := w.f.Close(); w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return fmt.Errorf("capture %s: %w", w.f.Name(), w.err)
	}
	return nil
}
