package conform

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// peer is another TFTP server, as its own manual says to run it for many clients.
type peer struct {
	name, program string
	port          uint16 // 0: any
	args          func(port, root string) []string
}

func peers() []peer {
	return []peer{
		{"tftpd-hpa", "in.tftpd", 0, func(port, root string) []string {
			return []string{"-L", "--foreground", "--ipv4", "--address", "0.0.0.0:" + port, "--user", "nobody", "--secure", root}
		}},
		{"atftpd", "atftpd", 0, func(port, root string) []string {
			return []string{"--daemon", "--no-fork", "--maxthread", "1000", "--user", "root", "--port", port, root}
		}},
		{"dnsmasq", "dnsmasq", 69, func(_, root string) []string { // it knows no other port
			return []string{
				"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--port=0", "--enable-tftp", "--tftp-root=" + root,
				"--tftp-max=1000", "--quiet-tftp", "--user=root",
			}
		}},
	}
}

// program finds a peer, also where scripts/setup unpacks those that cannot be installed.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "../../../../.cache/oracles/usr/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil || errors.Is(err, exec.ErrDot) {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("no %s on this machine", name)
}

// running is a peer's process.
type running struct {
	cmd  *exec.Cmd
	done chan error
}

func (r *running) stop() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// run starts a peer over root. Its version stands in the answer.
func (p peer) run(t *testing.T, root string) (target, string) {
	t.Helper()
	path, err := program(p.program)
	if err != nil {
		t.Fatal(err)
	}
	port := p.port
	if port == 0 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{})
		if err != nil {
			t.Fatal(err)
		}
		port = uint16(c.LocalAddr().(*net.UDPAddr).Port)
		_ = c.Close()
	}
	var log bytes.Buffer
	start := func() (*running, error) {
		cmd := exec.Command(path, p.args(fmt.Sprint(port), root)...)
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		r := &running{cmd, make(chan error, 1)}
		go func() { r.done <- cmd.Wait() }()
		return r, nil
	}
	to := target{addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), root: root, wait: 7 * time.Second, long: true, retries: 1}
	r, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop() })
	ready := func() error {
		for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
			if to.alive() {
				return nil
			}
		}
		return errors.New("it does not answer")
	}
	if err := ready(); err != nil {
		t.Fatalf("%s: %v: %s", p.name, err, log.String())
	}
	to.revive = func() error {
		r.stop()
		if r, err = start(); err != nil {
			return err
		}
		return ready()
	}
	return to, version(path)
}

// version asks a program for its version, in one way or the other.
func version(path string) string {
	for _, flag := range []string{"--version", "-V"} {
		out, _ := exec.Command(path, flag).CombinedOutput()
		if v := regexp.MustCompile(`\d+\.\d+(\.\d+)?`).Find(out); v != nil {
			return string(v)
		}
	}
	return ""
}

// column is a server of the comparison.
type column struct {
	name     string
	verdicts []verdict
}

const conformanceDoc = "../../../../docs/conformance.md"

// TestPeers compares our server with others and writes the table, with -update only: it takes
// minutes, needs root for port 69, and wants a network namespace of its own.
func TestPeers(t *testing.T) {
	if !*updateFlag {
		t.Skip("runs with -update")
	}
	everything := func(check) bool { return true }
	own := surefoot(t, directory(t))
	own.long, own.retries = true, 1
	columns := []column{{"Surefoot", own.run(suite(), everything)}}
	for i, v := range columns[0].verdicts { // also where it passed this time
		if why, ok := known()[v.check.name]; ok {
			columns[0].verdicts[i].outcome, columns[0].verdicts[i].seen = failed, "known: "+why
		}
	}
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			to, version := p.run(t, directory(t))
			columns = append(columns, column{strings.TrimSpace(p.name + " " + version), to.run(suite(), everything)})
		})
	}
	if t.Failed() {
		t.Fatal("the comparison is not complete, and not written")
	}
	if err := os.WriteFile(conformanceDoc, []byte(document(columns)), 0o644); err != nil {
		t.Fatal(err)
	}
}
