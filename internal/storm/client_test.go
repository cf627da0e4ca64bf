package storm

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/probe"
	"surefoot/internal/wire/tftp"
)

// The addresses of conversations: S is the server's request port, T its transfer's, X another
// port, O another host.
var places = map[byte]netip.AddrPort{
	'S': netip.MustParseAddrPort("10.0.0.5:69"),
	'T': netip.MustParseAddrPort("10.0.0.5:40000"),
	'X': netip.MustParseAddrPort("10.0.0.5:40001"),
	'O': netip.MustParseAddrPort("10.0.0.6:40000"),
}

func place(a netip.AddrPort) string {
	for c, b := range places {
		if a == b {
			return string(c)
		}
	}
	return a.String()
}

// said writes what a step did: packets with their destination, and "reopen" for a new port.
func said(do []action) string {
	var out []string
	for _, a := range do {
		if a.reopen {
			out = append(out, "reopen")
		}
		if a.send == nil {
			continue
		}
		what := "?"
		if r, err := tftp.ParseRequest(a.send); err == nil {
			what = strings.TrimSpace("RRQ " + tftp.FormatOptions(r.Options))
		} else if p, err := tftp.ParsePacket(a.send); err == nil {
			what = fmt.Sprintf("%s %d", p.Op, uint16(p.Code)+p.Block)
		}
		out = append(out, what+" > "+place(a.to))
	}
	return strings.Join(out, ", ")
}

func dataPacket(block uint16, s string) []byte { return tftp.AppendData(nil, block, []byte(s)) }

func oackPacket(pairs ...string) []byte {
	var o []tftp.Option
	for i := 0; i < len(pairs); i += 2 {
		o = append(o, tftp.Option{Name: pairs[i], Value: pairs[i+1]})
	}
	return tftp.AppendOACK(nil, o)
}

func errorPacket(code tftp.ErrorCode) []byte { return tftp.AppendError(nil, code, "text") }

// turn is one step of a conversation: after so long, this happens.
type turn struct {
	after time.Duration
	from  byte // a place, 't' for a tick, 'R' for a closed port
	data  []byte
	want  string        // what the client does
	next  time.Duration // from now until it wants a tick; 0: not looked at
}

const ms = time.Millisecond

