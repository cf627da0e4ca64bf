package tftp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// network is a simulated one between the sender and a client: it loses, delays (and so reorders)
// and duplicates, by a seed, in simulated time.
type network struct {
	rnd             *rand.Rand
	now             time.Time
	queue           flights
	loss, duplicate float64
	latency, jitter time.Duration
	order           int
	sentData        int64 // DATA packets that the sender gave to it
}

// flight is a packet under way; acks go to the sender, the rest to the client.
type flight struct {
	at    time.Time
	order int
	toUs  bool
	oack  bool
	block uint16
	short bool // the last block
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].order < f[j].order
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any     { l := *f; x := l[len(l)-1]; *f = l[:len(l)-1]; return x }

func (n *network) send(p flight) {
	copies := 1
	if n.rnd.Float64() < n.duplicate {
		copies = 2
	}
	for range copies {
		if n.rnd.Float64() < n.loss {
			continue
		}
		p.at = n.now.Add(n.latency)
		if n.rnd.IntN(20) == 0 { // a few packets are overtaken by others
			p.at = p.at.Add(time.Duration(n.rnd.Int64N(int64(n.jitter) + 1)))
		}
		n.order++
		p.order = n.order
		heap.Push(&n.queue, p)
	}
}

// client is the receiver of RFC 7440: it acknowledges a whole window, or what it has at a gap,
// and repeats its last ACK when nothing comes for a second.
type client struct {
	window    int
	eager     bool // acknowledges every packet that is out of order, not one in 10 ms
	once      bool // names a gap once (RFC 7440 section 4), and acknowledges a repeated last block
	gap       bool // it has named the gap at hand
	twice     bool // the window comes again
	have      int64
	inWindow  int
	replied   time.Time
	done      bool
	greeted   bool // saw the OACK
	deadline  time.Time
	duplicate int
}

func (c *client) receive(n *network, p flight) {
	if !c.once || p.block == uint16(c.have+1) {
		c.deadline = n.now.Add(time.Second)
	}
	reply := func() {
		c.twice = false
		c.inWindow, c.replied = 0, n.now
		n.send(flight{toUs: true, block: uint16(c.have)})
	}
	switch {
	case p.oack:
		if c.have == 0 {
			c.greeted = true
			reply()
		}
	case p.block == uint16(c.have+1) && !c.done:
		c.have++
		c.inWindow++
		c.gap, c.twice = false, false
		c.done = p.short
		if c.done || c.inWindow == c.window {
			reply()
		}
	case c.once && !c.done:
		c.duplicate++
		ahead := p.block - uint16(c.have+1)
		c.twice = c.twice || ahead > 1<<15 && p.block != uint16(c.have)
		if int(ahead) < c.window && !c.gap || p.block == uint16(c.have) && (c.inWindow == 0 || c.twice) {
			c.gap = c.gap || int(ahead) < c.window
			reply()
		}
	default:
		c.duplicate++
		if c.eager || c.done || n.now.Sub(c.replied) > 10*time.Millisecond {
			reply()
		}
	}
}

type scenario struct {
	seed       uint64
	blocks     int64
	window     int
	oack       bool
	eager      bool
	once       bool
	loss, dup  float64
	jitter     time.Duration
	timeoutOpt time.Duration
}

// simulate runs a whole transfer and returns the machine, the client and how it ended. It checks
// at each step that nothing beyond the window or the file is sent.
func simulate(sc scenario) (_ *sender, _ *client, _ *network, _ boot.Reason, err error) {
	n := &network{
		rnd: rand.New(rand.NewPCG(sc.seed, 1)), now: epoch, loss: sc.loss, duplicate: sc.dup,
		latency: 200 * time.Microsecond, jitter: sc.jitter,
	}
	p := wire.Profile{BlockSize: 8, WindowSize: sc.window, Timeout: sc.timeoutOpt}
	s := newSender((sc.blocks-1)*8, p, sc.oack, sc.oack)
	c := &client{window: sc.window, eager: sc.eager, once: sc.once, deadline: n.now.Add(time.Second)}
	limit := epoch.Add(time.Hour)
	do := s.step(n.now, input{kind: begin})
	for {
		if do.end != "" {
			return s, c, n, do.end, nil
		}
		if do.to >= do.from && (do.from <= s.acked || do.to > s.acked+int64(sc.window) || do.to > sc.blocks) {
			return s, c, n, "", fmt.Errorf("%d..%d sent of %d blocks, acked %d, window %d", do.from, do.to, sc.blocks, s.acked, sc.window)
		}
		if do.oack {
			n.send(flight{oack: true})
		}
		for b := do.from; b <= do.to; b++ {
			n.sentData++
			n.send(flight{block: uint16(b), short: b == sc.blocks})
		}
		if do, err = n.wait(s, c, do.deadline); err != nil {
			return s, c, n, "", err
		}
		if n.now.After(limit) {
			return s, c, n, "", fmt.Errorf("no end after an hour, %d of %d blocks", s.acked, sc.blocks)
		}
	}
}

