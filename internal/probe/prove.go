package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/neigh"
)

// proveTime is what a second look may take.
const proveTime = 10 * time.Second

// prove looks again at a failure that has several causes, by a way that tells them apart.
func (d *download) prove(ctx context.Context, f *Fault) *Fault {
	switch {
	case f.Code == NoAnswer:
		return d.proveHost(ctx, f)
	case f.Code == NoFirstBlock && d.opts.As != Plain:
		return d.proveSmall(ctx, f)
	case f.Code == WrongAddress:
		f.Hint = append(f.Hint, "the answer came all the same, so the server serves: clients like iPXE boot from it")
	}
	return f
}

// proveSmall asks once more for blocks of 512 bytes, which pass every path.
func (d *download) proveSmall(ctx context.Context, f *Fault) *Fault {
	began := time.Now()
	again := TFTP(ctx, Target{Scheme: "tftp", Host: d.server.Addr().String(), Port: d.target.Port, File: d.target.File},
		Options{As: Plain, Timeout: min(d.opts.Timeout, proveTime/2), MaxTime: proveTime, Resend: d.opts.Resend, Opened: d.opts.Opened, enough: 8})
	d.second("the same with blocks of 512 bytes", time.Since(began), again.Trace)
	if again.Blocks == 0 {
		f.Text += "; without options and with blocks of 512 bytes nothing came either"
		return f
	}
	size := int64(0)
	for _, o := range d.habits.options {
		if o.Name == "blksize" {
			_, _ = fmt.Sscan(o.Value, &size)
		}
	}
	return &Fault{
		Step: StepOptions, Code: LargeBlocksLost,
		Text: fmt.Sprintf("%s granted blksize %d and no block came in %s; with 512 bytes, from the same server, %d blocks came. The largest packet that passed has %d bytes of UDP",
			d.server, size, short(d.opts.Timeout), again.Blocks, max(d.res.Largest, again.Largest)),
		Hint: []string{
			"packets of the full size are lost on the way: a tunnel or VLAN with a smaller MTU, or a filter of fragments",
			fmt.Sprintf("ping -M do -s %d %s shows whether packets of that size pass; let the server grant less (in.tftpd --blocksize, dnsmasq --tftp-mtu)", size+4, d.server.Addr()),
		},
	}
}

// arpTime is how long the kernel may take to find out by ARP whether a neighbour is still there: 5 s until it
// asks, and three questions.
const arpTime = 9 * time.Second

// proveHost tells a dead host from one that is up and silent on this port.
func (d *download) proveHost(ctx context.Context, f *Fault) *Fault {
	how := ""
	dial, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	began := time.Now()
	conn, err := (&net.Dialer{}).DialContext(dial, "tcp", d.server.String())
	switch {
	case err == nil:
		_ = conn.Close()
		how = fmt.Sprintf("something accepts TCP %d there", d.server.Port())
	case errors.Is(err, unix.ECONNREFUSED):
		how = fmt.Sprintf("it refuses TCP %d", d.server.Port())
	}
	d.second(fmt.Sprintf("TCP to the same port, to see whether the host is up: %s", tcpSaid(how, time.Since(began))), time.Since(began), nil)
	if how == "" {
		look, cancel := context.WithTimeout(ctx, arpTime)
		defer cancel()
		if mac, ok := neigh.MAC(look, d.server.Addr()); ok {
			how = fmt.Sprintf("it answers ARP, as %s", mac)
		}
	}
	if how == "" {
		f.Text += "; no sign that the host is up"
		return f
	}
	f.Text += "; the host is up: " + how
	f.Hint = []string{
		fmt.Sprintf("certain: the host is up, and nothing comes back for a request to UDP %d", d.server.Port()),
		fmt.Sprintf("a guess, in this order: a firewall drops UDP %d; or one lets it in and drops the answer, which comes from a port of its own; or the server hangs, is at its limit, or ignores this client", d.server.Port()),
		"tcpdump -ni any udp and host CLIENT, on the server: no request there, a firewall before it; an answer that leaves, one on the way back; a request and no answer, the server",
	}
	return f
}

func tcpSaid(how string, took time.Duration) string {
	if how == "" {
		return "nothing in " + short(took)
	}
	return how
}

// second adds a second look to the trace, which began so long ago.
func (d *download) second(what string, took time.Duration, more []Packet) {
	began := time.Since(d.start) - took
	d.res.Trace = append(d.res.Trace, Packet{At: began, Sent: true, What: what})
	for _, p := range more {
		p.At += began
		d.res.Trace = append(d.res.Trace, p)
	}
}