func TestClient(t *testing.T) {
	ask := "RRQ blksize=1432 tsize=0 > S"
	wait := func(ds ...time.Duration) (turns []turn) { // resent requests, then nothing
		for i, d := range ds {
			x := turn{after: d, from: 't', want: ask}
			if i == len(ds)-1 {
				x.want = ""
			}
			turns = append(turns, x)
		}
		return turns
	}
	small := Config{BlockSize: 8, Window: 4}
	tests := []struct {
		name  string
		as    probe.Style
		cfg   Config
		want  string // the file as the first download had it
		turns []turn
		code  probe.Code // "": a good download
		tally tally
		first time.Duration
		open  bool // the conversation is not at its end
	}{
		{
			name: "EDK2 asks for the size from a port of its own, aborts, and downloads", as: probe.EDK2, want: "content", turns: []turn{
				{want: "RRQ tsize=0 blksize=1468 windowsize=4 > S", next: 4 * time.Second},
				{after: ms, from: 'T', data: oackPacket("tsize", "7", "blksize", "1468"), want: "ERROR 8 > T, reopen, RRQ blksize=1468 windowsize=4 > S", next: 4 * time.Second},
				{after: ms, from: 'X', data: oackPacket("blksize", "1468"), want: "ACK 0 > X"},
				{after: ms, from: 'X', data: dataPacket(1, "content"), want: "ACK 1 > X"},
			}, first: 2 * ms,
		},
		{
			name: "a server without options", as: probe.EDK2, want: "content", turns: []turn{
				{want: "RRQ tsize=0 blksize=1468 windowsize=4 > S"},
				{after: ms, from: 'T', data: dataPacket(1, "content"), want: "ERROR 8 > T, reopen, RRQ blksize=1468 windowsize=4 > S"},
				{after: ms, from: 'X', data: dataPacket(1, "content"), want: "ACK 1 > X"},
			}, first: ms,
		},
		{
			name: "a window, and a gap in it", as: probe.Plain, cfg: small, want: "aaaaaaaabbbbbbbbccc", turns: []turn{
				{want: "RRQ blksize=8 windowsize=4 > S", next: time.Second},
				{after: ms, from: 'T', data: oackPacket("blksize", "8", "windowsize", "4"), want: "ACK 0 > T"},
				{after: ms, from: 'T', data: dataPacket(1, "aaaaaaaa")},
				{after: ms, from: 'T', data: dataPacket(3, "ccc"), want: "ACK 1 > T"},
				{after: ms, from: 'T', data: dataPacket(2, "bbbbbbbb")},
				{after: ms, from: 'T', data: dataPacket(3, "ccc"), want: "ACK 3 > T"},
			}, first: 2 * ms, tally: tally{duplicates: 1},
		},
		{
			name: "iPXE's patience: asks at 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s, gives up at 15.75", as: probe.IPXE,
			turns: append([]turn{{want: ask, next: 250 * ms}}, wait(250*ms, 500*ms, time.Second, 2*time.Second, 4*time.Second, 8*time.Second)...),
			code:  probe.NoAnswer, tally: tally{requests: 5, resent: 5},
		},
		{
			name: "a tick that comes early does nothing", as: probe.IPXE, turns: []turn{
				{want: ask}, {after: 249 * ms, from: 't', next: ms}, {after: ms, from: 't', want: ask, next: 500 * ms},
			}, tally: tally{requests: 1, resent: 1}, open: true,
		},
		{
			name: "silence in mid-transfer: the last ACK again, and patience anew after each block", as: probe.IPXE, cfg: Config{BlockSize: 8}, want: "aaaaaaaab", turns: []turn{
				{want: "RRQ blksize=8 tsize=0 > S"},
				{after: ms, from: 'T', data: oackPacket("blksize", "8", "tsize", "9"), want: "ACK 0 > T", next: 250 * ms},
				{after: 250 * ms, from: 't', want: "ACK 0 > T", next: 500 * ms},
				{after: 100 * ms, from: 'T', data: dataPacket(1, "aaaaaaaa"), want: "ACK 1 > T", next: 250 * ms},
				{after: 100 * ms, from: 'T', data: dataPacket(2, "b"), want: "ACK 2 > T"},
			}, first: 351 * ms, tally: tally{resent: 1},
		},
		{
			name: "a server that dies after the first block", as: probe.Plain, turns: append([]turn{
				{want: "RRQ > S"},
				{after: ms, from: 'T', data: dataPacket(1, strings.Repeat("x", 512)), want: "ACK 1 > T"},
			}, repeat(9, turn{after: time.Second, from: 't', want: "ACK 1 > T"}, turn{after: time.Second, from: 't'})...),
			code: probe.NoSecondBlock, first: ms, tally: tally{resent: 9},
		},
		{
			name: "an answer from another address", as: probe.PXELINUX, turns: []turn{
				{want: "RRQ tsize=0 blksize=1408 > S", next: 110 * ms},
				{after: ms, from: 'O', data: oackPacket("tsize", "7", "blksize", "1408")},
			}, open: true,
		},
		{
			name: "iPXE takes it", as: probe.IPXE, turns: []turn{
				{want: ask},
				{after: ms, from: 'O', data: oackPacket("tsize", "7", "blksize", "1408"), want: "ACK 0 > O"},
			}, open: true,
		},
		{
			name: "a foreign transfer ID is told so, its ERROR is not heard (RFC 1350 section 4)", as: probe.IPXE, turns: []turn{
				{want: ask},
				{after: ms, from: 'T', data: oackPacket("tsize", "7", "blksize", "1408"), want: "ACK 0 > T"},
				{after: ms, from: 'X', data: dataPacket(1, "content"), want: "ERROR 5 > X"},
				{after: ms, from: 'X', data: errorPacket(tftp.ErrUndefined)},
			}, open: true,
		},
		{
			name: "the end of somebody's earlier transfer is no answer", as: probe.IPXE, turns: []turn{
				{want: ask},
				{after: ms, from: 'X', data: dataPacket(45, "old")},
				{after: ms, from: 'T', data: oackPacket("tsize", "7", "blksize", "1408"), want: "ACK 0 > T"},
			}, open: true,
		},
		{
			name: "a repeated request is answered twice: the second answer gets ERROR 5 (RFC 1350 section 4)", as: probe.IPXE, want: "content", turns: []turn{
				{want: ask},
				{after: 250 * ms, from: 't', want: ask},
				{after: ms, from: 'T', data: oackPacket("tsize", "7", "blksize", "1408"), want: "ACK 0 > T"},
				{after: ms, from: 'X', data: oackPacket("tsize", "7", "blksize", "1408"), want: "ERROR 5 > X"},
				{after: ms, from: 'T', data: dataPacket(1, "content"), want: "ACK 1 > T"},
			}, first: 253 * ms, tally: tally{requests: 1, resent: 1},
		},
		{
			name: "DATA instead of an OACK (RFC 2347), and an OACK that is late, twice", as: probe.IPXE, want: strings.Repeat("x", 512) + "y", turns: []turn{
				{want: ask},
				{after: ms, from: 'T', data: dataPacket(1, strings.Repeat("x", 512)), want: "ACK 1 > T"},
				{after: ms, from: 'T', data: oackPacket("tsize", "7", "blksize", "1408")},
				{after: ms, from: 'T', data: oackPacket("tsize", "7", "blksize", "1408")},
				{after: ms, from: 'T', data: dataPacket(2, "y"), want: "ACK 2 > T"},
			}, first: ms, tally: tally{duplicates: 2},
		},
		{
			name: "an OACK out of range is refused with ERROR 8 (RFC 2348)", as: probe.IPXE, turns: []turn{
				{want: ask}, {after: ms, from: 'T', data: oackPacket("blksize", "1433"), want: "ERROR 8 > T"},
			}, code: probe.BadAnswer,
		},
		{
			name: "an option that was not asked for is refused with ERROR 8 (RFC 2347)", as: probe.IPXE, turns: []turn{
				{want: ask}, {after: ms, from: 'T', data: oackPacket("windowsize", "4"), want: "ERROR 8 > T"},
			}, code: probe.BadAnswer,
		},
		{
			name: "an ERROR in mid-transfer ends it and is not answered (RFC 1350 section 7)", as: probe.IPXE, cfg: Config{BlockSize: 8}, want: "aaaaaaaab", turns: []turn{
				{want: "RRQ blksize=8 tsize=0 > S"},
				{after: ms, from: 'T', data: oackPacket("blksize", "8", "tsize", "9"), want: "ACK 0 > T"},
				{after: ms, from: 'T', data: dataPacket(1, "aaaaaaaa"), want: "ACK 1 > T"},
				{after: ms, from: 'T', data: errorPacket(tftp.ErrUndefined)},
			}, first: 2 * ms, code: probe.ServerError,
		},
		{
			name: "an empty last block (RFC 1350 section 6); blocks of the past are not answered (RFC 1123 4.2.3.1)", as: probe.IPXE, cfg: Config{BlockSize: 8}, want: "aaaaaaaabbbbbbbb", turns: []turn{
				{want: "RRQ blksize=8 tsize=0 > S"},
				{after: ms, from: 'T', data: oackPacket("blksize", "8", "tsize", "16"), want: "ACK 0 > T"},
				{after: ms, from: 'T', data: dataPacket(1, "aaaaaaaa"), want: "ACK 1 > T"},
				{after: ms, from: 'T', data: dataPacket(2, "bbbbbbbb"), want: "ACK 2 > T"},
				{after: ms, from: 'T', data: dataPacket(1, "aaaaaaaa")},
				{after: ms, from: 'T', data: dataPacket(3, ""), want: "ACK 3 > T"},
			}, first: 2 * ms, tally: tally{duplicates: 1},
		},
		{
			name: "a server at its limit", as: probe.IPXE, turns: []turn{{want: ask}, {after: ms, from: 'T', data: errorPacket(tftp.ErrUndefined)}},
			code: probe.ServerError,
		},
		{
			name: "a closed port ends EDK2", as: probe.Plain, turns: []turn{{want: "RRQ > S"}, {after: ms, from: 'R'}}, code: probe.Refused,
		},
		{
			name: "iPXE does not hear of it", as: probe.IPXE, turns: []turn{{want: ask}, {after: ms, from: 'R', next: 249 * ms}}, open: true,
		},
		{
			name: "other content", as: probe.Plain, want: "content", turns: []turn{{want: "RRQ > S"}, {after: ms, from: 'T', data: dataPacket(1, "CONTENT"), want: "ACK 1 > T"}},
			first: ms, code: probe.WrongHash,
		},
		{
			name: "a shorter file", as: probe.Plain, want: "content", turns: []turn{{want: "RRQ > S"}, {after: ms, from: 'T', data: dataPacket(1, "con"), want: "ACK 1 > T"}},
			first: ms, code: probe.ShortFile,
		},
		{
			name: "a size that is not what came", as: probe.IPXE, want: "content", turns: []turn{
				{want: ask},
				{after: ms, from: 'T', data: oackPacket("tsize", "8", "blksize", "1432"), want: "ACK 0 > T"},
				{after: ms, from: 'T', data: dataPacket(1, "content"), want: "ACK 1 > T"},
			}, first: 2 * ms, code: probe.ShortFile,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg
			cfg.Server, cfg.File, cfg.As = places['S'], "f", []probe.Style{tt.as}
			c := &client{p: cfg.profiles()[0], content: newContent([]byte(tt.want))}
			now := time.Duration(0)
			for i, x := range tt.turns {
				now += x.after
				ev := event{kind: begin}
				switch {
				case i == 0:
				case x.from == 't':
					ev.kind = tick
				case x.from == 'R':
					ev = event{kind: refused, code: probe.Refused, text: "closed"}
				default:
					ev = event{kind: packet, data: x.data, from: places[x.from]}
				}
				do, next := c.Step(now, ev)
				if got := said(do); got != x.want {
					t.Fatalf("turn %d: did %q, want %q", i, got, x.want)
				}
				if x.next != 0 && next-now != x.next {
					t.Errorf("turn %d: next in %s, want %s", i, next-now, x.next)
				}
				if c.done != (i == len(tt.turns)-1 && !tt.open) {
					t.Fatalf("turn %d: done %v, fault %v", i, c.done, c.fault)
				}
			}
			var code probe.Code
			if c.fault != nil {
				code = c.fault.Code
			}
			if code != tt.code || c.tally != tt.tally || c.first != tt.first {
				t.Errorf("fault %v, tally %+v, first block %s; want %q, %+v, %s", c.fault, c.tally, c.first, tt.code, tt.tally, tt.first)
			}
		})
	}
}

