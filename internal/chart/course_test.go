package chart

import (
	"bytes"
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// course has an hour by minutes: good, some bad, down, nothing, one slow download, drained.
func course() *Course {
	c := &Course{Title: "pvs1/a&b: the last hour", Text: "text <x>", Since: noon, Until: noon.Add(time.Hour), Drained: []Span{{noon.Add(50 * time.Minute), noon.Add(time.Hour)}}}
	for i := range 60 {
		at := noon.Add(time.Duration(i) * time.Minute)
		r := Runs{From: at, To: at.Add(time.Minute), All: 6, Good: 6, Least: 2 * time.Millisecond, Mean: 3 * time.Millisecond, Most: 5 * time.Millisecond}
		switch {
		case i >= 10 && i < 12:
			r.Good, r.Note = 5, "stalled"
		case i >= 20 && i < 25:
			r = Runs{From: at, To: r.To, All: 6, Note: "no-answer <&>"}
		case i >= 30 && i < 40:
			continue
		case i == 45:
			r.Most = 500 * time.Millisecond
		}
		c.Runs = append(c.Runs, r)
	}
	return c
}

// paths are the data of the paths of each class, and tips what is said when pointed at.
func parse(t *testing.T, svg string) (paths map[string]string, texts, tips []string) {
	t.Helper()
	var x struct {
		Title string `xml:"title"`
		Desc  string `xml:"desc"`
		Path  []struct {
			Class string `xml:"class,attr"`
			D     string `xml:"d,attr"`
			Fill  string `xml:"fill,attr"`
		} `xml:"path"`
		Text []string `xml:"text"`
		Rect []struct {
			Title string `xml:"title"`
		} `xml:"rect"`
	}
	if err := xml.Unmarshal([]byte(svg), &x); err != nil {
		t.Fatalf("no XML: %v\n%s", err, svg)
	}
	if x.Title == "" || x.Desc == "" {
		t.Error("neither title nor description")
	}
	paths = map[string]string{}
	for _, p := range x.Path {
		paths[p.Class] += p.D
		if f := strings.TrimSuffix(strings.TrimPrefix(p.Fill, "url(#"), ")"); p.Fill != "" && !strings.Contains(CoursePatterns, `id="`+f+`"`) {
			t.Errorf("the pattern %s is not there", p.Fill)
		}
	}
	for _, r := range x.Rect {
		tips = append(tips, r.Title)
	}
	return paths, x.Text, tips
}

// covers reports from where to where the pieces of a path reach, in minutes of the hour.
func covers(t *testing.T, data string) (out [][2]int) {
	t.Helper()
	minute := func(s string) int {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return int((x-courseLeft)/(courseW-courseLeft-courseRight)*60 + .5)
	}
	for _, piece := range strings.Split(data, "M")[1:] {
		from, to := 1<<30, -1
		for _, s := range strings.FieldsFunc(strings.NewReplacer("H", " H", "V", " V", "L", " L", "Z", "").Replace(piece), func(r rune) bool { return r == ' ' }) {
			switch {
			case s[0] == 'H', s[0] == 'L':
				s = s[1:]
			case s[0] == 'V' || from < 1<<30:
				continue // a height
			}
			from, to = min(from, minute(s)), max(to, minute(s))
		}
		out = append(out, [2]int{from, to})
	}
	return out
}

func TestCourse(t *testing.T) {
	got := course().SVG()
	file := filepath.Join("testdata", "course.svg")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal([]byte(got), want) {
		t.Errorf("%s is drawn otherwise (go test -update writes it, then look at it), %v", file, err)
	}
	paths, texts, all := parse(t, got)
	for class, want := range map[string][][2]int{
		"mean":    {{0, 20}, {25, 30}, {40, 60}}, // where nothing was good there is no response time
		"band":    {{0, 20}, {25, 30}, {40, 60}},
		"ok":      {{0, 20}, {25, 30}, {40, 60}},
		"bad":     {{10, 12}, {20, 25}},
		"down":    {{20, 25}},
		"none":    {{30, 40}, {30, 40}}, // in both parts
		"drained": {{50, 60}},
	} {
		have := covers(t, paths[class])
		if len(have) != len(want) {
			t.Errorf("%s covers %v, want %v: %s", class, have, want, paths[class])
			continue
		}
		for i := range want {
			if have[i] != want[i] {
				t.Errorf("%s covers %v, want %v", class, have, want)
			}
		}
	}
	words := strings.Join(texts, "|")
	for _, want := range []string{"100 %", "0 %", "8 ms|", "down", "no data", "drained", "12:10", "12:50", "▲ cut off, up to 500 ms"} {
		if !strings.Contains(words, want) {
			t.Errorf("nowhere %q: %s", want, words)
		}
	}
	if strings.Count(paths["cut"], "M") != 1 {
		t.Errorf("one was cut off: %q", paths["cut"])
	}
	for _, want := range []string{"Wed 25 Nov 12:00 to 12:01: 6 of 6 good, mean 3.00 ms (2.00 ms to 5.00 ms)", "Wed 25 Nov 12:20 to 12:21: 0 of 6 good; failed: no-answer <&>"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("nowhere %q", want)
		}
	}
}

