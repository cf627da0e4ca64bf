package storm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/probe"
)

func mustAddr(s string) netip.AddrPort  { return netip.MustParseAddrPort(s) }
func mustPrefix(s string) netip.Prefix  { return netip.MustParsePrefix(s) }
func asAll() []probe.Style              { return probe.Styles() }
func as(s ...probe.Style) []probe.Style { return s }

func TestOwnServer(t *testing.T) {
	s := newSite(t)
	server, _ := s.own("127.0.0.1:0")
	for _, style := range probe.Styles() {
		for _, file := range []string{"f", "small"} {
			if res := s.good(Config{Server: server, File: file, Clients: 20, As: as(style)}); res.Time.P50 <= 0 || res.FirstBlock.P50 <= 0 || res.Time.Max < res.Time.P50 {
				t.Errorf("%s: times %+v, first block %+v", style, res.Time, res.FirstBlock)
			}
		}
	}

	// All kinds, half as many clients as downloads, with loss.
	res := s.good(Config{Server: server, File: "small", Clients: 50, Downloads: 100, As: as(probe.IPXE, probe.PXELINUX), Loss: 0.05, Seed: 3})
	if res.LostSent == 0 || res.LostReceived == 0 || res.Retransmits == 0 || res.Begun != 100 {
		t.Errorf("5 %% loss: %+v", res)
	}
	if want := []string{"ipxe: blksize=1432 tsize=4296", "pxelinux: tsize=4296 blksize=1408"}; !slices.Equal(slices.Sorted(slices.Values(res.Granted)), want) {
		t.Errorf("granted %q, want %q", res.Granted, want)
	}

	// 600 at once, each from an address of its own, with windows.
	var told []Progress
	res = s.good(Config{Server: server, Clients: 600, As: as(probe.Plain), BlockSize: 1456, Window: 16, From: mustPrefix("127.1.0.0/16"), Progress: func(p Progress) { told = append(told, p) }})
	if res.Size != fileSize || res.BytesPerSecond <= 0 || len(res.Progress) == 0 || res.Progress[len(res.Progress)-1].Done != 600 || res.CPU <= 0 || res.Busy <= 0 || res.Busy > 1 {
		t.Errorf("%+v", res)
	}
	for _, p := range told {
		if p.Total != 600 || p.Done+p.Running > 600 || p.Failed != 0 {
			t.Errorf("progress %+v", p)
		}
	}

	// The same hash, and another one.
	s.good(Config{Server: server, Clients: 1, As: as(probe.IPXE), SHA256: strings.ToUpper(res.SHA256)})
	s.fails(Config{Server: server, SHA256: strings.Repeat("0", 64)}, probe.WrongHash)
	s.fails(Config{Server: server, File: "absent"}, probe.ServerError)
	s.fails(Config{Server: server, File: "empty"}, probe.ShortFile)
	s.fails(Config{Server: netip.AddrPortFrom(server.Addr(), server.Port()^1)}, probe.Refused)
	if s.ns != "" {
		s.fails(Config{Server: mustAddr("192.0.2.1:69")}, probe.Unreachable)
	}
}

// fails is a first download that does not succeed.
func (s *site) fails(cfg Config, want probe.Code) {
	s.t.Helper()
	cfg.Clients, cfg.As = 1, as(probe.EDK2)
	_, err := s.storm(s.t.Context(), cfg)
	var f *probe.Fault
	if !errors.As(err, &f) || f.Code != want {
		s.t.Errorf("%v, want %s", err, want)
	}
}

