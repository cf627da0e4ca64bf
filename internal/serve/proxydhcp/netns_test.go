package proxydhcp

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/testkit/dhcpwire"
	"surefoot/internal/wire/dhcp4"
)

// cable is a wire with the role at one end.
type cable struct{ *dhcpwire.Cable }

func newCable(t *testing.T) cable {
	t.Helper()
	return cable{dhcpwire.New(t)}
}

// start runs the role on the server's eth0 and returns its events.
func (c cable) start(t *testing.T, site *boot.Site) chan boot.Event {
	t.Helper()
	events := make(chan boot.Event, 1000)
	s, err := New(Config{Node: "boot1", Site: site, Interfaces: []string{"eth0"}}, Deps{Emit: func(ev boot.Event) { events <- ev }})
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Do(t, func() error { return s.Listen(t.Context()) })
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil after the end of its context", err)
		}
	})
	<-ready
	return events
}

// capture returns a client packet of a capture, with the MAC of the cable's client and its
// own transaction.
func (c cable) capture(t *testing.T, name string, index int, xid uint32) *dhcp4.Packet {
	t.Helper()
	p := clientPackets(t, "testdata/captures/"+name+".pcap")[index].Packet
	p.SetMAC(c.MAC)
	p.XID = xid
	return p
}

// dnsmasq hands out addresses in the server's namespace, on the same interface.
func (c cable) dnsmasq(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("dnsmasq")
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("dnsmasq is not installed")
	}
	cmd := exec.Command(path, "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--no-ping", "--log-dhcp",
		"--user=root", "--dhcp-range=10.77.0.100,10.77.0.150,1h", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"))
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Do(t, cmd.Start)
	started := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		sc := bufio.NewScanner(log)
		for sc.Scan() {
			if strings.Contains(sc.Text(), "DHCP, sockets bound") || strings.Contains(sc.Text(), "DHCP, IP range") {
				select {
				case started <- sc.Text():
				default:
				}
			}
			t.Log(sc.Text())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	select {
	case <-started:
	case <-time.After(10 * time.Second):
		t.Fatal("dnsmasq does not start")
	}
}
