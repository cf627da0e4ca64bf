package vrrp

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// packets are what keepalived 2.2.7 put on the wire, behind the IP header, with the addresses of that.
func packets() []struct {
	name, src, dst, data string
	want                 Advert
} {
	a4, a6 := []netip.Addr{netip.MustParseAddr("10.99.0.20")}, []netip.Addr{netip.MustParseAddr("fd99::20")}
	return []struct {
		name, src, dst, data string
		want                 Advert
	}{
		{
			"version 2", "10.99.0.1", "224.0.0.18", "2133 9601 0001 3e53 0a63 0014 0000 0000 0000 0000",
			Advert{Version: 2, VRID: 51, Priority: 150, Interval: time.Second, Addrs: a4},
		},
		{
			"version 3", "10.99.0.1", "224.0.0.18", "3133 9601 000a 4357 0a63 0014",
			Advert{Version: 3, VRID: 51, Priority: 150, Interval: 100 * time.Millisecond, Addrs: a4},
		},
		{
			"version 3 to a peer", "10.99.0.1", "10.99.0.2", "3133 9601 0064 18ab 0a63 0014",
			Advert{Version: 3, VRID: 51, Priority: 150, Interval: time.Second, Addrs: a4},
		},
		{
			"version 3, IPv6", "fe80::b04b:a3ff:fe52:c6ef", "ff02::12", "3133 9601 0014 2351 fd99 0000 0000 0000 0000 0000 0000 0020",
			Advert{Version: 3, VRID: 51, Priority: 150, Interval: 200 * time.Millisecond, Addrs: a6},
		},
	}
}

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(a, b Advert) bool {
	return a.Version == b.Version && a.VRID == b.VRID && a.Priority == b.Priority && a.Interval == b.Interval && a.AuthType == b.AuthType && slices.Equal(a.Addrs, b.Addrs)
}

// keepalived's packets are read, and written again byte by byte.
func TestKeepalived(t *testing.T) {
	for _, c := range packets() {
		src, dst, b := netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst), bytesOf(t, c.data)
		got, err := Parse(b, src, dst)
		if err != nil || !same(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
		if again := c.want.Append(nil, src, dst); !slices.Equal(again, b) {
			t.Errorf("%s: %x, keepalived sent %x", c.name, again, b)
		}
		if got, err := Parse(append(slices.Clone(b), 0, 0, 0, 0), src, dst); err != nil || !same(got, c.want) {
			t.Errorf("%s with the padding of a frame: %+v, %v", c.name, got, err)
		}
		for i := range b { // no bit may turn unnoticed
			for bit := range 8 {
				bad := slices.Clone(b)
				bad[i] ^= 1 << bit
				if got, err := Parse(bad, src, dst); err == nil {
					t.Errorf("%s: bit %d of byte %d turned, and it reads as %+v", c.name, bit, i, got)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	src, dst := netip.MustParseAddr("10.99.0.1"), Group4()
	good := Advert{Version: 3, VRID: 51, Priority: 150, Interval: time.Second, Addrs: []netip.Addr{netip.MustParseAddr("10.99.0.20")}}
	b := good.Append(nil, src, dst)
	for n := range b {
		if _, err := Parse(b[:n], src, dst); err == nil {
			t.Errorf("%d bytes of %d are read", n, len(b))
		}
	}
	if _, err := Parse(b, netip.MustParseAddr("10.99.0.2"), dst); !errors.Is(err, ErrChecksum) {
		t.Errorf("another sender: %v", err)
	}
	zero := good
	zero.VRID = 0
	if _, err := Parse(zero.Append(nil, src, dst), src, dst); err == nil {
		t.Error("VRID 0 is read")
	}
	never := good
	never.Interval = 0
	if _, err := Parse(never.Append(nil, src, dst), src, dst); err == nil {
		t.Error("an interval of 0 is read")
	}
	six := netip.MustParseAddr("fe80::1")
	var version *VersionError
	if _, err := Parse([]byte{0x21, 51, 150, 0, 0, 1, 0, 0}, six, Group6()); !errors.As(err, &version) {
		t.Errorf("version 2 with IPv6: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range packets() {
		f.Add(bytesOf(f, c.data), strings.Contains(c.src, ":"))
	}
	f.Fuzz(func(t *testing.T, b []byte, is6 bool) {
		src, dst := netip.MustParseAddr("10.99.0.1"), Group4()
		if is6 {
			src, dst = netip.MustParseAddr("fe80::1"), Group6()
		}
		a, err := Parse(b, src, dst)
		if err != nil {
			return
		}
		again, err := Parse(a.Append(nil, src, dst), src, dst)
		if err != nil || !same(a, again) {
			t.Fatalf("%+v reads as %+v, %v", a, again, err)
		}
	})
}
