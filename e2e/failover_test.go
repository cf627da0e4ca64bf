package e2e

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

func failoverScenarios() []scenario {
	all := []scenario{{"two-nodes-dead-before", deadBefore}}
	for _, c := range []struct {
		name      string
		firmware  lab.Firmware
		bios      string
		byItself  bool // within one attempt; otherwise the machine starts over
		recovered string
	}{
		{"uefi", lab.UEFI, "", true, "asks the other node's port 4011"},
		{"bios-discover", lab.BIOS, "discover", true, "asks the next node of the list on port 4011"},
		{"bios-direct", lab.BIOS, "direct", false, "starts over when its download gives up"},
		{"ipxe-script", lab.IPXE, "direct", false, "starts over when its script does not come"},
	} {
		all = append(all, scenario{"two-nodes-killed-after-offer-" + c.name, func(t *testing.T, b *bench) {
			k := killed{firmware: c.firmware, bios: c.bios, byItself: c.byItself, recovered: c.recovered}
			k.run(t, b, false)
			if realTime() {
				k.run(t, b, true)
			}
		}})
	}
	return all
}

// A node that died before the machine was switched on is not noticed by the machine.
func deadBefore(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 2})
	if err := s.Node("n1").Process().Kill(); err != nil {
		t.Fatal(err)
	}
	for _, fw := range []lab.Firmware{lab.BIOS, lab.IPXE, lab.UEFI, lab.UEFIHTTP} {
		r, vm := s.boot(lab.Machine{Firmware: fw})
		if r.Fields["node"] != "n2" {
			t.Errorf("%s: report: %s", fw, r.Line)
		}
		s.delivered("n2", vm.MAC, boot.DiscoverSeen, boot.OfferSent)
	}
}

// killed is the death of a node between its offer and what the machine then asks of it.
type killed struct {
	firmware  lab.Firmware
	bios      string
	byItself  bool
	recovered string // in words: what the machine does about it
}

// run boots a machine beside two nodes, kills the one whose offer passed first, before the
// machine can ask it anything, and sees the machine boot from the other.
func (k killed) run(t *testing.T, b *bench, real bool) {
	s := b.raise(t, lab.Options{Nodes: 2, Site: site{bios: k.bios}.text(2)})
	var dead atomic.Pointer[lab.Node]
	var when atomic.Int64 // nanoseconds; the frame after which the node was dead
	s.capture.Watch(func(f lab.Frame) {
		u, ok := f.UDP()
		if !ok || !u.IsProxyOffer() || dead.Load() != nil {
			return
		}
		for _, ns := range s.Nodes {
			if ns.Addr == u.Src.Addr().String() {
				n := s.Node(ns.Name)
				_ = n.Process().Signal(syscall.SIGKILL)
				<-n.Process().Done()
				when.Store(time.Now().UnixNano())
				dead.Store(n)
			}
		}
	})
	vm, err := s.Boot(s.ctx, lab.Machine{Firmware: k.firmware, RealTime: real, RetryAfter: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r, err := vm.AwaitReport(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := dead.Load()
	if n == nil {
		t.Fatal("no node was killed: no offer passed")
	}
	other := map[string]string{"n1": "n2", "n2": "n1"}[n.Name]
	if !r.OK || r.Fields["node"] != other {
		t.Errorf("%s died, so %s had to deliver: %s", n.Name, other, r.Line)
	}
	s.silentAfter(n, time.Unix(0, when.Load()))
	s.delivered(other, vm.MAC, boot.OfferSent)
	attempts := 1 + strings.Count(vm.Console.Text(), "Retrying in")
	if k.byItself && attempts != 1 {
		t.Errorf("the machine started over %d times, want a boot at the first attempt", attempts-1)
	}
	clock := "guest time is skipped while it waits"
	if real {
		clock = "real time"
	}
	first := "at its first attempt"
	if attempts > 1 {
		first = fmt.Sprintf("at attempt %d", attempts)
	}
	t.Logf("RESULT %-22s node %s died after its offer; booted from %s %s, after %.1f s (%s): it %s",
		string(k.firmware)+" "+k.bios, n.Name, other, first, r.At.Seconds(), clock, k.recovered)
	if err := vm.Stop(); err != nil {
		t.Error(err)
	}
}

// silentAfter fails the test if a node's datagram passed after the node was dead, or if it had
// answered more than the offer before: then it was killed too late, and the boot proves nothing.
func (s *stage) silentAfter(n *lab.Node, when time.Time) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.frames {
		u, ok := f.UDP()
		if !ok || u.Src.Addr().String() != n.Addr {
			continue
		}
		switch {
		case f.At.After(when):
			s.t.Errorf("node %s sent %v to %v %s after its death", n.Name, u.Src, u.Dst, f.At.Sub(when))
		case !u.IsProxyOffer():
			s.t.Errorf("node %s sent %v to %v: it was killed too late", n.Name, u.Src, u.Dst)
		}
	}
}
