package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/lab"
)

func steerScenarios() []scenario {
	return []scenario{{"steer", steer}, {"steer-all-dead", steerAllDead}, {"steer-drain", steerDrain}}
}

// How the node of these scenarios watches, and what docs/watch.md promises of that.
const (
	steerEvery     = 2 * time.Second
	steerDownAfter = 3
	steerUpAfter   = 2
	boundDown      = steerEvery*steerDownAfter + time.Second
	boundUp        = steerEvery*steerUpAfter + time.Second

	steerRounds   = 5
	steerMachines = 10 // that start after each death
)

// A server that dies is gone from every delivery within every * down_after + 1 s, whether its process is
// killed or its cable cut, and no machine that starts after that fails. Rounds run at the same time, each
// in a lab of its own with a node of its own: nothing of one round, such as the damping of servers that
// flap, is known to another.
func steer(t *testing.T, b *bench) {
	var rounds []*steering
	for i := range steerRounds {
		victim := []string{"hpa", "ours"}[i%2]
		rounds = append(rounds, b.steering(t, victim))
	}
	var tab table
	var all sync.WaitGroup
	for i, r := range rounds {
		all.Go(func() {
			// At another moment of the period in each round.
			if err := r.round(steerEvery*time.Duration(i)/steerRounds, &tab); err != nil {
				t.Errorf("round %d, %s: %v", i+1, r.victim.name, err)
			}
		})
	}
	all.Wait()
	tab.print(t)
	for _, r := range rounds {
		if r.machines < 2*steerMachines {
			t.Errorf("%d machines were started after the deaths of a round, want %d", r.machines, 2*steerMachines)
		}
	}
}

// round has the victim die in both ways, and come back.
func (r *steering) round(delay time.Duration, tab *table) error {
	for _, way := range []struct {
		name       string
		kill, back func() error
	}{
		{"process killed", r.victim.kill, r.victim.start},
		{"cable cut", r.victim.cut, r.victim.plug},
	} {
		if err := r.awaitAll("both are named", func(d *delivery, got []string) bool { return d.names(got, r.victim, r.other) }, boundUp); err != nil {
			return err
		}
		time.Sleep(steerEvery + delay) // no event is waited for: it is to be any moment of the period
		died := time.Now()
		if err := way.kill(); err != nil {
			return err
		}
		err := r.awaitAll(way.name, func(d *delivery, got []string) bool { return d.names(got, r.other) }, 2*boundDown)
		if err != nil {
			return err
		}
		for _, d := range r.deliveries {
			tab.add(way.name, d.name, "gone", d.at.Sub(died))
		}
		if err := r.boot(steerMachines); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		back := time.Now()
		if err := way.back(); err != nil {
			return err
		}
		err = r.awaitAll("back", func(d *delivery, got []string) bool { return d.names(got, r.victim, r.other) }, 2*boundUp)
		if err != nil {
			return err
		}
		for _, d := range r.deliveries {
			tab.add(way.name, d.name, "back", d.at.Sub(back))
		}
	}
	return nil
}

// When all are dead every delivery names all again, and somebody is alerted; the first that returns is
// alone in the answers.
func steerAllDead(t *testing.T, b *bench) {
	r := b.steering(t, "ours")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	only := func(s *victim) func(*delivery, []string) bool {
		return func(d *delivery, got []string) bool { return d.names(got, s) }
	}
	both := func(d *delivery, got []string) bool { return d.names(got, r.victim, r.other) }
	check(r.awaitAll("both are named", both, boundUp))
	check(r.victim.kill())
	check(r.awaitAll("one is dead", only(r.other), 2*boundDown))
	check(r.other.kill())
	died := time.Now()
	check(r.awaitAll("all are dead", both, 2*boundDown))
	var tab table
	for _, d := range r.deliveries {
		tab.add("all dead", d.name, "all named", d.at.Sub(died))
	}
	check(r.await("the alert", boundDown, func() (bool, string) {
		out, _, code := r.run("alert", "list", "--json", "--socket", r.Node("n1").Socket)
		return code == 3 && strings.Contains(out, `"all-servers-down"`), out
	}))
	status, _, _ := r.run("status", "--socket", r.Node("n1").Socket)
	want(t, "status", status, "every server of boot.bin looks dead by TFTP: all are named", "left out of answers where another is alive")
	back := time.Now()
	check(r.other.start())
	check(r.awaitAll("one is back", only(r.other), 2*boundUp))
	for _, d := range r.deliveries {
		tab.add("one returns", d.name, "alone", d.at.Sub(back))
	}
	check(r.boot(steerMachines))
	tab.print(t)
}

