package probe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// content looks at a file as it comes in, a piece at a time, and keeps none of it.
type content struct {
	hash  hash.Hash
	text  []byte
	tail  []byte // the end of what came before, one byte shorter than the text
	found bool
	size  int64
}

func newContent(o Options) *content {
	return &content{hash: sha256.New(), text: []byte(o.Contains), found: o.Contains == ""}
}

// Write takes the next piece; it never fails.
func (c *content) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	c.hash.Write(p)
	if !c.found {
		c.tail = append(c.tail, p...)
		c.found = bytes.Contains(c.tail, c.text)
		if keep := len(c.text) - 1; len(c.tail) > keep {
			c.tail = append(c.tail[:0], c.tail[len(c.tail)-keep:]...)
		}
	}
	return len(p), nil
}

func (c *content) sum() string { return hex.EncodeToString(c.hash.Sum(nil)) }

// check compares the whole file with what was expected. size < 0 means that the server did not say.
func (c *content) check(o Options, size int64) *Fault {
	switch {
	case size >= 0 && c.size != size:
		return &Fault{
			Step: StepContent, Code: ShortFile,
			Text: fmt.Sprintf("%d bytes came, the server had announced %d", c.size, size),
			Hint: []string{"was the file being replaced while it was read? publish it under another name and rename it"},
		}
	case c.size == 0:
		return &Fault{Step: StepContent, Code: ShortFile, Text: "the file is empty", Hint: []string{"an empty file boots nothing: publish it again"}}
	case o.SHA256 != "" && !strings.EqualFold(o.SHA256, c.sum()):
		return &Fault{
			Step: StepContent, Code: WrongHash,
			Text: fmt.Sprintf("wrong content: sha256 is %s, expected %s", c.sum(), strings.ToLower(o.SHA256)),
			Hint: []string{"another version of the file is on this server: compare its size and date with the right one"},
		}
	case !c.found:
		return &Fault{
			Step: StepContent, Code: TextMissing,
			Text: fmt.Sprintf("wrong content: the text %s is nowhere in its %d bytes", quote(o.Contains), c.size),
			Hint: []string{"another file has this name on this server"},
		}
	}
	return nil
}