// What a server sends twice in answer to EDK2's question for the size is not taken for the answer to
// the download's request, which comes from another port, though of a socket with the same number.
func TestSecondAnswerToSizeProbe(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	at := server.LocalAddr().(*net.UDPAddr).AddrPort()
	r, err := newRunner(Config{Server: at, File: "f", Clients: 1, As: as(probe.EDK2)}, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.start = time.Now()
	if err := r.arrive(0); err != nil {
		t.Fatal(err)
	}
	ask := make([]byte, 600)
	_, client, err := server.ReadFromUDPAddrPort(ask)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := server.WriteToUDPAddrPort(oackPacket("tsize", "7", "blksize", "1468", "windowsize", "4"), client); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.readable(0, unix.EPOLLIN); err != nil {
		t.Fatal(err)
	}
	if c := &r.slots[0].client; c.done || c.sizing || c.size != 7 {
		t.Errorf("done %v, sizing %v, size %d: %v", c.done, c.sizing, c.size, c.fault)
	}
}

func TestRateAndDuration(t *testing.T) {
	s := newSite(t)
	server, _ := s.own("127.0.0.1:0")
	res := s.good(Config{Server: server, File: "small", Clients: 10, As: asAll(), Arrive: Arrival{kind: fixedRate, rate: 100}, Duration: 500 * time.Millisecond})
	if res.Begun < 45 || res.Begun > 51 || len(res.Granted) != 4 {
		t.Errorf("100/s for half a second: %d begun, granted %q", res.Begun, res.Granted)
	}
	res = s.good(Config{Server: server, File: "small", Clients: 40, As: as(probe.IPXE), Arrive: Arrival{kind: uniform, over: 300 * time.Millisecond}})
	if res.Elapsed < 300*time.Millisecond || res.Progress[0].At > 100*time.Millisecond {
		t.Errorf("uniform over 300 ms: took %s, the first was done after %s", res.Elapsed, res.Progress[0].At)
	}
	// The closed loop: a client that is done begins anew until the time is over.
	res = s.good(Config{Server: server, File: "small", Clients: 4, As: as(probe.IPXE), Duration: 200 * time.Millisecond})
	if res.Begun <= 20 || res.Elapsed > 5*time.Second {
		t.Errorf("4 clients for 200 ms: %d downloads in %s", res.Begun, res.Elapsed)
	}
}

func TestIPv6(t *testing.T) {
	s := newSite(t)
	server, _ := s.own("[::1]:0")
	s.good(Config{Server: server, Clients: 20, As: asAll()})
}

func TestInterrupted(t *testing.T) {
	s := newSite(t)
	server, _ := s.own("127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	res, err := s.storm(ctx, Config{
		Server: server, File: "small", Clients: 5, As: as(probe.IPXE), Arrive: Arrival{kind: fixedRate, rate: 20}, Downloads: 1000,
		Progress: func(p Progress) {
			if p.Done > 0 {
				cancel()
			}
		},
	})
	if err != nil || !res.Interrupted || res.Done == 0 || res.Begun >= 1000 || res.Done+res.Unfinished != res.Begun {
		t.Errorf("%+v, %v", res, err)
	}
}

// A server that ends in mid-storm: every client ends too, with the cause.
func TestServerEnds(t *testing.T) {
	s := newSite(t)
	server, cmd := s.own("127.0.0.1:0")
	res, err := s.storm(t.Context(), Config{
		Server: server, Clients: 20, As: as(probe.PXELINUX, probe.Plain), Arrive: Arrival{kind: fixedRate, rate: 50},
		Progress: func(p Progress) {
			if p.Done > 0 && p.Failed == 0 {
				end(cmd)
			}
		},
	})
	if err != nil || res.Failed == 0 || res.Done == 0 || res.Done+res.Failed != 20 || res.Failures[0].Code != probe.Refused || res.Failures[0].Count != res.Failed || res.Failures[0].Example == "" {
		t.Errorf("%+v, %v", res, err)
	}
}

// suite is what every server has to go through.
func (s *site) suite(server netip.AddrPort) {
	s.t.Helper()
	s.up(server)
	for _, style := range probe.Styles() {
		s.good(Config{Server: server, Clients: 30, As: as(style)})
		s.good(Config{Server: server, File: "small", Clients: 5, As: as(style)})
	}
	res := s.good(Config{Server: server, File: "small", Clients: 40, As: as(probe.PXELINUX), Loss: 0.02, Seed: 1})
	if res.LostSent+res.LostReceived == 0 || res.Retransmits == 0 {
		s.t.Errorf("2 %% loss: %+v", res)
	}
	s.fails(Config{Server: server, File: "absent"}, probe.ServerError)
}

func TestTftpdHPA(t *testing.T) {
	bin, err := exec.LookPath("in.tftpd")
	if err == nil { // atftpd's package has a link of this name
		out, _ := exec.Command(bin, "-V").CombinedOutput()
		if !strings.Contains(string(out), "tftp-hpa") {
			err = errors.New("another program")
		}
	}
	require(t, err == nil && os.Geteuid() == 0, "needs in.tftpd (Debian: tftpd-hpa) and root")
	s := newSite(t)
	if err := s.command(bin, "-L", "--ipv4", "-a", "127.0.0.1:6969", "--user", "nobody", "--secure", s.dir).Start(); err != nil {
		t.Fatal(err)
	}
	s.suite(mustAddr("127.0.0.1:6969"))
}

func TestAtftpd(t *testing.T) {
	bin, err := exec.LookPath("atftpd")
	require(t, err == nil && os.Geteuid() == 0, "needs atftpd and root")
	s := newSite(t)
	if err := s.command(bin, "--daemon", "--no-fork", "--bind-address", "127.0.0.1", "--port", "6969", "--user", "nobody.nogroup", s.dir).Start(); err != nil {
		t.Fatal(err)
	}
	s.suite(mustAddr("127.0.0.1:6969"))
}

func TestDnsmasq(t *testing.T) {
	bin, err := exec.LookPath("dnsmasq")
	require(t, err == nil && os.Geteuid() == 0, "needs dnsmasq and root")
	s := newSite(t)
	cmd := s.command(bin, "--no-daemon", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--tftp-root="+s.dir, "--tftp-max=500",
		"--bind-interfaces", "--listen-address=127.0.0.1", "--user=root", "--quiet-tftp", "--pid-file=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.suite(mustAddr("127.0.0.1:69"))
}
