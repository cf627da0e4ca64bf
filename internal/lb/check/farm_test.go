package check

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
	"surefoot/internal/lb"
	"surefoot/internal/probe"
	"surefoot/internal/serve/tftp"
)

// The one-armed layout: a balancer with the service address, and servers that have it on their loopback interfaces, on one
// switch. The balancer has a second interface, towards nowhere.
const service = "10.9.2.20"

// serveRoot makes this test binary a TFTP server.
const serveRoot = "SUREFOOT_TEST_SERVE_ROOT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveRoot); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serve(dir string) error {
	root, err := files.Open(dir, files.Options{})
	if err != nil {
		return err
	}
	s, err := tftp.New(tftp.Config{Node: "n", Listen: netip.MustParseAddrPort("0.0.0.0:69"), Files: root}, tftp.Deps{})
	if err == nil {
		err = s.Listen(context.Background())
	}
	if err != nil {
		return err
	}
	return s.Run(context.Background(), nil)
}

type farm struct {
	t      *testing.T
	prefix string
	dirs   map[string]string
}

func addrOf(part string) netip.Addr {
	return map[string]netip.Addr{
		"lb": netip.MustParseAddr("10.9.2.11"), "s1": netip.MustParseAddr("10.9.2.31"), "s2": netip.MustParseAddr("10.9.2.32"), "s3": netip.MustParseAddr("10.9.2.33"),
		"lb2": netip.MustParseAddr("10.9.2.12"),
	}[part]
}

func servers() []string { return []string{"s1", "s2", "s3"} }

func newFarm(t *testing.T) *farm {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("network namespaces need root")
		}
		t.Skip("network namespaces need root")
	}
	f := &farm{t: t, prefix: fmt.Sprintf("sf-k%d-", os.Getpid()), dirs: map[string]string{}}
	parts := append([]string{"lb", "lb2"}, servers()...)
	for _, p := range append([]string{"sw"}, parts...) {
		f.do("ip", "netns", "add", f.ns(p))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", f.ns(p)).Run() })
		f.ip(p, "link set lo up")
	}
	f.ip("sw", "link add br0 type bridge")
	f.ip("sw", "link set br0 up")
	for _, p := range parts {
		f.ip(p, "link add eth0 type veth peer name "+p+" netns "+f.ns("sw"))
		f.ip("sw", "link set "+p+" master br0 up")
		f.ip(p, "addr add "+addrOf(p).String()+"/24 dev eth0")
		f.ip(p, "link set eth0 up")
	}
	f.ip("lb", "addr add "+service+"/32 dev eth0")
	f.ip("lb", "link add away type veth peer name nowhere")
	f.ip("lb", "addr add 10.9.3.1/24 dev away")
	f.ip("lb", "link set away up")
	f.ip("lb", "link set nowhere up")
	for _, s := range servers() {
		f.sysctl(s, "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
		f.ip(s, "addr add "+service+"/32 dev lo")
		f.serve(s)
	}
	return f
}

func (f *farm) ns(part string) string { return f.prefix + part }

func (f *farm) do(words ...string) {
	f.t.Helper()
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		f.t.Fatalf("%q: %v\n%s", words, err, out)
	}
}

func (f *farm) ip(part, line string) {
	f.t.Helper()
	f.do(append([]string{"ip", "-n", f.ns(part)}, strings.Fields(line)...)...)
}

func (f *farm) sysctl(part string, settings ...string) {
	f.t.Helper()
	f.do(append([]string{"ip", "netns", "exec", f.ns(part), "sysctl", "-qw"}, settings...)...)
}

func (f *farm) nft(part, text string) {
	f.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", f.ns(part), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader("flush ruleset\n" + text + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("nft: %v\n%s\n%s", err, out, text)
	}
}

func (f *farm) serve(part string) {
	f.t.Helper()
	dir := f.t.TempDir()
	f.dirs[part] = dir
	f.write(part, strings.Repeat("the bootstrap, ", 1000))
	cmd := exec.Command("ip", "netns", "exec", f.ns(part), os.Args[0])
	cmd.Env = append(os.Environ(), serveRoot+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if out, _ := exec.Command("ip", "netns", "exec", f.ns(part), "ss", "-Hlnu", "sport = :69").Output(); len(out) > 0 {
			return
		}
	}
	f.t.Fatal("the server does not come up")
}

func (f *farm) write(part, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dirs[part], "boot.bin"), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// within runs a function on a thread in a part of the network.
func (f *farm) within(part string, do func()) {
	f.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+f.ns(part), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		f.t.Fatalf("enter namespace %s: %v", part, err)
	}
}

// check looks at the service from a part of the network.
func (f *farm) check(part string, mode lb.Mode) Report {
	f.t.Helper()
	s := Service{Name: "boot", Mode: mode, Address: netip.MustParseAddrPort(service + ":69"), File: "boot.bin", As: probe.IPXE}
	for _, x := range servers() {
		s.Backends = append(s.Backends, Backend{Name: x, Addr: netip.AddrPortFrom(addrOf(x), 69)})
	}
	s.Clients = []netip.Prefix{netip.MustParsePrefix("10.9.2.0/24"), netip.MustParsePrefix("10.9.3.0/24")}
	var r Report
	f.within(part, func() { r = Run(f.t.Context(), s, 2*time.Second) })
	return r
}

// want checks that nothing but these was found, each as CODE SUBJECT and some words of the evidence or the remedy.
func (f *farm) want(what string, r Report, want ...[]string) {
	f.t.Helper()
	for _, x := range r.Findings {
		f.t.Logf("%-34s %-20s %-12s warning %-5v %s -> %s", what, x.Code, x.Subject, x.Warning, x.Text, strings.Join(x.Fix, " | "))
	}
	if len(r.Findings) != len(want) {
		f.t.Errorf("%s: %d findings, want %d", what, len(r.Findings), len(want))
		return
	}
	for _, w := range want {
		ok := false
		for _, x := range r.Findings {
			text := x.Text + " " + strings.Join(x.Fix, " ")
			if string(x.Code) != w[0] || x.Subject != w[1] {
				continue
			}
			ok = true
			for _, word := range w[2:] {
				ok = ok && strings.Contains(text, word)
			}
		}
		if !ok {
			f.t.Errorf("%s: %q was not found", what, w)
		}
	}
}
