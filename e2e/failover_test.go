package e2e

import (
	"net/netip"
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
		{"ipxe-discover", lab.IPXE, "discover", true, "asks the next node of the list on port 4011 for its script"},
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

// run boots a machine beside two nodes, kills the one whose offer it takes before it can ask that
// node anything, and sees the machine boot from the other.
//
// EDK2 keeps all offers and tries them in the order of their arrival. iPXE takes the last one that
// comes before it has an address offered as well; there the other node is made slow, by stopping
// it until the machine has chosen.
func (k killed) run(t *testing.T, b *bench, realClock bool) {
	s := b.raise(t, lab.Options{Nodes: 2, Site: site{bios: k.bios}.text(2)})
	slow := k.firmware != lab.UEFI
	other := s.Node("n2")
	if slow {
		if err := other.Process().Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	var dead atomic.Pointer[lab.Node]
	var when atomic.Int64 // nanoseconds: from then on the node was dead
	s.capture.Watch(func(f lab.Frame) {
		u, ok := f.UDP()
		switch {
		case ok && u.IsProxyOffer() && u.OfMachine() && dead.Load() == nil:
			n := s.nodeAt(u.Src.Addr())
			_ = n.Process().Kill()
			when.Store(time.Now().UnixNano())
			dead.Store(n)
		case ok && slow && u.IsDHCPRequest():
			_ = other.Process().Signal(syscall.SIGCONT)
		}
	})
	vm, err := s.Boot(s.ctx, lab.Machine{Firmware: k.firmware, RealTime: realClock, RetryAfter: time.Second})
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
	alive := map[string]string{"n1": "n2", "n2": "n1"}[n.Name]
	if !r.OK || r.Fields["node"] != alive {
		t.Errorf("%s died, so %s had to deliver: %s", n.Name, alive, r.Line)
	}
	s.silentAfter(n, time.Unix(0, when.Load()))
	if asked := s.datagrams(func(u lab.UDP) bool { return u.Dst.Addr().String() == n.Addr && u.Dst.Port() != 67 }); len(asked) == 0 && k.firmware != lab.IPXE {
		t.Errorf("the machine never asked the dead node %s, so its death proves nothing", n.Name)
	}
	attempts := 1 + strings.Count(vm.Console.Text(), "Retrying in")
	if k.byItself != (attempts == 1) {
		t.Errorf("the machine booted at attempt %d; recovers by itself: expected %v", attempts, k.byItself)
	}
	clock := "waiting skipped"
	if realClock {
		clock = "real time"
	}
	t.Logf("RESULT %-14s node %s died after its offer; booted from %s at attempt %d, after %.1f s (%s): it %s",
		strings.TrimSpace(string(k.firmware)+" "+k.bios), n.Name, alive, attempts, r.At.Seconds(), clock, k.recovered)
	s.delivered(alive, vm.MAC, boot.OfferSent)
	if err := vm.Stop(); err != nil {
		t.Error(err)
	}
}

// nodeAt returns the node that has an address.
func (s *stage) nodeAt(a netip.Addr) *lab.Node {
	for _, n := range s.Nodes {
		if n.Addr == a.String() {
			return s.Node(n.Name)
		}
	}
	return nil
}

// between reports whether a datagram went from node to node: nodes test each other, and that is
// nothing of a machine's boot.
func (s *stage) between(u lab.UDP) bool {
	return s.nodeAt(u.Src.Addr()) != nil && s.nodeAt(u.Dst.Addr()) != nil
}

// silentAfter fails the test if a node's datagram passed after the node was dead, or if it had
// answered more than the offer before: then it was killed too late, and the boot proves nothing.
func (s *stage) silentAfter(n *lab.Node, when time.Time) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.frames {
		u, ok := f.UDP()
		if !ok || u.Src.Addr().String() != n.Addr || s.between(u) {
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
