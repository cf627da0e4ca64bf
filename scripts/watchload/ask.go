package main

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/watch"
)

// asked is how long the node took to answer others meanwhile.
type asked struct {
	mu       sync.Mutex // guards what follows
	dns, api []time.Duration
	failed   int
}

// ask puts questions to the node until the returned function is called: ten names a second by DNS, and
// every five seconds what `surefoot server list` asks.
func (s *site) ask(ctx context.Context) (a *asked, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	a = &asked{}
	var all sync.WaitGroup
	every := func(d time.Duration, to *[]time.Duration, question func() error) {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			start := time.Now()
			err := question()
			took := time.Since(start)
			if ctx.Err() != nil {
				return
			}
			a.mu.Lock()
			if err != nil {
				a.failed++
			} else {
				*to = append(*to, took)
			}
			a.mu.Unlock()
		}
	}
	all.Go(func() {
		every(100*time.Millisecond, &a.dns, func() error {
			_, err := dns.ExchangeContext(ctx, new(dns.Msg).SetQuestion("r1.boot.example.net.", dns.TypeA), s.dns)
			return err
		})
	})
	all.Go(func() {
		every(5*time.Second, &a.api, func() error {
			r, err := s.http.Get("http://" + s.status + "/api/v1/watch?test=" + watch.NoTest)
			if err != nil {
				return err
			}
			defer r.Body.Close()
			_, err = io.Copy(io.Discard, r.Body)
			return err
		})
	})
	return a, func() { cancel(); all.Wait() }
}

// median and the longest of some times.
func spread(d []time.Duration) (mid, most time.Duration) {
	if len(d) == 0 {
		return 0, 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2], d[len(d)-1]
}
