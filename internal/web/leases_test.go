package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lease"
)

// oneLease is a node with one lease, whose texts are a stranger's.
type oneLease struct{ text string }

func (o oneLease) lease() Lease {
	return Lease{Network: o.text, Addr: netip.MustParseAddr("10.0.0.1"), MAC: "02:00:00:00:00:01", State: "active", Host: o.text, Class: o.text, Start: time.Now(), Expires: time.Now().Add(time.Hour)}
}

func (o oneLease) List(q LeaseQuery) (LeasePage, error) {
	if q.State == "odd" {
		return LeasePage{}, fmt.Errorf("no such state")
	}
	return LeasePage{Leases: []Lease{o.lease()}, Next: fmt.Sprint(q.Limit)}, nil
}

func (o oneLease) Find(who string) []Lease {
	if who == "10.0.0.1" {
		return []Lease{o.lease()}
	}
	return nil
}
func (o oneLease) Reserved(string) []ReservedAddr { return []ReservedAddr{} }

func (o oneLease) Pools() []PoolUsage {
	return []PoolUsage{{Network: o.text, Subnet: o.text, Size: 10, Active: 9, Free: 1, Full: "nearly"}}
}
func (o oneLease) Newest(int) []Lease { return []Lease{o.lease()} }
func (o oneLease) Release(_ context.Context, who string) (Lease, error) {
	if who != "10.0.0.1" {
		return Lease{}, ErrNoLease
	}
	return o.lease(), nil
}

func (o oneLease) Adopt(_ context.Context, list []lease.Record, _ bool) []Adopted {
	return make([]Adopted, len(list))
}

// The page shows the pools and the newest leases, and whatever a machine calls itself, it is text.
func TestLeasesOnThePage(t *testing.T) {
	page := func(text string) string {
		n := start(t, Config{Status: loopback})
		n.deps.Leases = oneLease{text}
		n.set(func(st *Status) { st.Pools, st.Leases = oneLease{text}.Pools(), text })
		w := get(t, n.guard(n.pages()), "GET", "/")
		if w.Code != 200 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	names := func(text string) (out []string) {
		for _, n := range elements(t, text) {
			out = append(out, n.Data)
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
			}
		}
		return out
	}
	plain := page("plain")
	for _, want := range []string{"9 leased", "1 free", "nearly full", "02:00:00:00:00:01"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := names(page(hostile)); !slices.Equal(got, names(plain)) {
		t.Errorf("%d elements, want %d", len(got), len(names(plain)))
	}
}

// What changes something is for the unix socket alone.
func TestLeaseAPI(t *testing.T) {
	n := start(t, Config{Status: loopback})
	read, write := n.guard(n.pages()), n.api(true)
	if w := get(t, write, "GET", "/api/v1/leases"); w.Code != 404 {
		t.Errorf("without leases: %d", w.Code)
	}
	n.deps.Leases = oneLease{"x"}
	for _, tc := range []struct {
		method, path string
		status, unix int
	}{
		{"GET", "/api/v1/leases", 200, 200},
		{"GET", "/api/v1/leases?state=odd", 400, 400},
		{"GET", "/api/v1/leases?limit=100000", 400, 400},
		{"GET", "/api/v1/leases/10.0.0.1", 200, 200},
		{"GET", "/api/v1/leases/10.0.0.2", 404, 404},
		{"GET", "/api/v1/pools", 200, 200},
		{"POST", "/api/v1/leases/10.0.0.1/release", 404, 200},
		{"POST", "/api/v1/leases/10.0.0.2/release", 404, 404},
		{"POST", "/api/v1/leases", 405, 400},
	} {
		if w := get(t, read, tc.method, tc.path); w.Code != tc.status {
			t.Errorf("%s %s on the status page: %d, want %d", tc.method, tc.path, w.Code, tc.status)
		}
		if w := get(t, write, tc.method, tc.path); w.Code != tc.unix {
			t.Errorf("%s %s on the socket: %d, want %d: %s", tc.method, tc.path, w.Code, tc.unix, w.Body)
		}
	}
	var p LeasePage
	if err := json.Unmarshal(get(t, read, "GET", "/api/v1/leases").Body.Bytes(), &p); err != nil || p.Next != "100" || len(p.Leases) != 1 || p.Node != "boot1" {
		t.Errorf("%+v, %v", p, err)
	}
}