func repeat(n int, x turn, last ...turn) (out []turn) {
	for range n {
		out = append(out, x)
	}
	return append(out, last...)
}

// Whatever a server sends, a client keeps to its patience and its ports.
func FuzzClient(f *testing.F) {
	f.Add([]byte("\x00\x06blksize\x001432\x00"), []byte("\x00\x03\x00\x01content"))
	f.Add([]byte("\x00\x03\x00\x01content"), []byte("\x00\x05\x00\x01no\x00"))
	f.Add([]byte{0}, []byte("\x00\x04\x00\x00"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, as := range probe.Styles() {
			cfg := Config{Server: places['S'], File: "f", As: []probe.Style{as}}
			c := &client{p: cfg.profiles()[0], content: newContent([]byte("content"))}
			_, next := c.Step(0, event{kind: begin})
			for n := 0; !c.done; n++ {
				now := next
				if n < 4 {
					now = next - ms
					_, next = c.Step(now, event{kind: packet, data: bytes.Clone([][]byte{a, b}[n%2]), from: places['T']})
				} else {
					_, next = c.Step(now, event{kind: tick})
				}
				if n > 200 {
					t.Fatalf("%s goes on and on: at %s", as, now)
				}
			}
			if c.ended > 3*time.Minute {
				t.Errorf("%s gives up after %s", as, c.ended)
			}
		}
	})
}
