package dhcp4

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	"surefoot/internal/testkit/dhcpwire"
	"surefoot/internal/testkit/netns"
	wire "surefoot/internal/wire/dhcp4"
)

// script writes an executable file.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestUdhcpc and TestDhclient: real clients get a lease and what they asked for.
func TestUdhcpc(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	for _, flags := range [][]string{nil, {"-B"}} {
		out := c.Client.Run(t, "busybox", append([]string{
			"udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "3", "-T", "3",
			"-O", "tftp", "-O", "bootfile", "-O", "staticroutes", "-s", script(t, `[ "$1" = bound ] && set`),
		}, flags...)...)
		// The second time the lease goes on: it was not renewed, since it is a second old.
		for _, want := range []string{"router='10.77.0.1'", "dns='10.77.0.5 10.77.0.6'", "lease='3", "mask='24'", "domain='lab.example'", "staticroutes='10.0.0.0/8 10.77.0.1 0.0.0.0/0 10.77.0.1'"} {
			if !strings.Contains(out, want) {
				t.Errorf("flags %v: udhcpc does not say %s", flags, want)
			}
		}
	}
	if kept := r.keeper.all(); len(kept) == 0 || kept[0].Addr != kept[len(kept)-1].Addr || kept[0].MAC != c.MAC || kept[0].State != lease.Active {
		t.Errorf("kept: %v", kept)
	}
}

func TestDhclient(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte("request subnet-mask, routers, domain-name, dhcp-lease-time; timeout 10; retry 5;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(dir, "pid")
	args := []string{
		"-4", "-1", "-v", "-cf", conf, "-lf", filepath.Join(dir, "leases"), "-pf", pidFile,
		"-sf", script(t, `case "$reason" in BOUND|REBOOT) echo "bound to $new_ip_address by $new_dhcp_server_identifier router $new_routers";; esac; exit 0`), "eth0",
	}
	t.Cleanup(func() { endByPIDFile(t, pidFile) }) // it goes into the background
	out := c.Client.Run(t, "dhclient", args...)
	bound := regexp.MustCompile(`bound to (\S+) by 10.77.0.2 router 10.77.0.1`)
	m := bound.FindStringSubmatch(out)
	if m == nil {
		t.Fatal("dhclient gets no lease")
	}
	endByPIDFile(t, pidFile)
	again := c.Client.Run(t, "dhclient", args...) // INIT-REBOOT
	if m2 := bound.FindStringSubmatch(again); m2 == nil || m2[1] != m[1] || strings.Contains(again, "DHCPDISCOVER") {
		t.Errorf("with its lease it does not get %s again", m[1])
	}
	if kept := r.keeper.all(); len(kept) == 0 || kept[0].Addr.String() != m[1] {
		t.Errorf("kept: %v", kept)
	}
}

// endByPIDFile ends the process that wrote the file, and waits for its end.
func endByPIDFile(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return
	}
	_ = os.Remove(file)
	for range 1000 {
		if unix.Kill(pid, unix.SIGKILL) != nil {
			return
		}
		time.Sleep(5 * time.Millisecond) // a daemon is nobody's child: nobody can wait for it
	}
	t.Errorf("process %d does not end", pid)
}

// relayCable is a relay, ISC's, between client and server.
func relayCable(t *testing.T, args ...string) (c cable, client *netns.Space) {
	t.Helper()
	netns.Program(t, "dhcrelay")
	c = newCable(t) // its client is the relay, towards the server
	client = netns.New(t)
	netns.Join(t, c.Client, "eth1", client, "eth0")
	c.Client.Do(t, func() error {
		if err := netns.AddAddr("eth0", "10.77.0.9/24"); err != nil {
			return err
		}
		return netns.AddAddr("eth1", "10.88.0.1/24")
	})
	c.Server.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("10.88.0.0/24")
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Gw: addr("10.77.0.9").AsSlice()})
	})
	cmd := exec.Command(netns.Program(t, "dhcrelay"), append([]string{"-4", "-d", "--no-pid", "-iu", "eth0", "-id", "eth1"}, append(args, "10.77.0.2")...)...)
	cmd.Stderr = os.Stderr
	c.Client.Do(t, cmd.Start)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return c, client
}

// TestRelay: through ISC's relay, which adds option 82 and wants it back, with and without the flag.
func TestRelay(t *testing.T) {
	c, client := relayCable(t, "-a", "-m", "discard")
	r := c.start(t, testConfig())
	for _, flags := range [][]string{nil, {"-B"}} {
		out := client.Run(t, "busybox", append([]string{
			"udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "6", "-T", "1",
			"-s", script(t, `[ "$1" = bound ] && set`),
		}, flags...)...)
		if !strings.Contains(out, "router='10.88.0.1'") {
			t.Errorf("flags %v: no lease through the relay", flags)
		}
	}
	if kept := r.keeper.all(); len(kept) == 0 || kept[0].Relay != addr("10.88.0.1") || kept[0].Circuit != "eth1" || kept[0].Scope != "far" {
		t.Errorf("kept: %+v", kept)
	}
}