// A drained server is gone from every delivery at once, and no answer of the node's next life names it.
func steerDrain(t *testing.T, b *bench) {
	r := b.steering(t, "ours")
	n := r.Node("n1")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	both := func(d *delivery, got []string) bool { return d.names(got, r.victim, r.other) }
	only := func(d *delivery, got []string) bool { return d.names(got, r.other) }
	check(r.awaitAll("both are named", both, boundUp))
	command := func(args ...string) {
		t.Helper()
		if out, errs, code := r.run(append(args, "--socket", n.Socket)...); code != 0 {
			t.Fatalf("surefoot %s: exit code %d: %s%s", strings.Join(args, " "), code, out, errs)
		}
	}
	var tab table
	measure := func(what, end string, began time.Time, want func(*delivery, []string) bool) {
		t.Helper()
		check(r.awaitAll(what, want, boundDown))
		for _, d := range r.deliveries {
			tab.add(what, d.name, end, d.at.Sub(began))
		}
	}
	began := time.Now()
	command("server", "drain", r.victim.name, "--reason", "an exercise")
	measure("drained", "gone", began, only)
	check(r.boot(steerMachines))

	check(n.Process().Stop(r.ctx))
	asked := make(chan error, 1)
	up := make(chan struct{})
	go func() { asked <- r.never(r.victim, up, 2*steerEvery) }() // from before it is there until its tests are done
	check(n.Start(r.ctx))
	close(up)
	check(<-asked)
	began = time.Now()
	command("server", "resume", r.victim.name)
	measure("resumed", "named", began, both)
	tab.print(t)
}

// never asks all deliveries from now on, until a time after the node is up, and fails if one answer names
// the server.
func (r *steering) never(v *victim, up <-chan struct{}, after time.Duration) error {
	var until time.Time
	answers := map[string]int{}
	for until.IsZero() || time.Now().Before(until) {
		select {
		case <-up:
			until, up = time.Now().Add(after), nil
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		for _, d := range r.deliveries {
			got, err := d.ask()
			if err != nil {
				continue // the node is not there yet, or no more
			}
			answers[d.name]++
			if slices.Contains(got, v.addr) {
				return fmt.Errorf("answer %d of the %s after the restart names %s, which is drained: %q", answers[d.name], d.name, v.name, got)
			}
		}
	}
	for _, d := range r.deliveries {
		if answers[d.name] < 5 {
			return fmt.Errorf("the %s answered %d times after the restart: that proves nothing", d.name, answers[d.name])
		}
	}
	return nil
}

// awaitAll asks each delivery until its answer is as wanted, and notes when that was.
func (r *steering) awaitAll(what string, want func(*delivery, []string) bool, within time.Duration) error {
	var all sync.WaitGroup
	errs := make([]error, len(r.deliveries))
	for i, d := range r.deliveries {
		all.Go(func() {
			errs[i] = r.await(what+": the "+d.name, within, func() (bool, string) {
				got, err := d.ask()
				if err != nil {
					return false, err.Error()
				}
				d.at = time.Now()
				return want(d, got), fmt.Sprintf("names %q", got)
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// await looks every 50 ms until it is so.
func (r *steering) await(what string, within time.Duration, look func() (bool, string)) error {
	for until := time.Now().Add(within); ; {
		ok, seen := look()
		switch {
		case ok:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%s: not after %s: %s", what, within, seen)
		}
		select {
		case <-r.ctx.Done():
			return fmt.Errorf("%s: %w: %s", what, r.ctx.Err(), seen)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// steering is a lab with one node, two TFTP servers that are none of the site's nodes, and a place for
// clients.
type steering struct {
	*stage
	victim, other *victim
	deliveries    []*delivery
	machines      int // that have booted
}

// steering raises it. The node is fresh, and the victim the first server of the rule, which is whom an
// offer names.
func (b *bench) steering(t *testing.T, first string) *steering {
	t.Helper()
	const hpa = "/usr/sbin/in.tftpd"
	needs(t, hpa, "tftpd-hpa")
	root := t.TempDir()
	steerFile(t, root)
	second := map[string]string{"hpa": "ours", "ours": "hpa"}[first]
	text := fmt.Sprintf(`site: e2e
nodes:
  n1: {address: %s}
servers:
  hpa: {tftp: %s}
  ours: {tftp: %s}
boot:
  - {name: pvs, file: %s, from: [%s, %s]}
networks:
  lab: {subnet: %s, bios: direct}
dns: {zone: boot.e2e}
watch: {every: %s, down_after: %d, up_after: %d}
state: %s
`, lab.NodeAddr(0), lab.NodeAddr(1), lab.NodeAddr(2), steerName, first, second, lab.Subnet, steerEvery, steerDownAfter, steerUpAfter, t.TempDir())
	s := b.build(t, lab.Options{Nodes: 4, Site: text})
	s.keepOnly(func(lab.UDP) bool { return false })
	r := &steering{stage: s}
	for name, v := range map[string]*victim{
		"hpa":  {s: s, name: "hpa", node: s.Node("n2"), argv: []string{hpa, "-L", "-u", "root", "-a", lab.NodeAddr(1).String() + ":69", "-s", root}},
		"ours": {s: s, name: "ours", node: s.Node("n3"), argv: []string{b.binary, "tftp", "--root", root, "--listen", lab.NodeAddr(2).String() + ":69"}},
	} {
		v.addr = v.node.Addr
		if err := v.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.kill() })
		if name == first {
			r.victim = v
		} else {
			r.other = v
		}
	}
	if err := s.Node("n1").Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	r.deliveries = r.waysToAsk()
	return r
}
