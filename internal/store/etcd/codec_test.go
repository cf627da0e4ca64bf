package etcd

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

func TestRecord(t *testing.T) {
	full := lease.Record{
		Scope: "vdi", Addr: netip.MustParseAddr("10.0.0.1"), ID: lease.Client([]byte(strings.Repeat("x", 40))), MAC: boot.MAC{2, 0, 0, 0, 0, 1},
		State: lease.Active, Start: time.Unix(1795636000, 0).UTC(), Expires: time.Unix(1795639600, 0).UTC(), Node: "boot1", Host: "pc-1",
		Relay: netip.MustParseAddr("10.0.0.254"), Circuit: "Gi1/0/1", Arch: 7, Class: "PXEClient:Arch:00007:UNDI:003016", Serial: 1 << 40, Own: true,
	}
	free := lease.Record{Scope: "vdi", Addr: full.Addr, Start: full.Start, Expires: full.Start, Node: "b", Serial: 2}
	for _, r := range []lease.Record{full, free} {
		b := appendRecord(nil, &r)
		got, err := parseRecord(b, r.Scope, r.Addr)
		if err != nil || got != r {
			t.Errorf("%d bytes, %v: %s", len(b), err, cmp.Diff(r, got, cmp.AllowUnexported(netip.Addr{})))
		}
		if _, err := parseRecord(append(b, "what a later version adds"...), r.Scope, r.Addr); err != nil {
			t.Errorf("with more behind it: %v", err)
		}
		for n := range b {
			if _, err := parseRecord(b[:n], r.Scope, r.Addr); err == nil {
				t.Errorf("the first %d of %d bytes are a record", n, len(b))
			}
		}
	}
	if _, err := parseRecord([]byte{2, 1, 1}, "vdi", full.Addr); err == nil {
		t.Error("another version is read")
	}
}

func TestRecordOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		if r, err := parseRecord(b, "s", netip.MustParseAddr("10.0.0.1")); err == nil {
			again, err := parseRecord(appendRecord(nil, &r), r.Scope, r.Addr)
			if err != nil || again.Serial != r.Serial || again.ID != r.ID || !again.Expires.Equal(r.Expires) {
				t.Fatalf("%+v, %+v, %v", r, again, err)
			}
		}
	})
}

func TestKeys(t *testing.T) {
	k := newKeys("/a/b/", "site/1")
	a := netip.MustParseAddr("fd00::1")
	for _, x := range []struct {
		key   string
		about byte
		name  string
		addr  netip.Addr
	}{
		{k.record("net/work x", a), aboutRecord, "net/work x", a},
		{k.blocks("vdi"), aboutBlocks, "vdi", netip.Addr{}},
		{k.node("boot1"), aboutNode, "boot1", netip.Addr{}},
	} {
		about, name, addr, ok := k.parse(x.key)
		if !ok || about != x.about || name != x.name || addr != x.addr {
			t.Errorf("%s: %c %q %s %v", x.key, about, name, addr, ok)
		}
	}
	for _, s := range []string{"", "/a/b/site%2F1/2/l/x/10.0.0.1", k.root, k.root + "l/x", k.root + "l/x/pc"} {
		if _, _, _, ok := k.parse(s); ok {
			t.Errorf("%q is taken for a key", s)
		}
	}
}
