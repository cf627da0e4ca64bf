package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const pvsText = "Provisioning Services bootstrap"

// bootDir makes a directory that every user may read, with a bootstrap of 101,030 bytes.
func bootDir(t *testing.T) (dir, sum string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sf-probe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := []byte(strings.Repeat("0123456789", 10_000) + pvsText + strings.Repeat("z", 999))
	for name, content := range map[string][]byte{"ARDBP32.BIN": b, "exact": b[:1468*8], "empty": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(b)
	return dir, hex.EncodeToString(h[:])
}

// run starts a server and ends it with the test.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	runtime.LockOSThread() // Pdeathsig goes by thread
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		runtime.UnlockOSThread()
	})
}

// up waits until the server answers at all.
func up(t *testing.T, probe func(Options) Result) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if res := probe(Options{As: Plain, Timeout: time.Second}); res.Available {
			return
		}
	}
	t.Fatal(errNotUp)
}

func freePort(t *testing.T) uint16 {
	c := udp(t, "127.0.0.1")
	defer c.Close()
	return uint16(c.LocalAddr().(*net.UDPAddr).Port)
}

// suite is what each server has to show through each style.
func suite(t *testing.T, sum string, probe func(file string, o Options) Result, granted map[Style]string) {
	for _, as := range Styles() {
		res := probe("ARDBP32.BIN", Options{As: as, SHA256: sum, Contains: pvsText, Timeout: 5 * time.Second})
		if res.Fault != nil || res.Size != 101_030 || res.SHA256 != sum || res.Response <= 0 || res.Retransmits != 0 {
			t.Errorf("%s: %+v, fault %v", as, res, res.Fault)
		}
		if res.Granted != granted[as] {
			t.Errorf("%s: granted %q, want %q", as, res.Granted, granted[as])
		}
		if res.DataFrom == "" || res.DataFrom == res.Server {
			t.Errorf("%s: data from %q", as, res.DataFrom)
		}
		if res := probe("exact", Options{As: as, Timeout: 5 * time.Second}); res.Fault != nil || res.Size != 1468*8 {
			t.Errorf("%s: a file that fills its blocks: %+v", as, res.Fault)
		}
	}
	fault := func(file string, o Options, want Code, has string) {
		t.Helper()
		o.Timeout = 5 * time.Second
		res := probe(file, o)
		if res.Fault == nil || res.Fault.Code != want || !strings.Contains(res.Fault.Text, has) {
			t.Errorf("%s: fault %+v, want %s with %q", file, res.Fault, want, has)
		}
	}
	fault("missing.efi", Options{}, ServerError, "file not found (1)")
	fault("missing.efi", Options{As: Plain}, ServerError, "file not found (1)")
	fault("ARDBP32.BIN", Options{SHA256: strings.Repeat("0", 64)}, WrongHash, "sha256 is "+sum)
	fault("ARDBP32.BIN", Options{Contains: "something else"}, TextMissing, "something else")
	fault("empty", Options{As: Plain}, ShortFile, "empty")
}

func TestTftpdHPA(t *testing.T) {
	bin, err := exec.LookPath("in.tftpd")
	require(t, err == nil && os.Geteuid() == 0, "needs in.tftpd (Debian: tftpd-hpa) and root")
	dir, sum := bootDir(t)
	port := freePort(t)
	run(t, bin, "-L", "--ipv4", "-a", fmt.Sprintf("127.0.0.1:%d", port), "--user", "nobody", "--secure", dir)
	probe := func(file string, o Options) Result {
		return TFTP(t.Context(), Target{Scheme: "tftp", Host: "127.0.0.1", Port: port, File: file}, o)
	}
	up(t, func(o Options) Result { return probe("exact", o) })
	suite(t, sum, probe, map[Style]string{
		EDK2: "blksize=1468", IPXE: "blksize=1432 tsize=101030", PXELINUX: "tsize=101030 blksize=1408",
	})
}

