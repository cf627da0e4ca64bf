package probe

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The one-armed layout of direct server return: a balancer, which has the service address, and servers, which have it
// on their loopback interfaces, on one switch.
const dsrService = "10.9.1.20"

// farm is that layout; each part is a namespace.
type farm struct {
	t      *testing.T
	prefix string
	dirs   map[string]string
	cmds   map[string]*exec.Cmd
}

func (f *farm) ns(part string) string { return f.prefix + part }

func (f *farm) addr(part string) netip.Addr {
	return map[string]netip.Addr{
		"lb": netip.MustParseAddr("10.9.1.11"), "s1": netip.MustParseAddr("10.9.1.31"), "s2": netip.MustParseAddr("10.9.1.32"), "s3": netip.MustParseAddr("10.9.1.33"),
	}[part]
}

func newFarm(t *testing.T) *farm {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("network namespaces need root")
		}
		t.Skip("network namespaces need root")
	}
	f := &farm{t: t, prefix: fmt.Sprintf("sf-f%d-", os.Getpid()), dirs: map[string]string{}, cmds: map[string]*exec.Cmd{}}
	for _, part := range []string{"sw", "lb", "s1", "s2", "s3"} {
		command(t, "ip", "netns", "add", f.ns(part))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", f.ns(part)).Run() })
		command(t, "ip", "-n", f.ns(part), "link", "set", "lo", "up")
	}
	command(t, "ip", "-n", f.ns("sw"), "link", "add", "br0", "type", "bridge")
	command(t, "ip", "-n", f.ns("sw"), "link", "set", "br0", "up")
	for _, part := range []string{"lb", "s1", "s2", "s3"} {
		command(t, "ip", "-n", f.ns(part), "link", "add", "eth0", "type", "veth", "peer", "name", part, "netns", f.ns("sw"))
		command(t, "ip", "-n", f.ns("sw"), "link", "set", part, "master", "br0", "up")
		command(t, "ip", "-n", f.ns(part), "addr", "add", f.addr(part).String()+"/24", "dev", "eth0")
		command(t, "ip", "-n", f.ns(part), "link", "set", "eth0", "up")
	}
	command(t, "ip", "-n", f.ns("lb"), "addr", "add", dsrService+"/32", "dev", "eth0")
	for _, s := range []string{"s1", "s2", "s3"} {
		f.hush(s, 1)
		command(t, "ip", "-n", f.ns(s), "addr", "add", dsrService+"/32", "dev", "lo")
		dir, err := os.MkdirTemp("/tmp", "sf-farm-")
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		f.dirs[s] = dir
		f.write(s, strings.Repeat("the bootstrap, ", 20_000))
	}
	return f
}

func (f *farm) write(server, text string) {
	if err := os.WriteFile(filepath.Join(f.dirs[server], "boot.bin"), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// hush sets arp_ignore of a server.
func (f *farm) hush(server string, ignore int) {
	f.t.Helper()
	command(f.t, "ip", "netns", "exec", f.ns(server), "sysctl", "-qw", fmt.Sprintf("net.ipv4.conf.all.arp_ignore=%d", ignore), "net.ipv4.conf.all.arp_announce=2")
}

// server starts a TFTP server; its listening address is at.
func (f *farm) server(part, kind, at string) {
	f.t.Helper()
	f.kill(part)
	words := map[string][]string{
		"hpa":  {"in.tftpd", "-L", "-4", "-s", "--address", at + ":69", "--user", "nobody", f.dirs[part]},
		"ours": {os.Args[0]},
	}[kind]
	cmd := exec.Command("ip", append([]string{"netns", "exec", f.ns(part)}, words...)...)
	cmd.Env = append(os.Environ(), serveRoot+"="+f.dirs[part], serveAt+"="+at+":69")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.cmds[part] = cmd
	f.t.Cleanup(func() { f.kill(part) })
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if out, _ := exec.Command("ip", "netns", "exec", f.ns(part), "ss", "-Hlnu", "sport = :69").Output(); len(out) > 0 {
			return
		}
	}
	f.t.Fatalf("%s does not come up", kind)
}

func (f *farm) kill(part string) {
	if cmd := f.cmds[part]; cmd != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		delete(f.cmds, part)
	}
}

// through downloads from one server by way of the data plane, on the balancer.
func (f *farm) through(part string, as Style) Result {
	var res Result
	within(f.t, f.ns("lb"), func() {
		res = TFTP(f.t.Context(), Target{Scheme: "tftp", Host: dsrService, Port: 69, File: "boot.bin"},
			Options{As: as, Timeout: 2 * time.Second, Through: &Through{Backend: f.addr(part)}})
	})
	return res
}

func (f *farm) want(what string, res Result, code Code, from string, texts ...string) {
	f.t.Helper()
	text, got := strings.Join(res.Notes, " "), Code("")
	if res.Fault != nil {
		got = res.Fault.Code
		text += " " + res.Fault.Text + " " + strings.Join(res.Fault.Hint, " ")
	}
	if got != code || (code == "") != res.Available || from != "" && res.Through.From != from {
		f.t.Errorf("%s: %q, answers from %q: %s", what, got, res.Through.From, text)
	}
	for _, x := range texts {
		if !strings.Contains(text, x) {
			f.t.Errorf("%s: %q is missing in: %s", what, x, text)
		}
	}
	f.t.Logf("%-42s %-18s from %-20s %s", what, got, res.Through.From, text)
}