// wait lets time pass until something happens to the sender.
func (n *network) wait(s *sender, c *client, deadline time.Time) (output, error) {
	for {
		next, who := deadline, "sender"
		if !c.done && c.deadline.Before(next) {
			next, who = c.deadline, "client"
		}
		if len(n.queue) > 0 && !n.queue[0].at.After(next) {
			next, who = n.queue[0].at, "packet"
		}
		n.now = next
		switch who {
		case "sender":
			do := s.step(n.now, input{kind: tick})
			if do.end == "" && !do.deadline.After(n.now) {
				return do, fmt.Errorf("the deadline stays in the past: the machine would spin")
			}
			return do, nil
		case "client":
			c.deadline = n.now.Add(time.Second)
			if c.have > 0 || c.greeted {
				n.send(flight{toUs: true, block: uint16(c.have)})
			}
		case "packet":
			p := heap.Pop(&n.queue).(flight)
			if p.toUs {
				return s.step(n.now, input{kind: ack, block: p.block}), nil
			}
			c.receive(n, p)
		}
	}
}

func TestSenderOverABadNetwork(t *testing.T) {
	for _, window := range []int{1, 2, 4, 16, 64} {
		for seed := range uint64(40) {
			sc := scenario{
				seed: seed, blocks: 1 + int64(seed*7), window: window, oack: seed%2 == 0 || window > 1, eager: seed%3 == 0, once: seed%3 == 1,
				loss: float64(seed%5) * 0.05, dup: float64(seed%4) * 0.1, jitter: time.Duration(seed%3) * 5 * time.Millisecond,
			}
			check(t, sc)
		}
	}
}

// check runs a scenario: the client has all, and the machine knows, unless every last ACK was lost.
func check(t *testing.T, sc scenario) {
	t.Helper()
	s, c, _, end, err := simulate(sc)
	switch {
	case err != nil:
		t.Fatalf("%+v: %v", sc, err)
	case !c.done || c.have != sc.blocks:
		t.Fatalf("%+v: %s, but the client has %d of %d blocks (acked %d, sent %d)", sc, end, c.have, sc.blocks, s.acked, s.sent)
	case end != boot.Done && end != boot.Timeout:
		t.Fatalf("%+v: ended with %s", sc, end)
	}
}

// With duplicates but no loss, nothing is sent twice at windowsize 1 (RFC 1123 4.2.3.1).
func TestDuplicatesCauseNoMore(t *testing.T) {
	sc := scenario{seed: 3, blocks: 500, window: 1, dup: 1}
	s, _, n, end, err := simulate(sc)
	if err != nil || end != boot.Done || s.retransmits != 0 || n.sentData != sc.blocks {
		t.Fatalf("%s, %v: %d retransmits, %d DATA for %d blocks", end, err, s.retransmits, n.sentData, sc.blocks)
	}
}

// One duplicated window must not make every later one go out twice, whatever the client does when it
// sees a block again.
func TestWindowsDoNotStayDouble(t *testing.T) {
	for _, sc := range habitual(scenario{seed: 5, blocks: 3200, window: 16, oack: true, dup: 0.01}) {
		_, c, n, end, err := simulate(sc)
		if err != nil || end != boot.Done || n.sentData > sc.blocks*115/100 {
			t.Errorf("%+v: %s, %v: %d DATA for %d blocks, %d duplicates seen", sc, end, err, n.sentData, sc.blocks, c.duplicate)
		}
	}
}

// habitual is a scenario with each kind of client.
func habitual(sc scenario) []scenario {
	eager, once := sc, sc
	eager.eager, once.once = true, true
	return []scenario{sc, eager, once}
}

// 1 % loss each way must cost a 1 MiB download (720 blocks) little: with a fixed wait of a second it
// is more than ten. In windows gaps are filled at once, and the end of a window is asked for.
func TestLossCostsLittle(t *testing.T) {
	for window, most := range map[int]time.Duration{1: 1200 * time.Millisecond, 4: 300 * time.Millisecond, 16: 150 * time.Millisecond, 64: 100 * time.Millisecond} {
		for _, sc := range habitual(scenario{blocks: 720, window: window, oack: true, loss: 0.01}) {
			var took []time.Duration
			var sent int64
			for sc.seed = range 100 {
				_, _, n, end, err := simulate(sc)
				if err != nil || end != boot.Done {
					t.Errorf("%+v: %s, %v", sc, end, err)
				}
				took, sent = append(took, n.now.Sub(epoch)), sent+n.sentData
			}
			slices.Sort(took)
			more := float64(sent)/100/720 - 1
			if took[50] > most || took[98] > most+time.Second || more > 0.5 {
				t.Errorf("window %d, eager %v, once %v: half within %s, 99 within %s, %.0f %% of the blocks twice", window, sc.eager, sc.once, took[50], took[98], 100*more)
			}
		}
	}
}

func TestWrapOverABadNetwork(t *testing.T) {
	check(t, scenario{seed: 11, blocks: 70000, window: 1, loss: 0.002, dup: 0.01, jitter: time.Millisecond})
	check(t, scenario{seed: 12, blocks: 140000, window: 64, oack: true, loss: 0.002, dup: 0.01, jitter: time.Millisecond})
}

func FuzzSender(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint8(0), uint8(0), uint8(0), uint8(0), true)
	f.Add(uint64(2), uint16(100), uint8(3), uint8(20), uint8(20), uint8(10), true)
	f.Add(uint64(3), uint16(500), uint8(63), uint8(10), uint8(100), uint8(50), false)
	f.Fuzz(func(t *testing.T, seed uint64, blocks uint16, window, loss, dup, jitter uint8, eager bool) {
		check(t, scenario{
			seed: seed, blocks: int64(blocks%2000) + 1, window: int(window%64) + 1, oack: true, eager: eager,
			once: seed%2 == 0, loss: float64(loss%30) / 100, dup: float64(dup%100) / 100, jitter: time.Duration(jitter%60) * time.Millisecond,
		})
	})
}
