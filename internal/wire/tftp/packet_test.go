package tftp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Requests as real firmware sent them (QEMU with OVMF 2022.11, iPXE and PXELINUX as clients).
var capturedRequests = []struct {
	name, hex string
	want      Request
}{
	{
		"EDK2, size probe", "00016e62702e656669006f63746574007473697a65003000626c6b73697a650031343638" +
			"0077696e646f7773697a65003400",
		Request{OpRRQ, "nbp.efi", "octet", []Option{{"tsize", "0"}, {"blksize", "1468"}, {"windowsize", "4"}}},
	},
	{
		"EDK2, download", "00016e62702e656669006f6374657400626c6b73697a65003134363800" +
			"77696e646f7773697a65003400",
		Request{OpRRQ, "nbp.efi", "octet", []Option{{"blksize", "1468"}, {"windowsize", "4"}}},
	},
	{
		"iPXE", "00017078656c696e75782e30006f6374657400626c6b73697a650031343332007473697a65003000",
		Request{OpRRQ, "pxelinux.0", "octet", []Option{{"blksize", "1432"}, {"tsize", "0"}}},
	},
	{
		"PXELINUX", "00016c646c696e75782e633332006f63746574007473697a65003000626c6b73697a65003134303800",
		Request{OpRRQ, "ldlinux.c32", "octet", []Option{{"tsize", "0"}, {"blksize", "1408"}}},
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseRequestAsCaptured(t *testing.T) {
	for _, c := range capturedRequests {
		t.Run(c.name, func(t *testing.T) {
			raw := unhex(t, c.hex)
			got, err := ParseRequest(raw)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if back := AppendRequest(nil, got); !bytes.Equal(back, raw) {
				t.Errorf("written again: %x", back)
			}
		})
	}
}

func TestParseRequest(t *testing.T) {
	rrq := func(s string) []byte { return []byte("\x00\x01" + s) }
	cases := []struct {
		name string
		in   []byte
		want Request
		err  error
	}{
		{"nothing", nil, Request{}, ErrMalformed},
		{"one byte", []byte{0}, Request{}, ErrMalformed},
		{"opcode only", rrq(""), Request{}, ErrMalformed},
		{"name without end", rrq("a"), Request{}, ErrMalformed},
		{"mode without end", rrq("a\x00octet"), Request{}, ErrMalformed},
		{"both bytes of the opcode count", []byte("\x01\x01a\x00octet\x00"), Request{}, ErrOpcode},
		{"an ACK", []byte{0, 4, 0, 0}, Request{}, ErrOpcode},
		{"empty name", rrq("\x00octet\x00"), Request{Op: OpRRQ, Mode: "octet"}, nil},
		{"WRQ", []byte("\x00\x02a\x00NetASCII\x00"), Request{Op: OpWRQ, File: "a", Mode: "NetASCII"}, nil},
		{"option without value", rrq("a\x00octet\x00tsize\x00"), Request{Op: OpRRQ, File: "a", Mode: "octet"}, nil},
		{
			"value without end", rrq("a\x00octet\x00tsize\x000\x00blksize\x0014"),
			Request{OpRRQ, "a", "octet", []Option{{"tsize", "0"}}},
			nil,
		},
		{
			"padding", rrq("a\x00octet\x00tsize\x000\x00\x00\x00\x00"),
			Request{OpRRQ, "a", "octet", []Option{{"tsize", "0"}}},
			nil,
		},
		{
			"empty value and duplicates stay", rrq("a\x00octet\x00X\x00\x00X\x001\x00"),
			Request{OpRRQ, "a", "octet", []Option{{"X", ""}, {"X", "1"}}},
			nil,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseRequest(c.in)
			if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
	if r := (Request{Mode: "OcTeT"}); !r.IsOctet() || r.IsNetascii() {
		t.Error("modes are case-insensitive")
	}
}

func TestParsePacket(t *testing.T) {
	cases := []struct {
		name string
		in   []byte
		want Packet
		err  error
	}{
		{"nothing", nil, Packet{}, ErrMalformed},
		{"short ACK", []byte{0, 4, 1}, Packet{}, ErrMalformed},
		{"short ERROR", []byte{0, 5, 0}, Packet{}, ErrMalformed},
		{"a request", []byte("\x00\x01a\x00octet\x00"), Packet{}, ErrOpcode},
		{"opcode 0x0104", []byte{1, 4, 0, 1}, Packet{}, ErrOpcode},
		{"ACK", []byte{0, 4, 0x12, 0x34}, Packet{Op: OpACK, Block: 0x1234}, nil},
		{"ACK of Windows, with its window", []byte{0, 4, 0, 9, 4}, Packet{Op: OpACK, Block: 9}, nil},
		{"empty DATA", []byte{0, 3, 0xff, 0xff}, Packet{Op: OpDATA, Block: 65535, Data: []byte{}}, nil},
		{"DATA", []byte{0, 3, 0, 1, 'x'}, Packet{Op: OpDATA, Block: 1, Data: []byte("x")}, nil},
		{
			"EDK2 ends its size probe", unhex(t, "0005000855736572206162"+"6f7274656420746865207472616e7366657200"),
			Packet{Op: OpERROR, Code: ErrNegotiation, Message: "User aborted the transfer"},
			nil,
		},
		{"ERROR without text", []byte{0, 5, 0, 3}, Packet{Op: OpERROR, Code: ErrDiskFull}, nil},
		{"ERROR without end", []byte{0, 5, 0, 0, 'n', 'o'}, Packet{Op: OpERROR, Message: "no"}, nil},
		{"empty OACK", []byte{0, 6}, Packet{Op: OpOACK}, nil},
		{
			"OACK", unhex(t, "0006626c6b73697a650031343638007473697a65003339303400"),
			Packet{Op: OpOACK, Options: []Option{{"blksize", "1468"}, {"tsize", "3904"}}},
			nil,
		},
		{"OACK cut short", []byte("\x00\x06tsize\x001"), Packet{}, ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParsePacket(c.in)
			if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}

func TestStringsEndAtNUL(t *testing.T) {
	if got := AppendError(nil, ErrNotFound, "no\x00more"); string(got) != "\x00\x05\x00\x01no\x00" {
		t.Errorf("got %q", got)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		OpOACK.String():           "OACK",
		Op(0x0101).String():       "opcode 257",
		ErrNotFound.String():      "file not found (1)",
		ErrorCode(99).String():    "error 99",
		ErrNegotiation.String():   "option negotiation (8)",
		ErrUnknownTID.String():    "unknown transfer ID (5)",
		Op(OpRRQ).String() + "/x": "RRQ/x",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, c := range capturedRequests {
		f.Add(unhex(f, c.hex))
	}
	f.Add([]byte("\x00\x02a\x00mail\x00tsize\x00\x00\x00"))
	f.Add([]byte("\x00\x01\x00\x00"))
	f.Add([]byte(strings.Repeat("\x00\x01", 40)))
	for _, options := range []string{ // out of their ranges, not numbers, twice, cut off
		"blksize\x000\x00", "blksize\x007\x00", "blksize\x0065465\x00", "blksize\x00-1\x00", "blksize\x00abc\x00", "blksize\x00\x00",
		"blksize\x0099999999999999999999\x00", "BLKSIZE\x001024\x00blksize\x00512\x00", "windowsize\x000\x00", "windowsize\x0065536\x00",
		"timeout\x000\x00", "timeout\x00256\x00", "timeout\x001.5\x00", "tsize\x00-1\x00", "tsize\x0018446744073709551616\x00",
		"blksize\x00 512\x00", "blksize\x000x200\x00", "blksize", "\x00\x00", "no-such\x00thing\x00", "tsize\x000\x00blksize\x001468\x00windowsize\x004\x00",
	} {
		f.Add([]byte("\x00\x01f\x00octet\x00" + options))
	}
	for _, name := range []string{"", strings.Repeat("x", 600), "\xff\xfe", "../../etc/passwd", "a\\b"} {
		f.Add([]byte("\x00\x01" + name + "\x00NetASCII\x00"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		again, err := ParseRequest(AppendRequest(nil, r))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
		p, granted := Negotiate(r.Options, Limits{WindowSize: 64}, 1000)
		if p.BlockSize < MinBlockSize || p.BlockSize > MaxBlockSize || p.WindowSize < 1 || p.WindowSize > 64 {
			t.Fatalf("%q granted %+v", FormatOptions(r.Options), p)
		}
		if len(granted) > 4 {
			t.Fatalf("granted %q", FormatOptions(granted))
		}
	})
}

func FuzzParsePacket(f *testing.F) {
	f.Add([]byte{0, 3, 0, 1, 'x'})
	f.Add([]byte{0, 4, 0, 9, 4})
	f.Add([]byte{0, 4, 0xff, 0xff})
	f.Add([]byte{0, 4, 0})
	f.Add([]byte{1, 4, 0, 1}) // an opcode is 16 bits
	f.Add([]byte("\x00\x05\x00\x63no end"))
	f.Add([]byte("\x00\x06blksize\x00-1\x00windowsize\x00"))
	f.Add([]byte("\x00\x05\x00\x08User aborted the transfer\x00"))
	f.Add([]byte("\x00\x06blksize\x001468\x00tsize\x003904\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		var out []byte
		switch p.Op {
		case OpDATA:
			out = AppendData(nil, p.Block, p.Data)
		case OpACK:
			out = AppendACK(nil, p.Block)
		case OpERROR:
			out = AppendError(nil, p.Code, p.Message)
		case OpOACK:
			out = AppendOACK(nil, p.Options)
		default:
			t.Fatalf("parsed a %s", p.Op)
		}
		again, err := ParsePacket(out)
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
	})
}
