package conform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// sending is a transfer of the reference server, with a goroutine of its own.
type sending struct {
	s       *reference
	conn    *net.UDPConn
	client  netip.AddrPort
	local   netip.Addr
	request string
	mode    string
	path    string

	content    []byte
	sourceSize int
	oack       []byte // nil: none was sent
	size       int
	window     int64
	first      time.Duration // the wait before the first repetition
	ceiling    time.Duration

	acked int64 // guarded by reference.mu, as is ended; -1: the OACK is not acknowledged
	sent  int64
	last  int64
	ended bool

	left, heard, due time.Time // when DATA was last sent, an ACK last moved on, a repetition is due
	wait             time.Duration
	tries, strangers int
	before           int64 // what had been sent before the last repetition in this window
	jumped           bool  // a repeated ACK was answered already
}

// begin opens the transfer's socket and starts it. reference.mu is held.
func (x *sending) begin(content []byte, pairs []string) {
	x.sourceSize = len(content)
	if x.content = content; x.mode == "netascii" {
		x.content = x.translate(content)
	}
	x.oack = x.negotiate(pairs)
	if string(x.oack) == "silent" || len(content) == 0 && x.s.has("empty-silent") {
		return
	}
	x.last = int64(len(x.content)/x.size) + 1
	if x.s.has("no-empty-last") && len(x.content) > 0 && len(x.content)%x.size == 0 {
		x.last--
	}
	if x.oack != nil {
		x.acked = -1
	}
	local := x.local
	if x.s.has("wrong-address") {
		local = netip.MustParseAddr("127.0.0.1")
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return
	}
	x.conn = conn
	x.s.running[x.client] = x
	go x.run()
}

// translate turns a file into netascii.
func (x *sending) translate(b []byte) []byte {
	if !x.s.has("lf-bare") {
		if x.s.has("cr-bare") {
			return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
		}
		out := netascii(string(b))
		if x.s.has("pair-kept") { // never parts a pair: fills up with a NUL
			for i := 511; i < len(out); i += 512 {
				if out[i] == '\r' {
					out = append(out[:i:i], append([]byte{0}, out[i:]...)...)
				}
			}
		}
		return out
	}
	return bytes.ReplaceAll(b, []byte("\r"), []byte("\r\x00"))
}

func (x *sending) run() {
	defer func() {
		_ = x.conn.Close()
		x.s.mu.Lock()
		defer x.s.mu.Unlock()
		x.ended = true
		if x.s.running[x.client] == x {
			delete(x.s.running, x.client)
		}
	}()
	x.heard, x.sent = time.Now(), x.acked
	x.settle()
	x.transmit()
	buf := make([]byte, 2000)
	for goOn := true; goOn; {
		_ = x.conn.SetReadDeadline(x.due)
		n, from, err := x.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			goOn = x.tick()
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			goOn = x.hear(buf[:n], unmap(from))
		}
	}
}

// settle begins the waits anew: the client is there.
func (x *sending) settle() {
	if x.wait = x.first; x.s.has("slow") {
		x.wait = 2500 * time.Millisecond
	}
	x.due, x.tries, x.jumped = time.Now().Add(x.wait), 0, false
}

// tick repeats, or gives up.
func (x *sending) tick() bool {
	s, limit := x.s, 25*time.Second
	if s.has("impatient") {
		limit = 3 * time.Second
	}
	x.tries++
	switch {
	case time.Since(x.heard) > limit, s.has("never-again"), s.has("only-once") && x.tries > 1,
		s.has("oack-never-again") && x.acked < 0, s.has("last-never-again") && x.sent == x.last:
		return false
	}
	if !s.has("fixed") {
		x.wait = min(2*x.wait, x.ceiling)
	}
	x.again()
	return true
}

// again repeats all that is not acknowledged.
func (x *sending) again() {
	x.before, x.due = x.sent, time.Now().Add(x.wait)
	x.transmit()
}

// hear takes a packet that came to the transfer's port.
func (x *sending) hear(b []byte, from netip.AddrPort) bool {
	s := x.s
	isError := len(b) >= 2 && b[0] == 0 && b[1] == opERROR
	if from != x.client && !(s.has("foreign-counts") || s.has("foreign-address") && from.Port() == x.client.Port()) {
		return x.foreign(isError, from)
	}
	switch {
	case isError:
		if s.has("error-to-error") {
			x.write(b)
		}
		return s.has("error-unheard")
	case len(b) < 4 || b[0] != 0 || b[1] != opACK:
		if s.has("odd-ends") && len(b) >= 4 {
			x.write(errorOf(4, "unexpected"))
			return false
		}
		return true
	case len(b) > 4 && s.has("ack-exact"):
		return true
	}
	block := binary.BigEndian.Uint16(b[2:])
	if x.acked < 0 && block != 0 {
		if !s.has("any-ack-for-oack") {
			return true
		}
		block = 0
	}
	at := max(x.acked, 0)
	return x.ack(at + int64(int16(block-uint16(at))))
}

