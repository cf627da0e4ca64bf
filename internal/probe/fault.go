package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ended is a download that was cut short from here.
func (s *stage) ended(ctx context.Context) *Fault {
	switch {
	case !errors.Is(context.Cause(ctx), errTooSlow):
		return &Fault{Step: s.step(), Code: Interrupted, Text: "interrupted"}
	case s.content.size == 0: // not slow: nothing came
		return s.silence()
	}
	return &Fault{
		Step: StepTransfer, Code: TooSlow,
		Text: fmt.Sprintf("%d bytes in %s, then the time for one download was over", s.content.size, short(s.opts.MaxTime)),
	}
}

func (s *stage) step() Step {
	switch {
	case s.r.block > 0:
		return StepTransfer
	case s.r.oack:
		return StepOptions
	}
	return StepRequest
}

// silence is a server that sends nothing new any more; what it sent before tells where to look.
func (s *stage) silence() *Fault {
	waited := short(time.Since(s.progress))
	f := &Fault{Step: s.step()}
	switch {
	case s.r.block > 1:
		f.Code = Stalled
		f.Text = fmt.Sprintf("after block %d (%d bytes) nothing new came for %s; ACK sent %d times more", s.r.block, s.content.size, waited, s.resent)
	case (s.r.block == 1 || s.r.block == 0 && s.r.oack) && s.r.duplicates > 1: // two: one may have crossed our ACK on a slow way
		what := "block 1"
		if s.r.block == 0 {
			what = "its options"
		}
		f.Code = SecondPort
		f.Text = fmt.Sprintf("%s sent %s %d times, so it did not get our ACK: what this client sends to UDP %s:%d does not arrive",
			s.peer, what, s.r.duplicates+1, s.peer.Addr(), s.peer.Port())
		f.Hint = []string{
			fmt.Sprintf("a firewall, NAT or balancer on the way lets UDP %d through and not the transfer's own port: allow what this client sends to the server's ports above 1024, or give the server a narrow range", s.server.Port()),
			"Surefoot's own server can answer from the request port (tftp: {ports: single})",
		}
	case s.r.block == 1:
		f.Code = NoSecondBlock
		f.Text = fmt.Sprintf("the first block came from %s, a second one did not in %s; ACK sent %d times more", s.peer, waited, s.resent)
		f.Hint = []string{fmt.Sprintf("data travels between two ports of its own: a firewall or NAT on the way may let UDP %s through, but not what this client sends to %s", s.server, s.peer)}
	case s.r.oack:
		f.Code = NoFirstBlock
		f.Text = fmt.Sprintf("%s granted the options, but no data came in %s; ACK 0 sent %d times more", s.peer, waited, s.resent)
		f.Hint = []string{
			fmt.Sprintf("a packet of %d bytes may not fit the path (MTU), or what this client sends to %s is filtered; --as plain asks for 512 bytes", s.r.blockSize+4, s.peer),
		}
	case s.stray != "":
		f.Code = WrongAddress
		f.Text = fmt.Sprintf("asked %s, but the answer came from %s; %d requests in %s", s.server, s.stray, s.requests, waited)
		f.Hint = []string{
			"EDK2 and PXELINUX drop an answer from another address, iPXE takes it (--as ipxe): the server has to answer from the address that was asked",
			"with direct server return, the service address belongs on each server's loopback",
		}
	case s.peer.IsValid():
		f.Code = NoAnswer
		f.Text = fmt.Sprintf("%s sent something, but neither options nor data, in %s", s.peer, waited)
	default:
		f.Code = NoAnswer
		f.Text = fmt.Sprintf("no answer from %s: %s in %s", s.server, plural(s.requests, "request"), waited)
		f.Hint = []string{"the host is down, a firewall drops UDP " + fmt.Sprint(s.server.Port()) + ", or the server ignores this client (a server at its limit of transfers does)"}
	}
	return f
}

// socketFault is an error that the kernel reports, mostly from ICMP.
func (s *stage) socketFault(err error) *Fault {
	i, ok := s.icmp(err)
	if ok {
		s.trace.add(Packet{At: time.Since(s.start), What: fmt.Sprintf("ICMP type %d code %d", i.kind, i.code), Peer: i.from.String()})
		if f := i.fault(s.step(), s.server); f != nil {
			return f
		}
	}
	if ok && i.kind == 3 && i.code == 3 {
		err = unix.ECONNREFUSED
	}
	if errors.Is(err, unix.ECONNREFUSED) && s.peer.IsValid() {
		return &Fault{
			Step: s.step(), Code: Refused,
			Text: fmt.Sprintf("%s closed its port after block %d (ICMP port unreachable)", s.peer, s.r.block),
			Hint: []string{"the server process ended or was restarted during the transfer"},
		}
	}
	return connFault(s.step(), s.server, err)
}

// connFault sorts what the kernel says of a server that cannot be talked to.
func connFault(step Step, server netip.AddrPort, err error) *Fault {
	f := &Fault{Step: step}
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		f.Code = Refused
		f.Text = fmt.Sprintf("refused: %s answers that nothing listens there", server)
		f.Hint = []string{fmt.Sprintf("on the server: ss -lnp 'sport = :%d' shows whether one is running", server.Port())}
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, io.EOF):
		f.Code = Stalled
		f.Text = fmt.Sprintf("%s closed the connection", server)
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTDOWN), errors.Is(err, unix.ENONET):
		f.Code = Unreachable
		f.Text = fmt.Sprintf("%s cannot be reached: %s", server.Addr(), errnoText(err))
		f.Hint = []string{fmt.Sprintf("ip route get %s shows the way that packets take", server.Addr())}
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		f.Code = LocalError
		f.Text = fmt.Sprintf("send to %s: %s", server, errnoText(err))
		f.Hint = []string{"a firewall of this machine refuses it"}
	default:
		f.Code = LocalError
		f.Text = fmt.Sprintf("exchange with %s: %s", server, errnoText(err))
	}
	return f
}

func errnoText(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

func short(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
