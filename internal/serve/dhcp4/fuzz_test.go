package dhcp4

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// FuzzDecide decides about anything: it never panics, what it answers can be read by an implementation of
// somebody else, is for the one who asked, and holds an address of the scope.
func FuzzDecide(f *testing.F) {
	for _, file := range captures(f) {
		for _, b := range serverPackets(f, file) {
			f.Add(b, uint8(0))
			f.Add(b, uint8(3))
		}
	}
	book := testBook(f, nil)
	cfg := testConfig()
	cfg.Scopes[0].BOOTP, cfg.Scopes[1].Broadcast = true, true
	p, err := newPlan(cfg)
	if err != nil {
		f.Fatal(err)
	}
	d := newDecider(p, book, nil, newGuard(Limits{}.orDefault()))
	at := now
	var v wire.View
	f.Fuzz(func(t *testing.T, b []byte, way uint8) {
		if v.Parse(b) != nil {
			return
		}
		at = at.Add(1e9)
		h := Heard{View: &v, Link: testLink(), From: netip.MustParseAddrPort("0.0.0.0:68"), To: netip.MustParseAddrPort("255.255.255.255:67")}
		if way&1 != 0 {
			h.From, h.To = netip.MustParseAddrPort("10.77.0.120:68"), netip.MustParseAddrPort("10.77.0.2:67")
		}
		o := d.Decide(at, h)
		if o.Grant.Keep {
			var err error
			if way&2 != 0 {
				err = errors.New("disk full")
			}
			book.Committed(o.Grant.Record, err)
		}
		if o.Ended.Addr.IsValid() {
			book.Committed(o.Ended, nil)
		}
		if o.Reason == "" {
			t.Fatal("no reason")
		}
		if o.Reply.Type == 0 && !o.Reply.BOOTP {
			return
		}
		out, err := d.Append(nil, h, &o)
		if err != nil {
			return // an option 82 or 61 that leaves no room; told as send-failed
		}
		if len(out) > max(300, v.MaxSize()-frame.Overhead) {
			t.Errorf("%d bytes for a client that takes %d", len(out), v.MaxSize())
		}
		if o.Reply.BOOTP {
			return
		}
		reply, err := dhcpv4.FromBytes(out)
		if err != nil {
			t.Fatal(err)
		}
		if [4]byte(reply.TransactionID) != [4]byte(b[4:8]) || reply.OpCode != dhcpv4.OpcodeBootReply {
			t.Errorf("%s", reply.Summary())
		}
		if yi, ok := netip.AddrFromSlice(reply.YourIPAddr.To4()); ok && !yi.IsUnspecified() && !o.scope.Subnet.Contains(yi) {
			t.Errorf("%s is not in %s", yi, o.scope.Subnet)
		}
		if reply.MessageType() == dhcpv4.MessageTypeNak && (o.Reason == boot.Answered || o.PXE) {
			t.Errorf("a NAK: %s, boot ROM %t", o.Reason, o.PXE)
		}
	})
}

// TestOverload: what does not fit goes into sname and file where nobody misses their text, and somebody
// else's implementation of option 52 reads all of it.
func TestOverload(t *testing.T) {
	long := make([]byte, 200)
	for i := range long {
		long[i] = byte(i)
	}
	k := newDesk(t, nil)
	var options []Option
	for _, c := range []wire.Code{200, 201} {
		options = append(options, Option{Code: c, Data: long[:100+int(c)%2], Always: true})
	}
	k.d.p.cfg.Rules = map[string]Rule{"uefi": {Options: options}}
	p := rom(clientMAC, boot.ArchX64, 1)
	p.Set(wire.RelayAgentInfo, append([]byte{2, 40}, long[:40]...))
	h, _ := heardOf(t, p)
	o := k.d.Decide(now, h)
	b, err := k.d.Append(nil, h, &o)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 548 {
		t.Errorf("%d bytes for a client that says nothing of its size", len(b))
	}
	if file, sname := k.d.writer.Overloaded(); !file && !sname {
		t.Fatalf("nothing is overloaded, dropped: %v", k.d.writer.Dropped())
	}
	again, err := wire.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		if got, _ := again.Get(o.Code); len(got) != len(o.Data) {
			t.Errorf("%s has %d bytes, want %d", o.Code, len(got), len(o.Data))
		}
	}
	if got := again.Text(wire.BootFileName); got != "efi/nbp.efi" {
		t.Errorf("option 67 is %q", got)
	}
}
