package tftp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// counter is a registry under test, with the loop that its notes go to.
type counter struct {
	*registry
	t    *testing.T
	l    *loop
	now  time.Time
	seen int // notes read
}

func newCounter(t *testing.T, m Limits) *counter {
	c := &counter{
		registry: &registry{limits: m.withDefaults()}, t: t,
		l: &loop{mail: mailbox{bell: -1}}, now: time.Unix(1000, 0),
	}
	c.clock = func() time.Time { return c.now }
	return c
}

// ask makes a request of an address, from a port, and compares what the registry says.
func (c *counter) ask(addr string, port uint16, want boot.Reason, queued bool) *transfer {
	c.t.Helper()
	x := &transfer{
		ends: ends{client: netip.AddrPortFrom(netip.MustParseAddr(addr), port)}, request: "x",
		began: c.now, l: c.l,
	}
	if got, q := c.admit(x, c.now); got != want || q != queued {
		c.t.Errorf("%s:%d: %s, queued %t; want %s, queued %t", addr, port, got, q, want, queued)
	}
	return x
}

// entered lists the clients that were let in from the queue since it was asked last.
func (c *counter) entered() string {
	var out []string
	for _, n := range c.l.mail.notes[c.seen:] {
		if n.kind == admitted {
			out = append(out, n.t.ends.client.String())
		}
	}
	c.seen = len(c.l.mail.notes)
	return strings.Join(out, " ")
}

// empty checks that nothing is booked when everything has ended.
func (c *counter) empty() {
	c.t.Helper()
	for _, x := range c.all {
		c.remove(x)
	}
	if c.running != 0 || c.live != 0 || c.waiting != 0 || len(c.all) != 0 || len(c.sources) != 0 || len(c.networks) != 0 ||
		c.silent.Len() != 0 || c.ring.Len() != 0 {
		c.t.Errorf("left: %d running, %d live, %d waiting, %d in all, %d sources, %d networks, %d silent, %d in turn",
			c.running, c.live, c.waiting, len(c.all), len(c.sources), len(c.networks), c.silent.Len(), c.ring.Len())
	}
}

func TestLimitsWithoutQueue(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 160, Queue: -1}) // so 20 of one address
	first := c.ask("10.0.0.1", 1, boot.Answered, false)
	for port := uint16(2); port <= 20; port++ {
		c.ask("10.0.0.1", port, boot.Answered, false)
	}
	c.ask("10.0.0.1", 21, boot.TooManyOfClient, false)
	c.ask("10.0.0.2", 1, boot.Answered, false) // the others go on
	c.remove(first)
	c.remove(first) // twice is once
	c.ask("10.0.0.1", 22, boot.Answered, false)
	c.ask("10.0.0.1", 23, boot.TooManyOfClient, false)
	for i := c.count(); i < 160; i++ {
		c.ask(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}).String(), 1, boot.Answered, false)
	}
	c.ask("10.0.0.3", 1, boot.TooManyTransfers, false)
	c.empty()
}

// Addresses take turns, whatever each has asked for, and of one the first comes first.
func TestQueueIsFair(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 3, PerClient: 3})
	c.limits.Queue = 100
	var running []*transfer
	for port := range uint16(3) {
		running = append(running, c.ask("10.0.0.1", 1+port, boot.Answered, false))
	}
	for port := range uint16(3) {
		c.ask("10.0.0.1", 11+port, boot.TooManyTransfers, true)
	}
	c.ask("10.0.0.2", 1, boot.TooManyTransfers, true)
	c.ask("10.0.0.3", 1, boot.TooManyTransfers, true)
	c.ask("10.0.0.3", 1, boot.DuplicateRequest, false) // a copy has its place already
	for _, x := range running {
		c.remove(x)
	}
	if got, want := c.entered(), "10.0.0.1:11 10.0.0.2:1 10.0.0.3:1"; got != want {
		t.Errorf("let in: %s, want %s", got, want)
	}
	if c.queueLength() != 2 {
		t.Errorf("%d wait, want 2", c.queueLength())
	}
	c.empty()
}

// One address at its own limit does not keep others from free places, and comes in later.
func TestQueuePassesWhoIsAtItsLimit(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 10, PerClient: 2})
	a := c.ask("10.0.0.1", 1, boot.Answered, false)
	c.ask("10.0.0.1", 2, boot.Answered, false)
	c.ask("10.0.0.1", 3, boot.TooManyOfClient, true)
	c.ask("10.0.0.2", 1, boot.Answered, false)
	c.remove(a)
	if got, want := c.entered(), "10.0.0.1:3"; got != want {
		t.Errorf("let in: %s, want %s", got, want)
	}
	c.empty()
}

func TestLimitOfANetwork(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 10, PerNetwork: 2})
	c.network = func(a netip.Addr) string { return fmt.Sprint(a.As4()[1]) }
	first := c.ask("10.1.0.1", 1, boot.Answered, false)
	c.ask("10.1.0.2", 1, boot.Answered, false)
	c.ask("10.1.0.3", 1, boot.TooManyOfNetwork, true)
	c.ask("10.2.0.1", 1, boot.Answered, false) // the other network goes on
	c.remove(first)
	if got, want := c.entered(), "10.1.0.3:1"; got != want {
		t.Errorf("let in: %s, want %s", got, want)
	}
	c.empty()
}

