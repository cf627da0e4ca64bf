package dhcp4

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParseValue(t *testing.T) {
	for _, c := range []struct {
		code       Code
		text, want string // want in hexadecimal
	}{
		{SubnetMask, "255.255.252.0", "fffffc00"},
		{TimeOffset, "-3600", "fffff1f0"},
		{Router, "10.0.0.1", "0a000001"},
		{DNSServer, "10.0.0.1, 10.0.0.2 10.0.0.3", "0a0000010a0000020a000003"},
		{InterfaceMTU, "1500", "05dc"},
		{NetBIOSNodeType, "8", "08"},
		{RenewalTime, "1800", "00000708"},
		{DomainName, " example.net ", "6578616d706c652e6e6574"},
		{BootFileName, "nbp.0", "6e62702e3000"},
		{VendorSpecific, "06:01:08", "060108"},
		{VendorSpecific, "hex: 0x060108", "060108"},
		{VendorSpecific, "text: PXE", "505845"},
		{ClasslessRoutes, "10.0.0.0/8 via 10.1.0.1, default via 10.1.0.2", "080a0a010001000a010002"},
		{MicrosoftRoutes, "192.168.3.128/25 via 0.0.0.0", "19c0a8038000000000"},
		{DomainSearch, "Lab.example.net, example.net.", "036c6162076578616d706c65036e657400c004"},
		{224, "addresses: 10.0.0.1", "0a000001"},
		{224, "uint8: 7", "07"},
		{224, "int32: -1", "ffffffff"},
		{224, "names: a.b", "0161016200"},
		{224, "routes: default via 10.0.0.1", "000a000001"},
		{WPAD, "http://wpad.example.net/wpad.dat", hex.EncodeToString([]byte("http://wpad.example.net/wpad.dat"))},
		{TCode, "Europe/Berlin", "4575726f70652f4265726c696e"},
	} {
		b, err := ParseValue(c.code, c.text)
		if got := hex.EncodeToString(b); err != nil || got != c.want {
			t.Errorf("%s %q = %s, %v; want %s", c.code, c.text, got, err, c.want)
		}
	}
}

// TestParseValueRefuses: what is wrong, and what to write instead.
func TestParseValueRefuses(t *testing.T) {
	for _, c := range []struct {
		code       Code
		text, want string
	}{
		{Router, "10.0.0.256", `router(3): "10.0.0.256" is not an IPv4 address, as in "10.0.0.1"`},
		{Router, "10.0.0.1/24", `router(3): "10.0.0.1/24" is a network: write an address, as in "10.0.0.1"`},
		{Router, "fe80::1", "router(3): fe80::1 is an IPv6 address, and the option holds IPv4 ones"},
		{Router, " ,", `router(3): no address: write one or several, as in "10.0.0.1, 10.0.0.2"`},
		{BroadcastAddress, "10.0.0.1, 10.0.0.2", `broadcast-address(28): "10.0.0.1, 10.0.0.2" is not an IPv4 address, as in "10.0.0.1"`},
		{SubnetMask, "/24", `subnet-mask(1): "/24" is a length: write the mask "255.255.255.0"`},
		{SubnetMask, "0", `subnet-mask(1): "0" is a length: write the mask "0.0.0.0"`},
		{SubnetMask, "255.0.255.0", "subnet-mask(1): 255.0.255.0 is not a mask: its ones have gaps"},
		{SubnetMask, "large", `subnet-mask(1): "large" is not a mask, as in "255.255.255.0"`},
		{LeaseTime, "8h", `lease-time(51): "8h" is not a number: for a time write its seconds, 28800`},
		{InterfaceMTU, "70000", "mtu(26): 70000 is too large: write a number from 0 to 65535"},
		{InterfaceMTU, "-1", `mtu(26): "-1" is not a number from 0 to 65535`},
		{TimeOffset, "1h", `time-offset(2): "1h" is not a number of at most 32 bits, as in -3600`},
		{DomainName, "", "domain-name(15): an empty text: leave the option out"},
		{HostName, "a\tb", `host-name(12): "a\tb" has characters that cannot be printed: write the bytes, as in "hex: 61 09 62"`},
		{VendorSpecific, "060", `vendor-specific(43): "060" is not hexadecimal: write two digits for each byte, as in "06 01 08", or "text: …" for text`},
		{VendorSpecific, "", `vendor-specific(43): "" is not hexadecimal: write two digits for each byte, as in "06 01 08", or "text: …" for text`},
		{ClasslessRoutes, "10.0.0.0/8 10.1.0.1", `classless-routes(121): "10.0.0.0/8 10.1.0.1" is not a route: write routes as in "10.0.0.0/8 via 10.1.0.1, default via 10.1.0.2"`},
		{ClasslessRoutes, "10.0.0.1/8 via 10.1.0.1", "classless-routes(121): 10.0.0.1/8 has bits beyond its length: write 10.0.0.0/8"},
		{ClasslessRoutes, "10 via 10.1.0.1", `classless-routes(121): "10" is not an IPv4 network: write routes as in "10.0.0.0/8 via 10.1.0.1, default via 10.1.0.2"`},
		{ClasslessRoutes, "10.0.0.0/8 via gw", `classless-routes(121): "gw" is not an IPv4 address, as in "10.0.0.1"`},
		{DomainSearch, "a..b", `domain-search(119): "a..b" is not a domain name`},
		{DomainSearch, "", `domain-search(119): no name: write one or several, as in "example.net, lab.example.net"`},
		{StaticRoutes, "10.0.0.1", `static-routes(33): an odd number of addresses: write a destination and a router each time, or use classless-routes`},
		{224, "10.0.0.1", `option(224): it is not known here what its value looks like: write its form before it, as in "text: 10.0.0.1" or "hex: 0a 0b" (text, hex, addresses, uint8, uint16, uint32, int32, routes, names)`},
		{MessageTypeOption, "1", "message-type(53) is the server's own to set: leave it out"},
		{RelayAgentInfo, "01", "relay-agent-info(82) is the server's own to set: leave it out"},
	} {
		if b, err := ParseValue(c.code, c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s %q = % x\n got %v\nwant %s", c.code, c.text, b, err, c.want)
		}
	}
}

