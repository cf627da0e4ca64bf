package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startDHCP starts dnsmasq as the site's DHCP server. It hands out addresses and says nothing of
// booting. No ping before an offer: that costs 3 s. Router advertisements: without one, iPXE
// waits 16 s for an IPv6 address (BOOTLAB section 1).
func (l *Lab) startDHCP(ctx context.Context) error {
	args := []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--log-dhcp", "--user=root",
		"--port=0", "--interface=eth0", "--bind-interfaces", "--no-ping",
		"--dhcp-authoritative", "--leasefile-ro", "--pid-file=",
		"--enable-ra", "--dhcp-range=fd77::," + announced(l.options) + ",64,1h", "--ra-param=eth0,10",
	}
	if !l.options.OwnDHCP {
		args = append(args, "--dhcp-range=10.77.0.100,10.77.0.199,255.255.255.0,1h")
	}
	if l.Relay && !l.options.OwnDHCP && !l.options.OwnFar {
		args = append(args,
			"--dhcp-range=set:far,10.78.0.100,10.78.0.199,255.255.255.0,1h",
			"--dhcp-option=tag:far,option:router,"+RelayClient.String(),
			"--dhcp-option=tag:!far,option:router,"+RelayAddr.String())
	}
	part := dhcpPart(l.options)
	p, err := l.places[part].start(command{
		name: "dnsmasq", path: dnsmasqProgram, args: args, log: filepath.Join(l.Dir, "dnsmasq.log"),
	})
	if err != nil {
		return err
	}
	l.dhcp = p
	if l.options.OwnDHCP {
		return p.awaitLog(ctx, "advertising", "router advertisement")
	}
	return p.await(ctx, "listening on udp port 67", func() error {
		return l.places[part].do(func() error { return portTaken(67) })
	})
}

// announced is what the routers say: that dnsmasq has more to tell, or, where the nodes answer DHCPv6, nothing of who
// does.
func announced(o Options) string {
	if o.IPv6 {
		return "ra-only"
	}
	return "ra-stateless"
}

// startRelay starts the DHCP relay between the two client networks, lets the rest of the traffic
// pass, and sends router advertisements to the machines behind it (why: see startDHCP).
func (l *Lab) startRelay(ctx context.Context) error {
	err := l.places[partRelay].do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
	})
	if err != nil {
		return fmt.Errorf("let the relay forward packets: %w", err)
	}
	args := []string{"-4", "-d", "--no-pid", "-id", "eth1", "-iu", "eth0", DHCPAddr.String()}
	if l.options.SameHost || l.options.OwnDHCP || l.options.OwnFar {
		args = args[:len(args)-1]
	}
	for i := range l.options.Nodes {
		args = append(args, NodeAddr(i).String())
	}
	p, err := l.places[partRelay].start(command{
		name: "dhcrelay", path: relayProgram, args: args, log: filepath.Join(l.Dir, "dhcrelay.log"),
	})
	if err != nil {
		return err
	}
	l.relay = p
	if l.advert, err = l.places[partRelay].start(command{
		name: "dnsmasq of the relay", path: dnsmasqProgram, log: filepath.Join(l.Dir, "dnsmasq-relay.log"),
		args: []string{
			"--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--port=0", "--pid-file=",
			"--interface=eth1", "--bind-interfaces", "--leasefile-ro",
			"--enable-ra", "--dhcp-range=fd78::," + announced(l.options) + ",64,1h", "--ra-param=eth1,10",
		},
	}); err != nil {
		return err
	}
	if l.options.IPv6 {
		if err := l.startRelay6(); err != nil {
			return err
		}
	}
	return p.awaitLog(ctx, "relaying", "Sending on")
}

// StopRelay ends the lab's relay, for another one in its place.
func (l *Lab) StopRelay(ctx context.Context) error { return l.relay.Stop(ctx) }

// awaitLog waits until the process has said something.
func (p *Process) awaitLog(ctx context.Context, what, word string) error {
	return p.await(ctx, what, func() error {
		b, err := os.ReadFile(p.Log)
		if err == nil && !strings.Contains(string(b), word) {
			err = io.ErrNoProgress
		}
		return err
	})
}

// startRelay6 starts the DHCPv6 relay, which forwards to every node.
func (l *Lab) startRelay6() error {
	err := l.places[partRelay].do(func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644)
	})
	if err != nil {
		return fmt.Errorf("let the relay forward IPv6 packets: %w", err)
	}
	args := []string{"-6", "-d", "--no-pid", "-l", "fd78::1%eth1"}
	for i := range l.options.Nodes {
		args = append(args, "-u", NodeAddr6(i).String()+"%eth0")
	}
	_, err = l.places[partRelay].start(command{
		name: "dhcrelay of IPv6", path: relayProgram, args: args, log: filepath.Join(l.Dir, "dhcrelay6.log"),
	})
	return err
}

// portTaken returns nil if some socket of this thread's namespace holds the UDP port. It looks and
// does not try: a trial would keep the port from who is about to take it.
func portTaken(port int) error {
	b, err := os.ReadFile("/proc/thread-self/net/udp")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) { // sl local_address rem_address ... (proc(5))
		if f := strings.Fields(line); len(f) > 1 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			return nil
		}
	}
	return io.ErrNoProgress
}

// await polls until the check passes: foreign programs do not say when they are ready.
func (p *Process) await(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if check() == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended before it was %s: %w\n%s", p.Name, what, p.err, p.lastLines(5))
		case <-ctx.Done():
			return fmt.Errorf("%s is not %s: %w\n%s", p.Name, what, ctx.Err(), p.lastLines(5))
		}
	}
}

// lastLines returns the end of the process's log.
func (p *Process) lastLines(n int) string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
