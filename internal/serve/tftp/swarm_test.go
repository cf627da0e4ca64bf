package tftp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	wire "surefoot/internal/wire/tftp"
)

// swarm is many simulated clients in one thread, which polls as PXE ROMs do. Every byte that they
// get is compared.
type swarm struct {
	at        netip.AddrPort
	file      string
	content   []byte
	clients   int // at the same time
	downloads int // in all
	blockSize int
	window    int
	loss      float64 // of DATA and of ACKs, each
	seed      uint64

	rnd    *rand.Rand
	to     sockaddr
	ep     int
	all    []*puller
	begun  int
	active int
	took   []time.Duration
	lost   int // requests repeated
	failed map[string]int
	msgs   []mmsghdr
	iovs   []unix.Iovec
	from   []sockaddr
	bufs   [][]byte
}

// puller is one client.
type puller struct {
	fd      int
	tid     sockaddr // n is 0 before the first answer
	have    int64    // blocks
	inWin   int
	began   time.Time
	due     time.Time
	wait    time.Duration
	tries   int
	running bool
	replied time.Time
}

// outcome is what a storm measured.
type outcome struct {
	took     []time.Duration // of each download, sorted
	all      time.Duration
	bytes    int64
	repeated int // requests that got no answer in time
	failed   map[string]int
}

func (o outcome) percentile(p int) time.Duration {
	if len(o.took) == 0 {
		return 0
	}
	return o.took[min(len(o.took)-1, len(o.took)*p/100)]
}

func (o outcome) String() string {
	return fmt.Sprintf("%7.1f MB/s %7.0f/s  p50 %8.1f ms  p99 %8.1f ms  worst %8.1f ms  repeated %d  failed %v",
		float64(o.bytes)/1e6/o.all.Seconds(), float64(len(o.took))/o.all.Seconds(),
		o.percentile(50).Seconds()*1e3, o.percentile(99).Seconds()*1e3, o.percentile(100).Seconds()*1e3, o.repeated, o.failed)
}

// run downloads until everything has come or failed.
func (s *swarm) run() (outcome, error) {
	s.rnd = rand.New(rand.NewPCG(s.seed, 7))
	s.failed = map[string]int{}
	s.to = sockaddrOf(s.at)
	var err error
	if s.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return outcome{}, err
	}
	defer unix.Close(s.ep)
	n := max(s.window, 1)
	s.msgs, s.iovs, s.from, s.bufs = make([]mmsghdr, n), make([]unix.Iovec, n), make([]sockaddr, n), make([][]byte, n)
	for i := range n {
		s.bufs[i] = make([]byte, s.blockSize+100)
	}
	for i := range s.clients {
		p := &puller{fd: -1}
		s.all = append(s.all, p)
		if err := s.open(p, i); err != nil {
			return outcome{}, err
		}
	}
	defer func() {
		for _, p := range s.all {
			_ = unix.Close(p.fd)
		}
	}()
	start := time.Now()
	for _, p := range s.all {
		s.begin(p)
	}
	events := make([]unix.EpollEvent, 64)
	swept := start
	for s.active > 0 {
		for _, ev := range events[:epollNow(s.ep, events, 0)] {
			s.receive(s.all[ev.Fd])
		}
		if now := time.Now(); now.Sub(swept) > 5*time.Millisecond {
			swept = now
			s.sweep(now)
		}
	}
	o := outcome{took: s.took, all: time.Since(start), repeated: s.lost, failed: s.failed}
	o.bytes = int64(len(s.took)) * int64(len(s.content))
	slices.Sort(o.took)
	return o, nil
}

// open opens a client's socket at an address of its own: a server may give one address a share.
func (s *swarm) open(p *puller, i int) error {
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20)
	p.fd = fd
	from := netip.AddrFrom4([4]byte{127, 0, 1, byte(i%250 + 1)})
	if err := bindTo(fd, netip.AddrPortFrom(from, 0)); err != nil {
		return err
	}
	return unix.EpollCtl(s.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
}

func (s *swarm) begin(p *puller) {
	if s.begun == s.downloads {
		return
	}
	s.begun++
	s.active++
	*p = puller{fd: p.fd, began: time.Now(), wait: time.Second, running: true}
	s.ask(p)
}

