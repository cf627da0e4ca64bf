package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/files"
	tftprole "surefoot/internal/serve/tftp"
)

var update = flag.Bool("update", false, "write generated parts of documents")

// serveRoot makes this test binary a server of ours: SIGSTOP stops a process, not a goroutine.
const (
	serveRoot = "SUREFOOT_TEST_SERVE_ROOT"
	serveAt   = "SUREFOOT_TEST_SERVE_AT" // default: every address
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveRoot); dir != "" {
		if err := serveOurs(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveOurs(dir string) error {
	root, err := files.Open(dir, files.Options{})
	if err != nil {
		return err
	}
	at := "0.0.0.0:69"
	if a := os.Getenv(serveAt); a != "" {
		at = a
	}
	s, err := tftprole.New(tftprole.Config{Node: "n", Listen: netip.MustParseAddrPort(at), Files: root}, tftprole.Deps{})
	if err != nil {
		return err
	}
	if err := s.Listen(context.Background()); err != nil {
		return err
	}
	return s.Run(context.Background(), nil)
}

// The addresses of the network in which causes are produced.
const (
	causeServer  = "10.9.0.1"
	causeService = "10.9.0.9" // a second address of the server, as of a balancer
	causeNobody  = "10.9.0.77"
)

// site is a server and a client, joined by a cable, each in a namespace.
type site struct {
	t        *testing.T
	srv, pc  string
	dir, sum string
	cmd      *exec.Cmd
}

func command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	s := &site{t: t, srv: fmt.Sprintf("sf-c%d-%s-s", os.Getpid(), name), pc: fmt.Sprintf("sf-c%d-%s-p", os.Getpid(), name)}
	s.dir, s.sum = bigDir(t)
	for _, ns := range []string{s.srv, s.pc} {
		command(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", ns).Run() })
		command(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	command(t, "ip", "-n", s.srv, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", s.pc)
	for _, c := range [][]string{
		{s.srv, causeServer + "/24"}, {s.srv, causeService + "/24"}, {s.pc, "10.9.0.2/24"},
	} {
		command(t, "ip", "-n", c[0], "addr", "add", c[1], "dev", "eth0")
	}
	for _, ns := range []string{s.srv, s.pc} {
		command(t, "ip", "-n", ns, "link", "set", "eth0", "up")
	}
	return s
}

const (
	causeText = "Provisioning Services bootstrap"
	causeSize = 64_000_000
)

// bigDir is a folder with a bootstrap that no buffer of a server holds whole.
func bigDir(t *testing.T) (dir, sum string) {
	dir, err := os.MkdirTemp("/tmp", "sf-causes-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := []byte(causeText + strings.Repeat("0123456789abcdef", causeSize/16))
	h := sha256.Sum256(b)
	for name, content := range map[string][]byte{"ARDBP32.BIN": b, "small": b[:100_000], "cut": b} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, hex.EncodeToString(h[:])
}

// start starts a server in the namespace, and waits until it delivers.
func (s *site) start(env string, args ...string) {
	s.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", s.srv}, args...)...)
	cmd.Env = append(os.Environ(), env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	s.t.Cleanup(s.kill)
	s.up()
}

func (s *site) up() {
	s.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s.probe(causeServer, "small", Options{As: IPXE, Timeout: time.Second}).Available {
			return
		}
	}
	s.t.Fatal(errNotUp)
}

func (s *site) kill() {
	s.signal(syscall.SIGKILL)
	_ = s.cmd.Wait()
}

// serverMAC is the address of the server's card.
func (s *site) serverMAC() string {
	s.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", s.srv, "cat", "/sys/class/net/eth0/address").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// signal reaches the children as well: in.tftpd makes one for each transfer.
func (s *site) signal(sig syscall.Signal) { _ = syscall.Kill(-s.cmd.Process.Pid, sig) }

func (s *site) probe(host, file string, o Options) Result {
	var res Result
	within(s.t, s.pc, func() {
		res = TFTP(s.t.Context(), Target{Scheme: "tftp", Host: host, Port: 69, File: file}, o)
	})
	return res
}

// firewall sets the rules of one namespace; none: everything passes. What gets lost on the way gets
// lost at the receiver's end: a server whose own kernel drops what it sends is told so, and gives up.
func (s *site) firewall(ns, hook string, rules ...string) {
	s.t.Helper()
	text := "flush ruleset\n"
	if len(rules) > 0 {
		text += fmt.Sprintf("table ip t {\nchain c {\ntype filter hook %s priority -150;\n%s\n}\n}\n", hook, strings.Join(rules, "\n"))
	}
	cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("nft: %v\n%s\n%s", err, out, text)
	}
}

// onFirstBlock calls f when the first bytes came.
func onFirstBlock(f func()) func(received, size int64) {
	var once sync.Once
	return func(received, _ int64) {
		if received > 0 {
			once.Do(f)
		}
	}
}

// cause is a failure that is produced for real, and what has to be made of it.
type cause struct {
	name string
	do   func(s *site) Result
	want map[string]Code // by server; "" any
	text []string        // of the evidence and the hints
}

const causeTimeout = 5 * time.Second

func causes() []cause {
	all := func(c Code) map[string]Code { return map[string]Code{"": c} }
	edk2 := func(s *site, change func(*Options)) Result {
		o := Options{Timeout: causeTimeout, Prove: true}
		if change != nil {
			change(&o)
		}
		return s.probe(causeServer, "ARDBP32.BIN", o)
	}
	server := func(s *site) string { return s.srv }
	client := func(s *site) string { return s.pc }
	behind := func(where func(*site) string, rule string, as Style) func(*site) Result {
		return func(s *site) Result {
			hook := "prerouting"
			if strings.Contains(rule, "reject") {
				hook = "input"
			}
			s.firewall(where(s), hook, rule)
			defer s.firewall(where(s), "")
			return edk2(s, func(o *Options) { o.As = as })
		}
	}
	// As behind a balancer that passes requests on and does not see the answers.
	const dsr = "ip daddr " + causeService + " ip daddr set " + causeServer
	service := func(as Style) func(*site) Result {
		return func(s *site) Result {
			s.firewall(s.srv, "prerouting", dsr)
			defer s.firewall(s.srv, "")
			return s.probe(causeService, "small", Options{As: as, Timeout: causeTimeout, Prove: true})
		}
	}
	return []cause{
		{"nothing: the file is delivered", func(s *site) Result {
			return edk2(s, func(o *Options) { o.SHA256, o.Contains, o.Slow = s.sum, causeText, 30*time.Second })
		}, all(""), nil},
		{"a name that nobody knows", func(s *site) Result {
			return s.probe("boot.sf-test.invalid", "x", Options{Timeout: causeTimeout})
		}, all(NotResolved), []string{"boot.sf-test.invalid"}},
		{"dead host: nobody has the address", func(s *site) Result {
			return s.probe(causeNobody, "x", Options{Timeout: causeTimeout, Prove: true})
		}, all(HostDown), []string{causeNobody + " does not answer ARP"}},
		{"closed port: no server runs", func(s *site) Result {
			var res Result
			within(s.t, s.pc, func() {
				res = TFTP(s.t.Context(), Target{Scheme: "tftp", Host: causeServer, Port: 70, File: "x"}, Options{Timeout: causeTimeout})
			})
			return res
		}, all(Refused), []string{"nothing listens there"}},
		{"firewall refuses UDP 69 by ICMP", behind(server, "udp dport 69 reject with icmp type admin-prohibited", EDK2), all(Filtered), []string{"ICMP code 13"}},
		{"firewall drops UDP 69 in silence", behind(server, "udp dport 69 drop", EDK2), all(NoAnswer), []string{"the host is up: it refuses TCP 69"}},
		{"firewall of the host drops everything in silence", func(s *site) Result {
			// The kernel doubts what it knows of the neighbour, and has not asked when we look.
			const doubts = "net.ipv4.neigh.eth0.delay_first_probe_time="
			command(s.t, "ip", "netns", "exec", s.pc, "sysctl", "-qw", doubts+"7")
			defer command(s.t, "ip", "netns", "exec", s.pc, "sysctl", "-qw", doubts+"5")
			command(s.t, "ip", "-n", s.pc, "neigh", "replace", causeServer, "dev", "eth0", "nud", "stale", "lladdr", s.serverMAC())
			return behind(server, "ip saddr 10.9.0.2 drop", EDK2)(s)
		}, all(NoAnswer), []string{"the host is up: it answers ARP"}},
		{"server process hangs (SIGSTOP)", func(s *site) Result {
			s.signal(syscall.SIGSTOP)
			defer s.signal(syscall.SIGCONT)
			return edk2(s, nil)
		}, all(NoAnswer), []string{"the host is up", "or the server hangs"}},
		{"firewall drops what comes from the transfer's own port", behind(client, "udp sport != 69 drop", EDK2), all(NoAnswer), []string{"the host is up", "a guess", "a port of its own"}},
		{"firewall drops what goes to the transfer's own port (UEFI)", behind(server, "udp dport != 69 drop", EDK2), all(SecondPort), []string{"did not get our ACK"}},
		{"the same, blocks of 512 bytes without options", behind(server, "udp dport != 69 drop", Plain), all(SecondPort), []string{"sent block 1"}},
		{"packets over 1,400 bytes are lost (UEFI)", behind(client, "ip length > 1400 drop", EDK2), all(LargeBlocksLost), []string{"blksize 1468", "with 512 bytes"}},
		{"packets over 1,400 bytes are lost (PXELINUX)", behind(client, "ip length > 1400 drop", PXELINUX), all(LargeBlocksLost), []string{"blksize 1408", "with 512 bytes"}},
		{"answers from another address (UEFI)", service(EDK2), all(WrongAddress), []string{"asked " + causeService, "came from " + causeServer}},
		{"answers from another address (PXELINUX)", service(PXELINUX), all(WrongAddress), nil},
		{"answers from another address (iPXE)", service(IPXE), all(""), nil},
		{"no such file", func(s *site) Result {
			return s.probe(causeServer, "ARDBP23.BIN", Options{Timeout: causeTimeout, Prove: true})
		}, all(ServerError), []string{"file not found (1)"}},
		{"another file under that name (hash)", func(s *site) Result {
			return s.probe(causeServer, "small", Options{SHA256: s.sum, Timeout: causeTimeout, Prove: true})
		}, all(WrongHash), []string{"expected "}},
		{"another file under that name (text)", func(s *site) Result {
			return s.probe(causeServer, "small", Options{Contains: "another text", Timeout: causeTimeout, Prove: true})
		}, all(TextMissing), []string{"another text"}},
		{"the file is cut short while it is read (iPXE)", func(s *site) Result {
			path := filepath.Join(s.dir, "cut")
			return s.probe(causeServer, "cut", Options{As: IPXE, Timeout: causeTimeout, Prove: true, Progress: onFirstBlock(func() {
				if err := os.Truncate(path, causeSize/2); err != nil {
					s.t.Error(err)
				}
			})})
		}, map[string]Code{"tftpd-hpa": ShortFile, "": ServerError}, nil},
		{"slow: the server pauses for 1.5 s, 1 s is allowed", func(s *site) Result {
			return edk2(s, func(o *Options) {
				o.Slow = time.Second
				o.Progress = onFirstBlock(func() {
					s.signal(syscall.SIGSTOP)
					time.AfterFunc(1500*time.Millisecond, func() { s.signal(syscall.SIGCONT) })
				})
			})
		}, all(TooSlow), []string{"at most 1.000 s is allowed", "the longest pause is "}},
		{"server stops in the middle (SIGSTOP)", func(s *site) Result {
			defer s.signal(syscall.SIGCONT)
			return edk2(s, func(o *Options) { o.Progress = onFirstBlock(func() { s.signal(syscall.SIGSTOP) }) })
		}, all(Stalled), []string{"nothing new came"}},
		{"server is killed in the middle", func(s *site) Result {
			return edk2(s, func(o *Options) { o.Progress = onFirstBlock(func() { s.signal(syscall.SIGKILL) }) })
		}, all(Refused), []string{"closed its port"}},
	}
}

// judge produces the cause and looks at what it was named.
func (c cause) judge(s *site, server string) Code {
	res := c.do(s)
	want, own := c.want[server]
	if !own {
		want = c.want[""]
	}
	got, said := Code(""), ""
	if res.Fault != nil {
		got, said = res.Fault.Code, res.Fault.Text+"\n"+strings.Join(res.Fault.Hint, "\n")
	}
	if got != want {
		s.t.Errorf("%s, %s: named %q, want %q: %s\n%v", server, c.name, got, want, said, res.Trace[max(0, len(res.Trace)-12):])
		return got
	}
	for _, has := range c.text {
		if !strings.Contains(said, has) {
			s.t.Errorf("%s, %s: does not say %q:\n%s", server, c.name, has, said)
		}
	}
	return got
}

// TestCauses produces each failure against three servers and asks that it is named. The table in
// docs/troubleshoot.md is what it found; -update writes it.
func TestCauses(t *testing.T) {
	hpa, err := exec.LookPath("in.tftpd")
	require(t, err == nil && os.Geteuid() == 0, "needs in.tftpd (Debian: tftpd-hpa) and root")
	masq, err := exec.LookPath("dnsmasq")
	require(t, err == nil, "needs dnsmasq")
	_, err = exec.LookPath("nft")
	require(t, err == nil, "needs nft (Debian: nftables)")
	servers := []struct {
		name  string
		start func(s *site)
	}{
		{"tftpd-hpa", func(s *site) { s.start("", hpa, "-L", "--ipv4", "-a", ":69", "--user", "nobody", "--secure", s.dir) }},
		{"dnsmasq", func(s *site) {
			s.start("", masq, "--no-daemon", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--tftp-root="+s.dir, "--user=root", "--quiet-tftp", "--pid-file=")
		}},
		{"Surefoot", func(s *site) {
			exe, err := os.Executable()
			if err != nil {
				s.t.Fatal(err)
			}
			s.start(serveRoot+"="+s.dir, exe)
		}},
	}
	named := map[string]map[string]Code{}
	var mu sync.Mutex // guards named
	var done sync.WaitGroup
	for i, srv := range servers {
		s := newSite(t, fmt.Sprint(i))
		srv.start(s)
		done.Go(func() { // they wait more than they work
			for _, c := range causes() {
				got := c.judge(s, srv.name)
				mu.Lock()
				if named[c.name] == nil {
					named[c.name] = map[string]Code{}
				}
				named[c.name][srv.name] = got
				mu.Unlock()
			}
		})
	}
	done.Wait()
	if t.Failed() {
		return
	}
	var b strings.Builder
	b.WriteString("\n| cause produced |")
	for _, srv := range servers {
		fmt.Fprintf(&b, " %s |", srv.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(servers)) + "\n")
	for _, c := range causes() {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, srv := range servers {
			cell := "none"
			if got := named[c.name][srv.name]; got != "" {
				cell = "`" + string(got) + "`"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	compareTable(t, b.String()+"\n")
}

// compareTable holds the table in the document against what was found.
func compareTable(t *testing.T, table string) {
	t.Helper()
	const (
		doc   = "../../docs/troubleshoot.md"
		begin = "<!-- causes: written by `go test ./internal/probe -run TestCauses -update`, do not edit -->\n"
		end   = "<!-- end of causes -->\n"
	)
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the lines between which the table stands", doc)
	}
	want := head + begin + table + end + tail
	switch {
	case want == string(text):
	case !*update:
		t.Errorf("the table in %s is another than what was found (-update writes it):\n%s", doc, table)
	default:
		if err := os.WriteFile(doc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
