package storm

import (
	"bytes"
	"fmt"

	"surefoot/internal/probe"
)

// content takes what one download brings. The first download of a run is kept; all others are
// compared with it as they come in, byte for byte, which costs less than a hash and proves more.
type content struct {
	want []byte // nil: keep
	kept *bytes.Buffer
	at   int64 // bytes received
	bad  int64 // offset of the first block that differs, -1: none
}

func newContent(want []byte) *content {
	c := &content{want: want, bad: -1}
	if want == nil {
		c.kept = new(bytes.Buffer)
	}
	return c
}

// Write takes the next piece; it never fails.
func (c *content) Write(p []byte) (int, error) {
	switch end := c.at + int64(len(p)); {
	case c.kept != nil:
		if end <= MaxFileSize {
			c.kept.Write(p)
		}
	case c.bad < 0 && (end > int64(len(c.want)) || !bytes.Equal(c.want[c.at:end], p)):
		c.bad = c.at
	}
	c.at += int64(len(p))
	return len(p), nil
}

// reset makes it ready for the next download.
func (c *content) reset() { c.at, c.bad = 0, -1 }

// check judges the whole file; announced < 0 means that the server did not say its size.
func (c *content) check(announced int64) *probe.Fault {
	f := &probe.Fault{Step: probe.StepContent, Code: probe.ShortFile}
	switch {
	case announced >= 0 && c.at != announced:
		f.Text = fmt.Sprintf("%d bytes came, the server had announced %d", c.at, announced)
	case c.at == 0:
		f.Text = "the file is empty"
	case c.kept != nil && c.at > MaxFileSize:
		f.Code, f.Text = probe.LocalError, fmt.Sprintf("the file has %d bytes; at most %d can be compared", c.at, int64(MaxFileSize))
	case c.kept != nil:
		return nil
	case c.bad >= 0:
		f.Code, f.Text = probe.WrongHash, fmt.Sprintf("wrong content: differs from the first download in the block at byte %d", c.bad)
	case c.at != int64(len(c.want)):
		f.Text = fmt.Sprintf("%d bytes came, the first download had %d", c.at, len(c.want))
	default:
		return nil
	}
	return f
}