func TestParseCode(t *testing.T) {
	for text, want := range map[string]Code{"router": Router, "3": Router, "MTU": InterfaceMTU, "254": 254, "classless-routes": ClasslessRoutes} {
		if c, err := ParseCode(text); err != nil || c != want {
			t.Errorf("%q = %s, %v", text, c, err)
		}
	}
	for _, text := range []string{"0", "255", "256", "-1", "", "pad", "end", "option", "no-such"} {
		if c, err := ParseCode(text); err == nil {
			t.Errorf("%q = %s", text, c)
		}
	}
	names := map[string]Code{}
	for c := Pad; ; c++ {
		if name, _, ok := c.describe(); ok {
			if other, twice := names[name]; twice {
				t.Errorf("%s and %s have one name", c, other)
			}
			names[name] = c
		}
		if c == End {
			break
		}
	}
}

// TestValuesReadBack: what people write is what they are shown.
func TestValuesReadBack(t *testing.T) {
	for code, text := range map[Code]string{
		SubnetMask: "255.255.252.0", TimeOffset: "-3600", Router: "10.0.0.1", InterfaceMTU: "1500", LeaseTime: "4294967295",
		ClasslessRoutes: "10.0.0.0/8 via 10.1.0.1, 10.2.3.4/32 via 10.1.0.3, default via 10.1.0.2",
		DomainSearch:    "lab.example.net example.net net", VendorSpecific: "06 01 08",
	} {
		b, err := ParseValue(code, text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := (Option{code, b}).Text(); got != text {
			t.Errorf("%s: %q is shown as %q", code, text, got)
		}
	}
}

func TestRoutes(t *testing.T) {
	// The example of RFC 3442.
	b, _ := hex.DecodeString("180a00000a0000010a0a00")
	if _, err := ParseRoutes(b); err == nil {
		t.Error("a route that is cut short is read")
	}
	if _, err := ParseRoutes([]byte{33, 1, 2, 3, 4, 5, 1, 1, 1, 1}); err == nil {
		t.Error("a prefix of 33 bits is read")
	}
	// Bits beyond the prefix do not count.
	got, err := ParseRoutes([]byte{9, 10, 0xff, 10, 0, 0, 1})
	want := []Route{{netip.MustParsePrefix("10.128.0.0/9"), netip.MustParseAddr("10.0.0.1")}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for bits := range 33 {
		r := Route{netip.PrefixFrom(netip.MustParseAddr("172.31.213.171"), bits).Masked(), netip.MustParseAddr("10.0.0.1")}
		b := AppendRoutes([]byte("x"), []Route{r, r})
		if back, err := ParseRoutes(b[1:]); err != nil || !slices.Equal(back, []Route{r, r}) || len(b) != 1+2*(5+(bits+7)/8) {
			t.Errorf("%s came back as %v, %v", r, back, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, in := range [][]byte{{1}, {0xc0}, {0xc0, 0}, {1, 'a', 0xc0, 2}, {0x80, 1}, {3, 'a', 'b'}} {
		if names, err := parseNames(in); err == nil {
			t.Errorf("% x is read as %q", in, names)
		}
	}
	// RFC 3397 section 2 gives eng.apple.com and marketing.apple.com.
	b, err := appendNames(nil, []string{"eng.apple.com", "marketing.apple.com"})
	if want := "\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04"; err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
	if _, err := appendNames(nil, []string{strings.Repeat("a.", 130) + "a"}); err == nil {
		t.Error("a name of 261 bytes is written")
	}
	if _, err := appendNames(nil, []string{strings.Repeat("a", 64)}); err == nil {
		t.Error("a label of 64 bytes is written")
	}
}

func TestAgent(t *testing.T) {
	a := Agent{1, 4, 'e', 't', 'h', '1', 5, 4, 10, 9, 0, 0, 10, 1, 0x80, 11, 4, 10, 9, 0, 1, 19, 0, 2, 2, 0, 7}
	if a.Addr(AgentLink) != netip.MustParseAddr("10.9.0.0") || a.Addr(AgentServerID) != netip.MustParseAddr("10.9.0.1") {
		t.Errorf("link %s, server %s", a.Addr(AgentLink), a.Addr(AgentServerID))
	}
	if u, ok := a.Unicast(); !u || !ok || !a.Has(AgentRelayPort) || a.Has(AgentCode(3)) {
		t.Error("flags or the relay's port are not seen")
	}
	if remote, ok := a.Get(AgentRemote); !ok || !bytes.Equal(remote, []byte{0, 7}) {
		t.Errorf("remote % x", remote)
	}
	want := `circuit "eth1", link 10.9.0.0, flags 80, server-id 10.9.0.1, relay-port, remote 00 07`
	if got := (Option{RelayAgentInfo, a}).Text(); got != want {
		t.Errorf("shown as %s", got)
	}
	cut := Agent{1, 4, 'e', 't', 'h', '1', 2, 9, 1}
	if _, ok := cut.Get(AgentRemote); ok || !cut.Has(AgentCircuit) {
		t.Error("of what is cut short, the part before is read, and no more")
	}
	if got := (Option{RelayAgentInfo, cut}).Text(); got != "01 04 65 74 68 31 02 09 01" {
		t.Errorf("shown as %s", got)
	}
	if _, ok := Agent(nil).Unicast(); ok {
		t.Error("a relay that says nothing says something")
	}
}

// FuzzValues: nothing that comes from the network makes the readers of values fail badly; names and
// routes that are read can be written, and come back the same.
func FuzzValues(f *testing.F) {
	f.Add([]byte{3, 'e', 'n', 'g', 5, 'a', 'p', 'p', 'l', 'e', 0, 0xc0, 4})
	f.Add([]byte{8, 10, 10, 0, 0, 1, 0, 10, 0, 0, 2})
	f.Add([]byte{1, 4, 'e', 't', 'h', '1', 5, 4, 10, 9, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1500 {
			return
		}
		for c := Pad; c < End; c++ {
			if _, _, ok := c.describe(); ok {
				_ = Option{c, b}.Text()
			}
		}
		if routes, err := ParseRoutes(b); err == nil {
			if back, err := ParseRoutes(AppendRoutes(nil, routes)); err != nil || !slices.Equal(back, routes) {
				t.Fatalf("%v came back as %v, %v", routes, back, err)
			}
		}
		names, err := parseNames(b)
		if err != nil {
			return
		}
		written, err := appendNames(nil, names)
		if err != nil {
			return // a name of bytes that none has
		}
		for i := range names {
			names[i] = strings.ToLower(names[i])
		}
		if back, err := parseNames(written); err != nil || !slices.Equal(back, names) {
			t.Fatalf("%q came back as %q, %v", names, back, err)
		}
	})
}
