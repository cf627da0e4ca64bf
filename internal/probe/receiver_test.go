package probe

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/wire/tftp"
)

func data(block uint16, s string) []byte { return tftp.AppendData(nil, block, []byte(s)) }

func oack(pairs ...string) []byte {
	var o []tftp.Option
	for i := 0; i < len(pairs); i += 2 {
		o = append(o, tftp.Option{Name: pairs[i], Value: pairs[i+1]})
	}
	return tftp.AppendOACK(nil, o)
}

func asked(pairs ...string) []tftp.Option {
	p, _ := tftp.ParsePacket(oack(pairs...))
	return p.Options
}

// Each line of a conversation: what the server sends, and what the client answers to it.
func TestReceiver(t *testing.T) {
	type turn struct {
		in   []byte
		want string // "" for silence
	}
	w4 := asked("blksize", "8", "windowsize", "4")
	tests := []struct {
		name     string
		options  []tftp.Option
		sizeOnly bool
		turns    []turn
		content  string
		fault    Code
		faultHas string
	}{
		{name: "lock-step", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "8"), "ACK 0"},
			{data(1, "12345678"), "ACK 1"},
			{data(2, "9"), "ACK 2"},
		}, content: "123456789"},
		{name: "a multiple of the block size ends with an empty block", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "8"), "ACK 0"},
			{data(1, "12345678"), "ACK 1"},
			{data(2, ""), "ACK 2"},
		}, content: "12345678"},
		{name: "a server without options", options: w4, turns: []turn{{data(1, "short"), "ACK 1"}}, content: "short"},
		{name: "lost OACK comes again", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "8"), "ACK 0"},
			{oack("blksize", "8"), "ACK 0"},
			{data(1, "x"), "ACK 1"},
		}, content: "x"},
		{name: "a block twice", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "8"), "ACK 0"},
			{data(1, "12345678"), "ACK 1"},
			{data(1, "12345678"), "ACK 1"},
			{data(2, "x"), "ACK 2"},
		}, content: "12345678x"},
		{name: "an old block is not acknowledged", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "8"), "ACK 0"},
			{data(1, "12345678"), "ACK 1"},
			{data(2, "12345678"), "ACK 2"},
			{data(1, "12345678"), ""},
		}, content: "1234567812345678"},
		{name: "window", options: w4, turns: []turn{
			{oack("blksize", "8", "windowsize", "4"), "ACK 0"},
			{data(1, "aaaaaaaa"), ""},
			{data(2, "bbbbbbbb"), ""},
			{data(3, "cccccccc"), ""},
			{data(4, "dddddddd"), "ACK 4"},
			{data(5, "e"), "ACK 5"},
		}, content: "aaaaaaaabbbbbbbbccccccccdddddddde"},
		{name: "a gap in the window is named once", options: w4, turns: []turn{
			{oack("blksize", "8", "windowsize", "4"), "ACK 0"},
			{data(1, "aaaaaaaa"), ""},
			{data(3, "cccccccc"), "ACK 1"},
			{data(4, "dddddddd"), ""},
			{data(2, "bbbbbbbb"), ""},
			{data(3, "c"), "ACK 3"},
		}, content: "aaaaaaaabbbbbbbbc"},
		{name: "size probe", options: asked("tsize", "0"), sizeOnly: true, turns: []turn{
			{oack("tsize", "1234"), `ERROR option negotiation (8) "User aborted the transfer"`},
		}},
		{name: "size probe of a server without options", options: asked("tsize", "0"), sizeOnly: true, turns: []turn{
			{data(1, "x"), `ERROR option negotiation (8) "User aborted the transfer"`},
		}},
		{name: "blksize larger than asked", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "9"), `ERROR option negotiation (8) "blksize 9 is not between 8 and the 8 asked for"`},
		}, fault: BadAnswer, faultHas: "blksize=9"},
		{name: "an option that was not asked for", options: asked("blksize", "8"), turns: []turn{
			{oack("windowsize", "64"), `ERROR option negotiation (8) "\"windowsize\" was not asked for"`},
		}, fault: BadAnswer},
		{name: "a block too long", options: asked("blksize", "8"), turns: []turn{
			{oack("blksize", "8"), "ACK 0"},
			{data(1, "123456789"), `ERROR illegal operation (4) "block too long"`},
		}, fault: BadAnswer, faultHas: "9 bytes, 8 were agreed"},
		{name: "error", options: w4, turns: []turn{
			{tftp.AppendError(nil, 1, "nix\x1b[2J"), ""},
		}, fault: ServerError, faultHas: `ERROR file not found (1): "nix\x1b[2J"`},
		{name: "junk", options: w4, turns: []turn{{[]byte{0, 9, 1}, `ERROR illegal operation (4) "not a TFTP packet"`}}, fault: BadAnswer},
		{name: "an ACK to a reader", options: w4, turns: []turn{{tftp.AppendACK(nil, 0), `ERROR illegal operation (4) "unexpected ACK"`}}, fault: BadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			r := newReceiver("f", tt.options, tt.sizeOnly, &out)
			var fault *Fault
			for i, turn := range tt.turns {
				send, f := r.receive(turn.in)
				got := ""
				if send != nil {
					got = describe(send)
				}
				if got != turn.want {
					t.Errorf("turn %d: %s answered with %q, want %q", i, describe(turn.in), got, turn.want)
				}
				fault = f
			}
			switch {
			case tt.fault == "" && fault != nil:
				t.Errorf("fault %v", fault)
			case tt.fault != "" && (fault == nil || fault.Code != tt.fault || !strings.Contains(fault.Text, tt.faultHas)):
				t.Errorf("fault %v, want %s with %q", fault, tt.fault, tt.faultHas)
			}
			if out.String() != tt.content {
				t.Errorf("content %q, want %q", out.String(), tt.content)
			}
		})
	}
}