// TestPerfdhcp: Kea's load generator plays a relay, and gets every lease that it asks for.
func TestPerfdhcp(t *testing.T) {
	c := newCable(t)
	netns.Program(t, "perfdhcp")
	c.Client.Do(t, func() error { return netns.AddAddr("eth0", "10.88.0.1/24") })
	c.Server.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("10.88.0.0/24")
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Scope: netlink.SCOPE_LINK})
	})
	c.Client.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("10.77.0.0/24")
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Scope: netlink.SCOPE_LINK})
	})
	r := c.start(t, testConfig())
	out := c.Client.Run(t, "perfdhcp", "-4", "-l", "10.88.0.1", "-r", "40", "-R", "40", "-n", "40", "-W", "1000000", "10.77.0.2")
	drops := regexp.MustCompile(`drops: (\d+)`).FindAllStringSubmatch(out, -1)
	if len(drops) != 2 || drops[0][1] != "0" || drops[1][1] != "0" {
		t.Errorf("drops: %v", drops)
	}
	seen := map[netip.Addr]boot.MAC{}
	for _, k := range r.keeper.all() {
		if mac, ok := seen[k.Addr]; ok && mac != k.MAC {
			t.Errorf("%s is given to %s and to %s", k.Addr, mac, k.MAC)
		}
		seen[k.Addr] = k.MAC
	}
	if len(seen) == 0 {
		t.Error("nothing was kept")
	}
}

// TestConflict: who answers at an address keeps it: it is offered once, taken out of use, and the disk knows.
func TestConflict(t *testing.T) {
	for _, wait := range []time.Duration{0, 300 * time.Millisecond} {
		t.Run(fmt.Sprint(wait), func(t *testing.T) {
			c := newCable(t)
			squatter := "10.77.0.100/24"
			c.Client.Do(t, func() error { return netns.AddAddr("eth0", squatter) })
			cfg := testConfig()
			cfg.Scopes[0].ConflictCheck, cfg.Scopes[0].ConflictWait = true, wait
			r := c.startWith(t, cfg, func(pools []lease.Pool) {
				pools[0].Ranges = []lease.Range{{From: addr("10.77.0.100"), To: addr("10.77.0.100")}}
			})
			conn := c.Conn(t, wire.ClientPort)
			d := plain(boot.MAC{2, 0, 0, 0, 0, 7})
			d.Flags = wire.FlagBroadcast
			c.Broadcast(t, conn, d)
			var kinds []boot.Kind
			for {
				ev := next(t, r.events)
				kinds = append(kinds, ev.Kind)
				if ev.Kind == boot.AddressInUse {
					if ev.MAC != c.MAC || ev.IP != addr("10.77.0.100") {
						t.Errorf("%+v", ev)
					}
					break
				}
			}
			if wait > 0 {
				if ev := next(t, r.events); ev.Reason != boot.AddressDeclined || ev.Kind != boot.Ignored {
					t.Errorf("after the wait: %+v", ev)
				}
				if len(kinds) != 1 {
					t.Errorf("before that: %v", kinds)
				}
			} else if kinds[0] != boot.AddressOffered {
				t.Errorf("the offer waits: %v", kinds)
			}
			d.XID++
			c.Broadcast(t, conn, d)
			if ev := next(t, r.events); ev.Reason != boot.NoFreeAddress {
				t.Errorf("the next time: %+v", ev)
			}
			if kept := r.keeper.all(); len(kept) != 1 || kept[0].State != lease.Declined {
				t.Errorf("kept: %v", kept)
			}
		})
	}
}

// TestConflictBehindRelay: the same by ICMP echo, through a router.
func TestConflictBehindRelay(t *testing.T) {
	c, client := relayCable(t)
	client.Do(t, func() error {
		if err := netns.AddAddr("eth0", "10.88.0.100/24"); err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("10.77.0.0/24")
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: addr("10.88.0.1").AsSlice()})
	})
	c.Client.Run(t, "sysctl", "-w", "net.ipv4.ip_forward=1")
	cfg := testConfig()
	cfg.Scopes[1].ConflictCheck = true
	r := c.startWith(t, cfg, func(pools []lease.Pool) {
		pools[1].Ranges = []lease.Range{{From: addr("10.88.0.100"), To: addr("10.88.0.100")}}
	})
	behind := dhcpwire.Cable{Client: client, MAC: boot.MAC{2, 0, 0, 0, 0, 7}}
	conn := behind.Conn(t, wire.ClientPort)
	d := plain(boot.MAC{2, 0, 0, 0, 0, 7})
	d.Flags = wire.FlagBroadcast
	deadline := time.Now().Add(20 * time.Second)
	for i := 0; time.Now().Before(deadline); i++ { // the relay takes a moment to start
		d.XID = uint32(100 + i)
		behind.Broadcast(t, conn, d)
		timer := time.After(time.Second)
	events:
		for {
			select {
			case ev := <-r.events:
				if ev.Kind == boot.AddressInUse {
					if ev.IP != addr("10.88.0.100") {
						t.Errorf("%+v", ev)
					}
					return
				}
			case <-timer:
				break events
			}
		}
	}
	t.Error("nobody notices that the address is in use")
}

// next returns the next event.
func next(t *testing.T, events chan boot.Event) boot.Event {
	t.Helper()
	select {
	case ev := <-events:
		return ev
	case <-time.After(5 * time.Second):
		t.Fatal("no event")
		return boot.Event{}
	}
}

// TestReplyFromHeldPort: a renewing client hears nothing of an unreachable port: it is held.
func TestReplyFromHeldPort(t *testing.T) {
	c := newCable(t)
	c.start(t, testConfig())
	var out string
	c.Server.Do(t, func() error {
		b, err := exec.Command("ss", "-H", "-lnu", "sport", "=", ":67").Output()
		out = string(b)
		return err
	})
	if !strings.Contains(out, ":67") {
		t.Errorf("nobody holds port 67: %q", out)
	}
}
