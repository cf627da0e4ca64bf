package conform

import (
	"strconv"
	"time"
)

// modeChecks are about modes and what netascii does to line ends (RFC 1350 1, 5; RFC 764).
func modeChecks() []check {
	text := func(name string) func(*attempt) {
		return func(a *attempt) {
			want := netascii(texts[name])
			r := a.client().fetch(rrq(name, "netascii"), want, habits{})
			a.seen("%d bytes became %d, in %d blocks", len(texts[name]), len(want), r.blocks)
		}
	}
	return []check{
		{"mode-case", "RFC 1350 5", must, "OCTET and OcTeT are octet", func(a *attempt) {
			for _, mode := range []string{"OCTET", "OcTeT"} {
				a.client().fetch(rrq("f513", mode), content(513), habits{})
			}
		}},
		{"mode-octet", "RFC 1350 1", must, "octet leaves line ends alone", func(a *attempt) {
			a.client().fetch(rrq("crlf.txt", "octet"), []byte(texts["crlf.txt"]), habits{})
		}},
		{"mode-unknown", "RFC 1350 5", should, "an unknown mode is refused", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f513", "octets"))
			a.seen("%s", c.refused())
		}},
		{"mode-mail", "RFC 1350 1", should, "mail, which is obsolete, is refused", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f513", "mail"))
			a.seen("%s", c.refused())
		}},
		{"netascii-lf", "RFC 1350 1", must, "a line end becomes CR LF", text("lf.txt")},
		{"netascii-cr", "RFC 764", must, "a bare CR becomes CR NUL", text("cr.txt")},
		{"netascii-crlf", "RFC 764", should, "CR LF in the file becomes CR NUL CR LF", text("crlf.txt")},
		{"netascii-case", "RFC 1350 5", must, "NetASCII is netascii", func(a *attempt) {
			a.client().fetch(rrq("lf.txt", "NetASCII"), netascii(texts["lf.txt"]), habits{})
		}},
		{"netascii-cut", "RFC 1350 1", must, "CR LF may be parted by the end of a block", text("cut.txt")},
		{"netascii-cut-cr", "RFC 764", must, "CR NUL may be parted by the end of a block", text("cutcr.txt")},
		{"netascii-even", "RFC 1350 6", must, "a text that fills its blocks exactly ends with an empty DATA", text("even.txt")},
		{"netascii-long", "RFC 1350 1", must, "a long text arrives whole", text("menu.txt")},
		{"netascii-again", "RFC 1350 1", must, "a block that is sent again has the same bytes", func(a *attempt) {
			lose := func(n int64, time int) bool { return n%5 == 2 && time == 1 && n < 20 }
			h := habits{lose: lose, timer: 5 * time.Second}
			a.client().fetch(rrq("menu.txt", "netascii"), netascii(texts["menu.txt"]), h)
		}},
		{"netascii-window", "RFC 7440 4", must, "a lost window of netascii is resumed at the right byte", func(a *attempt) {
			lose := func(n int64, time int) bool { return n%7 == 3 && time == 1 }
			a.client().fetchWith("windowsize", rrq("menu.txt", "netascii", "windowsize", "5"), netascii(texts["menu.txt"]), habits{lose: lose})
		}},
		{"netascii-tsize", "RFC 2349", should, "tsize of a netascii transfer is not granted, or is what travels", func(a *attempt) {
			want := netascii(texts["menu.txt"])
			r := a.client().fetch(rrq("menu.txt", "netascii", "tsize", "0", "blksize", "512"), want, habits{})
			v, ok := r.oack.lookup("tsize")
			a.seen("tsize=%s, %d bytes travel", v, len(want))
			if ok && v != strconv.Itoa(len(want)) {
				a.failf("tsize=%s, but %d bytes travel", v, len(want))
			}
		}},
	}
}
