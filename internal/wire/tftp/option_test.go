package tftp

import (
	"testing"
	"time"
)

func TestNegotiate(t *testing.T) {
	opts := func(pairs ...string) (out []Option) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, Option{pairs[i], pairs[i+1]})
		}
		return out
	}
	cases := []struct {
		name    string
		asked   []Option
		profile Profile
		granted string
	}{
		{"none", nil, Profile{512, 1, 0}, ""},
		{"EDK2", opts("tsize", "0", "blksize", "1468", "windowsize", "4"), Profile{1468, 4, 0}, "tsize=9000 blksize=1468 windowsize=4"},
		{"order and spelling of the client", opts("BlkSize", "1432", "TSIZE", "0"), Profile{1432, 1, 0}, "BlkSize=1432 TSIZE=9000"},
		{"smallest", opts("blksize", "8", "windowsize", "1", "timeout", "1"), Profile{8, 1, time.Second}, "blksize=8 windowsize=1 timeout=1"},
		{"largest", opts("blksize", "65464", "timeout", "255"), Profile{65464, 1, 255 * time.Second}, "blksize=65464 timeout=255"},
		{"clamped down", opts("blksize", "65535", "windowsize", "65535"), Profile{65464, 64, 0}, "blksize=65464 windowsize=64"},
		{"never clamped up", opts("blksize", "7", "windowsize", "0", "timeout", "0"), Profile{512, 1, 0}, ""},
		{"not a number", opts("blksize", "-1", "windowsize", "abc", "timeout", "1.5", "tsize", ""), Profile{512, 1, 0}, ""},
		{"no sign, space or base", opts("blksize", "+1024", "blksize", " 1024", "blksize", "0x400"), Profile{512, 1, 0}, ""},
		{"beyond 64 bits", opts("blksize", "99999999999999999999"), Profile{512, 1, 0}, ""},
		{"timeout cannot be clamped", opts("timeout", "256"), Profile{512, 1, 0}, ""},
		{"first of a duplicate", opts("blksize", "1024", "BLKSIZE", "2048"), Profile{1024, 1, 0}, "blksize=1024"},
		{"a bad value does not shadow a good one", opts("blksize", "x", "blksize", "2048"), Profile{2048, 1, 0}, "blksize=2048"},
		{"unknown", opts("multicast", "", "rollover", "0", "msftwindow", "31416"), Profile{512, 1, 0}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, granted := Negotiate(c.asked, Limits{WindowSize: 64}, 9000)
			if p != c.profile || FormatOptions(granted) != c.granted {
				t.Errorf("got %+v, %q", p, FormatOptions(granted))
			}
		})
	}
	if _, granted := Negotiate(opts("tsize", "0"), Limits{}, -1); granted != nil {
		t.Errorf("a size that is not known was granted: %v", granted)
	}
}

func TestFormatOptionsIsPlainText(t *testing.T) {
	got := FormatOptions([]Option{{"tsize", "0"}, {"a b", "\x1b[31m"}})
	if got != `tsize=0 "a b"="\x1b[31m"` {
		t.Errorf("got %s", got)
	}
}
