package dhcp4

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"surefoot/internal/boot"
)

var cmpAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// sample is a packet with every kind of field.
func sample() *Packet {
	p := &Packet{
		Op: OpReply, Hops: 2, XID: 0xd04fea58, Secs: 4, Flags: FlagBroadcast,
		CIAddr: netip.MustParseAddr("10.77.0.100"), SIAddr: netip.MustParseAddr("10.77.0.2"),
		GIAddr: netip.MustParseAddr("10.77.9.1"), SName: "10.77.0.2", File: "nbp.0",
	}
	p.SetMAC(boot.MAC{0x52, 0x54, 0, 0, 0, 1})
	p.SetType(Offer)
	p.SetAddr(ServerID, netip.MustParseAddr("10.77.0.2"))
	p.SetText(VendorClass, "PXEClient")
	p.SetBootFile("nbp.0")
	p.Set(RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1'})
	return p
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	b, err := want.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 300 {
		t.Errorf("%d bytes, want padding to 300", len(b))
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpAddr); d != "" {
		t.Errorf("decode(encode(x)) != x:\n%s", d)
	}
}

func TestEncodeOrder(t *testing.T) {
	p := &Packet{Op: OpReply}
	p.Set(RelayAgentInfo, []byte{1, 0})
	p.SetText(VendorClass, "PXEClient")
	p.SetType(ACK)
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte{53, 1, 5, 60, 9}, "PXEClient\x52\x02\x01\x00\xff"...)
	if got := b[optionsAt : optionsAt+len(want)]; !bytes.Equal(got, want) {
		t.Errorf("options on the wire\n got % x\nwant % x", got, want)
	}
}

func TestEncodeLimits(t *testing.T) {
	p := sample()
	p.Set(VendorSpecific, make([]byte, 600))
	if _, err := p.Encode(p.MaxSize() - 28); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a packet beyond 576 bytes: %v, want ErrTooLarge", err)
	}
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := q.Get(VendorSpecific); len(v) != 600 {
		t.Errorf("a value of 600 bytes came back with %d (RFC 3396)", len(v))
	}
	for name, change := range map[string]func(*Packet){
		"file":     func(p *Packet) { p.File = strings.Repeat("x", 128) },
		"sname":    func(p *Packet) { p.SName = strings.Repeat("x", 64) },
		"overload": func(p *Packet) { p.Set(Overload, []byte{1}) },
		"end":      func(p *Packet) { p.Set(End, nil) },
	} {
		p := sample()
		change(p)
		if _, err := p.Encode(0); err == nil {
			t.Errorf("%s: encoded what cannot be read back", name)
		}
	}
}

// raw builds a packet by hand: header, cookie, options.
func raw(options ...byte) []byte {
	b := make([]byte, headerLen)
	b[0], b[1], b[2] = 1, 1, 6
	b[28] = 0x52
	return append(append(b, magicCookie[:]...), options...)
}

func TestDecodeTolerates(t *testing.T) {
	overloaded := raw(53, 1, 1, 52, 1, 3, 60, 3, 'P', 'X', 'E', 255)
	copy(overloaded[fileAt:], []byte{60, 6, 'C', 'l', 'i', 'e', 'n', 't', 255})
	copy(overloaded[snameAt:], []byte{12, 2, 'p', 'c', 255})
	for name, c := range map[string]struct {
		in   []byte
		code Code
		want string
	}{
		"no end option":           {raw(53, 1, 1, 12, 2, 'p', 'c'), HostName, "pc"},
		"pads between options":    {raw(53, 1, 1, 0, 0, 0, 12, 2, 'p', 'c', 255), HostName, "pc"},
		"rubbish after the end":   {raw(53, 1, 1, 12, 2, 'p', 'c', 255, 77, 200), HostName, "pc"},
		"parts of one option":     {raw(12, 1, 'p', 53, 1, 1, 12, 1, 'c', 255), HostName, "pc"},
		"overload: sname":         {overloaded, HostName, "pc"},
		"overload joins by order": {overloaded, VendorClass, "PXEClient"},
		"nul at the end of text":  {raw(53, 1, 1, 12, 3, 'p', 'c', 0, 255), HostName, "pc"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Text(c.code); got != c.want || p.Type() != Discover {
				t.Errorf("%s = %q, %s; want %q, DISCOVER", c.code, got, p.Type(), c.want)
			}
			if p.File != "" || p.SName != "" {
				t.Errorf("file %q, sname %q of fields that are empty or overloaded", p.File, p.SName)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := raw(53, 1, 1, 255)
	long[2] = 17
	badFile := raw(52, 1, 1, 255)
	for i := range fileLen {
		badFile[fileAt+i] = 200
	}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"short":           {make([]byte, 235), "235 bytes"},
		"bootp":           {make([]byte, 300), "no dhcp magic cookie"},
		"bootp, short":    {make([]byte, 236), "no dhcp magic cookie"},
		"option cut":      {raw(53, 1, 1, 60, 9, 'P'), "vendor-class(60) says 9 bytes, 1 are left"},
		"no length":       {raw(53, 1, 1, 60), "vendor-class(60) has no length"},
		"hardware length": {long, "hardware address of 17 bytes"},
		"overloaded file": {badFile, "in the field file"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := Decode(make([]byte, 300)); !errors.Is(err, ErrNotDHCP) {
		t.Error("a BOOTP packet is not marked as such")
	}
}

func TestMAC(t *testing.T) {
	p := &Packet{}
	p.SetMAC(boot.MAC{0x52, 0x54, 0, 0, 0, 1})
	if m, ok := p.MAC(); !ok || m.String() != "52:54:00:00:00:01" {
		t.Errorf("MAC = %s, %v", m, ok)
	}
	for name, change := range map[string]func(*Packet){
		"infiniband": func(p *Packet) { p.HType, p.HLen = 32, 0 },
		"zero":       func(p *Packet) { p.CHAddr = [16]byte{} },
		"group":      func(p *Packet) { p.CHAddr[0] |= 1 },
	} {
		q := *p
		change(&q)
		if m, ok := q.MAC(); ok {
			t.Errorf("%s: MAC %s accepted", name, m)
		}
	}
}

// FuzzDecode: no panic; what was decoded can be written and comes back the same.
func FuzzDecode(f *testing.F) {
	b, _ := sample().Encode(0)
	f.Add(b)
	f.Add(raw(53, 1, 1, 12, 2, 'p', 'c'))
	f.Add(raw(52, 1, 3, 60, 3, 'P', 'X', 'E', 255))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Decode(in)
		if err != nil {
			return
		}
		_ = p.Summary(nil)
		p.MaxSize()
		if len(p.File) > MaxFile || len(p.SName) > MaxSName {
			return // a field without its NUL is read, never written
		}
		out, err := p.Encode(0)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		q, err := Decode(out)
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		p.Options = p.inOrder()
		if d := cmp.Diff(p, q, cmpAddr, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("changed on the way:\n%s", d)
		}
	})
}
