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
	left  time.Time // when DATA was last sent
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
	s := x.s
	x.sent = x.acked
	x.transmit()
	wait, began := x.first, time.Now()
	if s.has("slow") {
		wait = 2500 * time.Millisecond
	}
	tries, heard := 0, began
	due := began.Add(wait)
	buf := make([]byte, 2000)
	strangers, jumped := 0, false
	var sentAt time.Time // of the last repetition since the last full ACK
	var before int64     // what had been sent before it
	for {
		_ = x.conn.SetReadDeadline(due)
		n, from, err := x.conn.ReadFromUDPAddrPort(buf)
		now := time.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			limit := 25 * time.Second
			if s.has("impatient") {
				limit = 3 * time.Second
			}
			if now.Sub(heard) > limit && !s.has("for-ever") || s.has("never-again") || s.has("oack-never-again") && x.acked < 0 ||
				s.has("last-never-again") && x.sent == x.last {
				return
			}
			if tries++; s.has("only-once") && tries > 1 {
				return
			}
			if !s.has("fixed") {
				wait = min(2*wait, x.ceiling)
			}
			before, sentAt, due = x.sent, now, now.Add(wait)
			x.transmit()
			continue
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue
		}
		b := buf[:n]
		if from = unmap(from); from != x.client && !(s.has("foreign-counts") || s.has("foreign-address") && from.Port() == x.client.Port()) {
			if isError := n >= 2 && b[1] == opERROR; isError && !s.has("foreign-error-answered") {
				if s.has("foreign-error-ends") {
					return
				}
				continue
			}
			if s.has("foreign-ends") {
				return
			}
			if strangers++; !s.has("foreign-silent") && (strangers <= 8 || s.has("foreign-all-answered")) {
				_, _ = x.conn.WriteToUDPAddrPort(errorOf(5, "unknown transfer"), from)
			}
			continue
		}
		if n >= 2 && b[0] == 0 && b[1] == opERROR {
			if s.has("error-to-error") {
				_, _ = x.conn.WriteToUDPAddrPort(b, x.client)
			}
			if s.has("error-unheard") {
				continue
			}
			return
		}
		if n < 4 || n > 4 && s.has("ack-exact") || b[0] != 0 || b[1] != opACK {
			if s.has("odd-ends") && n >= 4 {
				_, _ = x.conn.WriteToUDPAddrPort(errorOf(4, "unexpected"), x.client)
				return
			}
			continue
		}
		block := binary.BigEndian.Uint16(b[2:])
		at := max(x.acked, 0)
		ack := at + int64(int16(block-uint16(at)))
		if x.acked < 0 && block != 0 {
			if ack = 0; !s.has("any-ack-for-oack") {
				continue
			}
		}
		switch {
		case ack > x.sent && s.has("ack-believed"):
			x.sent = ack
		case ack > x.sent || ack < 0:
			continue
		case ack < x.acked && !s.has("rewinds"):
			continue
		case ack == x.acked && s.has("sorcerer"):
			x.transmit()
			continue
		case ack == x.acked:
			// The first block of the window was lost, unless the window has only just left.
			if x.window > 1 && !jumped && now.Sub(x.left) > 20*time.Millisecond {
				jumped = true
				before, sentAt, due = x.sent, now, now.Add(wait)
				x.transmit()
			}
			continue
		case ack < x.sent && s.has("ack-whole-window"):
			ack = x.sent
		case ack < x.sent && s.has("ack-inside-unheard"):
			continue
		}
		inside := ack < x.sent
		s.mu.Lock()
		x.acked = ack
		s.mu.Unlock()
		heard, tries, jumped = now, 0, false
		if x.acked == x.last {
			if s.has("talks-on") {
				_, _ = x.conn.WriteToUDPAddrPort(ackOf(0), x.client)
			}
			if s.has("talks-later") {
				time.Sleep(500 * time.Millisecond)
				x.acked--
				x.transmit()
			}
			return
		}
		if wait = x.first; s.has("slow") {
			wait = 2500 * time.Millisecond
		}
		due = now.Add(wait)
		if inside && (ack == before || now.Sub(sentAt) < 20*time.Millisecond) && !s.has("echoes") {
			// It is about blocks that came twice, not about a loss: only what was never sent.
			x.transmitFrom(x.sent + 1)
			continue
		}
		before, sentAt = 0, now
		if inside {
			before = x.sent
		} else {
			sentAt = time.Time{}
		}
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
