package conform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"surefoot/internal/probe"
	"surefoot/internal/storm"
)

// Here our own clients are what is tested, against the reference server, which is not ours.

// get downloads with the client of internal/probe.
func probed(t *testing.T, at netip.AddrPort, file string, as probe.Style) probe.Result {
	target := probe.Target{Scheme: "tftp", Host: at.Addr().String(), Port: at.Port(), File: file}
	return probe.TFTP(t.Context(), target, probe.Options{As: as, Timeout: 20 * time.Second})
}

func hash(n int) string {
	sum := sha256.Sum256(content(n))
	return hex.EncodeToString(sum[:])
}

// TestOurClientsInWeather downloads through a network that loses, repeats and reorders, by seed, like
// TestWeather. -seed N brings the same losses again.
func TestOurClientsInWeather(t *testing.T) {
	t.Parallel()
	to := faulty(t, directory(t), "")
	first, last := uint64(1), min(*seedsFlag, 20)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	bad := weather{lose: 0.02, repeat: 0.03, late: 0.03}
	var mu sync.Mutex // guards took
	took := map[string][]time.Duration{}
	done := func(name string, seed uint64, d time.Duration, err string) {
		if err != "" {
			t.Errorf("seed %d, %s: %s", seed, name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		took[name] = append(took[name], d)
	}
	slots := make(chan struct{}, 32)
	var wg sync.WaitGroup
	run := func(name string, f func()) {
		if !chosen(t)(check{name: name}) {
			return
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f()
		})
	}
	for seed := first; seed <= last; seed++ {
		for _, as := range probe.Styles() {
			name := "probe-" + string(as)
			run(name, func() {
				between := newProxy(t, to.addr, seed, bad)
				if *seedFlag != 0 {
					between.tell = teller(t, name)
				}
				res := probed(t, between.addr(), "f20480", as)
				switch {
				case res.Fault != nil:
					done(name, seed, 0, res.Fault.Text)
				case res.SHA256 != hash(20480):
					done(name, seed, 0, fmt.Sprintf("wrong hash of %d bytes", res.Size))
				default:
					done(name, seed, res.Response, "")
				}
			})
		}
		for _, window := range []int{1, 4, 16} {
			name := fmt.Sprintf("storm-window-%d", window)
			run(name, func() {
				between := newProxy(t, to.addr, seed, bad)
				res, err := storm.Run(t.Context(), storm.Config{
					Server: between.addr(), File: "f20480", Clients: 4, As: []probe.Style{probe.IPXE, probe.Plain},
					Window: window, BlockSize: 512, SHA256: hash(20480),
				})
				switch {
				case err != nil:
					done(name, seed, 0, err.Error())
				case res.Begun != 4 || res.Failed != 0:
					done(name, seed, 0, fmt.Sprintf("%d of %d downloads failed: %v", res.Failed, res.Begun, res.Failures))
				default:
					done(name, seed, res.Time.P50, "")
				}
			})
		}
	}
	wg.Wait()
	for name, d := range took {
		slices.Sort(d)
		t.Logf("%-18s %3d runs, half within %s, the last %s", name, len(d), d[len(d)/2].Round(time.Millisecond), d[len(d)-1].Round(time.Millisecond))
	}
}

// TestOurClientOfBadServers downloads from servers with faults that a client has to live with.
func TestOurClientOfBadServers(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	for _, f := range []struct {
		fault
		clause string
	}{
		{"sorcerer", "RFC 1123 4.2.3.1"},   // every block twice, as soon as one ACK came twice
		{"echoes", "RFC 1123 4.2.3.1"},     // windows twice
		{"talks-on", "RFC 1350 6"},         // after the end
		{"talks-later", "RFC 1350 6"},      //
		{"twice", "RFC 1350 4"},            // two transfers for a repeated request
		{"reversed", "RFC 2347"},           // the OACK in another order
		{"option-twice", "RFC 2347"},       //
		{"no-windowsize", "RFC 7440 3"},    // fewer options than asked for
		{"second-gap-waits", "RFC 7440 4"}, //
		{"foreign-silent", "RFC 1350 4"},   //
		{"fixed", "RFC 1123 4.2.3.2"},      // no backoff
	} {
		t.Run(fmt.Sprintf("%s %s", f.clause, f.fault), func(t *testing.T) {
			t.Parallel()
			to := faulty(t, dir, f.fault)
			for _, as := range probe.Styles() {
				between := newProxy(t, to.addr, 7, weather{repeat: 0.2})
				res := probed(t, between.addr(), "f30000", as)
				if res.Fault != nil || res.SHA256 != hash(30000) {
					t.Errorf("%s: %d bytes, %v", as, res.Size, res.Fault)
				}
			}
		})
	}
}
