package tftp

import (
	"bytes"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// floodPackets are what the fuzzed packets are made of.
func floodPackets() [][]byte {
	return [][]byte{
		rrq("f"),
		rrq("nowhere/f", wire.Option{Name: "blksize", Value: "1468"}, wire.Option{Name: "tsize", Value: "0"}),
		wire.AppendRequest(nil, wire.Request{Op: wire.OpWRQ, File: "f", Mode: "octet"}),
		wire.AppendData(nil, 1, make([]byte, 100)),
		wire.AppendACK(nil, 1),
		wire.AppendError(nil, wire.ErrUndefined, "error"),
		wire.AppendOACK(nil, []wire.Option{{Name: "blksize", Value: "1468"}}),
	}
}

// mutate changes, cuts or lengthens a packet.
func mutate(rnd *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range rnd.IntN(6) {
		switch i := rnd.IntN(len(b) + 1); rnd.IntN(4) {
		case 0:
			b = b[:i]
		case 1:
			b = append(b, byte(rnd.Uint32()))
		default:
			if i < len(b) {
				b[i] = byte(rnd.Uint32())
			}
		}
	}
	return b
}

// 200,000 packets of junk and half-junk: no fault, an answer to requests only, and memory and
// goroutines as before.
func TestFlood(t *testing.T) {
	const packets, maxTransfers = 200_000, 50
	s := start(t, "", func(c *Config) {
		c.Limits = Limits{Transfers: maxTransfers, Queue: 50, QueueTime: 100 * time.Millisecond}
	})
	s.write("f", make([]byte, 5000))
	seeds := floodPackets()
	var requests, told, faults atomic.Int64
	s.mu.Lock()
	s.fault = func(ev boot.Event) { // keeps no event of them all
		switch {
		case ev.Reason == boot.Panicked:
			faults.Add(1)
		case ev.Kind == boot.Ignored || ev.Kind == boot.ReadRequest || ev.Reason == boot.WriteRefused:
			told.Add(1)
		}
		s.mu.Lock()
		s.events = s.events[:0]
		s.mu.Unlock()
	}
	s.mu.Unlock()

	junk, asking := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	answers := make(chan []byte, 1)
	go func() { // what comes back to the socket that never sent a request
		buf := make([]byte, 2000)
		for {
			n, from, err := junk.c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			select {
			case answers <- append([]byte(from.String()+" "), buf[:n]...):
			default:
			}
		}
	}()
	go func() {
		buf := make([]byte, 2000)
		for {
			if _, _, err := asking.c.ReadFromUDPAddrPort(buf); err != nil {
				return
			}
		}
	}()
	before, memory := runtime.NumGoroutine(), heapInUse()
	rnd := rand.New(rand.NewPCG(2, 3))
	var most int
	for i := range packets {
		b := mutate(rnd, seeds[rnd.IntN(len(seeds))])
		p := junk
		if op, ok := wire.PeekOp(b); ok && (op == wire.OpRRQ || op == wire.OpWRQ) {
			p = asking
			requests.Add(1)
		}
		if _, err := p.c.WriteToUDPAddrPort(b, s.srv.Addr()); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			most = max(most, runtime.NumGoroutine())
			for range 100 { // as fast as they are read, so that none is lost before
				if told.Load() >= int64(i)-1000 {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	// A packet after them all: when it has its answer, they have been read.
	last := dial(t, "127.0.0.1:0")
	waitForAnswer(t, last.c, rrq("no such"), net.UDPAddrFromAddrPort(s.srv.Addr()))
	select {
	case a := <-answers:
		t.Errorf("an answer to junk: %q", a)
	default:
	}
	grown := int64(heapInUse()) - int64(memory)
	t.Logf("%d requests among %d packets, %d told of; at most %d goroutines (%d before), memory %+d KiB",
		requests.Load(), packets, told.Load(), most, before, grown/1024)
	if faults.Load() > 0 {
		t.Errorf("%d faults", faults.Load())
	}
	if told.Load() < packets*9/10 {
		t.Errorf("only %d packets were told of: the flood did not arrive", told.Load())
	}
	if most > before+3*maxTransfers { // running, about to end, kept back for a moment
		t.Errorf("%d goroutines, %d before", most, before)
	}
	if grown > 16<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func waitForAnswer(t *testing.T, c *net.UDPConn, b []byte, to *net.UDPAddr) {
	t.Helper()
	buf := make([]byte, 2000)
	for range 40 {
		if _, err := c.WriteTo(b, to); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
		if _, _, err := c.ReadFrom(buf); err == nil {
			return
		}
	}
	t.Fatal("the server answers no more")
}