// A picture of nothing is one, and of very many runs it says what is at some places only.
func TestCourseBounds(t *testing.T) {
	empty := &Course{Title: "x", Text: "y", Since: noon, Until: noon.Add(time.Hour)}
	paths, texts, _ := parse(t, empty.SVG())
	if have := covers(t, paths["none"]); len(have) != 2 || have[0] != [2]int{0, 60} || paths["mean"] != "" || !strings.Contains(strings.Join(texts, "|"), "no data") {
		t.Errorf("nothing is %v, %q", have, paths["mean"])
	}
	c := &Course{Title: "x", Text: "y", Since: noon, Until: noon.Add(24 * time.Hour)}
	for i := range 288 {
		at := noon.Add(time.Duration(i) * 5 * time.Minute)
		c.Runs = append(c.Runs, Runs{From: at, To: at.Add(5 * time.Minute), All: 30, Good: 30 - i%2, Least: time.Duration(i), Mean: time.Duration(i) * time.Microsecond, Most: time.Duration(2*i) * time.Microsecond})
	}
	svg := c.SVG()
	if _, _, tips := parse(t, svg); len(tips) != 96 || !strings.Contains(tips[0], "12:00 to 12:15: 89 of 90 good") {
		t.Errorf("%d tips: %q", len(tips), tips[0])
	}
	if len(svg) > 40<<10 {
		t.Errorf("%d bytes", len(svg))
	}
	one := &Course{Title: "x", Text: "y", Since: noon, Until: noon.Add(time.Hour), Runs: []Runs{{From: noon.Add(59 * time.Minute), To: noon.Add(61 * time.Minute), All: 1}}}
	if paths, _, _ := parse(t, one.SVG()); len(covers(t, paths["none"])) != 2 || covers(t, paths["bad"])[0] != [2]int{59, 60} {
		t.Errorf("the last minute: %v", paths)
	}
}

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		mean, most time.Duration
		unit       string
		top, step  float64
	}{
		{3 * time.Millisecond, 5 * time.Millisecond, "ms", 5, 1},
		{3 * time.Millisecond, time.Second, "ms", 8, 2},
		{40 * time.Microsecond, 50 * time.Microsecond, "ms", .1, .02},
		{time.Second, 1900 * time.Millisecond, "ms", 2000, 500},
		{2 * time.Second, 4 * time.Second, "s", 4, 1},
		{90 * time.Second, 90 * time.Second, "s", 100, 20},
	} {
		u, top, step := (&Course{Runs: []Runs{{All: 1, Good: 1, Mean: c.mean, Most: c.most}, {All: 1}}}).measure()
		if u.name != c.unit || math.Abs(top-c.top) > 1e-9 || math.Abs(step-c.step) > 1e-9 {
			t.Errorf("%s to %s: %v by %v %s, want %v by %v %s", c.mean, c.most, top, step, u.name, c.top, c.step, c.unit)
		}
	}
}

func TestTimeMarks(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	f := func(since time.Time, span time.Duration, want string) {
		t.Helper()
		var got []string
		for _, m := range timeMarks(since, since.Add(span)) {
			got = append(got, m.Format("2 15:04"))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s from %s: %s", span, since, strings.Join(got, ", "))
		}
	}
	f(noon.Add(3*time.Minute), time.Hour, "25 12:10, 25 12:20, 25 12:30, 25 12:40, 25 12:50, 25 13:00")
	f(noon, 24*time.Hour, "25 15:00, 25 18:00, 25 21:00, 26 00:00, 26 03:00, 26 06:00, 26 09:00")
	// In the night of 25 October 2026 an hour comes twice: the marks stay at round times.
	f(time.Date(2026, 10, 24, 20, 0, 0, 0, berlin), 12*time.Hour, "24 21:00, 25 00:00, 25 03:00, 25 06:00")
	f(time.Date(2026, 10, 20, 9, 0, 0, 0, berlin), 7*24*time.Hour, "21 00:00, 22 00:00, 23 00:00, 24 00:00, 25 00:00, 26 00:00, 27 00:00")
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{123456: "0.12 ms", 9990 * time.Microsecond: "9.99 ms", 12 * time.Millisecond: "12 ms", 1500 * time.Millisecond: "1.50 s"} {
		if got := Seconds(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
