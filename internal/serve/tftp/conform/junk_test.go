package conform

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// unasked sends packets to the request port and checks that nothing comes back.
func unasked(packets ...[]byte) func(*attempt) {
	return func(a *attempt) {
		c := a.client()
		for _, b := range packets {
			c.ask(b)
			c.silence(350*time.Millisecond, fmt.Sprintf("%.16x on the request port", b))
		}
		c.fetch(rrq("f513", "octet"), content(513), habits{})
	}
}

// junkChecks are about packets that are no requests, and ERRORs (VU#417980, RFC 1350 4, 7).
func junkChecks() []check {
	return []check{
		{"error-to-request-port", "VU#417980", must, "an ERROR on the request port is not answered", unasked(errorOf(0, "error"), errorOf(5, ""))},
		{"data-to-request-port", "VU#417980", should, "a DATA on the request port is not answered", unasked(short(opDATA, 1, 'x'))},
		{"ack-unasked", "VU#417980", should, "an ACK on the request port is not answered", unasked(ackOf(0), ackOf(1))},
		{"oack-unasked", "VU#417980", should, "an OACK on the request port is not answered", unasked([]byte("\x00\x06blksize\x00512\x00"))},
		{"opcode-0", "VU#417980", should, "opcode 0 is not answered", unasked(request(0, "f513", "octet"))},
		{"opcode-7", "VU#417980", should, "opcodes beyond 6 are not answered", unasked(request(7, "f513", "octet"), request(0xffff, "f513", "octet"))},
		{"opcode-16-bit", "RFC 1350 5", must, "all 16 bits of the opcode count: 0x0101 is no read request", func(a *attempt) {
			c := a.client()
			for _, op := range []uint16{0x0101, 0x0100, 0x0201} {
				c.ask(request(op, "f513", "octet"))
				for _, p := range c.collect(300 * time.Millisecond) {
					if p.op != opERROR {
						a.failf("%s in reply to opcode %#04x", p, op)
					}
				}
			}
		}},
		{"error-after-oack", "RFC 1350 7", must, "an ERROR instead of ACK 0 ends the transfer and is not answered", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "tsize", "0")
			c.send(errorOf(0, "aborted"))
			c.quietEnd()
		}},
		{"error-after-data", "RFC 1350 7", must, "an ERROR instead of an ACK ends the transfer and is not answered", func(a *attempt) {
			c := a.begin()
			c.send(errorOf(3, "disk full"))
			c.quietEnd()
		}},
		{"error-in-window", "RFC 1350 7", must, "an ERROR inside a window ends the transfer and is not answered", func(a *attempt) {
			c := a.window("8")
			c.full(1, 3)
			c.send(errorOf(0, "aborted"))
			c.quietEnd()
		}},
		{"error-after-last", "RFC 1350 7", must, "an ERROR after the last block is not answered", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f1", "octet"))
			c.data(1)
			c.send(errorOf(0, "aborted"))
			c.quietEnd()
		}},
		{"error-after-end", "RFC 1350 7", must, "an ERROR after the end is not answered", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f1", "octet"))
			c.data(1)
			c.ack(1)
			time.Sleep(20 * time.Millisecond)
			c.send(errorOf(0, "late"))
			c.silence(400*time.Millisecond, "an ERROR")
		}},
		{"error-short", "VU#417980", must, "an ERROR without text or NUL ends the transfer and is not answered", func(a *attempt) {
			c := a.begin()
			c.send(short(opERROR, 0))
			c.quietEnd()
		}},
		{"error-once", "RFC 1350 4", must, "an ERROR of the server is sent once, and ends in NUL", func(a *attempt) {
			c := a.client()
			c.ask(rrq("missing", "octet"))
			c.refused() // parse checks the NUL
			c.silence(1300*time.Millisecond, "an ERROR")
		}},
		{"error-acked", "RFC 1350 4", must, "an ACK in reply to an ERROR is not answered", func(a *attempt) {
			c := a.client()
			c.ask(rrq("missing", "octet"))
			c.refused()
			c.ack(0)
			c.silence(300*time.Millisecond, "an ACK of an ERROR")
		}},
		{"broadcast", "RFC 1123 4.2.3.5", should, "a request to a broadcast address is ignored", func(a *attempt) {
			c := a.client()
			c.to = a.secondAddress()
			c.ask(rrq("f1", "octet"))
			if _, err := c.recv(2 * time.Second); err != nil {
				a.cannot("the server does not listen at all addresses")
			}
			c.ack(1)
			b := a.client()
			b.sendTo(rrq("f1", "octet"), netip.AddrPortFrom(netip.MustParseAddr("127.255.255.255"), c.to.Port()))
			b.silence(600*time.Millisecond, "a request to 127.255.255.255")
		}},
	}
}

