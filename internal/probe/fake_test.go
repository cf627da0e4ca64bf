package probe

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"surefoot/internal/wire/tftp"
)

// fake is a server that does what its script says, for faults that no real server commits.
type fake struct {
	t      *testing.T
	listen *net.UDPConn // the port that is asked
	data   *net.UDPConn // the port that answers
}

func newFake(t *testing.T, answerFrom string) *fake {
	t.Helper()
	f := &fake{t: t, listen: udp(t, "127.0.0.1"), data: udp(t, answerFrom)}
	return f
}

func udp(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (f *fake) target() Target {
	return Target{Scheme: "tftp", Host: "127.0.0.1", Port: uint16(f.listen.LocalAddr().(*net.UDPAddr).Port), File: "f"}
}

// request waits for the next request and returns its sender.
func (f *fake) request() (netip.AddrPort, tftp.Request) {
	buf := make([]byte, 2048)
	n, from, err := f.listen.ReadFromUDPAddrPort(buf)
	if err != nil {
		return netip.AddrPort{}, tftp.Request{}
	}
	r, err := tftp.ParseRequest(buf[:n])
	if err != nil {
		f.t.Errorf("not a request: %v", err)
	}
	return from, r
}

func (f *fake) send(to netip.AddrPort, b []byte) { _, _ = f.data.WriteToUDPAddrPort(b, to) }

// next waits for the client's next packet on the data port.
func (f *fake) next() string {
	buf := make([]byte, 2048)
	_ = f.data.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, _, err := f.data.ReadFromUDPAddrPort(buf)
	if err != nil {
		return err.Error()
	}
	return describe(buf[:n])
}

func TestFaults(t *testing.T) {
	full := strings.Repeat("x", 512)
	tests := []struct {
		name   string
		as     Style
		from   string
		server func(f *fake)
		code   Code
		step   Step
		has    []string

		timeout time.Duration // 0: short
	}{
		{name: "silent port", server: func(*fake) {}, code: NoAnswer, step: StepRequest, has: []string{"no answer from 127.0.0.1:", "1 request in 0.", "s"}},
		{name: "first block but no second", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, full))
		}, code: NoSecondBlock, step: StepTransfer, has: []string{"the first block came from 127.0.0.1:"}},
		{name: "options but no data", as: IPXE, server: func(f *fake) {
			to, _ := f.request()
			f.send(to, oack("blksize", "1432", "tsize", "9"))
		}, code: NoFirstBlock, step: StepOptions, has: []string{"granted the options"}},
		{name: "stops in the middle", server: func(f *fake) {
			to, _ := f.request()
			for i := range uint16(3) {
				f.send(to, data(i+1, full))
				f.next()
			}
		}, code: Stalled, step: StepTransfer, has: []string{"after block 3 (1536 bytes)"}},
		{name: "another address", from: "127.0.0.2", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, "whole"))
		}, code: WrongAddress, step: StepRequest, has: []string{"the answer came from 127.0.0.2:"}},
		{name: "another address, to iPXE", as: IPXE, from: "127.0.0.2", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, "whole"))
		}},
		{name: "error in the middle", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, full))
			f.next()
			f.send(to, tftp.AppendError(nil, 0, "disk on fire"))
		}, code: ServerError, step: StepTransfer, has: []string{`"disk on fire"`, "after block 1"}},
		{name: "closes its port in the middle", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, full))
			f.next()
			f.send(to, data(2, full))
			f.next() // so that the ACK which meets the closed port is surely a repeated one
			_ = f.data.Close()
		}, timeout: 5 * time.Second, code: Refused, step: StepTransfer, has: []string{"closed its port after block"}},
		{name: "shorter than announced", as: IPXE, server: func(f *fake) {
			to, _ := f.request()
			f.send(to, oack("tsize", "1000", "blksize", "1432"))
			f.next()
			f.send(to, data(1, "only this"))
		}, code: ShortFile, step: StepContent, has: []string{"9 bytes came", "announced 1000"}},
		{name: "grants what was not asked", as: IPXE, server: func(f *fake) {
			to, _ := f.request()
			f.send(to, oack("blksize", "65464"))
		}, code: BadAnswer, step: StepOptions, has: []string{"blksize 65464"}},
		{name: "a stranger interferes", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, full))
			f.next()
			stranger := udp(f.t, "127.0.0.1")
			_, _ = stranger.WriteToUDPAddrPort(data(2, "evil"), to)
			buf := make([]byte, 100)
			_ = stranger.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, _ := stranger.Read(buf)
			if got := describe(buf[:n]); got != `ERROR unknown transfer ID (5) "unknown transfer ID"` {
				f.t.Errorf("the stranger got %s", got)
			}
			f.send(to, data(2, "good"))
		}},
		{name: "RFC 1350 4: a repeated request is answered from another port, which gets ERROR 5", server: func(f *fake) {
			f.request()
			to, _ := f.request() // as if the first were late, not lost
			f.send(to, data(1, full))
			f.next()
			second := udp(f.t, "127.0.0.1")
			_, _ = second.WriteToUDPAddrPort(data(1, full), to)
			buf := make([]byte, 100)
			_ = second.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, _ := second.Read(buf)
			if got := describe(buf[:n]); got != `ERROR unknown transfer ID (5) "unknown transfer ID"` {
				f.t.Errorf("the second answer got %s", got)
			}
			f.send(to, data(2, "good"))
		}, timeout: 3 * time.Second},
		{name: "VU#417980: an ERROR of a stranger ends nothing and is not answered", server: func(f *fake) {
			to, _ := f.request()
			f.send(to, data(1, full))
			f.next()
			stranger := udp(f.t, "127.0.0.1")
			_, _ = stranger.WriteToUDPAddrPort(tftp.AppendError(nil, 0, "evil"), to)
			f.send(to, data(2, full))
			f.next() // so that the stranger's packet has been read
			_ = stranger.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if n, _ := stranger.Read(make([]byte, 100)); n > 0 {
				f.t.Errorf("the stranger got an answer of %d bytes", n)
			}
			f.send(to, data(3, "good"))
		}},
		{name: "loses the request, then an ACK", as: IPXE, server: func(f *fake) {
			f.request()
			to, _ := f.request()
			f.send(to, oack("blksize", "1432"))
			f.next()
			f.next() // as if the first ACK were lost: the client sends it again
			f.send(to, data(1, "x"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.from == "" {
				tt.from = "127.0.0.1"
			}
			if tt.as == "" {
				tt.as = Plain
			}
			f := newFake(t, tt.from)
			done := make(chan struct{})
			go func() { defer close(done); tt.server(f) }()
			res := TFTP(t.Context(), f.target(), Options{As: tt.as, Timeout: cmp.Or(tt.timeout, 800*time.Millisecond)})
			<-done
			if tt.code == "" {
				if res.Fault != nil || !res.Available || res.Response <= 0 || res.FirstBlock <= 0 {
					t.Fatalf("%+v, fault %v", res, res.Fault)
				}
				if strings.HasPrefix(tt.name, "loses") && res.Retransmits != 2 {
					t.Errorf("%d retransmissions, want 2", res.Retransmits)
				}
				return
			}
			if res.Fault == nil || res.Fault.Code != tt.code || res.Fault.Step != tt.step {
				t.Fatalf("fault %+v, want %s at %s\n%v", res.Fault, tt.code, tt.step, res.Trace)
			}
			for _, has := range tt.has {
				if !strings.Contains(res.Fault.Text, has) {
					t.Errorf("%q does not say %q", res.Fault.Text, has)
				}
			}
			if res.Available || res.Availability != 0 || res.Response != 0 {
				t.Errorf("a failed download claims %d %% in %v", res.Availability, res.Response)
			}
			if len(res.Trace) == 0 || !strings.HasPrefix(res.Trace[0].What, "RRQ") {
				t.Errorf("trace %v", res.Trace)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	c := udp(t, "127.0.0.1")
	port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
	_ = c.Close()
	start := time.Now()
	res := TFTP(t.Context(), Target{Scheme: "tftp", Host: "127.0.0.1", Port: port, File: "f"}, Options{})
	if res.Fault == nil || res.Fault.Code != Refused || len(res.Fault.Hint) == 0 {
		t.Errorf("fault %+v", res.Fault)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v to notice", d)
	}
}

func TestNotResolved(t *testing.T) {
	res := TFTP(t.Context(), Target{Scheme: "tftp", Host: "no-such-host.invalid", Port: 69, File: "f"}, Options{})
	if res.Fault == nil || res.Fault.Code != NotResolved || res.Fault.Step != StepResolve {
		t.Errorf("fault %+v", res.Fault)
	}
}

func TestTimeLimits(t *testing.T) {
	f := newFake(t, "127.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if res := TFTP(ctx, f.target(), Options{}); res.Fault == nil || res.Fault.Code != Interrupted {
		t.Errorf("fault %+v, want interrupted", res.Fault)
	}
	if res := TFTP(t.Context(), f.target(), Options{MaxTime: 100 * time.Millisecond}); res.Fault == nil || res.Fault.Code != NoAnswer {
		t.Errorf("fault %+v, want no-answer: nothing came, so nothing was slow", res.Fault)
	}
}

// require ends a test whose oracle is missing: a skip on a laptop, a failure where it must not be.
func require(t *testing.T, ok bool, what string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

var errNotUp = errors.New("the server did not come up")
