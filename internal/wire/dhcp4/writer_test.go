package dhcp4

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"surefoot/internal/boot"
)

// asked is a request with some options.
func asked(t testing.TB, options ...Option) *View {
	t.Helper()
	p := &Packet{Op: OpRequest, XID: 0xd04fea58, Secs: 77, Hops: 3, Flags: FlagBroadcast, GIAddr: netip.MustParseAddr("10.77.9.1")}
	p.SetMAC(boot.MAC{0x52, 0x54, 0, 0, 0, 1})
	p.SetType(Discover)
	for _, o := range options {
		p.Set(o.Code, o.Data)
	}
	return viewOf(t, p)
}

func viewOf(t testing.TB, p *Packet) *View {
	t.Helper()
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	v := new(View)
	if err := v.Parse(b); err != nil {
		t.Fatal(err)
	}
	return v
}

// wireOrder lists the codes in the options field, parts as often as they come.
func wireOrder(b []byte) (out []Code) {
	for i := optionsAt; i < len(b) && Code(b[i]) != End; {
		if Code(b[i]) == Pad {
			i++
			continue
		}
		out = append(out, Code(b[i]))
		i += 2 + int(b[i+1])
	}
	return out
}

func TestWriter(t *testing.T) {
	req := asked(t, Option{RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1'}})
	var w Writer
	w.Reset(req)
	w.YIAddr, w.SIAddr = netip.MustParseAddr("10.77.0.100"), netip.MustParseAddr("10.77.0.2")
	w.SName, w.File = "10.77.0.2", "nbp.0"
	w.PutAddr(SubnetMask, netip.MustParseAddr("255.255.0.0"))
	w.PutAddrs(Router, []netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.3")})
	w.PutUint32(LeaseTime, 1)
	w.PutText(HostName, "pc")
	w.PutUint16(InterfaceMTU, 1400)
	w.PutBootFile("nbp.0")
	w.PutUint32(LeaseTime, 3600) // replaces
	w.PutText(DomainName, "gone")
	w.Del(DomainName)
	w.PutType(Offer)
	before := []byte("before")
	b, err := w.Append(before)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, before) || len(b) != len(before)+minLen {
		t.Errorf("%d bytes, want %d behind what was there", len(b), minLen)
	}
	b = b[len(before):]
	if d := cmp.Diff([]Code{53, 1, 3, 12, 26, 67, 51, 82}, wireOrder(b)); d != "" {
		t.Errorf("order on the wire: %s", d)
	}
	want := &Packet{
		Op: OpReply, XID: 0xd04fea58, Flags: FlagBroadcast, GIAddr: netip.MustParseAddr("10.77.9.1"),
		YIAddr: netip.MustParseAddr("10.77.0.100"), SIAddr: netip.MustParseAddr("10.77.0.2"), SName: "10.77.0.2", File: "nbp.0",
	}
	want.SetMAC(boot.MAC{0x52, 0x54, 0, 0, 0, 1})
	want.SetType(Offer)
	want.Set(SubnetMask, []byte{255, 255, 0, 0})
	want.Set(Router, []byte{10, 77, 0, 1, 10, 77, 0, 3})
	want.SetText(HostName, "pc")
	want.Set(InterfaceMTU, []byte{5, 0x78})
	want.Set(BootFileName, []byte("nbp.0\x00"))
	want.Set(LeaseTime, []byte{0, 0, 14, 16})
	want.Set(RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1'})
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpAddr); d != "" {
		t.Error(d)
	}
	if !w.Has(Router) || w.Has(DomainName) {
		t.Error("Has does not know what the reply has")
	}
	// The next reply begins empty.
	w.Reset(asked(t))
	b, err = w.Append(nil)
	if err != nil || len(wireOrder(b)) != 0 || b[fileAt] != 0 || b[snameAt] != 0 || b[16] != 0 {
		t.Errorf("an empty reply has options %v, %v", wireOrder(b), err)
	}
}

func TestWriterRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *Writer)
		large  bool
	}{
		"file":      {func(w *Writer) { w.File = strings.Repeat("x", 128) }, false},
		"sname":     {func(w *Writer) { w.SName = strings.Repeat("x", 64) }, false},
		"overload":  {func(w *Writer) { w.Put(Overload, []byte{1}) }, false},
		"end":       {func(w *Writer) { w.Put(End, nil) }, false},
		"pad":       {func(w *Writer) { w.Put(Pad, nil) }, false},
		"no room":   {func(w *Writer) { w.Put(RelayAgentInfo, make([]byte, 400)) }, true},
		"tiny room": {func(w *Writer) { w.Limit = 243; w.PutType(Offer) }, true},
	} {
		var w Writer
		w.Reset(asked(t))
		c.change(&w)
		if b, err := w.Append([]byte("x")); err == nil || errors.Is(err, ErrTooLarge) != c.large || string(b) != "x" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestWriterLimit: what the client takes, never less than everybody has to, never more than an
// Ethernet carries.
func TestWriterLimit(t *testing.T) {
	for _, c := range []struct {
		asked, want int
	}{{0, 548}, {200, 548}, {576, 548}, {1260, 1232}, {1472, 1444}, {1500, 1472}, {9000, 1472}, {65535, 1472}} {
		var options []Option
		if c.asked > 0 {
			options = []Option{{MaxMessageSize, []byte{byte(c.asked >> 8), byte(c.asked)}}}
		}
		var w Writer
		w.Reset(asked(t, options...))
		if w.Limit != c.want {
			t.Errorf("option 57 = %d: %d, want %d", c.asked, w.Limit, c.want)
		}
	}
}

// TestWriterOverload: when the fields sname and file take options, and what is dropped when even that is
// too little.
func TestWriterOverload(t *testing.T) {
	pxe := Option{VendorClass, []byte("PXEClient:Arch:00007:UNDI:003001")}
	for name, c := range map[string]struct {
		request     []Option
		set         func(w *Writer)
		file, sname bool
		dropped     []Code
	}{
		"all fits":       {set: func(w *Writer) { w.Put(WPAD, make([]byte, 270)) }},
		"file":           {set: func(w *Writer) { w.Put(WPAD, make([]byte, 220)); w.Put(Message, make([]byte, 100)) }, file: true},
		"the last bytes": {set: func(w *Writer) { w.Put(WPAD, make([]byte, 250)); w.Put(Message, make([]byte, 124)) }, file: true},
		"both": {set: func(w *Writer) {
			w.Put(NTPServers, make([]byte, 240))
			w.Put(LogServer, make([]byte, 120))
			w.Put(TimeServer, make([]byte, 60))
		}, file: true, sname: true},
		"pxe without 67": {
			request: []Option{pxe},
			set:     func(w *Writer) { w.Put(NTPServers, make([]byte, 290)); w.Put(LogServer, make([]byte, 40)) }, sname: true,
		},
		"pxe with 67": {
			request: []Option{pxe},
			set: func(w *Writer) {
				w.File = "nbp.0"
				w.PutBootFile("nbp.0")
				w.Put(NTPServers, make([]byte, 250))
				w.Put(LogServer, make([]byte, 40))
			}, file: true,
		},
		"file in use": {
			set: func(w *Writer) {
				w.File = "nbp.0"
				w.Put(NTPServers, make([]byte, 290))
				w.Put(LogServer, make([]byte, 100))
			}, dropped: []Code{LogServer},
		},
		"sname in use": {
			set: func(w *Writer) {
				w.SName, w.File = "boot", "nbp.0"
				w.Put(NTPServers, make([]byte, 290))
				w.Put(LogServer, make([]byte, 40))
			}, dropped: []Code{LogServer},
		},
		"sname in 66": {
			set: func(w *Writer) {
				w.SName, w.File = "boot", "nbp.0"
				w.PutText(TFTPServerName, "boot")
				w.Put(NTPServers, make([]byte, 270))
				w.Put(LogServer, make([]byte, 40))
			}, sname: true,
		},
		"not wanted": {
			set: func(w *Writer) {
				w.NoOverload = true
				w.Put(NTPServers, make([]byte, 200))
				w.Put(LogServer, make([]byte, 100))
			}, dropped: []Code{LogServer},
		},
		"the less important go first": {
			set: func(w *Writer) {
				w.NoOverload = true
				w.Put(WPAD, make([]byte, 100))
				w.Put(DNSServer, make([]byte, 100))
				w.PutBootFile(strings.Repeat("n", 100))
				w.Put(Router, make([]byte, 80))
			}, dropped: []Code{WPAD},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w Writer
			w.Reset(asked(t, c.request...))
			w.PutType(Offer)
			w.PutAddr(ServerID, netip.MustParseAddr("10.0.0.1"))
			c.set(&w)
			b, err := w.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			file, sname := w.Overloaded()
			if file != c.file || sname != c.sname || !slices.Equal(w.Dropped(), c.dropped) {
				t.Errorf("file %v, sname %v, dropped %v; want %v, %v, %v", file, sname, w.Dropped(), c.file, c.sname, c.dropped)
			}
			complete(t, &w, b)
		})
	}
}

