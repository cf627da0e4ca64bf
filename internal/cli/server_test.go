package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/journal"
	"surefoot/internal/probe"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

// startWatched is a node that watches two servers: pvs1 delivers, pvs2 says nothing. It returns its
// socket when both are known.
func startWatched(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "api.sock")
	cfg := watch.Config{
		Node: "boot1", Health: health.Settings{DownAfter: 1}, Diagnose: watch.Diagnosis{Normal: 1, Abnormal: 1},
		Groups:  []health.Group{{Rule: "pvs", File: "f.bin", By: boot.ByTFTP, Servers: []string{"pvs1", "pvs2"}}},
		Servers: map[string]boot.Server{"boot2": {Name: "boot2", Node: true, TFTP: netip.MustParseAddrPort("10.10.0.12:69")}},
	}
	for i := range 2 {
		name := fmt.Sprintf("pvs%d", i+1)
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 10, 0, byte(21 + i)}), 69)
		cfg.Servers[name] = boot.Server{Name: name, TFTP: at}
		cfg.Tests = append(cfg.Tests, watch.Test{
			Name: name + "/f.bin", Server: name, File: "f.bin", By: boot.ByTFTP, As: probe.PXELINUX, Every: 100 * time.Millisecond, Timeout: 50 * time.Millisecond,
			Target: probe.Target{Scheme: "tftp", Host: at.Addr().String(), Port: 69, File: "f.bin"},
		})
	}
	w, err := watch.New(cfg, watch.Deps{Probe: func(_ context.Context, x probe.Target, o probe.Options) probe.Result {
		r := probe.Result{Target: x.String(), As: o.As, Trace: []probe.Packet{{Sent: true, What: "RRQ f.bin octet"}}}
		if x.Host == "10.10.0.22" {
			r.Fault = &probe.Fault{Step: probe.StepRequest, Code: probe.NoAnswer, Text: "no answer from 10.10.0.22:69: 1 request in 0.1 s", Hint: []string{"the host is down"}}
			return r
		}
		r.Available, r.Availability, r.Response, r.FirstBlock, r.Size = true, 100, 4100*time.Microsecond, time.Millisecond, 2735
		return r
	}})
	if err != nil {
		t.Fatal(err)
	}
	j := journal.New(journal.Config{Node: "boot1"})
	s, err := web.New(web.Config{Socket: socket}, web.Deps{
		Journal: j, Gatherer: j.Gatherer(), Ready: func() []string { return nil }, Monitor: w,
		Status: func() web.Status { return web.Status{Node: "boot1", Ready: true, Health: w.Servers()} },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	moves := w.Follow(ctx, "")
	var wg sync.WaitGroup
	for _, run := range []func(context.Context, func()) error{w.Run, s.Run} {
		wg.Go(func() {
			if err := run(ctx, nil); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	for known := 0; known < 2; {
		if u := <-moves; u.Change != nil {
			known++
		}
	}
	return socket
}

// call runs a command against a node.
func call(t *testing.T, socket, locale string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(k string) string {
		switch k {
		case "SUREFOOT_SOCKET":
			return socket
		case "LANG":
			return locale
		}
		return ""
	}}
	code = Main(t.Context(), args, env)
	return code, out.String(), errs.String()
}

func TestServerCommands(t *testing.T) {
	socket := startWatched(t)
	for _, tc := range []struct {
		args   string
		code   int
		stdout []string
		stderr string
	}{
		{"server", ExitProblems, []string{"SERVER  ADDRESS     STATE    SINCE", "boot2   10.10.0.12  unknown  -", "pvs1    10.10.0.21  up ", "100 %  4.10 ms   -", "pvs2    10.10.0.22  down", "0 %    -         no answer from 10.10.0.22:69:..."}, ""},
		{"server list", ExitProblems, []string{"pvs2"}, ""},
		{"server show pvs2 --trace", ExitProblems, []string{"pvs2/f.bin: down", "as pxelinux every 100ms", "1 bad download in a row, the last: no answer", "x  0 % available", "no-answer: no answer from", "failed at the step request (no-answer)", "look: the host is down", "> RRQ f.bin octet"}, ""},
		{"server show pvs1", ExitOK, []string{"pvs1/f.bin: up", "good, 2735 bytes in 4.10 ms, the first after 1.00 ms", "delivered: 2735 bytes"}, ""},
		{"server show boot2", ExitOK, []string{"not tested"}, ""},
		{"server show pvs9", ExitUsage, nil, "the site has no server or node \"pvs9\" (it has boot2, pvs1, pvs2)\nhint: surefoot server list"},
		{"watch", ExitProblems, []string{"TEST        STATE", "pvs1/f.bin  up", "pvs2/f.bin  down"}, ""},
		{"watch show pvs1/f.bin", ExitOK, []string{"pvs1/f.bin: up"}, ""},
		{"watch show F.BIN", ExitUsage, nil, "hint: is one of these meant: pvs1/f.bin, pvs2/f.bin"},
		{"server drain pvs1 --dry-run --for 2h", ExitOK, []string{"pvs1 would be drained until 20", "rule pvs, f.bin: nobody else is alive, so machines are still sent to pvs1", "this node only: say the same on boot2"}, ""},
		{"server drain pvs1 --for -1s", ExitUsage, nil, "--for -1s is no time to come"},
		{"server drain nobody", ExitUsage, nil, "no server or node \"nobody\""},
		{"server drain boot2 --reason work", ExitOK, []string{"boot2 is drained until it is resumed", "no rule sends machines to boot2", "warning: it ends with this process: there is no state directory"}, ""},
		{"server", ExitProblems, []string{"drained", "work"}, ""},
		{"server resume boot2", ExitOK, []string{"boot2 is drained no more"}, ""},
		{"server resume boot2", ExitOK, []string{"boot2 is not drained: there is nothing to do"}, ""},
	} {
		code, stdout, stderr := call(t, socket, "C", strings.Fields(tc.args)...)
		if code != tc.code || !strings.Contains(stderr, tc.stderr) || tc.stderr == "" && stderr != "" {
			t.Errorf("surefoot %s: exit %d, want %d, stderr %s", tc.args, code, tc.code, stderr)
		}
		for _, want := range tc.stdout {
			if !strings.Contains(stdout, want) {
				t.Errorf("surefoot %s: no %q in\n%s", tc.args, want, stdout)
			}
		}
		for line := range strings.Lines(stdout) {
			if n := len([]rune(line)); n > columns+1 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
				t.Errorf("surefoot %s: a line of %d characters, or not plain ASCII: %s", tc.args, n, line)
			}
		}
	}
	if _, stdout, _ := call(t, socket, "en_GB.UTF-8", "watch"); !strings.ContainsAny(stdout, sparkUnicode) {
		t.Errorf("no sparkline in\n%s", stdout)
	}
}

func TestServerJSON(t *testing.T) {
	socket := startWatched(t)
	var rep watch.Report
	code, stdout, _ := call(t, socket, "C", "server", "show", "pvs2", "--json")
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil || code != ExitProblems {
		t.Fatalf("exit %d, %v", code, err)
	}
	if len(rep.Servers) != 1 || rep.Servers[0].State != health.Down || len(rep.Tests) != 1 || rep.Tests[0].Bad == nil || rep.Tests[0].Last.Response != 0 {
		t.Errorf("%+v", rep)
	}
	if strings.Contains(stdout, `"response_ns"`) {
		t.Errorf("a server that does not deliver has a response time:\n%s", stdout)
	}
	var d watch.DrainResult
	_, stdout, _ = call(t, socket, "C", "server", "drain", "pvs1", "--for", "1h", "--dry-run", "--json")
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || !d.DryRun || !d.Changed || d.Drain.Until.Sub(d.Drain.Since) != time.Hour {
		t.Errorf("%+v, %v", d, err)
	}
	_, stdout, _ = call(t, socket, "C", "server", "drain", "nobody", "--json")
	if !strings.Contains(stdout, `"code":"not-found"`) {
		t.Errorf("an error reads %s", stdout)
	}
}

// TestWatchFollow: results come as they are, as lines and as JSON, until it is interrupted.
func TestWatchFollow(t *testing.T) {
	socket := startWatched(t)
	for _, args := range [][]string{{}, {"--json"}} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopAfter{lines: 3, stop: cancel}
		env := Env{In: strings.NewReader(""), Out: out, Err: &bytes.Buffer{}, Getenv: func(string) string { return "" }}
		code := Main(ctx, append([]string{"watch", "show", "pvs2/f.bin", "--follow", "--socket", socket}, args...), env)
		cancel()
		if code != ExitOK || !strings.Contains(out.String(), "no answer from 10.10.0.22:69") || strings.Contains(out.String(), "pvs1/f.bin") {
			t.Errorf("%v: exit %d\n%s", args, code, out.String())
		}
	}
}

// stopAfter interrupts a command that has written some lines.
type stopAfter struct {
	bytes.Buffer
	lines int
	stop  func()
}

func (s *stopAfter) Write(b []byte) (int, error) {
	if s.lines -= bytes.Count(b, []byte("\n")); s.lines <= 0 {
		s.stop()
	}
	return s.Buffer.Write(b)
}

// TestExplainAsksTheNode: what a machine is told depends on who delivers at present.
func TestExplainAsksTheNode(t *testing.T) {
	socket := startWatched(t)
	site := siteFile(t, `nodes: {boot1: {address: 10.10.0.11, interfaces: [eth1]}}
servers:
  pvs1: {tftp: 10.10.0.21}
  pvs2: {tftp: 10.10.0.22}
boot: [{name: pvs, file: f.bin, from: [pvs2, pvs1]}]
`)
	args := []string{"explain", "--config", site, "--node", "boot1", "--mac", "52:54:00:12:34:56", "--arch", "bios"}
	_, out, _ := call(t, socket, "C", args...)
	if !strings.Contains(out, "asked of node boot1") || !strings.Contains(out, "pvs2 by TFTP: 1 bad download in a row") || !strings.Contains(out, "siaddr 10.10.0.21") {
		t.Errorf("it is not asked:\n%s", out)
	}
	_, out, _ = call(t, socket+".gone", "C", args...)
	if !strings.Contains(out, "not known: surefoot does not run here") || !strings.Contains(out, "siaddr 10.10.0.22") {
		t.Errorf("without the node:\n%s", out)
	}
}

func TestSpark(t *testing.T) {
	s := func(ms ...int) []watch.Sample {
		var out []watch.Sample
		for _, m := range ms {
			out = append(out, watch.Sample{Good: m > 0, Response: time.Duration(m) * time.Millisecond})
		}
		return out
	}
	for want, in := range map[string][]watch.Sample{
		"":         nil,
		"x":        s(0),
		"____":     s(5, 5, 5, 5),
		"_x#_":     s(1, 0, 1000, 1),
		"_.-~=+*#": s(1, 2, 4, 8, 16, 32, 64, 128),
	} {
		if got := spark(in, false); got != want {
			t.Errorf("spark = %q, want %q", got, want)
		}
	}
	if got := spark(s(1, 2, 4, 8, 16, 32, 64, 128), true); got != sparkUnicode {
		t.Errorf("spark = %q", got)
	}
}
