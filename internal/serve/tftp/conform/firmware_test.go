package conform

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// inARow downloads files one after the other from one port; "missing" ones must be refused.
func (c *client) inARow(files []int, words ...string) {
	for _, n := range files {
		if n >= 0 {
			c.fetch(rrq(fmt.Sprintf("f%d", n), "octet", words...), content(n), habits{})
			continue
		}
		c.ask(rrq(fmt.Sprintf("missing%d", n), "octet", words...))
		c.refused(1)
	}
}

// firmwareChecks are what boot clients do, as captured (F25, F30).
func firmwareChecks() []check {
	// like downloads as a client does whose options are known, and checks what it relies on.
	like := func(file string, size int, words ...string) func(*attempt) {
		return func(a *attempt) {
			r := a.client().fetch(rrq(file, "octet", words...), content(size), habits{})
			a.seen("%d blocks, %s", r.blocks, r.took.Round(time.Millisecond))
			switch {
			case r.oack.op != 0:
				a.seen("%s, %d blocks, %s", r.oack, r.blocks, r.took.Round(time.Millisecond))
			case len(words) > 0:
				a.lacks(words[0])
			}
		}
	}
	return []check{
		{"edk2", "F25", must, "EDK2: asks for the size, aborts with ERROR 8, asks again from another port", func(a *attempt) {
			c := a.client()
			p := c.granted("f30000", "tsize", "0", "blksize", "1468", "windowsize", "4")
			if v, _ := p.lookup("tsize"); v != "30000" {
				a.failf("%s", p)
			}
			c.send(errorOf(8, "User aborted the transfer"))
			r := a.client().fetch(rrq("f30000", "octet", "blksize", "1468", "windowsize", "4"), content(30000), habits{})
			c.silence(400*time.Millisecond, "the abort of the size query")
			a.seen("%s, then %s", p, r.oack)
		}},
		{"edk2-same-port", "F25", must, "the same from one port, at once", func(a *attempt) {
			c := a.client()
			c.granted("f30000", "tsize", "0", "blksize", "1468", "windowsize", "4")
			c.send(errorOf(8, "User aborted the transfer"))
			c.fetch(rrq("f30000", "octet", "blksize", "1468", "windowsize", "4"), content(30000), habits{})
		}},
		{"dgx", "F25", must, "EDK2 without windows (a DGX): repeats its request after the OACK, then ends the size query", func(a *attempt) {
			c := a.client()
			req := rrq("f30000", "octet", "tsize", "0", "blksize", "1468")
			c.ask(req)
			c.next()
			c.reask(req)
			p := c.oack()
			if v, _ := p.lookup("tsize"); v != "30000" {
				a.failf("%s", p)
			}
			c.send(errorOf(8, "User aborted the transfer"))
			a.client().fetch(rrq("f30000", "octet", "blksize", "1468"), content(30000), habits{})
		}},
		{"ipxe", "F25", must, "iPXE: blksize 1432, tsize", like("f300001", 300_001, "blksize", "1432", "tsize", "0")},
		{"pxelinux", "F25", must, "PXELINUX: many names that are missing, then tsize and blksize 1408", func(a *attempt) {
			words := []string{"tsize", "0", "blksize", "1408"}
			c := a.client()
			c.inARow([]int{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10}, words...)
			c.fetch(rrq("f30000", "octet", words...), content(30000), habits{})
		}},
		{"lpxelinux", "F25", must, "lpxelinux: one port for all files, and the last ACK of each may be lost", func(a *attempt) {
			c := a.client()
			for i, n := range []int{5000, 513, 30000, 5000, 5000} {
				last := int64(n/1408 + 1)
				h := habits{ack: func(c *client, n int64) {
					if n != last || i == 1 {
						c.ack(uint16(n))
					}
				}}
				c.fetch(rrq(fmt.Sprintf("f%d", n), "octet", "tsize", "0", "blksize", "1408"), content(n), h)
			}
		}},
		{"shim", "F25", must, "shim: blocks of 512, no options, names with a slash", like("/f100001", 100_001)},
		{"grub", "F25", must, "GRUB: leading slash, blksize 1024, tsize", like("/f100001", 100_001, "blksize", "1024", "tsize", "0")},
		{"u-boot", "F25", must, "U-Boot: timeout 5, tsize, blksize 1468", like("f300001", 300_001, "timeout", "5", "tsize", "0", "blksize", "1468")},
		{"raspberry-pi", "F25", must, "Raspberry Pi: small files from one port, most of them missing", func(a *attempt) {
			a.client().inARow([]int{-1, -2, 513, -3, 1456, -4, -5, 1, 5000, -6, 0, 2048}, "tsize", "0", "blksize", "1024")
		}},
		{"raspberry-pi-look", "F25", must, "Raspberry Pi: looks at the first blocks, ends with ERROR 0, and asks for the next file from that port", func(a *attempt) {
			c := a.client()
			c.granted("f300001", "tsize", "0", "blksize", "1024")
			for n := uint16(0); n < 3; n++ {
				c.ack(n)
				c.data(n + 1)
			}
			c.send(errorOf(0, "Early terminate"))
			c.inARow([]int{5000, 300001}, "tsize", "0", "blksize", "1024")
		}},
		{"wds", "F25", must, "Windows boot manager: msftwindow is left out, its long ACKs count", func(a *attempt) {
			c := a.client()
			req := rrq("f30000", "octet", "tsize", "0", "blksize", "1456", "msftwindow", "31416")
			r := c.fetch(req, content(30000), habits{ack: func(c *client, n int64) { c.send(short(opACK, uint16(n), 1)) }})
			if _, ok := r.oack.lookup("msftwindow"); ok {
				a.failf("%s", r.oack)
			}
		}},
		{"old-rom", "F25", must, "an old ROM: acknowledges every DATA that it sees, options in capitals", func(a *attempt) {
			a.client().fetch(rrq("f30000", "OCTET", "BLKSIZE", "1456", "TSIZE", "0"), content(30000), habits{ackAll: true})
		}},
		{"same-request-twice", "RFC 1350 4", should, "a request that came twice is one transfer", func(a *attempt) {
			c := a.client()
			req := rrq("f5000", "octet")
			c.sendTo(req, c.to)
			c.sendTo(req, c.to)
			from := map[netip.AddrPort]int{}
			for _, p := range c.collect(180 * time.Millisecond) {
				from[p.from]++
			}
			a.seen("answers from %d ports", len(from))
			if len(from) != 1 {
				a.failf("answers from %d ports", len(from))
			}
		}},
		{"abandoned", "F25", must, "a client that asks for another file from the same port gets that one", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f300001", "octet"))
			c.data(1)
			c.ack(1)
			c.data(2)
			c.fetch(rrq("f5000", "octet"), content(5000), habits{})
		}},
	}
}

