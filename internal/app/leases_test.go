package app

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/store/leasedb"
	"surefoot/internal/store/sqlfile"
)

// Of what is excluded only what would be given counts: 0.0.0.0-255.255.255.255 is no list of four billion.
func TestExcludedPool(t *testing.T) {
	at := netip.MustParseAddr
	cfg := &config.Config{DHCP: config.DHCP{Scopes: []config.DHCPScope{{
		Network: "lan", Subnet: netip.MustParsePrefix("10.0.0.0/24"),
		Ranges:  []config.AddrRange{{From: at("10.0.0.10"), To: at("10.0.0.20")}, {From: at("10.0.0.30"), To: at("10.0.0.31")}},
		Exclude: []config.AddrRange{{From: at("0.0.0.0"), To: at("10.0.0.11")}, {From: at("10.0.0.31"), To: at("255.255.255.255")}},
	}}}}
	got := pools(cfg)[0].Exclude
	if len(got) != 3 || got[0] != at("10.0.0.10") || got[1] != at("10.0.0.11") || got[2] != at("10.0.0.31") {
		t.Error(got)
	}
}

// A node whose lease file cannot be opened starts all the same, says so with what to do, and reads the leases
// as soon as it can. A reload is refused instead.
func TestStartsWithoutLeases(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "leases")
	file := filepath.Join(folder, "leases.db")
	made, err := leasedb.Open(t.Context(), leasedb.Config{File: file}, leasedb.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran, kept := make(chan error, 1), make(chan error, 1)
	go func() { ran <- made.Run(ctx, nil) }()
	r := lease.Record{
		Scope: "lan", Addr: netip.MustParseAddr("10.0.0.7"), ID: lease.Hardware(1, []byte{2, 0, 0, 0, 0, 1}),
		State: lease.Active, Expires: time.Now().Add(time.Hour), Serial: 1,
	}
	made.Keep(r, func(err error) { kept <- err })
	if err := <-kept; err != nil {
		t.Fatal(err)
	}

	cfg := &config.Config{DHCP: config.DHCP{Scopes: []config.DHCPScope{{
		Network: "lan", Subnet: netip.MustParsePrefix("10.0.0.0/24"), DHCPSettings: config.DHCPSettings{Lease: time.Hour},
	}}}}
	var said strings.Builder
	l, err := newLeases(cfg, slog.New(slog.NewTextHandler(&said, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	l.every = time.Millisecond
	l.running = true // made still holds the lock
	if err := l.open(t.Context(), file); !errors.As(err, new(*sqlfile.InUseError)) {
		t.Errorf("a reload with a file that another process has: %v", err)
	}
	l.running = false
	if err := l.open(t.Context(), file); err != nil {
		t.Fatalf("a start with the same: %v", err)
	}
	if err := l.refuses(); !errors.As(err, new(*sqlfile.InUseError)) {
		t.Errorf("it refuses because of %v", err)
	}
	if got := l.refused(); len(got) != 1 || got[0].Code != alert.LeasesRefused || got[0].Title != "the leases cannot be read" || !strings.Contains(got[0].Fix, "stop the other one") {
		t.Errorf("the trouble is %+v", got)
	}
	l.Keep(r, func(err error) { kept <- err })
	if err := <-kept; err == nil {
		t.Error("a lease is kept in a file that is not open")
	}
	if !strings.Contains(said.String(), "the leases cannot be read") || !strings.Contains(said.String(), "stop the other one") {
		t.Errorf("it says %s", said.String())
	}

	go func() { _ = l.run(t.Context(), func() {}) }()
	stop() // the other process
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	for l.refuses() != nil {
		runtime.Gosched()
	}
	if got, ok := l.book.ByAddr(r.Addr); !ok || got.ID != r.ID {
		t.Errorf("the book has %+v", got)
	}
	if got := l.refused(); got != nil {
		t.Errorf("the trouble goes on: %+v", got)
	}
}

// A step is what the clock did and time did not.
func TestStep(t *testing.T) {
	for _, c := range []struct{ clock, truth, want time.Duration }{
		{time.Second, time.Second, 0},
		{4 * time.Second, 4 * time.Second, 0}, // a busy machine
		{2900 * time.Millisecond, time.Second, 0},
		{time.Hour, time.Second, time.Hour - time.Second},
		{-time.Hour, time.Second, -time.Hour - time.Second},
	} {
		if got := step(c.clock, c.truth); got != c.want {
			t.Errorf("%s on the clock, %s in truth: %s, want %s", c.clock, c.truth, got, c.want)
		}
	}
}
