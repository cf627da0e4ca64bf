package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestStripper(t *testing.T) {
	for _, c := range []struct {
		name   string
		width  int
		pieces []string
		want   string
	}{
		{"colours and carriage returns go", 0, []string{"\x1b[0;1miPXE\x1b[0m ok\r\n"}, "iPXE ok\n"},
		{"a sequence in two pieces", 0, []string{"a\x1b", "[2", "Jb"}, "ab"},
		{"a moved cursor breaks the line", 0, []string{"a\x1b[10;1Hb"}, "a\nb"},
		{"a reset terminal breaks the line", 0, []string{"Rebooting\x1bcSeaBIOS"}, "Rebooting\nSeaBIOS"},
		{"a cursor set at the start of a line does not", 0, []string{"a\n\x1b[10;1Hb"}, "a\nb"},
		{"an erased prompt ends its line", 0, []string{"Press Ctrl-B...\b \b\b \b", "\b \bnet0"}, "Press Ctrl-B...\nnet0"},
		{"a full row is joined", 4, []string{"abcd\r\nef\r\ngh"}, "abcdef\ngh"},
		{"not where the terminal has no end", 0, []string{"abcd\r\nef"}, "abcd\nef"},
		{"other control bytes and high bytes go", 0, []string{"a\x00\x07\xff\xb3b"}, "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stripper{width: c.width}
			var got strings.Builder
			for _, p := range c.pieces {
				got.WriteString(s.text([]byte(p)))
			}
			if got.String() != c.want {
				t.Errorf("got %q, want %q", got.String(), c.want)
			}
		})
	}
}

func FuzzStripper(f *testing.F) {
	f.Add([]byte("\x1b[0;1mx\b\b\r\ny\x1b"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if len(b) == 0 {
			return
		}
		cut = int(uint(cut) % uint(len(b)))
		whole, parts := stripper{width: 80}, stripper{width: 80}
		want := whole.text(b)
		if got := parts.text(b[:cut]) + parts.text(b[cut:]); got != want {
			t.Errorf("in two pieces %q, in one %q", got, want)
		}
		if strings.ContainsAny(want, "\x1b\r\b\x00") {
			t.Errorf("control bytes are left in %q", want)
		}
	})
}

func testConsole(t *testing.T, onLine func(time.Duration, string)) (*Console, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "serial.log")
	c, err := newConsole(log, 0, onLine)
	if err != nil {
		t.Fatal(err)
	}
	return c, log
}

func TestConsoleExpect(t *testing.T) {
	c, _ := testConsole(t, nil)
	defer c.end()
	say := func(s string) {
		if _, err := c.Write([]byte(s)); err != nil {
			t.Error(err)
		}
	}
	say("one two ")
	go say("three\nnode=n2 end")
	m, err := c.Expect(t.Context(), regexp.MustCompile("two"), regexp.MustCompile(`node=(\w+) `))
	if err != nil || m.Groups[1] != "n2" {
		t.Fatalf("got %v, %v", m, err)
	}
	// What was matched once is not matched again.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Expect(ctx, regexp.MustCompile("two")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a pattern before the last match: %v, want the deadline", err)
	}
}

func TestConsoleExpectAtTheEnd(t *testing.T) {
	c, _ := testConsole(t, nil)
	go c.end()
	if _, err := c.Expect(t.Context(), regexp.MustCompile("never")); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
}

func TestConsoleLines(t *testing.T) {
	var lines []string
	c, log := testConsole(t, func(_ time.Duration, line string) { lines = append(lines, line) })
	_, _ = c.Write([]byte("first  \n\n   \nsec"))
	_, _ = c.Write([]byte("ond\nlast, without an end"))
	c.end()
	want := "first|second|last, without an end"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("lines %q, want %q", got, want)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSpace(string(b)), "\n"); len(got) != 3 || !strings.HasSuffix(got[1], "  second") {
		t.Errorf("log %q", b)
	}
}
