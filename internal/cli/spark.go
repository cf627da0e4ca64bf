package cli

import (
	"math"
	"strings"
	"time"

	"surefoot/internal/watch"
)

// sparkWidth is how many results a line of them shows.
const sparkWidth = 40

// The levels of a sparkline, low to high, and the mark of a download that failed.
const (
	sparkUnicode = "▁▂▃▄▅▆▇█"
	sparkASCII   = "_.-~=+*#"
	sparkFailed  = "x"
)

// unicodeTerminal reports whether the locale says that more than ASCII can be shown (POSIX:
// LC_ALL before LC_CTYPE before LANG).
func unicodeTerminal(env *Env) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := env.Getenv(name); v != "" {
			v = strings.ToLower(strings.ReplaceAll(v, "-", ""))
			return strings.Contains(v, "utf8")
		}
	}
	return false
}

// spark draws response times on a logarithmic scale from the shortest to the longest, over a factor
// of two at least, so that noise stays flat. Failures are x.
func spark(samples []watch.Sample, pretty bool) string {
	levels := []rune(sparkASCII)
	if pretty {
		levels = []rune(sparkUnicode)
	}
	low, high := math.Inf(1), math.Inf(-1)
	size := func(d time.Duration) float64 { return math.Log2(float64(max(d, time.Microsecond))) }
	for _, s := range samples {
		if s.Good {
			low, high = min(low, size(s.Response)), max(high, size(s.Response))
		}
	}
	high = max(high, low+1)
	var b strings.Builder
	for _, s := range samples {
		if !s.Good {
			b.WriteString(sparkFailed)
			continue
		}
		i := int((size(s.Response) - low) / (high - low) * float64(len(levels)))
		b.WriteRune(levels[min(i, len(levels)-1)])
	}
	return b.String()
}
