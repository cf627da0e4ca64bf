package probe

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"surefoot/internal/wire/tftp"
)

// at is what a server sends, and what a client that keeps to the clause answers ("": nothing).
type at struct {
	in   []byte
	want string
}

// TestClauses steps the receiver through what servers and networks do to a client, each with the
// clause that says what is right.
func TestClauses(t *testing.T) {
	a, b, c, d, e := "aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"
	const w4, bs8 = "blksize 8 windowsize 4", "blksize 8"
	agreed, lockstep := at{oack("blksize", "8", "windowsize", "4"), "ACK 0"}, at{oack("blksize", "8"), "ACK 0"}
	refused := func(why string) string { return fmt.Sprintf("ERROR option negotiation (8) %q", why) }
	tests := []struct {
		clause, name, asked string
		turns               []at
		content             string
		fault               Code
	}{
		{"RFC 1350 2", "a block that is left out is not taken", bs8, []at{lockstep, {data(1, a), "ACK 1"}, {data(3, c), ""}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 1350 2", "block 0 is no block", bs8, []at{lockstep, {data(0, a), "ACK 0"}, {data(1, "a"), "ACK 1"}}, "a", ""},
		{"RFC 1350 2", "a block that came twice is written once, and its ACK repeated", bs8, []at{lockstep, {data(1, a), "ACK 1"}, {data(1, a), "ACK 1"}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 1123 4.2.3.1", "a block of the past is not answered: no ACK that the server has", bs8, []at{
			lockstep, {data(1, a), "ACK 1"}, {data(2, b), "ACK 2"}, {data(1, a), ""}, {data(1, a), ""}, {data(3, "c"), "ACK 3"},
		}, a + b + "c", ""},
		{"RFC 1350 6", "an empty file", "", []at{{data(1, ""), "ACK 1"}}, "", ""},
		{"RFC 1350 6", "an empty last block", bs8, []at{lockstep, {data(1, a), "ACK 1"}, {data(2, ""), "ACK 2"}}, a, ""},
		{"RFC 1350 7", "an ERROR ends the transfer and is not answered", bs8, []at{lockstep, {data(1, a), "ACK 1"}, {tftp.AppendError(nil, 0, "x"), ""}}, a, ServerError},
		{"RFC 1350 7", "an ERROR without text or NUL", bs8, []at{lockstep, {[]byte{0, 5, 0, 0}, ""}}, "", ServerError},
		{"RFC 1350 5", "a stump of a packet", bs8, []at{lockstep, {[]byte{0, 3, 0}, `ERROR illegal operation (4) "not a TFTP packet"`}}, "", BadAnswer},

		{"RFC 2347", "DATA instead of an OACK: none of the options holds", w4, []at{{data(1, a), "ACK 1"}}, a, ""},
		{"RFC 2347", "an OACK after DATA is none", w4, []at{{data(1, strings.Repeat("x", 512)), "ACK 1"}, {oack("blksize", "8"), ""}, {data(2, "y"), "ACK 2"}}, strings.Repeat("x", 512) + "y", ""},
		{"RFC 2347", "an OACK that comes twice is acknowledged twice, and counts once", bs8, []at{lockstep, {oack("blksize", "8"), "ACK 0"}, {data(1, "a"), "ACK 1"}}, "a", ""},
		{"RFC 2347", "an OACK that comes late, twice, in mid-transfer", w4, []at{agreed, {data(1, a), ""}, {oack("blksize", "8", "windowsize", "4"), ""}, {oack("blksize", "8"), ""}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 2347", "options in another order and spelling", w4, []at{{oack("WindowSize", "4", "BLKSIZE", "8"), "ACK 0"}, {data(1, a), ""}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 2347", "fewer options than asked for", w4, []at{{oack("blksize", "8"), "ACK 0"}, {data(1, a), "ACK 1"}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 2347", "an option that was not asked for", bs8, []at{{oack("blksize", "8", "tsize", "9"), refused(`"tsize" was not asked for`)}}, "", BadAnswer},
		{"RFC 2348", "blksize 7", bs8, []at{{oack("blksize", "7"), refused("blksize 7 is not between 8 and the 8 asked for")}}, "", BadAnswer},
		{"RFC 2348", "blksize 0", bs8, []at{{oack("blksize", "0"), refused("blksize 0 is not between 8 and the 8 asked for")}}, "", BadAnswer},
		{"RFC 2348", "a larger blksize than asked for", bs8, []at{{oack("blksize", "9"), refused("blksize 9 is not between 8 and the 8 asked for")}}, "", BadAnswer},
		{"RFC 2348", "a blksize beyond all numbers", bs8, []at{{oack("blksize", "99999999999999999999"), refused(`blksize="99999999999999999999" is not a number`)}}, "", BadAnswer},
		{"RFC 2348", "a blksize that is no number", bs8, []at{{oack("blksize", "x"), refused(`blksize="x" is not a number`)}}, "", BadAnswer},
		{"RFC 2348", "a smaller blksize than asked for holds", "blksize 512", []at{lockstep, {data(1, a), "ACK 1"}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 2348", "a block longer than agreed", bs8, []at{lockstep, {data(1, a+"x"), `ERROR illegal operation (4) "block too long"`}}, "", BadAnswer},
		{"RFC 2349", "a negative size", "tsize 0", []at{{oack("tsize", "-1"), refused(`tsize="-1" is not a number`)}}, "", BadAnswer},
		{"RFC 2349", "another timeout than asked for", "timeout 2", []at{{oack("timeout", "3"), refused("timeout 3 is not the 2 asked for")}}, "", BadAnswer},
		{"RFC 7440 3", "windowsize 0", w4, []at{{oack("windowsize", "0"), refused("windowsize 0 is not between 1 and the 4 asked for")}}, "", BadAnswer},
		{"RFC 7440 3", "a larger windowsize than asked for", w4, []at{{oack("windowsize", "5"), refused("windowsize 5 is not between 1 and the 4 asked for")}}, "", BadAnswer},
		{"RFC 7440 3", "a smaller windowsize holds", w4, []at{{oack("blksize", "8", "windowsize", "2"), "ACK 0"}, {data(1, a), ""}, {data(2, b), "ACK 2"}, {data(3, "c"), "ACK 3"}}, a + b + "c", ""},

		{"RFC 7440 4", "a window is acknowledged as a whole, the last one may be shorter", w4, []at{
			agreed, {data(1, a), ""}, {data(2, b), ""}, {data(3, c), ""}, {data(4, d), "ACK 4"}, {data(5, "e"), "ACK 5"},
		}, a + b + c + d + "e", ""},
		{"RFC 7440 4", "the first block of a window was lost: the gap is told once", w4, []at{
			agreed, {data(2, b), "ACK 0"}, {data(3, c), ""}, {data(4, d), ""}, {data(1, a), ""}, {data(2, "b"), "ACK 2"},
		}, a + "b", ""},
		{"RFC 7440 4", "a block within a window was lost: the gap is told once, and a window begins after it", w4, []at{
			agreed, {data(1, a), ""}, {data(3, c), "ACK 1"}, {data(4, d), ""}, {data(2, b), ""}, {data(3, c), ""}, {data(4, d), ""}, {data(5, e), "ACK 5"}, {data(6, ""), "ACK 6"},
		}, a + b + c + d + e, ""},
		{"RFC 7440 4", "two gaps are two", w4, []at{
			agreed, {data(1, a), ""}, {data(3, c), "ACK 1"}, {data(2, b), ""}, {data(4, d), "ACK 2"}, {data(3, c), ""}, {data(4, "d"), "ACK 4"},
		}, a + b + c + "d", ""},
		{"RFC 7440 4", "blocks in another order are a gap", w4, []at{agreed, {data(2, b), "ACK 0"}, {data(1, a), ""}, {data(2, "b"), "ACK 2"}}, a + "b", ""},
		{"RFC 7440 4", "a window whose ACK was lost is acknowledged at its end, once", w4, []at{
			agreed,
			{data(1, a), ""},
			{data(2, b), ""},
			{data(3, c), ""},
			{data(4, d), "ACK 4"},
			{data(1, a), ""},
			{data(2, b), ""},
			{data(3, c), ""},
			{data(4, d), "ACK 4"},
			{data(5, "e"), "ACK 5"},
		}, a + b + c + d + "e", ""},
		{"RFC 7440 4", "so is one whose beginning the client counts otherwise", w4, []at{
			agreed, {data(1, a), ""}, {data(3, c), "ACK 1"}, {data(2, b), ""}, {data(3, c), ""}, {data(4, d), ""}, // 5 was never sent
			{data(2, b), ""}, {data(3, c), ""}, {data(4, d), "ACK 4"}, {data(5, "e"), "ACK 5"},
		}, a + b + c + d + "e", ""},
		{"RFC 1123 4.2.3.1", "one block of a window that comes twice is not answered", w4, []at{
			agreed, {data(1, a), ""}, {data(1, a), ""}, {data(2, b), ""}, {data(2, b), ""}, {data(3, "c"), "ACK 3"},
		}, a + b + "c", ""},
		{"RFC 7440 4", "the end of a window that was asked for again tells the gap before it", w4, []at{agreed, {data(1, a), ""}, {data(2, b), ""}, {data(4, d), "ACK 2"}, {data(3, c), ""}, {data(4, "d"), "ACK 4"}}, a + b + c + "d", ""},
	}
	for _, tt := range tests {
		t.Run(tt.clause+" "+tt.name, func(t *testing.T) {
			var out bytes.Buffer
			r := newReceiver("f", asked(strings.Fields(tt.asked)...), false, &out)
			var fault *Fault
			for i, turn := range tt.turns {
				if r.done || fault != nil {
					t.Fatalf("it is over before turn %d: %v", i, fault)
				}
				send, f := r.receive(turn.in)
				got := ""
				if send != nil {
					got = describe(send)
				}
				if fault = f; got != turn.want {
					t.Fatalf("turn %d, %s: answered %q, want %q", i, describe(turn.in), got, turn.want)
				}
			}
			var code Code
			if fault != nil {
				code = fault.Code
			}
			if code != tt.fault || out.String() != tt.content || r.done != (tt.fault == "") {
				t.Errorf("fault %v, done %v, content %q; want %q, %q", fault, r.done, out.String(), tt.fault, tt.content)
			}
		})
	}
}

// F27: in windows as well block 65535 is followed by 0, with duplicates and a gap at that place.
func TestWindowsWrap(t *testing.T) {
	var out bytes.Buffer
	r := newReceiver("f", asked("blksize", "8", "windowsize", "4"), false, &out)
	give := func(n int64, want string) {
		t.Helper()
		send, f := r.receive(data(uint16(n), fmt.Sprintf("%08d", n)))
		got := ""
		if send != nil {
			got = describe(send)
		}
		if f != nil || got != want {
			t.Fatalf("block %d: %q, %v, want %q", n, got, f, want)
		}
	}
	if _, f := r.receive(oack("blksize", "8", "windowsize", "4")); f != nil {
		t.Fatal(f)
	}
	for n := int64(1); n <= 65532; n++ {
		want := ""
		if n%4 == 0 {
			want = fmt.Sprintf("ACK %d", n)
		}
		give(n, want)
	}
	give(65533, "")
	give(65534, "")
	give(65536, "ACK 65534") // 65535 was lost
	give(65535, "")
	give(65535, "")
	give(65536, "")
	give(65538, "ACK 0") // 65537 was lost
	give(65537, "")
	give(65536, "")
	give(65538, "")
	give(65539, "")
	give(65540, "ACK 4")
	if r.block != 65540 || out.Len() != 65540*8 || !strings.HasSuffix(out.String(), "000655390006554"+"0") {
		t.Errorf("block %d, %d bytes", r.block, out.Len())
	}
}

// FuzzReceiverOrder gives a client right blocks in any order and number: what it writes is the
// beginning of the file, and it acknowledges what it has and nothing else.
func FuzzReceiverOrder(f *testing.F) {
	f.Add(uint8(4), []byte{1, 1, 1, 1, 1})
	f.Add(uint8(4), []byte{2, 1, 0, 3, 255, 254, 1, 1})
	f.Add(uint8(1), []byte{1, 0, 0, 1, 2, 1})
	f.Fuzz(func(t *testing.T, window uint8, script []byte) {
		w := fmt.Sprint(int(window)%64 + 1)
		var out bytes.Buffer
		r := newReceiver("f", asked("blksize", "8", "windowsize", w), false, &out)
		r.receive(oack("blksize", "8", "windowsize", w))
		for _, step := range script {
			n := r.block + int64(int8(step)) // around what it has
			if n < 0 {
				continue
			}
			send, f := r.receive(data(uint16(n), fmt.Sprintf("%08d", n)))
			if f != nil {
				t.Fatal(f)
			}
			if send != nil && describe(send) != fmt.Sprintf("ACK %d", uint16(r.block)) {
				t.Fatalf("block %d of a client that has %d: %s", n, r.block, describe(send))
			}
			if out.Len() != int(r.block)*8 || r.block > 0 && !strings.HasSuffix(out.String(), fmt.Sprintf("%08d", r.block)) {
				t.Fatalf("%d bytes after block %d", out.Len(), r.block)
			}
		}
	})
}
