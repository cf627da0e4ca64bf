package dhcp6

import (
	"errors"
	"net"
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
	"surefoot/internal/testkit/netns"
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

// dhclient runs ISC's client once, and returns what it says and the address that it takes.
func dhclient(t *testing.T, ns *namespace, args ...string) (out, addr string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	text := "option dhcp6.bootfile-url code 59 = text;\noption dhcp6.arch code 61 = string;\nsend dhcp6.arch 00:07;\n" +
		"request dhcp6.bootfile-url, dhcp6.name-servers, dhcp6.domain-search;\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(dir, "pid")
	out = ns.run(t, "dhclient", append(args, "-6", "-1", "-v", "-cf", conf, "-lf", filepath.Join(dir, "leases"), "-pf", pidFile,
		"-sf", script(t, `echo "$reason: $new_ip6_address dns $new_dhcp6_name_servers search $new_dhcp6_domain_search file $new_dhcp6_bootfile_url"`), "eth0")...)
	endByPIDFile(t, pidFile)
	if m := regexp.MustCompile(`BOUND6: (\S+) dns`).FindStringSubmatch(out); m != nil {
		addr = m[1]
	}
	return out, addr
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
	for range 1000 {
		if unix.Kill(pid, unix.SIGKILL) != nil {
			return
		}
		time.Sleep(5 * time.Millisecond) // a daemon is nobody's child: nobody can wait for it
	}
	t.Errorf("process %d does not end", pid)
}

// TestDhclient: ISC's client gets an address and all that it asks for, and the same again when it is made
// anew.
func TestDhclient(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	out, a := dhclient(t, c.client)
	for _, want := range []string{"dns fd77::53", "search lab.example.", "file tftp://[fd77::2]/efi/nbp.efi"} {
		if !strings.Contains(out, want) {
			t.Errorf("dhclient does not say %q", want)
		}
	}
	kept := r.keeper.all()
	if len(kept) != 1 || kept[0].Addr.String() != a || kept[0].MAC != c.mac || kept[0].State != lease.Active {
		t.Fatalf("it takes %q, kept %+v", a, kept)
	}
	if _, again := dhclient(t, c.client, "-D", "LL"); again != a {
		t.Errorf("under another DUID it has %s, before %s", again, a)
	}
}

// TestDhclientStateless: what to boot, without an address.
func TestDhclientStateless(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	if out, _ := dhclient(t, c.client, "-S"); !strings.Contains(out, "dns fd77::53 search lab.example. file tftp://[fd77::2]/efi/nbp.efi") {
		t.Error("it is not told what it asked for")
	}
	if kept := r.keeper.all(); len(kept) != 0 {
		t.Errorf("kept %v", kept)
	}
}

// far makes a machine behind a router, whose other end is the cable's client, and gives the networks their routes.
func (c cable) far(t *testing.T) *namespace {
	t.Helper()
	client := newNamespace(t)
	join(t, c.client, "eth1", client, "eth0")
	c.client.do(t, func() error {
		if err := netns.AddAddr("eth0", "fd77::9/64"); err != nil {
			return err
		}
		return netns.AddAddr("eth1", "fd88::1/64")
	})
	c.server.do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("fd88::/64")
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Gw: addr("fd77::9").AsSlice()})
	})
	return client
}

// TestRelay: through ISC's relay, which adds an Interface-Id and wants it back.
func TestRelay(t *testing.T) {
	c := newCable(t)
	client := c.far(t)
	r := c.start(t, testConfig())
	cmd := exec.Command(netns.Program(t, "dhcrelay"), "-6", "-d", "--no-pid", "-I", "-l", "fd88::1%eth1", "-u", "fd77::2%eth0")
	cmd.Stderr = os.Stderr
	c.client.do(t, cmd.Start)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, a := dhclient(t, client)
	kept := r.keeper.all()
	if len(kept) != 1 || kept[0].Addr.String() != a || kept[0].Scope != "far/6" || kept[0].Relay != addr("fd88::1") {
		t.Errorf("it takes %q, kept %+v", a, kept)
	}
}

// TestPerfdhcp: Kea's load generator gets every lease that it asks for, and no address twice.
func TestPerfdhcp(t *testing.T) {
	c := newCable(t)
	// Its clients have one interface, which would have one address: it is known by their DUIDs alone if its own
	// address says nothing.
	c.client.do(t, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/eth0/addr_gen_mode", []byte("1"), 0o644); err != nil {
			return err
		}
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		was, err := netlink.AddrList(l, netlink.FAMILY_V6)
		for i := range was {
			err = errors.Join(err, netlink.AddrDel(l, &was[i]))
		}
		return errors.Join(err, netns.AddAddr("eth0", "fe80::1:2:3:4/64"))
	})
	cfg := testConfig()
	cfg.Limits.PerSender = 1000 // all of them have that one address
	r := c.start(t, cfg)
	out := c.client.run(t, "perfdhcp", "-6", "-l", "eth0", "-r", "200", "-R", "200", "-n", "200", "-W", "500000", "all")
	if n := strings.Count(out, "drops: 0\n"); n < 2 {
		t.Errorf("perfdhcp loses something: %d of its two exchanges are whole", n)
	}
	given := map[string]bool{}
	for _, rec := range r.keeper.all() {
		given[rec.Addr.String()] = true
	}
	if len(given) != 200 {
		t.Errorf("%d addresses given, want 200", len(given))
	}
	for len(r.events) > 0 {
		if ev := <-r.events; ev.Kind == boot.Ignored {
			t.Errorf("%s: %s", ev.Reason, ev.Detail)
		}
	}
}