// Block numbers wrap to 0 after 65535 (a 94 MB file at 1456 bytes already needs that).
func TestReceiverWraps(t *testing.T) {
	var out bytes.Buffer
	r := newReceiver("f", asked("blksize", "8"), false, &out)
	if _, f := r.receive(oack("blksize", "8")); f != nil {
		t.Fatal(f)
	}
	const blocks = 70_000
	for i := 1; i <= blocks; i++ {
		s := fmt.Sprintf("%08d", i)
		if i == blocks {
			s = "end"
		}
		send, f := r.receive(data(uint16(i), s))
		if f != nil || describe(send) != fmt.Sprintf("ACK %d", uint16(i)) {
			t.Fatalf("block %d: %v, %v", i, describe(send), f)
		}
	}
	if !r.done || r.block != blocks || !strings.HasSuffix(out.String(), "00069999end") {
		t.Errorf("done %v after %d blocks", r.done, r.block)
	}
}

func FuzzReceiver(f *testing.F) {
	f.Add(oack("blksize", "8"), data(1, "12345678"), data(2, "x"))
	f.Add(tftp.AppendError(nil, 1, "x"), []byte{0}, []byte{})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		var out bytes.Buffer
		r := newReceiver("f", asked("blksize", "1468", "windowsize", "4", "tsize", "0"), false, &out)
		in := 0
		for _, p := range [][]byte{a, b, c} {
			if r.done {
				break
			}
			in += len(p)
			if _, fault := r.receive(p); fault != nil {
				break
			}
		}
		if out.Len() > in {
			t.Errorf("%d bytes out of %d", out.Len(), in)
		}
	})
}