// wanted is what a writer was asked for.
func wanted(w *Writer) map[Code][]byte {
	out := map[Code][]byte{}
	for _, b := range [][]byte{w.first, w.middle, w.last} {
		for len(b) > 0 {
			n := 2 + int(b[1])
			out[Code(b[0])] = append(out[Code(b[0])], b[2:n]...)
			b = b[n:]
		}
	}
	return out
}

// complete checks a reply against what its writer was asked for.
func complete(t *testing.T, w *Writer, b []byte) *View {
	t.Helper()
	v := new(View)
	if err := v.Parse(b); err != nil {
		t.Fatalf("cannot read what was written: %v\n% x", err, b)
	}
	if len(b) < minLen || len(b) > max(w.Limit, minLen) {
		t.Fatalf("%d bytes, limit %d", len(b), w.Limit)
	}
	file, sname := w.Overloaded()
	for i, f := range [][]byte{b[fileAt : fileAt+fileLen], b[snameAt : snameAt+snameLen]} {
		text, over := []string{w.File, w.SName}[i], []bool{file, sname}[i]
		if f[len(f)-1] != 0 {
			t.Fatalf("a field without a NUL at its end: % x", f)
		}
		if !over && string(untilNUL(f)) != text {
			t.Fatalf("field %q, want %q", f, text)
		}
	}
	for c, value := range wanted(w) {
		got, ok := v.Get(c)
		if dropped := slices.Contains(w.Dropped(), c); dropped == ok {
			t.Fatalf("%s: there %v, dropped %v", c, ok, dropped)
		}
		if ok && !bytes.Equal(got, value) {
			t.Fatalf("%s = % x, want % x", c, got, value)
		}
	}
	v.Each(func(c Code, _ []byte) bool {
		if !w.Has(c) {
			t.Fatalf("%s was not asked for", c)
		}
		return true
	})
	for _, c := range w.Dropped() {
		if rank(c) == 0 {
			t.Fatalf("%s was dropped", c)
		}
	}
	order := wireOrder(b)
	if w.Has(MessageTypeOption) && order[0] != MessageTypeOption {
		t.Fatalf("order %v", order)
	}
	if w.Has(RelayAgentInfo) && order[len(order)-1] != RelayAgentInfo {
		t.Fatalf("order %v", order)
	}
	return v
}

