package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/files"
	"surefoot/internal/probe"
	httprole "surefoot/internal/serve/http"
	tftprole "surefoot/internal/serve/tftp"
	"surefoot/internal/wire/tftp"
)

// tftpOnce serves one small file to every request, in one block, without options.
func tftpOnce(t *testing.T, content string) string {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if op, _ := tftp.PeekOp(buf[:n]); op == tftp.OpRRQ {
				_, _ = c.WriteToUDPAddrPort(tftp.AppendData(nil, 1, []byte(content)), from)
			}
		}
	}()
	return fmt.Sprintf("tftp://%s/f", c.LocalAddr())
}

func TestProbeCommand(t *testing.T) {
	url := tftpOnce(t, "some bootstrap")
	out, stderr, code := invoke(t, "probe", url, "--contains", "bootstrap")
	if code != ExitOK || stderr != "" {
		t.Fatalf("exit %d: %s%s", code, out, stderr)
	}
	for _, s := range []string{url + "  as edk2", "availability      100 %", "response time", "first block", "14 bytes in 1 block\n", `holds "bootstrap"`, "none (asked: blksize=1468 windowsize=4)"} {
		if !strings.Contains(out, s) {
			t.Errorf("no %q in\n%s", s, out)
		}
	}

	out, _, code = invoke(t, "probe", url, "--contains", "other")
	if code != ExitProblems || !strings.Contains(out, "availability      0 %") || !strings.Contains(out, "content (text-missing)") || strings.Contains(out, "RRQ") || strings.Contains(out, "response time") {
		t.Errorf("exit %d:\n%s", code, out)
	}

	if out, _, code = invoke(t, "probe", url, "--contains", "other", "--trace"); code != ExitProblems || !strings.Contains(out, "> RRQ \"f\" octet") {
		t.Errorf("exit %d:\n%s", code, out)
	}

	out, _, code = invoke(t, "probe", url, "--count", "3", "--interval", "1ms")
	if code != ExitOK || !strings.Contains(out, "available in 3 of 3 downloads (100.0 %)") || !strings.Contains(out, "min ") {
		t.Errorf("exit %d:\n%s", code, out)
	}

	out, _, code = invoke(t, "probe", url, "--count", "2", "--interval", "1ms", "--sha256", strings.Repeat("0", 64), "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Summary struct {
			Availability *float64
			Faults       map[string]int
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || code != ExitProblems || len(lines) != 3 ||
		last.Summary.Availability == nil || *last.Summary.Availability != 0 || last.Summary.Faults["wrong-hash"] != 2 {
		t.Errorf("exit %d, %v:\n%s", code, err, out)
	}
	if strings.Contains(out, "response") {
		t.Errorf("a response time of a failed download (F36):\n%s", out)
	}
}

// Our own servers, through every kind of client.
func TestProbeOwnServers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ARDBP32.BIN"), []byte(strings.Repeat("Provisioning Services bootstrap ", 4000)), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := files.Open(dir, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	at := netip.MustParseAddrPort("127.0.0.1:0")
	ts, err := tftprole.New(tftprole.Config{Node: "boot1", Listen: at, Files: root}, tftprole.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	hs, err := httprole.New(httprole.Config{Node: "boot1", Listen: at, Files: root}, httprole.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for _, s := range []interface {
		Listen(context.Context) error
		Run(context.Context, func()) error
	}{ts, hs} {
		if err := s.Listen(ctx); err != nil {
			t.Fatal(err)
		}
		ready := make(chan struct{})
		go func() { done <- s.Run(ctx, func() { close(ready) }) }()
		<-ready
	}
	good := func(args ...string) string {
		t.Helper()
		out, stderr, code := invoke(t, append([]string{"probe", "--contains", "bootstrap", "--timeout", "5s"}, args...)...)
		if code != ExitOK || !strings.Contains(out, "128000 bytes") {
			t.Errorf("%v: exit %d: %s%s", args, code, out, stderr)
		}
		return out
	}
	for _, as := range probe.Styles() {
		out := good("tftp://"+ts.Addr().String()+"/ARDBP32.BIN", "--as", string(as))
		if want := "blksize=1468 windowsize=4 (asked"; as == probe.EDK2 && !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
		good("http://"+hs.Addr().String()+"/ardbp32.bin", "--as", string(as))
	}
	out, _, code := invoke(t, "probe", "tftp://"+ts.Addr().String()+"/ARDBP23.BIN")
	if code != ExitProblems || !strings.Contains(out, "ERROR file not found (1)") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestProbeHTTPCommand(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	out, _, code := invoke(t, "probe", srv.URL+"/x.efi")
	if code != ExitProblems || !strings.Contains(out, "404 Not Found") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// Nothing that an address or a server holds reaches the terminal as it is.
func TestProbePrintsPlainText(t *testing.T) {
	c, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		for {
			conn, err := c.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 404 \x1b[2J\r\nContent-Type: a\u009b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	for address, want := range map[string]string{
		tftpOnce(t, "x") + "%1b[2J%0a%c2%9b%25%3f":       "/f%1B[2J%0A%C2%9B%25%3F  as edk2\n",
		"http://" + c.Addr().String() + "/%1b[2J?\u009b": `the server answered "404 \x1b[2J" to HEAD`,
	} {
		out, _, _ := invoke(t, "probe", address, "--trace")
		narrow(t, out)
		contains(t, out, want)
	}
}

func TestProbeUsage(t *testing.T) {
	f := func(has string, args ...string) {
		t.Helper()
		_, stderr, code := invoke(t, append([]string{"probe"}, args...)...)
		if code != ExitUsage || !strings.Contains(stderr, has) {
			t.Errorf("%v: exit %d, %q, want %q", args, code, stderr, has)
		}
	}
	f("accepts 1 arg")
	f("ftp://h/x", "ftp://h/x")
	f("names no file", "tftp://h")
	f("one of edk2, ipxe, pxelinux, plain", "tftp://h/x", "--as", "uefi")
	f("64 hexadecimal digits", "tftp://h/x", "--sha256", "abc")
	f("at least 1", "tftp://h/x", "--count", "0")
	f("more than 0", "tftp://h/x", "--timeout", "0s")
}