func TestAtftpd(t *testing.T) {
	bin, err := exec.LookPath("atftpd")
	require(t, err == nil && os.Geteuid() == 0, "needs atftpd and root")
	dir, sum := bootDir(t)
	port := freePort(t)
	run(t, bin, "--daemon", "--no-fork", "--bind-address", "127.0.0.1", "--port", fmt.Sprint(port), "--user", "nobody.nogroup", dir)
	probe := func(file string, o Options) Result {
		return TFTP(t.Context(), Target{Scheme: "tftp", Host: "127.0.0.1", Port: port, File: file}, o)
	}
	up(t, func(o Options) Result { return probe("exact", o) })
	suite(t, sum, probe, map[Style]string{
		EDK2: "blksize=1468 windowsize=4", IPXE: "tsize=101030 blksize=1432", PXELINUX: "tsize=101030 blksize=1408",
	})
}

// dnsmasq takes port 69 only, so it runs in a network namespace of its own.
func TestDnsmasq(t *testing.T) {
	bin, err := exec.LookPath("dnsmasq")
	require(t, err == nil && os.Geteuid() == 0, "needs dnsmasq and root")
	dir, sum := bootDir(t)
	ns := fmt.Sprintf("sf-probe-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
		require(t, false, fmt.Sprintf("needs network namespaces: %s", out))
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", ns).Run() })
	if out, err := exec.Command("ip", "-n", ns, "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	run(t, "ip", "netns", "exec", ns, bin, "--no-daemon", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--tftp-root="+dir,
		"--bind-interfaces", "--listen-address=127.0.0.1", "--user=root", "--quiet-tftp", "--pid-file=")
	probe := func(file string, o Options) Result {
		var res Result
		within(t, ns, func() {
			res = TFTP(t.Context(), Target{Scheme: "tftp", Host: "127.0.0.1", Port: 69, File: file}, o)
		})
		return res
	}
	up(t, func(o Options) Result { return probe("exact", o) })
	suite(t, sum, probe, map[Style]string{
		EDK2: "blksize=1468", IPXE: "blksize=1432 tsize=101030", PXELINUX: "blksize=1408 tsize=101030",
	})

	// Nothing but the loopback has a way out of there.
	within(t, ns, func() {
		res := TFTP(t.Context(), Target{Scheme: "tftp", Host: "192.0.2.1", Port: 69, File: "x"}, Options{})
		if res.Fault == nil || res.Fault.Code != Unreachable {
			t.Errorf("no route: fault %+v", res.Fault)
		}
	})
}

// within runs f on a thread that is in the namespace and ends with it.
func within(t *testing.T, ns string, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("enter namespace %s: %v", ns, err)
	}
}

func TestHTTP(t *testing.T) {
	var methods []string
	mux := http.NewServeMux()
	mux.HandleFunc("/file.efi", func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method+" "+r.UserAgent())
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("content"))
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("part"))
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/file.efi", http.StatusFound) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	probe := func(path string, o Options) Result {
		target, err := ParseTarget(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		return Run(t.Context(), target, o)
	}
	res := probe("/file.efi", Options{Contains: "tent"})
	if res.Fault != nil || res.Size != 7 || res.Response <= 0 || res.FirstBlock <= 0 {
		t.Errorf("%+v, fault %v", res, res.Fault)
	}
	if got := strings.Join(methods, ", "); got != "HEAD UefiHttpBoot/1.0 (surefoot probe), GET UefiHttpBoot/1.0 (surefoot probe)" {
		t.Errorf("methods %s", got)
	}
	f := func(path string, o Options, want Code) {
		t.Helper()
		o.As = IPXE
		if res := probe(path, o); res.Fault == nil || res.Fault.Code != want || res.Response != 0 {
			t.Errorf("%s: fault %+v, want %s", path, res.Fault, want)
		}
	}
	f("/absent", Options{}, ServerError)
	f("/moved", Options{}, ServerError)
	f("/cut", Options{}, ShortFile)
	f("/hang", Options{Timeout: 200 * time.Millisecond}, NoAnswer)
	f("/file.efi", Options{SHA256: strings.Repeat("0", 64)}, WrongHash)
	srv.Close()
	f("/file.efi", Options{}, Refused)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := HTTP(ctx, Target{Scheme: "http", Host: "127.0.0.1", Port: 1, File: "/x"}, Options{}); res.Fault == nil || res.Fault.Code != Interrupted {
		t.Errorf("fault %+v, want interrupted", res.Fault)
	}
}
