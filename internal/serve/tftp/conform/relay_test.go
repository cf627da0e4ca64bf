package conform

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"surefoot/internal/lb"
	"surefoot/internal/lb/relay"
)

// relayed are checks that a relay fails by what it is, with the reason.
func relayed() map[string]string {
	return map[string]string{}
}

// TestConformanceRelay runs the suite against the relay, in front of two of our servers over the same
// root: with a download for each client, and with shared ones.
func TestConformanceRelay(t *testing.T) {
	if *targetFlag != "" {
		t.Skip("another server is to be checked")
	}
	for name, cache := range map[string]int64{"each its own": 0, "shared": relay.DefaultCache} {
		t.Run(name, func(t *testing.T) {
			root := directory(t)
			svc := lb.Service{Name: "boot", Mode: lb.Relay, Listen: netip.MustParseAddrPort("0.0.0.0:0")}
			for _, n := range []string{"b1", "b2"} {
				svc.Backends = append(svc.Backends, lb.Backend{Name: n, TFTP: surefoot(t, root).addr, Weight: 1})
			}
			r, err := relay.New(relay.Config{Node: "conform", Service: svc, Cache: cache, Fresh: time.Nanosecond, DrainTimeout: 50 * time.Millisecond}, relay.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Listen(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx, nil) }()
			t.Cleanup(func() {
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Run: %v", err)
				}
			})
			to := target{addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), r.Addr().Port()), root: root, wait: 10 * time.Second, long: *longFlag, retries: 2}
			parts := slices.DeleteFunc(suite(), func(g group) bool { return g.slow && !*longFlag })
			for _, v := range to.run(parts, chosen(t)) {
				why, isKnown := relayed()[v.check.name]
				t.Run(v.check.name, func(t *testing.T) {
					switch {
					case isKnown && v.outcome == failed:
						t.Skipf("known: %s; %s", why, v.seen)
					case v.outcome == failed && v.check.level != info, v.outcome == lacked:
						t.Errorf("%s (%s, %s): %s", v.check.says, v.check.clause, v.check.level, v.seen)
					case v.outcome == absent && os.Getenv("SUREFOOT_TEST_REQUIRE") != "" && !optional(v):
						t.Errorf("everything is required: %s", v.seen)
					case v.outcome == absent:
						t.Skip(v.seen)
					}
				})
			}
		})
	}
}
