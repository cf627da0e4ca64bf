package probe

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"surefoot/internal/wire/tftp"
)

// A server that says the same again and again has not heard us; one that falls silent has.
func TestSecondPort(t *testing.T) {
	for _, c := range []struct {
		name  string
		say   []byte
		as    Style
		times int
		want  Code
	}{
		{"the options, three times", oack("blksize", "1432"), IPXE, 3, SecondPort},
		{"the options, once", oack("blksize", "1432"), IPXE, 1, NoFirstBlock},
		{"block 1, three times", data(1, strings.Repeat("x", 512)), Plain, 3, SecondPort},
		{"block 1, once", data(1, strings.Repeat("x", 512)), Plain, 1, NoSecondBlock},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, "127.0.0.1")
			go func() {
				to, _ := f.request()
				for range c.times {
					f.send(to, c.say)
				}
			}()
			res := TFTP(t.Context(), f.target(), Options{As: c.as, Timeout: 500 * time.Millisecond})
			wantFault(t, c.name, res, c.want)
		})
	}
}

// What came, and came late, is available all the same; what came is looked at first.
func TestSlow(t *testing.T) {
	serve := func(f *fake) {
		to, _ := f.request()
		f.send(to, data(1, strings.Repeat("x", 512)))
		f.next()
		time.Sleep(60 * time.Millisecond)
		f.send(to, data(2, "end"))
	}
	f := newFake(t, "127.0.0.1")
	go serve(f)
	res := TFTP(t.Context(), f.target(), Options{As: Plain, Slow: 50 * time.Millisecond})
	wantFault(t, "slow", res, TooSlow, "515 bytes took 0.", "the longest pause is 0.", "after block 1,")
	if !res.Available || res.Availability != 100 || res.Response < 50*time.Millisecond {
		t.Errorf("%+v", res)
	}
	if s := Summarize([]Result{res}); s.Succeeded != 1 || s.Faults[TooSlow] != 1 {
		t.Errorf("summary %+v", s)
	}
	f = newFake(t, "127.0.0.1")
	go serve(f)
	wantFault(t, "slow and wrong", TFTP(t.Context(), f.target(), Options{As: Plain, Slow: time.Millisecond, Contains: "other"}), TextMissing)
	f = newFake(t, "127.0.0.1")
	go func() { // a block a while: not silent, and never at its end
		to, _ := f.request()
		for n := uint16(1); n < 1000; n++ {
			f.send(to, data(n, strings.Repeat("x", 512)))
			if f.next() != "ACK "+itoa(n) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	wantFault(t, "over its time", TFTP(t.Context(), f.target(), Options{As: Plain, MaxTime: 300 * time.Millisecond}), TooSlow, "then the time for one download was over")
}

func itoa(n uint16) string {
	return strings.TrimPrefix(describe(tftp.AppendACK(nil, n)), "ACK ")
}

func TestParseICMP(t *testing.T) {
	good := []byte{111, 0, 0, 0, 2, 3, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 10, 0, 0, 1}
	i, ok := parseICMP(good)
	if !ok || i.kind != 3 || i.code != 13 || i.from.String() != "10.0.0.1" {
		t.Errorf("%+v, %v", i, ok)
	}
	local := append([]byte{}, good...)
	local[4] = 1
	for _, b := range [][]byte{nil, good[:20], local} {
		if i, ok := parseICMP(b); ok {
			t.Errorf("% x is read as %+v", b, i)
		}
	}
}

func TestHTTPRange(t *testing.T) {
	content := strings.Repeat("0123456789", 20_001)
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	})
	mux.HandleFunc("/deaf", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	})
	mux.HandleFunc("/changed", func(w http.ResponseWriter, r *http.Request) {
		s := content
		if r.Header.Get("Range") != "" {
			s = content[:len(s)-1] + "x"
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(s))
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			r.Header.Set("Range", "bytes=7-")
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for path, want := range map[string]Code{"/good": "", "/deaf": NoRange, "/changed": WrongHash, "/elsewhere": BadAnswer} {
		target, err := ParseTarget(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res := HTTP(t.Context(), target, Options{Range: true})
		wantFault(t, path, res, want)
		if res.Size != int64(len(content)) {
			t.Errorf("%s: %d bytes", path, res.Size)
		}
	}
}

// docs/probe.md explains every code, and none that is not there.
func TestCodesAreExplained(t *testing.T) {
	doc, err := os.ReadFile("../../docs/probe.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## Causes\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	for _, c := range Codes() {
		if !strings.Contains(table, "\n| `"+string(c)+"` | ") {
			t.Errorf("docs/probe.md does not explain %s", c)
		}
	}
	if rows != len(Codes()) {
		t.Errorf("docs/probe.md explains %d causes, there are %d", rows, len(Codes()))
	}
}