// harmChecks may kill or hang a bad server. The runner asks after each whether it still serves.
func harmChecks() []check {
	send := func(packets ...[]byte) func(*attempt) {
		return func(a *attempt) {
			c := a.client()
			for _, b := range packets {
				c.ask(b)
				for _, p := range c.collect(150 * time.Millisecond) {
					if p.op != opERROR {
						a.failf("%s in reply to %.20x", p, b)
					}
				}
			}
		}
	}
	return []check{
		{"datagram-empty", "RFC 1350 5", must, "an empty datagram does no harm", send(nil)},
		{"datagram-1", "RFC 1350 5", must, "a datagram of one byte does no harm", send([]byte{0}, []byte{1})},
		{"request-2-bytes", "RFC 1350 5", must, "a request of nothing but its opcode does no harm", send([]byte{0, 1}, []byte{0, 1, 0})},
		{"request-no-nul", "RFC 1350 5", must, "a name without NUL is not served", send([]byte("\x00\x01f513"))},
		{"request-no-mode", "RFC 1350 5", must, "a request without a mode is not served", send([]byte("\x00\x01f513\x00"), []byte("\x00\x01f513\x00\x00"))},
		{"request-mode-no-nul", "RFC 1350 5", should, "a mode without NUL is not served", send([]byte("\x00\x01f513\x00octet"))},
		{"name-very-long", "RFC 1350 5", must, "names of 600 to 60,000 bytes do no harm", func(a *attempt) {
			for _, n := range []int{300, 600, 1400, 2100, 60000} {
				name := make([]byte, n)
				for i := range name {
					name[i] = 'x'
				}
				send(rrq(string(name), "octet"))(a)
			}
		}},
		{"junk", "RFC 1350 5", must, "3,000 packets of junk do no harm", func(a *attempt) {
			c := a.client()
			rnd := rand.New(rand.NewPCG(7, 7))
			for i := range 3000 {
				b := rrq("f513", "octet", "blksize", "1024")
				for range 1 + rnd.IntN(4) {
					b[rnd.IntN(len(b))] = byte(rnd.Uint32())
				}
				b[0] = byte(rnd.IntN(2) * 0x80)
				c.sendTo(b[:rnd.IntN(len(b)+1)], c.to)
				if i%100 == 99 {
					time.Sleep(2 * time.Millisecond)
				}
			}
		}},
		{"source-port-0", "RFC 768", should, "a request from port 0 gets no answer and does no harm", func(a *attempt) {
			if !a.target.loopback() {
				a.cannot("the server is not on this machine's loopback interface")
			}
			raw, err := net.ListenPacket("ip4:udp", a.local.String())
			if err != nil {
				a.cannot("a raw socket: %v", err)
			}
			defer raw.Close()
			b := rrq("f513", "octet")
			head := binary.BigEndian.AppendUint16([]byte{0, 0}, a.target.addr.Port())
			head = binary.BigEndian.AppendUint16(head, uint16(8+len(b)))
			if _, err := raw.WriteTo(append(append(head, 0, 0), b...), &net.IPAddr{IP: a.target.addr.Addr().AsSlice()}); err != nil {
				a.cannot("send from port 0: %v", err)
			}
			buf := make([]byte, 2000)
			_ = raw.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			for {
				n, from, err := raw.ReadFrom(buf)
				if err != nil {
					break
				}
				if n >= 8 && buf[2] == 0 && buf[3] == 0 && binary.BigEndian.Uint16(buf) != 0 {
					a.failf("%x from %s", buf[:min(n, 40)], from)
				}
			}
		}},
		{"pipe", "F32", must, "a named pipe in the directory is refused and hangs nobody", func(a *attempt) {
			defer unblock(a.target.root)
			c := a.client()
			c.ask(rrq("fifo", "octet"))
			p, err := c.recv(2 * time.Second)
			if err == nil && p.op != opERROR {
				a.failf("%s", p)
			}
			d := a.client()
			if r, err := d.get(rrq("f513", "octet"), habits{limit: 3 * time.Second}); err != nil || len(r.content) != 513 {
				a.failf("the server serves nobody else meanwhile")
			}
			if err != nil {
				a.failf("no answer: the transfer hangs")
			}
			a.seen("%s", p)
		}},
	}
}
