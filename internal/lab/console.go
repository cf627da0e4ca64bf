package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Console is a machine's serial console: what it printed, without escape sequences.
type Console struct {
	start  time.Time
	onLine func(since time.Duration, line string)
	strip  stripper

	mu      sync.Mutex // guards everything below
	file    *os.File
	text    strings.Builder
	line    strings.Builder // the line that is being printed
	began   time.Duration   // when that line began
	changed chan struct{}   // closed and replaced whenever text grows or the machine ends
	ended   bool
	seen    int // bytes of text that Expect has matched past
}

// ErrEnded says that the machine was switched off, or switched itself off, before it printed
// what was expected.
var ErrEnded = errors.New("the machine ended")

// newConsole makes a console of so many columns (0: the terminal has no end) that logs to a file.
func newConsole(log string, width int, onLine func(time.Duration, string)) (*Console, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("serial log: %w", err)
	}
	return &Console{start: time.Now(), onLine: onLine, strip: stripper{width: width}, file: f, changed: make(chan struct{})}, nil
}

// Write takes what the machine sends; it implements io.Writer for the emulator's stdout.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clean := c.strip.text(p)
	c.text.WriteString(clean)
	for {
		head, rest, whole := strings.Cut(clean, "\n")
		if c.line.Len() == 0 && head != "" {
			c.began = time.Since(c.start)
		}
		c.line.WriteString(head)
		if !whole {
			break
		}
		c.flush()
		clean = rest
	}
	c.wake()
	return len(p), nil
}

// flush ends the current line. Lines of blanks, of which firmware prints many, are left out.
func (c *Console) flush() {
	line := strings.TrimRight(c.line.String(), " ")
	c.line.Reset()
	if line == "" {
		return
	}
	if c.file != nil {
		fmt.Fprintf(c.file, "%8.3f  %s\n", c.began.Seconds(), line)
	}
	if c.onLine != nil {
		c.onLine(c.began, line)
	}
}

func (c *Console) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// end notes that nothing more will come.
func (c *Console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	c.file.Close()
	c.file = nil
	c.ended = true
	c.wake()
}

// Text returns everything printed so far.
func (c *Console) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// Match is where an expected pattern was found.
type Match struct {
	Groups []string      // the whole match and its parenthesised parts
	At     time.Duration // after the machine was switched on
}

// Expect waits until the patterns have appeared in this order, after whatever an earlier Expect
// matched, and returns where the last one was.
func (c *Console) Expect(ctx context.Context, patterns ...*regexp.Regexp) (Match, error) {
	var m Match
	for _, re := range patterns {
		var err error
		if m, err = c.expect(ctx, re); err != nil {
			return Match{}, err
		}
	}
	return m, nil
}

func (c *Console) expect(ctx context.Context, re *regexp.Regexp) (Match, error) {
	for {
		c.mu.Lock()
		text, changed, ended := c.text.String()[c.seen:], c.changed, c.ended
		if at := re.FindStringSubmatchIndex(text); at != nil {
			c.seen += at[1]
			c.mu.Unlock()
			return Match{Groups: re.FindStringSubmatch(text), At: time.Since(c.start)}, nil
		}
		c.mu.Unlock()
		if ended {
			return Match{}, fmt.Errorf("serial console: waiting for %q: %w", re, ErrEnded)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Match{}, fmt.Errorf("serial console: waiting for %q: %w", re, ctx.Err())
		}
	}
}
