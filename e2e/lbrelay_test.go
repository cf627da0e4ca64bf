package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func relayScenarios() []scenario {
	return []scenario{{"lb-relay", lbRelay}, {"lb-relay-kill", lbRelayKill}, {"lb-relay-firewall", lbRelayFirewall}}
}

// relaySite is a network namespace with three kinds of TFTP server and a relay before them.
type relaySite struct {
	t      *testing.T
	ctx    context.Context
	binary string
	ns     string
	dir    string
	procs  map[string]*exec.Cmd
	kinds  []string // of server, one for each backend
}

// differentBackends are tftpd-hpa, dnsmasq and our own server, each over a folder of its own.
func differentBackends() []string { return []string{"hpa", "dnsmasq", "own"} }

// names are those of the backends: their kind, and their number where a kind is there more than once.
func (s *relaySite) names() []string {
	var out []string
	for i, k := range s.kinds {
		if slices.Index(s.kinds, k) != i {
			k += fmt.Sprint(i + 1)
		}
		out = append(out, k)
	}
	return out
}

func (s *relaySite) at(name string) string {
	return fmt.Sprint("10.77.9.", 21+slices.Index(s.names(), name))
}

const serviceAddr = "10.77.9.20"

// relayClients is how many download at once while a backend dies: as many as a small site has, or a large
// one where time does not matter.
func relayClients() int {
	if testing.Short() || os.Getenv("CI") != "" {
		return 200
	}
	return 1000
}

// lbRelay: three servers of different make behind one address. Whatever becomes of one or two of them, every
// client gets its file, whole; when none is left, it is told so.
func lbRelay(t *testing.T, b *bench) {
	s := newRelaySite(t, b, differentBackends()...)
	file := make([]byte, 1<<20)
	_, _ = rand.Read(file)
	s.publish("boot.bin", file)
	s.publish("small.bin", file[:5000])
	for _, name := range s.names() {
		s.backend(name)
	}
	s.relay("round-robin", "off")

	t.Run("clients", func(t *testing.T) { s.clients(t, file) })
	t.Run("story", func(t *testing.T) {
		text := s.must(t, "story", serviceAddr, "--socket", s.path("s.sock"))
		want(t, "the story", text, "from backend ")
		text = s.must(t, "lb", "explain", "--socket", s.path("s.sock"), "--from", "10.77.9.50:2070", "--file", "boot.bin")
		want(t, "explain", text, "round-robin: it is the turn of", "is chosen", "takes over")
	})
	t.Run("kill", func(t *testing.T) {
		done := s.storm(t, relayClients())
		s.awaitRunning(t, "own", relayClients()/10)
		s.kill("own", syscall.SIGKILL)
		s.delivered(t, done, relayClients())
		s.backend("own")
	})
	t.Run("hang", func(t *testing.T) {
		s.relay("round-robin", "off") // which suspects nobody
		done := s.storm(t, 100)
		s.awaitRunning(t, "own", 5)
		s.signal("own", syscall.SIGSTOP)
		s.delivered(t, done, 100)
		s.signal("own", syscall.SIGCONT)
	})
	t.Run("other content", func(t *testing.T) {
		other := bytes.Clone(file)
		other[0] ^= 1
		for _, name := range []string{"hpa", "dnsmasq"} {
			s.write(name, "boot.bin", other)
		}
		s.relay("rendezvous", "off")
		_, errs, _ := s.mixed(t, file, other)
		t.Logf("what clients were told: %s", errs)
		s.publish("boot.bin", file)
	})
	t.Run("all dead", func(t *testing.T) {
		s.relay("round-robin", "64MiB")
		for _, name := range s.names() {
			s.kill(name, syscall.SIGKILL)
		}
		began := time.Now()
		out, _ := s.in(s.binary, "probe", "tftp://"+serviceAddr+"/never-seen.bin").CombinedOutput()
		want(t, "the client", string(out), "boot servers are down")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it was told after %s", took)
		}
	})
}