// TestWriterOracle: replies of all kinds come back from this codec's reader, and, where nothing is in the
// fields, from an independent one that knows no overload.
func TestWriterOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	var w Writer
	overloaded, dropped := 0, 0
	for i := range 3000 {
		req := viewOf(t, random(rnd))
		w.Reset(req)
		if i%3 == 0 {
			w.Limit = 60000
		}
		w.YIAddr = addrOf([]byte{10, 1, 2, byte(1 + rnd.IntN(250))})
		if rnd.IntN(2) == 0 {
			w.File = "nbp.0"
		}
		for range rnd.IntN(14) {
			c := Code(1 + rnd.IntN(254))
			if c == Overload || c == RelayAgentInfo {
				continue
			}
			data := make([]byte, rnd.IntN([]int{8, 40, 300}[rnd.IntN(3)]))
			for i := range data {
				data[i] = byte(rnd.Uint32())
			}
			w.Put(c, data)
		}
		w.PutType(MessageType(1 + rnd.IntN(8)))
		b, err := w.Append(nil)
		if errors.Is(err, ErrTooLarge) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		v := complete(t, &w, b)
		if v.XID() != req.XID() || v.Flags() != req.Flags() || v.GIAddr() != req.GIAddr() || v.Secs() != 0 || v.Hops() != 0 ||
			v.Op() != OpReply || !bytes.Equal(v.CHAddr(), req.CHAddr()) || v.YIAddr() != w.YIAddr {
			t.Fatalf("header of the reply:\n%s\nto\n%s", v.Packet().Summary(nil), req.Packet().Summary(nil))
		}
		if file, sname := w.Overloaded(); file || sname {
			overloaded++
			continue
		}
		if len(w.Dropped()) > 0 {
			dropped++
		}
		theirs, err := dhcpv4.FromBytes(b)
		if err != nil {
			t.Fatalf("the other codec refuses what this one writes: %v", err)
		}
		same(t, v.Packet(), theirs)
	}
	if overloaded < 100 || dropped < 20 {
		t.Errorf("%d replies with overload, %d with options dropped: the test does not see much", overloaded, dropped)
	}
}