func (s *swarm) ask(p *puller) {
	opts := []wire.Option{{Name: "blksize", Value: strconv.Itoa(s.blockSize)}}
	if s.window > 1 {
		opts = append(opts, wire.Option{Name: "windowsize", Value: strconv.Itoa(s.window)})
	}
	_ = sendTo(p.fd, rrq(s.file, opts...), &s.to)
	p.due = time.Now().Add(p.wait)
}

func (s *swarm) reply(p *puller, now time.Time) {
	p.inWin, p.replied = 0, now
	p.due = now.Add(p.wait)
	if s.loss > 0 && s.rnd.Float64() < s.loss {
		return
	}
	ack := [4]byte{0, 4, byte(p.have >> 8), byte(p.have)}
	_ = sendTo(p.fd, ack[:], &p.tid)
}

// sweep repeats what got no answer.
func (s *swarm) sweep(now time.Time) {
	for _, p := range s.all {
		if !p.running || now.Before(p.due) {
			continue
		}
		p.wait = min(2*p.wait, 8*time.Second)
		if p.tries++; p.tries > 6 {
			s.fail(p, "timeout")
			continue
		}
		if p.tid.n == 0 {
			s.lost++
			s.ask(p)
		} else {
			s.reply(p, now)
		}
	}
}

func (s *swarm) fail(p *puller, why string) {
	s.failed[why]++
	p.running = false
	s.active--
	s.begin(p)
}

// receive takes what one client's socket has.
func (s *swarm) receive(p *puller) {
	for i := range s.msgs {
		m := &s.msgs[i].head
		s.iovs[i].Base = &s.bufs[i][0]
		s.iovs[i].SetLen(len(s.bufs[i]))
		m.Iov, m.Iovlen = &s.iovs[i], 1
		m.Name, m.Namelen = &s.from[i].b[0], uint32(len(s.from[i].b))
		s.from[i].n = unix.SizeofSockaddrInet4
	}
	n, err := recvMMsg(p.fd, s.msgs)
	if err != nil {
		return
	}
	now, began := time.Now(), p.began
	for i := range n {
		if p.running && p.began.Equal(began) { // else these are the former download's
			s.packet(p, s.bufs[i][:s.msgs[i].n], &s.from[i], now)
		}
	}
}

func (s *swarm) packet(p *puller, b []byte, from *sockaddr, now time.Time) {
	if len(b) < 4 {
		return
	}
	if p.tid.n == 0 {
		p.tid = *from
	} else if !p.tid.same(from) {
		return
	}
	p.tries, p.wait = 0, time.Second
	switch wire.Op(binary.BigEndian.Uint16(b)) {
	case wire.OpOACK:
		if p.have == 0 {
			s.reply(p, now)
		}
	case wire.OpERROR:
		s.fail(p, string(b[4:]))
	case wire.OpDATA:
		if s.loss > 0 && s.rnd.Float64() < s.loss {
			return
		}
		s.data(p, binary.BigEndian.Uint16(b[2:]), b[4:], now)
	}
}

func (s *swarm) data(p *puller, block uint16, b []byte, now time.Time) {
	if block != uint16(p.have+1) { // a gap or a duplicate: what is there, once in a while
		if now.Sub(p.replied) > 10*time.Millisecond || s.window > 1 && block > uint16(p.have+1) && p.inWin >= 0 {
			s.reply(p, now)
			p.inWin = -1 // once for a window
		}
		return
	}
	off := p.have * int64(s.blockSize)
	if off+int64(len(b)) > int64(len(s.content)) || !bytes.Equal(b, s.content[off:off+int64(len(b))]) {
		s.fail(p, "other content")
		return
	}
	p.have++
	if p.inWin < 0 {
		p.inWin = 0
	}
	p.inWin++
	last := len(b) < s.blockSize
	if last || p.inWin >= s.window {
		s.reply(p, now)
	}
	if !last {
		return
	}
	s.took = append(s.took, now.Sub(p.began))
	p.running = false
	s.active--
	if s.begun < s.downloads {
		for i := range s.all { // a new port, so that nothing late is taken for new
			if s.all[i] == p {
				if err := s.open(p, i); err == nil {
					s.begin(p)
				}
				return
			}
		}
	}
}
