package dnsboot

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

func TestUDPAndTCP(t *testing.T) {
	var ev events
	s := run(t, Config{}, Deps{Emit: ev.emit})
	for _, network := range []string{"udp", "tcp"} {
		if r := exchange(t, s, network, query("tftp."+apex, dns.TypeA)); records(r.Answer) != "A 10.10.0.21, A 10.10.0.22, A 10.10.0.23" {
			t.Errorf("by %s: %s", network, r)
		}
	}
	cut := exchange(t, s, "udp", query("many."+apex, dns.TypeA))
	whole := exchange(t, s, "tcp", query("many."+apex, dns.TypeA))
	if !cut.Truncated || whole.Truncated || len(whole.Answer) != 200 {
		t.Errorf("by UDP %d records, TC %v; by TCP %d, TC %v", len(cut.Answer), cut.Truncated, len(whole.Answer), whole.Truncated)
	}
}

// A client may send several queries on one connection without waiting, and in pieces.
func TestTCPPipelineInPieces(t *testing.T) {
	s := run(t, Config{}, Deps{})
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all []byte
	for i := range 3 {
		q := query("tftp."+apex, dns.TypeA)
		q.Id = uint16(100 + i)
		b := packed(t, q)
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(b))), b...)
	}
	for len(all) > 0 {
		n := min(7, len(all))
		if _, err := conn.Write(all[:n]); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
	c := dns.Conn{Conn: conn}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	for i := range 3 {
		r, err := c.ReadMsg()
		if err != nil || r.Id != uint16(100+i) || len(r.Answer) != 3 {
			t.Fatalf("answer %d: %v %v", i, r, err)
		}
	}
}

// Answers leave from the address that was asked, also where the server listens on all.
func TestAnswersFromTheAddressAsked(t *testing.T) {
	for listen, asked := range map[string][]string{"0.0.0.0:0": {"127.0.0.1", "127.0.0.7"}, "[::]:0": {"127.0.0.1", "127.0.0.7", "::1"}} {
		s := run(t, Config{Listen: netip.MustParseAddrPort(listen)}, Deps{})
		for _, a := range asked {
			at := netip.AddrPortFrom(netip.MustParseAddr(a), s.Addr().Port())
			c := dns.Client{Timeout: 5 * time.Second} // connected: an answer from elsewhere would not arrive
			if r, _, err := c.Exchange(query("tftp."+apex, dns.TypeA), at.String()); err != nil || len(r.Answer) != 3 {
				t.Errorf("%s asked at %s: %v %v", listen, at, r, err)
			}
		}
	}
}

func TestListenAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().(*net.TCPAddr).AddrPort()
	s, err := New(Config{Node: "boot1", Listen: at, Site: testSite(), Zone: settings()}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "listen tcp") {
		t.Fatalf("Listen on a taken port: %v", err)
	}
	again, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatalf("the UDP socket was left open: %v", err)
	}
	_ = again.Close()
	if err := s.Run(t.Context(), nil); err == nil {
		t.Error("Run before Listen")
	}
}

// The end comes at once, whoever holds a connection open.
func TestEndWithOpenConnections(t *testing.T) {
	s, err := New(Config{Node: "boot1", Listen: netip.MustParseAddrPort("127.0.0.1:0"), Site: testSite(), Zone: settings()}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	<-ready
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := dns.Conn{Conn: conn}
	if err := c.WriteMsg(query("tftp."+apex, dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadMsg(); err != nil { // so the server holds it
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("an idle connection keeps the server from ending")
	}
}

// A socket that fails ends the role with an error, which ends the program.
func TestEndByItself(t *testing.T) {
	s, err := New(Config{Node: "boot1", Listen: netip.MustParseAddrPort("127.0.0.1:0"), Site: testSite(), Zone: settings()}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(context.Background(), func() { close(ready) }) }()
	<-ready
	_ = s.udp.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v", err)
	}
}

// A reload exchanges the zones while queries arrive.
func TestApply(t *testing.T) {
	s := run(t, Config{}, Deps{})
	var asking sync.WaitGroup
	stop := make(chan struct{})
	asking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				exchange(t, s, "udp", query("tftp."+apex, dns.TypeA))
			}
		}
	})
	next := testSite()
	next.Names = []boot.Name{{Name: "new", File: "f", From: []string{"pvs1"}, Order: boot.OrderFirst}}
	set := settings()
	set.TTL = time.Second
	if err := s.Apply(next, set); err != nil {
		t.Fatal(err)
	}
	close(stop)
	asking.Wait()
	if r := exchange(t, s, "udp", query("tftp."+apex, dns.TypeA)); r.Rcode != dns.RcodeNameError {
		t.Errorf("a name that is gone: %s", r)
	}
	if r := exchange(t, s, "udp", query("new."+apex, dns.TypeA)); len(r.Answer) != 1 || r.Answer[0].Header().Ttl != 1 {
		t.Errorf("a new name: %s", r)
	}
	if err := s.Apply(next, Settings{}); err == nil {
		t.Error("no zone was taken")
	}
	if r := exchange(t, s, "udp", query("new."+apex, dns.TypeA)); len(r.Answer) != 1 {
		t.Errorf("after a refused reload: %s", r)
	}
}

// Explaining moves no rotation on, and says what the next query will be told.
func TestExplain(t *testing.T) {
	s := run(t, Config{}, Deps{Down: func(server, _ string, _ boot.Protocol) bool { return server == "pvs3" }})
	exchange(t, s, "udp", query("turns."+apex, dns.TypeA))
	for range 2 {
		e, err := s.Explain("turns", dns.TypeA, netip.MustParsePrefix("10.10.1.5/32"))
		if err != nil || e.Reason != boot.Answered || e.Network != "vdi" || len(e.Records) != 2 || !strings.HasSuffix(e.Records[0], "10.10.0.22") ||
			e.Choice.Servers[0].Name != "pvs2" || !strings.Contains(e.Message, "ANSWER: 2") {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if r := exchange(t, s, "udp", query("turns."+apex, dns.TypeA)); !strings.HasPrefix(records(r.Answer), "A 10.10.0.22") {
		t.Errorf("explaining changed the rotation: %s", records(r.Answer))
	}
	e, err := s.Explain("x.example.org", dns.TypeA, netip.MustParsePrefix("10.10.1.0/24"))
	if err != nil || e.Reason != boot.OutsideZone || e.Rcode != "REFUSED" || e.Choice != nil {
		t.Errorf("%+v, %v", e, err)
	}
	var names []string
	for _, n := range s.List() {
		names = append(names, n.FQDN+" "+strings.Join(n.Living, ","))
	}
	if got := strings.Join(names[:2], "; "); len(names) != 11 || got != "tftp.boot.hq.example.net. pvs1,pvs2; turns.boot.hq.example.net. pvs1,pvs2" {
		t.Errorf("%d names: %s", len(names), got)
	}
}
