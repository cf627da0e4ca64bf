package rawsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// fullWait is how long a batch waits for room in the socket's send buffer. A link that takes
	// nothing for so long is as good as down, and clients ask again.
	fullWait = 100 * time.Millisecond
	// queuePause is how long a batch waits when the card's queue is full, queueTries how often in vain,
	// and queuePauses how often at all.
	queuePause  = time.Millisecond
	queueTries  = 5
	queuePauses = 20
)

// Sender is the memory for writing frames, or IPv4 packets, many at a time (sendmmsg(2)). It belongs
// to one writer; the socket may have several.
type Sender struct {
	// Stats grow with every batch.
	Stats SendStats

	msgs  [MaxBatch]mmsghdr
	iovs  [MaxBatch]unix.Iovec
	names [MaxBatch]unix.RawSockaddrInet4
	from  [MaxBatch]pktinfo
	write func(fd uintptr) // s.all, made once

	what    [][]byte
	ways    []Way // of datagrams; nil: it is not any
	ip      bool
	sent    int
	waited  bool
	news    bool
	tries   int
	pauses  int
	err     error
	errWhat int // index of what err is about
}

// SendStats counts what became of frames or packets.
type SendStats struct {
	Sent   uint64 // left this host, as far as the kernel says
	Lost   uint64 // did not
	Full   uint64 // how often the send buffer was full (EAGAIN)
	Queue  uint64 // how often the card's queue was full (ENOBUFS)
	Writes uint64 // system calls
}

// NewSender returns one.
func NewSender() *Sender {
	s := new(Sender)
	s.write = s.all
	for i := range s.msgs {
		h := &s.msgs[i].head
		h.Iov = &s.iovs[i]
		h.SetIovlen(1)
		s.names[i].Family = unix.AF_INET
		f := &s.from[i]
		f.head.Level, f.head.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		f.head.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	}
	return s
}

// pktinfo is the control message that says from which address a datagram goes (ip(7)).
type pktinfo struct {
	head unix.Cmsghdr
	info unix.Inet4Pktinfo
	_    [4]byte
}

// WriteBatch sends frames in their order. It returns how many left, and what befell the first one that
// did not; those behind it are tried all the same, unless the link is down (see Down).
//
// While the send buffer or the card's queue is full it waits, for some milliseconds at most.
func (p *PacketConn) WriteBatch(s *Sender, frames [][]byte) (int, error) {
	for _, f := range frames {
		if len(f) < 14 {
			return 0, fmt.Errorf("write to %s: a frame of %d bytes", p.name, len(f))
		}
	}
	s.begin(frames, false)
	if err := p.rc.Control(s.write); err != nil {
		s.fail(0, p.plain(err))
	}
	sent, _, err := s.end()
	if err != nil {
		return sent, fmt.Errorf("write to %s: %w", p.name, err)
	}
	return sent, nil
}

// WriteBatch sends packets, each towards the address in its header, and otherwise does what
// PacketConn.WriteBatch does. A packet to which there is no route does not hold up the others.
func (c *IPv4Conn) WriteBatch(s *Sender, packets [][]byte) (int, error) {
	for _, b := range packets {
		if len(b) < 20 {
			return 0, fmt.Errorf("send an ipv4 packet of %d bytes", len(b))
		}
	}
	s.begin(packets, true)
	s.all(uintptr(c.fd))
	sent, which, err := s.end()
	if err != nil {
		to := netip.AddrFrom4([4]byte(packets[which][16:20]))
		return sent, fmt.Errorf("send an ipv4 packet to %s: %w", to, err)
	}
	return sent, nil
}

func (s *Sender) begin(what [][]byte, ip bool) {
	s.what, s.ip = what, ip
	s.sent, s.waited, s.news, s.err, s.errWhat = 0, false, false, nil, 0
	s.tries, s.pauses = 0, 0
}

// end counts, and lets go of the caller's memory.
func (s *Sender) end() (sent, which int, err error) {
	s.Stats.Sent += uint64(s.sent)
	s.Stats.Lost += uint64(len(s.what) - s.sent)
	s.what = nil
	return s.sent, s.errWhat, s.err
}

func (s *Sender) fail(which int, err error) {
	if s.err == nil {
		s.err, s.errWhat = err, which
	}
}

// all sends everything, up to MaxBatch at a time.
func (s *Sender) all(fd uintptr) {
	for at := 0; at < len(s.what); {
		n := s.load(s.what[at:])
		next, ok := s.some(int(fd), at, n)
		for i := range n {
			s.iovs[i].Base = nil
		}
		if !ok {
			return
		}
		at = next
	}
}

// load fills in the messages for as many as fit.
func (s *Sender) load(what [][]byte) int {
	n := min(len(what), MaxBatch)
	for i, b := range what[:n] {
		s.iovs[i].Base = &b[0]
		s.iovs[i].SetLen(len(b))
		h := &s.msgs[i].head
		h.Name, h.Namelen, h.Control = nil, 0, nil
		h.SetControllen(0)
		switch {
		case s.ways != nil:
			w := s.ways[len(s.ways)-len(what)+i]
			s.names[i].Addr = w.Dst.Addr().As4()
			binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.names[i].Port))[:], w.Dst.Port())
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.names[i])), unix.SizeofSockaddrInet4
			s.from[i].info.Spec_dst = w.Src.As4()
			h.Control = (*byte)(unsafe.Pointer(&s.from[i]))
			h.SetControllen(unix.CmsgSpace(unix.SizeofInet4Pktinfo))
		case s.ip:
			s.names[i].Addr, s.names[i].Port = [4]byte(b[16:20]), 0
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.names[i])), unix.SizeofSockaddrInet4
		}
	}
	return n
}

// some sends the n messages that are loaded, of which the first is number at. It returns the number
// behind the last; ok is false if the rest is not worth trying.
func (s *Sender) some(fd, at, n int) (next int, ok bool) {
	for i := 0; i < n; {
		s.Stats.Writes++
		k, err := sendMMsg(fd, s.msgs[i:n])
		if err == nil {
			i += k
			s.sent += k
			s.tries = 0
			continue
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case err == errAgain:
			s.Stats.Full++
			if !s.room(fd) {
				s.fail(at+i, err)
				return 0, false
			}
		case errors.Is(err, unix.ENOBUFS) && s.tries < queueTries && s.pauses < queuePauses:
			s.Stats.Queue++
			s.tries++
			s.pauses++
			time.Sleep(queuePause)
		case Down(err) && !s.ip && !s.news: // that the link was down, or is: a socket tells it once in any case
			s.news = true
		case Down(err) && !s.ip, errors.Is(err, unix.EBADF):
			s.fail(at+i, err)
			return 0, false
		default: // about this one only
			s.fail(at+i, err)
			i++
		}
	}
	return at + n, true
}

// room waits until the send buffer has room; it waits in vain once a batch.
func (s *Sender) room(fd int) bool {
	if s.waited {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, int(fullWait.Milliseconds()))
	if n == 1 || errors.Is(err, unix.EINTR) {
		return true
	}
	s.waited = true
	return false
}