func newRelaySite(t *testing.T, b *bench, kinds ...string) *relaySite {
	t.Helper()
	dir, err := os.MkdirTemp("", "sf-relay")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	s := &relaySite{t: t, ctx: ctx, binary: b.binary, ns: fmt.Sprintf("sf-relay-%d", os.Getpid()), dir: dir, procs: map[string]*exec.Cmd{}, kinds: kinds}
	s.do("ip", "netns", "add", s.ns)
	t.Cleanup(func() {
		for name := range s.procs {
			s.kill(name, syscall.SIGKILL)
		}
		cancel()
		_ = exec.Command("ip", "netns", "del", s.ns).Run()
		_ = os.RemoveAll(dir)
	})
	s.do("ip", "-n", s.ns, "link", "set", "lo", "up")
	addrs := []string{serviceAddr, "10.77.9.11"}
	for _, name := range s.names() {
		addrs = append(addrs, s.at(name))
	}
	for _, a := range addrs {
		s.do("ip", "-n", s.ns, "address", "add", a+"/32", "dev", "lo")
	}
	for _, name := range s.names() {
		if err := os.MkdirAll(s.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *relaySite) path(name string) string { return filepath.Join(s.dir, name) }

func (s *relaySite) do(words ...string) {
	s.t.Helper()
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v: %s", strings.Join(words, " "), err, out)
	}
}

// in is a command in the namespace.
func (s *relaySite) in(words ...string) *exec.Cmd {
	return exec.CommandContext(s.ctx, "ip", append([]string{"netns", "exec", s.ns}, words...)...)
}

func (s *relaySite) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.in(append([]string{s.binary}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("surefoot %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *relaySite) write(backend, file string, b []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.path(backend), file), b, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *relaySite) publish(file string, b []byte) {
	for _, name := range s.names() {
		s.write(name, file, b)
	}
}

// launch starts a process in the namespace and waits until ready says so. ip replaces itself, so that
// signals reach the program.
func (s *relaySite) launch(name string, ready func() bool, words ...string) {
	s.t.Helper()
	cmd := s.in(words...)
	log, err := os.Create(s.path(name + ".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // in.tftpd makes a process for each transfer
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.procs[name] = cmd
	for until := time.Now().Add(20 * time.Second); !ready(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			b, _ := os.ReadFile(s.path(name + ".log"))
			s.t.Fatalf("%s does not come up: %s", name, b)
		}
	}
}

func (s *relaySite) signal(name string, sig syscall.Signal) {
	if p := s.procs[name]; p != nil {
		_ = syscall.Kill(-p.Process.Pid, sig)
	}
}

func (s *relaySite) kill(name string, sig syscall.Signal) {
	if p := s.procs[name]; p != nil {
		_ = syscall.Kill(-p.Process.Pid, sig)
		_ = p.Wait()
		delete(s.procs, name)
	}
}

func (s *relaySite) backend(name string) {
	s.t.Helper()
	at, root := s.at(name), s.path(name)
	words := map[string][]string{
		"hpa": {"in.tftpd", "-L", "--foreground", "--ipv4", "--address", at + ":69", "--user", "nobody", "--secure", root},
		"dnsmasq": {
			"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--port=0", "--enable-tftp", "--tftp-root=" + root,
			"--listen-address=" + at, "--bind-interfaces", "--tftp-max=2000", "--quiet-tftp", "--user=root",
		},
		"own": {s.binary, "tftp", "--root", root, "--listen", at + ":69", "--max-per-client", "4096"},
	}[s.kinds[slices.Index(s.names(), name)]]
	s.launch(name, func() bool {
		return s.in(s.binary, "probe", "tftp://"+at+"/small.bin").Run() == nil
	}, words...)
}

// relay starts the relay, or starts it anew.
func (s *relaySite) relay(scheduler, cache string) {
	s.t.Helper()
	s.kill("relay", syscall.SIGKILL)
	var servers strings.Builder
	for _, name := range s.names() {
		fmt.Fprintf(&servers, "  %s: {tftp: %s}\n", name, s.at(name))
	}
	text := fmt.Sprintf(`site: e2e
nodes:
  lb1: {address: 10.77.9.11, roles: [lb]}
servers:
%s  service: {tftp: %s}
boot:
  - {name: boot, file: boot.bin, from: [service]}
networks:
  lab: {subnet: 10.77.9.0/24, deliver: none}
tftp: {max_per_client: 4096}
watch: {enabled: false}
status: {socket: %s}
state: %s
history: {file: none}
lb:
  services:
    boot: {listen: %s, backends: [%s], scheduler: %s, cache: %s, sorry: "boot servers are down"}
`, servers.String(), serviceAddr, s.path("s.sock"), s.path("state"), serviceAddr, strings.Join(s.names(), ", "), scheduler, cache)
	if err := os.WriteFile(s.path("site.yaml"), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.launch("relay", func() bool {
		return s.in(s.binary, "probe", "tftp://"+serviceAddr+"/small.bin").Run() == nil
	}, s.binary, "serve", "--config", s.path("site.yaml"), "--node", "lb1")
}

// clients downloads with the clients that people have.
func (s *relaySite) clients(t *testing.T, file []byte) {
	out := s.path("got")
	for name, words := range map[string][]string{
		"tftp-hpa": {"tftp", "-m", "binary", serviceAddr, "-c", "get", "boot.bin", out},
		"curl":     {"curl", "-s", "-o", out, "tftp://" + serviceAddr + "/boot.bin"},
		"atftp":    {"atftp", "--get", "-r", "boot.bin", "-l", out, serviceAddr},
		"busybox":  {"busybox", "tftp", "-g", "-b", "1432", "-r", "boot.bin", "-l", out, serviceAddr},
	} {
		t.Run(name, func(t *testing.T) {
			for range len(s.names()) { // each has its turn
				_ = os.Remove(out)
				if text, err := s.in(words...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
				if got, _ := os.ReadFile(out); !bytes.Equal(got, file) {
					t.Fatalf("another content of %d bytes", len(got))
				}
			}
		})
	}
	for _, as := range []string{"edk2", "ipxe", "pxelinux", "plain"} {
		for range len(s.names()) {
			s.must(t, "probe", "tftp://"+serviceAddr+"/boot.bin", "--as", as)
		}
	}
}

// storm has many clients download at once; each compares every block.
func (s *relaySite) storm(t *testing.T, n int) <-chan string {
	done := make(chan string, 1)
	cmd := s.in(s.binary, "storm", "tftp://"+serviceAddr+"/boot.bin", "--clients", fmt.Sprint(n), "--as", "ipxe,edk2", "--json")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		done <- out.String() + errs.String()
	}()
	return done
}

// delivered waits for a storm to end, in which nothing may fail.
func (s *relaySite) delivered(t *testing.T, done <-chan string, n int) {
	t.Helper()
	text := <-done
	var r struct {
		Done   int `json:"done"`
		Failed int `json:"failed"`
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.Done != n || r.Failed != 0 {
		t.Fatalf("%d of %d delivered, %d failed, %v: %.2000s\n%s", r.Done, n, r.Failed, err, text, s.must(t, "lb", "show", "boot", "--socket", s.path("s.sock")))
	}
	t.Log(s.must(t, "lb", "show", "boot", "--socket", s.path("s.sock")))
}

// awaitRunning waits until a backend serves so many downloads at once, and returns how many.
func (s *relaySite) awaitRunning(t *testing.T, backend string, n int) int {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); {
		var views []struct {
			Stats struct {
				Backends map[string]struct {
					Running int `json:"running"`
				} `json:"backends"`
			} `json:"stats"`
		}
		if err := json.Unmarshal([]byte(s.must(t, "lb", "--json", "--socket", s.path("s.sock"))), &views); err != nil {
			t.Fatal(err)
		}
		if now := views[0].Stats.Backends[backend].Running; now >= n {
			return now
		}
	}
	t.Fatalf("backend %s never had %d downloads", backend, n)
	return 0
}

// mixed kills a backend while clients download from it what the others have otherwise: each client gets
// one of the two files, or is told.
func (s *relaySite) mixed(t *testing.T, one, two []byte) (whole int, told string, err error) {
	t.Helper()
	type result struct {
		b    []byte
		text string
	}
	const n = 12
	results := make(chan result, n)
	for i := range n {
		go func() {
			out := s.path(fmt.Sprint("mixed", i))
			text, _ := s.in("curl", "-s", "-S", "--tftp-blksize", "512", "-o", out, "tftp://"+serviceAddr+"/boot.bin").CombinedOutput()
			b, _ := os.ReadFile(out)
			results <- result{b, string(text)}
		}()
	}
	s.awaitRunning(t, "hpa", 0)
	s.kill("own", syscall.SIGKILL)
	for range n {
		r := <-results
		switch {
		case bytes.Equal(r.b, one), bytes.Equal(r.b, two):
			whole++
		case r.text == "":
			t.Errorf("a mixture of %d bytes, and no error", len(r.b))
		default:
			told = r.text
		}
	}
	s.backend("own")
	return whole, told, nil
}