// A forged address gets the first packets of a few transfers; a real one that acknowledges
// something gets all that it asked for.
func TestUnprovenAddress(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 4000})
	var first *transfer
	for port := range uint16(maxUnproven) {
		first = c.ask("10.0.0.1", 1+port, boot.Answered, false)
	}
	for port := range uint16(100) {
		c.ask("10.0.0.1", 1000+port, boot.UnprovenClient, true)
	}
	c.ask("10.0.0.2", 1, boot.Answered, false)
	if got := c.entered(); got != "" {
		t.Errorf("let in: %s", got)
	}
	c.heard(first)
	if got := len(strings.Fields(c.entered())); got != 100 {
		t.Errorf("%d let in after the first ACK, want 100", got)
	}
	c.ask("10.0.0.1", 2000, boot.Answered, false)
	c.empty()
}

// Who waited long is not taken for silent at once.
func TestPlaceAfterAWait(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 1})
	first := c.ask("10.0.0.1", 1, boot.Answered, false)
	c.heard(first)
	x := c.ask("10.0.0.2", 1, boot.TooManyTransfers, true)
	c.now = c.now.Add(2 * silentFor)
	c.remove(first)
	if got, want := c.entered(), "10.0.0.2:1"; got != want {
		t.Errorf("let in: %s, want %s", got, want)
	}
	c.ask("10.0.0.3", 1, boot.TooManyTransfers, true)
	if x.stopped.Load() != 0 {
		t.Error("it had to make room as soon as it had a place")
	}
	c.remove(x)
	c.empty()
}

func TestQueueIsBounded(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 1, Queue: 160}) // so 80 of one address
	c.ask("10.0.0.1", 1, boot.Answered, false)
	for port := range uint16(80) {
		c.ask("10.0.0.2", 1+port, boot.TooManyTransfers, true)
	}
	c.ask("10.0.0.2", 99, boot.TooManyTransfers, false)
	for i := range 80 {
		c.ask(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}).String(), 1, boot.TooManyTransfers, true)
	}
	c.ask("10.0.0.4", 1, boot.TooManyTransfers, false)
	c.empty()
}

func TestGiveUpWaiting(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 1})
	running := c.ask("10.0.0.1", 1, boot.Answered, false)
	x := c.ask("10.0.0.2", 1, boot.TooManyTransfers, true)
	if why, ok := c.giveUp(x); !ok || why != boot.TooManyTransfers {
		t.Errorf("%s %t", why, ok)
	}
	if _, ok := c.giveUp(x); ok {
		t.Error("it gave up twice")
	}
	c.remove(running)
	if got := c.entered(); got != "" {
		t.Errorf("let in: %s", got)
	}
	c.empty()
}

// What asks for something else from the same port has given up what it asked for first: a running
// transfer's place is the next one's, one that waited is forgotten.
func TestReplaced(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 2})
	c.ask("10.0.0.9", 1, boot.Answered, false)
	a := c.ask("10.0.0.1", 1, boot.Answered, false)
	b := c.ask("10.0.0.2", 1, boot.TooManyTransfers, true)
	again := func(addr string, want boot.Reason, queued bool) *transfer {
		x := &transfer{ends: ends{client: netip.AddrPortFrom(netip.MustParseAddr(addr), 1)}, request: "y", began: c.now, l: c.l}
		if got, q := c.admit(x, c.now); got != want || q != queued {
			t.Errorf("%s: %s, queued %t", addr, got, q)
		}
		return x
	}
	again("10.0.0.1", boot.Answered, false)
	again("10.0.0.2", boot.TooManyTransfers, true)
	for _, old := range []*transfer{a, b} {
		if got := interruption(old.stopped.Load()); got != replaced {
			t.Errorf("%s: interruption %d", old.ends.client, got)
		}
	}
	c.remove(a)
	c.remove(b)
	if c.queueLength() != 1 || c.running != 2 {
		t.Errorf("%d wait, %d run", c.queueLength(), c.running)
	}
	c.empty()
}

// Where there is no place left, the oldest transfer whose client never spoke makes room, for
// a newcomer as for one that waits already.
func TestRegistryMakesRoom(t *testing.T) {
	c := newCounter(t, Limits{Transfers: 3})
	c.now = c.now.Add(-time.Minute)
	speaking := c.ask("10.0.0.1", 1, boot.Answered, false)
	c.heard(speaking)
	c.now = c.now.Add(time.Minute - silentFor)
	old := c.ask("10.0.0.2", 1, boot.Answered, false)
	c.now = c.now.Add(silentFor / 2)
	young := c.ask("10.0.0.3", 1, boot.Answered, false)
	c.now = c.now.Add(silentFor / 2)
	c.ask("10.0.0.4", 1, boot.Answered, false)
	if got := interruption(old.stopped.Load()); got != displaced {
		t.Errorf("the old silent transfer: interruption %d, want %d", got, displaced)
	}
	x := c.ask("10.0.0.5", 1, boot.TooManyTransfers, true) // the silent ones are young, the other one speaks
	c.remove(old)                                          // it ends, and takes nobody else's place away
	if c.running != 3 || c.silent.Len() != 2 {
		t.Errorf("%d run, %d in silence; want 3 and 2", c.running, c.silent.Len())
	}
	if !c.await(x, c.now) {
		t.Error("it was let in")
	}
	if c.await(x, c.now.Add(silentFor/2)) {
		t.Error("it waits while a silent transfer has a place")
	}
	if got := interruption(young.stopped.Load()); got != displaced {
		t.Errorf("the one that is silent next: interruption %d, want %d", got, displaced)
	}
	c.remove(young)
	c.empty()
}