// crowd downloads with n clients at once, beside silent ones that never acknowledge anything.
func crowd(n, silent int, file string, want []byte, words ...string) func(*attempt) {
	return func(a *attempt) {
		at := func(i int) netip.AddrPort {
			if !a.target.loopback() {
				return netip.AddrPort{}
			}
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 40, byte(i % 20), 1}), 0)
		}
		for i := range silent {
			a.clientAt(at(i)).ask(rrq(file, "octet", words...))
		}
		var mu sync.Mutex // guards bad and worst
		var bad []error
		var worst time.Duration
		var wg sync.WaitGroup
		for i := range n {
			c := a.clientAt(at(i))
			wg.Go(func() {
				r, err := c.get(rrq(file, "octet", words...), habits{limit: 25 * time.Second})
				if err == nil && string(r.content) != string(want) {
					err = fmt.Errorf("wrong content")
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					bad = append(bad, err)
				}
				worst = max(worst, r.took)
			})
		}
		wg.Wait()
		if len(bad) > 0 {
			a.failf("%d of %d failed, the first: %v", len(bad), n, bad[0])
		}
		a.seen("%d clients, the last after %s", n, worst.Round(10*time.Millisecond))
	}
}

// crowdChecks are about many clients at once.
func crowdChecks() []check {
	return []check{
		{"crowd", "F32", must, "100 clients at once all get their file, beside 5 that acknowledge nothing", crowd(100, 5, "f30000", content(30000), "blksize", "1456")},
		{"crowd-window", "RFC 7440 4", must, "50 clients with windows at once all get their file", crowd(50, 2, "f300001", content(300_001), "blksize", "1456", "windowsize", "16")},
		{"crowd-missing", "RFC 1350 5", must, "100 requests for a missing file at once are all refused", func(a *attempt) {
			var clients []*client
			for range 100 {
				c := a.client()
				c.ask(rrq("missing", "octet"))
				clients = append(clients, c)
			}
			for _, c := range clients {
				c.refused(1)
			}
		}},
	}
}