// Every state of a server behind direct server return, produced for real, and what is made of it.
func TestThroughTheDataPlane(t *testing.T) {
	f := newFarm(t)
	for _, kind := range []string{"hpa", "ours"} {
		t.Run(kind, func(t *testing.T) {
			f.t = t
			f.server("s1", kind, "0.0.0.0")
			for _, as := range Styles() {
				res := f.through("s1", as)
				f.want("up, as "+string(as), res, "", FromService)
				if res.Size != 300_000 || res.Blocks == 0 || res.SHA256 == "" || res.Through.MAC == "" {
					t.Errorf("%+v", res)
				}
			}

			f.server("s1", kind, f.addr("s1").String()) // bound to its own address, it hears nothing for another
			f.want("bound to its own address", f.through("s1", EDK2), Refused, "", "nothing listens")

			f.server("s1", kind, "0.0.0.0")
			nft(t, f.ns("s1"), "chain in { type filter hook prerouting priority -150; ip daddr "+dsrService+" ip daddr set "+f.addr("s1").String()+"; }")
			f.want("answers from its own address", f.through("s1", EDK2), WrongAddress, FromItself, "EDK2", "10.9.1.31:")
			f.want("the same, as iPXE", f.through("s1", IPXE), WrongAddress, FromItself, "U-Boot")
			nft(t, f.ns("s1"))

			command(t, "ip", "-n", f.ns("s1"), "addr", "del", dsrService+"/32", "dev", "lo")
			f.want("the service address is missing", f.through("s1", EDK2), NotTaken, "", "delivers at its own address 10.9.1.31", "ip address add 10.9.1.20/32 dev lo")
			command(t, "ip", "-n", f.ns("s1"), "addr", "add", dsrService+"/32", "dev", "lo")

			f.hush("s1", 0)
			res := f.through("s1", EDK2)
			f.want("arp_ignore is forgotten", res, AnswersARP, FromService, "arp_ignore=1", res.Through.MAC)
			if len(res.Through.Holders) != 1 || res.Through.Holders[0] != res.Through.MAC {
				t.Errorf("holders %q", res.Through.Holders)
			}
			f.hush("s1", 1)

			f.kill("s1")
			f.want("no daemon", f.through("s1", EDK2), Refused, "", "takes packets for 10.9.1.20")
			command(t, "ip", "-n", f.ns("s1"), "addr", "del", dsrService+"/32", "dev", "lo")
			f.want("neither address nor daemon", f.through("s1", EDK2), NoAnswer, "", "answers ARP")
			command(t, "ip", "-n", f.ns("s1"), "addr", "add", dsrService+"/32", "dev", "lo")
		})
	}
	f.t = t
	command(t, "ip", "-n", f.ns("s1"), "link", "set", "eth0", "down")
	f.want("dead host", f.through("s1", EDK2), HostDown, "", "does not answer ARP")
	command(t, "ip", "-n", f.ns("s1"), "link", "set", "eth0", "up")

	for i, s := range []string{"s1", "s2", "s3"} {
		f.server(s, []string{"ours", "hpa", "ours"}[i], "0.0.0.0")
	}
	ask := func() []Result {
		all := []Result{f.through("s1", IPXE), f.through("s2", IPXE), f.through("s3", IPXE)}
		Content(all)
		return all
	}
	for i, r := range ask() {
		f.want(fmt.Sprint("the same file on s", i+1), r, "", FromService)
	}
	f.write("s2", strings.Repeat("another one, ", 20_000))
	all := ask()
	f.want("s1 is one of most", all[0], "", "")
	f.want("another file on s2", all[1], OtherContent, "", "2 of 3 servers deliver")
	f.write("s3", "a third one")
	for i, r := range ask() {
		f.want(fmt.Sprint("nobody agrees, s", i+1), r, OtherContent, "", "do not agree")
	}
}

// The first answer of tftpd-hpa after its start comes from its own address; that is no fault.
func TestFirstAnswerOfHPA(t *testing.T) {
	f := newFarm(t)
	f.server("s1", "hpa", "0.0.0.0")
	res := f.through("s1", Plain)
	f.want("the first request", res, "", FromService)
	f.want("the next one", f.through("s1", Plain), "", FromService)
}

func TestThroughSaysWhyItCannot(t *testing.T) {
	for addr, want := range map[string]string{"127.0.0.1": "this machine's own address", "::1": "IPv4 alone"} {
		res := TFTP(t.Context(), Target{Scheme: "tftp", Host: dsrService, Port: 69, File: "x"}, Options{Through: &Through{Backend: netip.MustParseAddr(addr)}})
		if res.Fault == nil || res.Fault.Code != LocalError || !strings.Contains(res.Fault.Text, want) {
			t.Errorf("%s: %+v", addr, res.Fault)
		}
	}
}

// nft sets the rules of one namespace; none: everything passes.
func nft(t *testing.T, ns string, chains ...string) {
	t.Helper()
	text := "flush ruleset\n"
	if len(chains) > 0 {
		text += "table ip t {\n" + strings.Join(chains, "\n") + "\n}\n"
	}
	cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s\n%s", err, out, text)
	}
}
