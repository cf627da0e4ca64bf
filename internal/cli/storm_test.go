package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/storm"
)

func TestStormCommand(t *testing.T) {
	url := tftpOnce(t, "some bootstrap")
	dir := t.TempDir()
	out1, svg, png := filepath.Join(dir, "one.json"), filepath.Join(dir, "both.svg"), filepath.Join(dir, "both.PNG")

	out, stderr, code := invoke(t, "storm", url, "--clients", "20", "--as", "ipxe,plain", "--downloads", "30", "--out", out1)
	if code != ExitOK || stderr != "" {
		t.Fatalf("exit %d: %s%s", code, out, stderr)
	}
	for _, s := range []string{
		url + "  20 clients as ipxe, plain, arrival: all", "downloads         30 done, 0 failed in ", "downloads/s, ", "download time     p50 ",
		"request timeouts  0; 0 of 30", "retransmissions   0, duplicates 0", "options granted   ipxe: none", "14 bytes", "% busy", "that means        30 machines got the file",
	} {
		if !strings.Contains(out, s) {
			t.Errorf("no %q in\n%s", s, out)
		}
	}
	for line := range strings.Lines(out) {
		if len(line) > 101 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
	kept, err := storm.ReadResult(out1)
	if err != nil || kept.Done != 30 || kept.Target != url {
		t.Errorf("kept %+v, %v", kept, err)
	}

	out, _, code = invoke(t, "storm", url, "--clients", "10", "--as", "plain", "--compare", out1, "--picture", svg)
	if code != ExitOK || !strings.Contains(out, "this run") || !strings.Contains(out, "0.33") || !strings.Contains(out, "before            14 bytes, 20 clients as ipxe, plain") {
		t.Errorf("exit %d, no ratio of 10 to 30 downloads:\n%s", code, out)
	}
	if b, err := os.ReadFile(svg); err != nil || !bytes.Contains(b, []byte("before: 20 clients, 30 done")) {
		t.Errorf("picture: %v\n%s", err, b)
	}
	if _, stderr, code := invoke(t, "storm", url, "--clients", "10", "--as", "plain", "--svg", png); code != ExitOK { // its name before
		t.Errorf("exit %d: %s", code, stderr)
	}
	if b, err := os.ReadFile(png); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
		t.Errorf("picture: %v, %d bytes", err, len(b))
	}
	out, stderr, code = invoke(t, "storm", url, "--clients", "10", "--picture", filepath.Join(dir, "absent", "x.svg"))
	if code != ExitFailed || !strings.Contains(out, "10 done, 0 failed") || !strings.Contains(stderr, "draw the result") {
		t.Errorf("a picture that cannot be written takes the result away: exit %d: %s%s", code, out, stderr)
	}

	out, _, code = invoke(t, "storm", url, "--clients", "10", "--as", "plain", "--compare", out1, "--json")
	var got struct {
		Done    int
		Time    map[string]int64
		Compare []storm.Row
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != ExitOK || got.Done != 10 || got.Time["p99_ns"] <= 0 || len(got.Compare) < 10 {
		t.Errorf("exit %d, %v: %+v\n%s", code, err, got, out)
	}

	out, stderr, code = invoke(t, "storm", url, "--clients", "10", "--sha256", strings.Repeat("0", 64))
	if code != ExitProblems || out != "" || !strings.Contains(stderr, "the first download failed: content: wrong content") {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	out, _, code = invoke(t, "storm", url, "--clients", "1", "--sha256", strings.Repeat("0", 64), "--json")
	if code != ExitProblems || !strings.Contains(out, `"code":"wrong-hash"`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// Downloads that fail are counted by cause, with the evidence of the first one.
func TestStormFailures(t *testing.T) {
	res := &storm.Result{
		Target: "tftp://h/f", Begun: 12, Done: 2, Failed: 10, Interrupted: true, Unfinished: 3, Busy: 0.97, Loss: 0.01, LostSent: 4, LostReceived: 5, Seed: 7,
		Failures: []storm.Failure{{Code: "no-answer", Step: "request", Count: 9, Example: "no answer from 10.0.0.5:69"}, {Code: "stalled", Step: "transfer", Count: 1, Example: "nothing new"}},
	}
	var b bytes.Buffer
	(&stormOptions{}).print(&b, res, nil)
	for _, s := range []string{
		"2 done, 10 failed, 3 under way when interrupted", "failed            9 x no-answer (request): no answer from 10.0.0.5:69",
		"1 x stalled (transfer)", "97 % busy", "4 packets sent, 5 received (seed 7)", "loss 1 % each way",
	} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("no %q in\n%s", s, b.String())
		}
	}
}

func TestStormBar(t *testing.T) {
	f := func(asked, terminal bool, left time.Duration, want string) {
		t.Helper()
		var b bytes.Buffer
		bar := newStormBar(&b, asked)
		bar.terminal = terminal
		for i := range 26 { // every 200 ms
			bar.show(storm.Progress{Elapsed: time.Duration(i) * 200 * time.Millisecond, Done: i, Running: 3, Total: 100, Bytes: int64(i) * 4e6, Left: left})
		}
		bar.clear()
		if got := b.String(); got != want && !(terminal && strings.HasSuffix(got, want)) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(false, false, time.Second, "")
	f(true, false, 15*time.Second, "surefoot:   5.0 s  25 of 100 done, 3 running, 0 failed, 20.0 MB/s, 15 s left\n")
	f(true, false, -1, "surefoot:   5.0 s  25 of 100 done, 3 running, 0 failed, 20.0 MB/s\n")
	f(true, false, 95*time.Minute, "surefoot:   5.0 s  25 of 100 done, 3 running, 0 failed, 20.0 MB/s, 1h35m left\n")
	f(false, true, 15*time.Second, fmt.Sprintf("\r%-79s\r%79s\r", "   5.0 s  25 of 100 done, 3 running, 0 failed, 20.0 MB/s, 15 s left", ""))
}

func TestStormUsage(t *testing.T) {
	f := func(has string, args ...string) {
		t.Helper()
		_, stderr, code := invoke(t, append([]string{"storm"}, args...)...)
		if code != ExitUsage || !strings.Contains(stderr, has) {
			t.Errorf("%v: exit %d, %q, want %q", args, code, stderr, has)
		}
	}
	f("accepts 1 arg")
	f("--clients is missing", "tftp://10.0.0.5/x")
	f("only tftp://", "http://10.0.0.5/x", "--clients", "1")
	f("names no file", "tftp://10.0.0.5", "--clients", "1")
	f("one of edk2, ipxe, pxelinux, plain", "tftp://10.0.0.5/x", "--clients", "1", "--as", "edk2,bios")
	f(`"rate 50/s"`, "tftp://10.0.0.5/x", "--clients", "1", "--arrive", "slowly")
	f("not a share", "tftp://10.0.0.5/x", "--clients", "1", "--loss", "100%")
	f("not a share", "tftp://10.0.0.5/x", "--clients", "1", "--loss", "some")
	f("clients: 20001", "tftp://10.0.0.5/x", "--clients", "20001")
	f("window: 70000", "tftp://10.0.0.5/x", "--clients", "1", "--window", "70000")
	f("blksize: 7", "tftp://10.0.0.5/x", "--clients", "1", "--blksize", "7")
	f("64 hexadecimal digits", "tftp://10.0.0.5/x", "--clients", "1", "--sha256", "abc")
	f("not an address or a prefix", "tftp://10.0.0.5/x", "--clients", "1", "--from", "eth0")
	f("neither .svg nor .png", "tftp://10.0.0.5/x", "--clients", "1", "--picture", "x.gif")
	f("two families", "tftp://10.0.0.5/x", "--clients", "1", "--from", "fd00::/64")
	f("--yes goes on", "tftp://198.51.100.1/x", "--clients", "101") // nothing is sent
}