// TestWriterBOOTP: a BOOTP client gets a packet of BOOTP's size, without anything in the fields.
func TestWriterBOOTP(t *testing.T) {
	b := make([]byte, 300)
	b[0], b[1], b[2] = 1, 1, 6
	var v View
	if err := v.Parse(b); err != nil {
		t.Fatal(err)
	}
	var w Writer
	w.Reset(&v)
	w.File = "nbp.0"
	w.Put(Router, make([]byte, 40))
	w.Put(DNSServer, make([]byte, 40))
	out, err := w.Append(nil)
	if err != nil || len(out) != 300 || !slices.Equal(w.Dropped(), []Code{DNSServer}) {
		t.Errorf("%d bytes, dropped %v, %v", len(out), w.Dropped(), err)
	}
	if d := cmp.Diff([]Code{Router}, wireOrder(out)); d != "" {
		t.Error(d)
	}
}

// TestWriterLong: each way to put an option splits what is longer than one.
func TestWriterLong(t *testing.T) {
	var w Writer
	w.Reset(asked(t))
	w.Limit = 60000
	addrs := slices.Repeat([]netip.Addr{netip.MustParseAddr("10.1.2.3")}, 100)
	routes := slices.Repeat([]Route{{netip.MustParsePrefix("10.1.2.0/24"), addrs[0]}}, 40)
	w.PutAddrs(DNSServer, addrs)
	w.PutText(DomainName, strings.Repeat("d", 255))
	w.PutText(HostName, strings.Repeat("h", 256))
	w.PutBootFile(strings.Repeat("b", 255))
	w.Put(ClasslessRoutes, AppendRoutes(nil, routes))
	w.PutAddrs(Router, nil)
	b, err := w.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Code{6, 6, 15, 12, 12, 67, 67, 121, 121, 3}, wireOrder(b)); d != "" {
		t.Errorf("parts on the wire: %s", d)
	}
	v := complete(t, &w, b)
	if got, _ := v.Get(DNSServer); len(got) != 400 {
		t.Errorf("%d bytes of addresses", len(got))
	}
	got, _ := v.Get(ClasslessRoutes)
	if back, err := ParseRoutes(got); err != nil || !slices.Equal(back, routes) {
		t.Errorf("routes %v, %v", back, err)
	}
	if v.Asks(DNSServer) || string(v.Text(BootFileName)) != strings.Repeat("b", 255) {
		t.Errorf("boot file %q", v.Text(BootFileName))
	}
	w.Del(ClasslessRoutes)
	w.Del(DomainName)
	if b, err = w.Append(nil); err != nil || !slices.Equal(wireOrder(b), []Code{6, 6, 12, 12, 67, 67, 3}) {
		t.Errorf("after Del: %v, %v", wireOrder(b), err)
	}
}

