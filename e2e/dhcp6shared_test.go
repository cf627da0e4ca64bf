package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/lab"
	"surefoot/internal/web"
)

// Two nodes share their IPv6 leases by a real etcd: each knows what the other gave. When one is killed, and the store with
// it, a new machine still gets an address, which is nobody else's.
func dhcp6Shared(t *testing.T, b *bench) {
	const endpoint = "10.77.0.11:2379"
	site := func(state string) string {
		s := strings.Replace(site6(1, state), "nodes:\n", fmt.Sprintf("store: {etcd: {endpoints: [%q]}}\nnodes:\n  n2: {address: %s, address6: \"%s\"}\n", endpoint, lab.NodeAddr(1), lab.NodeAddr6(1)), 1)
		return s[:strings.Index(s, "  far:")]
	}
	s := b.build(t, lab.Options{Nodes: 2, IPv6: true, Site: site(t.TempDir())})
	store := startStore(t, s, endpoint)
	for _, name := range []string{"n1", "n2"} {
		n := s.Node(name)
		if err := n.WriteSite(site(t.TempDir())); err != nil {
			t.Fatal(err)
		}
		if err := n.Start(s.ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitShared("the nodes have blocks", func(st web.Status) bool {
		return st.Shared != nil && st.Shared.Contact && len(st.Shared.Networks) == 1 && len(st.Shared.Networks[0].Blocks) > 0
	}, "n1", "n2")

	_, vm := s.boot(lab.Machine{Firmware: lab.UEFI, IPv6: true})
	had := s.addrs6("n2", vm.MAC.String())
	if one := s.addrs6("n1", vm.MAC.String()); len(had) == 0 || fmt.Sprint(one) != fmt.Sprint(had) {
		t.Fatalf("n1 knows %v, n2 knows %v", one, had)
	}
	if err := s.Node("n1").Process().Kill(); err != nil {
		t.Fatal(err)
	}
	_ = store.Process.Kill()
	_ = store.Wait()
	r, other := s.boot(lab.Machine{Firmware: lab.UEFI, IPv6: true, MAC: lab.MAC(lab.UEFI, 2)})
	if r.Fields["node"] != "n2" || r.Fields["sum"] != "ok" {
		t.Errorf("without the other node and without the store: %s", r.Line)
	}
	if still := s.addrs6("n2", vm.MAC.String()); !slices.Contains(still, had[0]) {
		t.Errorf("n2 knows %v, and n1 had given %v", still, had)
	}
	for _, a := range s.addrs6("n2", other.MAC.String()) {
		if slices.Contains(had, a) {
			t.Errorf("%s is two machines'", a)
		}
	}
}

// startStore runs an etcd of one member in node n1's part of the lab: it outlives the node.
func startStore(t *testing.T, s *stage, endpoint string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("etcd"); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs etcd (scripts/setup)")
		}
		t.Skip("needs etcd")
	}
	log, err := os.Create(filepath.Join(s.Dir, "etcd.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("etcd", "--data-dir", t.TempDir(), "--log-level", "error", "--listen-peer-urls", "http://127.0.0.1:2380",
		"--listen-client-urls", "http://"+endpoint, "--advertise-client-urls", "http://"+endpoint)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.Inside("n1", cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		err := s.Inside("n1", func() error {
			c, err := net.DialTimeout("tcp4", endpoint, time.Second)
			if err == nil {
				_ = c.Close()
			}
			return err
		})
		if err == nil {
			return cmd
		}
		time.Sleep(50 * time.Millisecond) // nothing tells when it listens
	}
	t.Fatal("etcd does not listen")
	return nil
}

// awaitShared waits until the nodes' status is as wanted.
func (s *stage) awaitShared(what string, is func(web.Status) bool, nodes ...string) {
	s.t.Helper()
	for _, name := range nodes {
		for {
			st, err := web.Dial(s.Node(name).Socket).Status(s.ctx)
			if err == nil && is(st) {
				break
			}
			if s.ctx.Err() != nil {
				s.t.Fatalf("%s: %s: not in time (%v)", name, what, err)
			}
			time.Sleep(50 * time.Millisecond) // nothing tells when it is
		}
	}
}

// addrs6 are the IPv6 addresses that a node knows of as a machine's, in their order.
func (s *stage) addrs6(node, mac string) (out []netip.Addr) {
	s.t.Helper()
	page, err := web.Dial(s.Node(node).Socket).Leases(s.ctx, web.LeaseQuery{Text: mac, Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range page.Leases {
		if l.Addr.Is6() && l.MAC == mac {
			out = append(out, l.Addr)
		}
	}
	return out
}