// foreign takes a packet of somebody else.
func (x *sending) foreign(isError bool, from netip.AddrPort) bool {
	s := x.s
	x.strangers++
	switch {
	case isError && s.has("foreign-error-ends"), !isError && s.has("foreign-ends"):
		return false
	case isError && !s.has("foreign-error-answered"), s.has("foreign-silent"), x.strangers > 8 && !s.has("foreign-all-answered"):
		return true
	}
	_, _ = x.conn.WriteToUDPAddrPort(errorOf(5, "unknown transfer"), from)
	return true
}

// ack takes the ACK of a block. It returns false when that was the last.
func (x *sending) ack(n int64) bool {
	s := x.s
	switch {
	case n > x.sent && s.has("ack-believed"):
		x.sent = n
	case n > x.sent, n < 0, n < x.acked && !s.has("rewinds"):
		return true
	case n == x.acked:
		switch {
		case s.has("sorcerer"):
			x.transmit()
		case x.window > 1 && !x.jumped && time.Since(x.left) > 20*time.Millisecond:
			// The first block of the window was lost: the window has not only just left.
			x.jumped = true
			x.again()
		}
		return true
	case n < x.sent && s.has("ack-whole-window"):
		n = x.sent
	case n < x.sent && (s.has("ack-inside-unheard") || s.has("second-gap-waits") && x.before > 0):
		return true
	}
	s.mu.Lock()
	x.acked = n
	s.mu.Unlock()
	x.heard = time.Now()
	if n == x.last {
		x.farewell()
		return false
	}
	x.settle()
	switch {
	case n == x.sent:
		x.before = 0
		x.transmit()
	case n == x.before && !s.has("echoes"):
		// It is about blocks that came twice, not about a loss: send only what was never sent.
		x.transmitFrom(x.sent + 1)
	default:
		x.again()
	}
	return true
}

// farewell is what is left to say after the last ACK: nothing.
func (x *sending) farewell() {
	if x.s.has("talks-on") {
		x.write(ackOf(0))
	}
	if x.s.has("talks-later") {
		time.Sleep(500 * time.Millisecond)
		x.acked--
		x.transmit()
	}
}

// transmit sends what is not acknowledged: the OACK, or the window.
func (x *sending) transmit() {
	s := x.s
	if x.acked < 0 {
		x.write(x.oack)
		if x.sent = 0; !s.has("oack-no-wait") {
			return
		}
		x.window = 1
	}
	if s.has("forgets-netascii") && x.sent > max(x.acked, 0) && x.mode == "netascii" {
		x.content = append([]byte{'?'}, x.content...)
	}
	x.transmitFrom(max(x.acked, 0) + 1)
}

// transmitFrom sends the window, which begins after the last ACK, from a block on.
func (x *sending) transmitFrom(first int64) {
	s, window := x.s, x.window
	x.left = time.Now()
	if s.has("window-plus-1") && window > 1 {
		window++
	}
	if s.has("runs-ahead") {
		window = max(window, 2)
	}
	x.sent = max(x.sent, min(max(x.acked, 0)+window, x.last))
	for n := first; n <= x.sent; n++ {
		from, to := (n-1)*int64(x.size), min(n*int64(x.size), int64(len(x.content)))
		content := x.content
		if s.has("reads-again") {
			if b, err := os.ReadFile(filepath.Join(s.dir, x.path)); err == nil && int64(len(b)) >= to && x.mode == "octet" {
				content = b
				x.last, to = int64(len(b)/x.size)+1, min(n*int64(x.size), int64(len(b)))
			}
		}
		number := uint16(n)
		switch {
		case s.has("from-0"):
			number--
		case s.has("wraps-to-1") && n > 65535:
			number = uint16((n-1)%65535 + 1)
		case s.has("ends-at-65535") && n > 65535:
			x.write(errorOf(0, "file too long"))
			return
		case s.has("gap-at-wrap") && n == 65536:
			continue
		}
		x.write(append(short(opDATA, number), content[from:to]...))
	}
}

func (x *sending) write(b []byte) {
	if x.s.has("request-port") {
		_, _ = x.s.conn.WriteToUDPAddrPort(b, x.client)
		return
	}
	_, _ = x.conn.WriteToUDPAddrPort(b, x.client)
}
