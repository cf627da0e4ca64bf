package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// site is the running node with its servers.
type site struct {
	dir         string
	procs       []*exec.Cmd // the node is the first
	status, dns string      // host:port of the node
	words       string      // the node's command line
	log         string      // path of its log
	http        *http.Client
	ended       chan error // a process that ended by itself
}

// serverAddr is the address of a server: all of 127.0.0.0/8 is this machine.
func serverAddr(i int) string { return fmt.Sprintf("127.0.1.%d", 1+i) }

// raise writes the files and starts the servers and the node.
func raise(ctx context.Context, o options) (*site, error) {
	dir, err := os.MkdirTemp("", "sf-watchload-")
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, ended: make(chan error, 8), log: filepath.Join(dir, "node.log")}
	if err := s.start(ctx, o); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *site) start(ctx context.Context, o options) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := s.write(o, port); err != nil {
		return err
	}
	// The node is first in procs and last to start.
	s.procs = []*exec.Cmd{nil}
	tftp := exec.Command(o.bin, "tftp", "--root", filepath.Join(s.dir, "root"), "--listen", fmt.Sprintf("0.0.0.0:%d", port), "--max-per-client", "4096")
	if err := s.spawn(tftp, "/dev/null"); err != nil {
		return err
	}
	s.procs = append(s.procs, tftp)
	node := exec.Command(o.bin, "serve", "--config", filepath.Join(s.dir, "site.yaml"), "--node", "boot1")
	if err := s.spawn(node, s.log); err != nil {
		return err
	}
	s.procs[0] = node
	s.words = strings.Join(node.Args, " ")
	return s.ready(ctx)
}

// spawn starts a process that ends with this one.
func (s *site) spawn(cmd *exec.Cmd, log string) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close() // the child has its own copy
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for this program
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		err := cmd.Wait()
		s.ended <- fmt.Errorf("%s ended: %v\n%s", strings.Join(cmd.Args[:2], " "), err, s.lastWords())
	}()
	return nil
}

// write makes the boot files and the site file. Every rule is of one machine's own, so that none hides
// another.
func (s *site) write(o options, port int) error {
	root := filepath.Join(s.dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	var names []string
	var b strings.Builder
	ports := make([]string, 3)
	for i := range ports {
		p, err := freePort()
		if err != nil {
			return err
		}
		ports[i] = fmt.Sprintf("127.0.0.1:%d", p)
	}
	s.status, s.dns = ports[0], ports[1]
	fmt.Fprintf(&b, "site: watchload\nnodes: {boot1: {address: 127.0.0.1, roles: [dns, http]}}\nstate: %s\n", s.dir)
	fmt.Fprintf(&b, "status: {listen: %q, socket: %s}\nhttp: {listen: %q}\n", s.status, filepath.Join(s.dir, "socket"), ports[2])
	fmt.Fprintf(&b, "dns: {zone: boot.example.net, listen: %q, rate_limit: 0}\n", s.dns)
	fmt.Fprintf(&b, "watch: {every: %s}\n", o.every)
	if o.history {
		fmt.Fprintf(&b, "history: {file: %s}\n", filepath.Join(s.dir, "history.db"))
	} else {
		b.WriteString("history: {file: none}\n")
	}
	b.WriteString("servers:\n")
	for i := range o.servers {
		names = append(names, fmt.Sprintf("s%d", i+1))
		fmt.Fprintf(&b, "  %s: {tftp: \"%s:%d\"}\n", names[i], serverAddr(i), port)
	}
	b.WriteString("boot:\n")
	random := rand.NewChaCha8([32]byte{1})
	for i := range o.files {
		content := make([]byte, (o.least+(o.most-o.least)*i/max(o.files-1, 1))<<10)
		_, _ = random.Read(content)
		name := fmt.Sprintf("boot%d.efi", i+1)
		if err := os.WriteFile(filepath.Join(root, name), content, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&b, "  - {name: r%d, when: {mac: [\"02:00:00:00:00:%02x\"]}, file: %s, from: [%s]}\n", i+1, i, name, strings.Join(names, ", "))
	}
	return os.WriteFile(filepath.Join(s.dir, "site.yaml"), []byte(b.String()), 0o644)
}

// freePort finds a port that is free for UDP and TCP.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *site) ready(ctx context.Context) error {
	for {
		if r, err := s.http.Get("http://" + s.status + "/ready"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := s.wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// wait lets time pass; a process that ends meanwhile is an error.
func (s *site) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-s.ended:
		return err
	case <-time.After(d):
		return nil
	}
}

// stop ends all at once and leaves nothing behind.
func (s *site) stop() {
	n := 0
	for _, p := range s.procs {
		if p != nil {
			_ = p.Process.Kill()
			n++
		}
	}
	for range n {
		<-s.ended
	}
	_ = os.RemoveAll(s.dir)
}

func (s *site) lastWords() string {
	b, _ := os.ReadFile(s.log)
	return strings.TrimSpace(string(b[max(0, len(b)-2000):]))
}

func (s *site) pid() int { return s.procs[0].Process.Pid }