// offer fills in what a machine gets that boots by UEFI.
func offer(w *Writer, req *View, servers []netip.Addr) {
	w.Reset(req)
	w.YIAddr, w.SIAddr = servers[0], servers[0]
	w.File, w.SName = "snponly.efi", "10.10.0.11"
	w.PutType(Offer)
	w.PutAddr(ServerID, servers[0])
	w.PutUint32(LeaseTime, 28800)
	w.PutUint32(RenewalTime, 14400)
	w.PutUint32(RebindingTime, 25200)
	w.PutAddr(SubnetMask, servers[1])
	w.PutAddrs(Router, servers[:1])
	w.PutAddrs(DNSServer, servers)
	w.PutText(DomainName, "example.net")
	w.PutText(TFTPServerName, "10.10.0.11")
	w.PutBootFile("snponly.efi")
	w.PutAddrs(TFTPServers, servers)
}

func TestWriterDoesNotAllocate(t *testing.T) {
	req := asked(t, Option{RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1'}})
	servers := []netip.Addr{netip.MustParseAddr("10.10.0.11"), netip.MustParseAddr("10.10.0.12")}
	buf := make([]byte, 0, 1500)
	var w Writer
	if n := testing.AllocsPerRun(100, func() {
		offer(&w, req, servers)
		if _, err := w.Append(buf); err != nil {
			t.Fatal(err)
		}
		w.Put(NTPServers, buf[:300]) // does not fit
		if _, err := w.Append(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOffer(b *testing.B) {
	req := asked(b, Option{RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1'}})
	servers := []netip.Addr{netip.MustParseAddr("10.10.0.11"), netip.MustParseAddr("10.10.0.12")}
	buf := make([]byte, 0, 1500)
	var w Writer
	b.ReportAllocs()
	for b.Loop() {
		offer(&w, req, servers)
		if _, err := w.Append(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzWriter: whatever is asked for comes back, or is told of as dropped. Options are read from the input:
// code, length (times eight for every second one), and the value repeats its code.
func FuzzWriter(f *testing.F) {
	f.Add([]byte{54, 4, 51, 4, 67, 30, 43, 200, 6, 16}, uint16(548), "nbp.0", true)
	f.Add([]byte{82, 60, 252, 40, 12, 3}, uint16(300), "", false)
	f.Fuzz(func(t *testing.T, options []byte, limit uint16, file string, pxe bool) {
		var request []Option
		if pxe {
			request = append(request, Option{VendorClass, []byte("PXEClient")})
		}
		var w Writer
		w.Reset(asked(t, request...))
		w.Limit, w.File = int(limit), untilNULText(file)
		w.PutType(ACK)
		for i := 0; i+1 < len(options) && i < 300; i += 2 {
			n := int(options[i+1])
			if i%4 == 2 {
				n *= 8
			}
			w.Put(Code(options[i]), bytes.Repeat(options[i:i+1], n))
		}
		if b, err := w.Append(nil); err == nil {
			complete(t, &w, b)
		}
	})
}

func untilNULText(s string) string { return string(untilNUL([]byte(s))) }