func TestContent(t *testing.T) {
	f := func(o Options, size int64, want Code, pieces ...string) {
		t.Helper()
		c := newContent(o)
		for _, p := range pieces {
			_, _ = c.Write([]byte(p))
		}
		fault := c.check(o, size)
		if (fault == nil) != (want == "") || fault != nil && fault.Code != want {
			t.Errorf("%q with %+v: %v, want %q", pieces, o, fault, want)
		}
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	f(Options{}, -1, "", "abc")
	f(Options{SHA256: strings.ToUpper(abc)}, 3, "", "a", "bc")
	f(Options{SHA256: abc}, -1, WrongHash, "abd")
	f(Options{Contains: "Services boot"}, -1, "", "Provisioning Serv", "ices", " boot", "strap")
	f(Options{Contains: "Services boot"}, -1, TextMissing, "Provisioning Serv", "ices", "_boot")
	f(Options{Contains: "x"}, -1, "", "ab", "x")
	f(Options{Contains: "xyz"}, -1, TextMissing, "xy")
	f(Options{}, 4, ShortFile, "abc")
	f(Options{}, 0, ShortFile)
}

func TestTraceIsBounded(t *testing.T) {
	var tr trace
	for i := range 10_000 {
		tr.add(Packet{What: fmt.Sprint(i)})
	}
	got := tr.packets()
	if len(got) != traceHead+1+traceTail || got[0].What != "0" || got[len(got)-1].What != "9999" || got[traceHead].What != "... 9952 more packets ..." {
		t.Errorf("%d packets: %v", len(got), got)
	}
}

func TestParseTarget(t *testing.T) {
	f := func(in, out, file string) {
		t.Helper()
		got, err := ParseTarget(in)
		if err != nil || got.String() != out || got.File != file {
			t.Errorf("%s = %+v (%s), %v; want %s and file %q", in, got, got, err, out, file)
		}
	}
	f("tftp://10.0.0.5/ARDBP32.BIN", "tftp://10.0.0.5/ARDBP32.BIN", "ARDBP32.BIN")
	f("tftp://10.0.0.5:1069/efi/x.efi", "tftp://10.0.0.5:1069/efi/x.efi", "efi/x.efi")
	f("tftp://host//abs", "tftp://host/abs", "/abs")
	f("tftp://[fd00::1]/x;mode=octet", "tftp://[fd00::1]/x", "x")
	f("tftp://h/a%20b", "tftp://h/a%20b", "a b")
	f("http://h:8067/boot.ipxe?mac=1", "http://h:8067/boot.ipxe?mac=1", "/boot.ipxe?mac=1")
	for _, bad := range []string{"", "10.0.0.5", "tftp://", "tftp://h", "tftp://h/", "tftp:///x", "ftp://h/x", "tftp://h:0/x", "tftp://h:99999/x", "tftp://h/%00", "tftp://h/%zz"} {
		if got, err := ParseTarget(bad); err == nil {
			t.Errorf("%q was taken as %+v", bad, got)
		}
	}
}

func TestSummarize(t *testing.T) {
	ok := func(ms int) Result {
		return Result{Target: "t", Available: true, Response: time.Duration(ms) * time.Millisecond}
	}
	s := Summarize([]Result{ok(5), ok(1), {Target: "t", Fault: &Fault{Code: NoAnswer}}, ok(3)})
	if s.Count != 4 || s.Succeeded != 3 || s.Availability != 75 || s.Min != 1e6 || s.Median != 3e6 || s.Max != 5e6 || s.Faults[NoAnswer] != 1 {
		t.Errorf("%+v", s)
	}
	if s := Summarize([]Result{ok(1), ok(4)}); s.Median != 25e5 {
		t.Errorf("median of two: %v", s.Median)
	}
	if s := Summarize([]Result{{Fault: &Fault{Code: Refused}}}); s.Availability != 0 || s.Median != 0 {
		t.Errorf("%+v", s)
	}
}

// TestTraceOfRoom: what is noted is put in words later as it would have been at once, whatever the room
// was used for before.
func TestTraceOfRoom(t *testing.T) {
	request := tftp.AppendRequest(nil, tftp.Request{Op: tftp.OpRRQ, File: "f", Mode: "octet"})
	packets := [][]byte{request, {0, 6, 'a', 0, '1', 0}, {0, 4, 0, 0}, {0, 3, 1, 2, 'x'}, {0, 4, 1, 2}, {0, 5, 0, 1, 'n', 'o', 0}, {}, {7}, {0, 3, 1}}
	var room Room
	for n := range 3 * (traceHead + traceTail) { // of every length, one after the other
		room.trace.reset()
		if got := room.trace.packets(); got != nil {
			t.Fatalf("an empty trace has %v", got)
		}
		var want trace
		buf := make([]byte, 100)
		for i := range n {
			b := packets[(i*7+n)%len(packets)]
			at, peer := time.Duration(i), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 69)
			want.add(Packet{At: at, What: describe(b), Peer: peer.String()})
			room.trace.note(at, false, buf[:copy(buf, b)], peer) // the same memory each time, as a download has it
		}
		if got, want := room.trace.packets(), want.packets(); !slices.Equal(got, want) {
			t.Fatalf("%d packets:\n%v\nwant\n%v", n, got, want)
		}
	}
}
