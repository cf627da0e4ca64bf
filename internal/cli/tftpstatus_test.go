package cli

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/web"
)

// transfer emits one transfer of an address, and waits until the journal has it.
func (d *daemon) transfer(t *testing.T, n uint64, ip, file string, last func(*boot.Event)) {
	t.Helper()
	a := netip.MustParseAddr(ip)
	ev := boot.Event{
		Role: "tftp", Kind: boot.ReadRequest, Time: time.Now(), IP: a, Peer: ip + ":2070", Local: "10.10.0.11:69", File: file, Transfer: n,
		Options: "tsize=0 blksize=1468 windowsize=4",
	}
	d.journal.Emit(ev)
	ev.Kind, ev.Options, ev.Size = boot.OptionsSent, "tsize=1042432 blksize=1468 windowsize=4", 1042432
	d.journal.Emit(ev)
	ev.Kind, ev.Options = boot.TransferEnd, ""
	last(&ev)
	d.journal.Emit(ev)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		r := d.journal.Transfers(journal.TransferQuery{Client: ip})
		if len(r.Last) > 0 || len(r.Live) > 0 && r.Live[0].Packets > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no record: %+v", r)
		}
	}
}

func TestTFTPStatus(t *testing.T) {
	d := startDaemon(t)
	out, _, code := d.run(t, "tftp", "status")
	if code != ExitOK || !strings.HasPrefix(out, "now          this node serves no TFTP\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	d.transfer(t, 1, "10.10.0.90", "snponly.efi", func(ev *boot.Event) {
		ev.Reason, ev.Bytes, ev.Blocks, ev.Packets, ev.Retransmits = boot.Done, 1042432, 711, 720, 8
		ev.Dur, ev.FirstBlock, ev.RTT = 500*time.Millisecond, time.Millisecond, 200*time.Microsecond
	})
	d.transfer(t, 2, "10.10.0.91", "snponly.efi", func(ev *boot.Event) { ev.Reason = boot.TsizeProbe })
	d.transfer(t, 3, "10.10.0.92", "boot/"+strings.Repeat("long/", 30)+"x.efi", func(ev *boot.Event) {
		ev.Reason, ev.Detail, ev.Bytes, ev.Blocks, ev.Packets = boot.Timeout, "no ACK of block 17 of 711 for 25s", 16*1468, 16, 60
	})
	d.transfer(t, 4, "10.10.0.93", "snponly.efi", func(ev *boot.Event) {
		ev.Kind, ev.Bytes, ev.Blocks, ev.Packets, ev.Retransmits, ev.Dur = boot.Stalled, 300*1468, 300, 310, 9, 2*time.Second
		ev.Pause, ev.PauseAt = 1500*time.Millisecond, 301
	})
	out, errs, code := d.run(t, "tftp", "status")
	if code != ExitOK || errs != "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	narrow(t, out)
	contains(t, out, "now          1 running, 1 STALLED\n", "1 delivered (1.5 MB), 1 size query, 1 failed, 1 stall;", "failed       1 x timeout: the client stopped acknowledging\n",
		"10.10.0.93:2070        stalled  [####......]  42 %     220 KB/s       9  snponly.efi\n    no ACK of block 301 of 711 since ",
		"LAST FAILURES\n", "  10.10.0.92:2070        timeout ", "no ACK of block 17 of 711 for 25s", "BUSIEST CLIENTS SINCE ", "BUSIEST FILES SINCE ",
		"\n10.10.0.90                                        1        0             0     1.0 MB        8\n")

	out, _, _ = d.run(t, "tftp", "status", "--client", "10.10.0.90")
	narrow(t, out)
	contains(t, out, "LAST TRANSFERS\n", "  10.10.0.90:2070        done                 snponly.efi\n", "1.0 MB in 500.00 ms (2.1 MB/s)", "blocks of 1468, window 4,", "8 of 720 packets sent")
	if strings.Contains(out, "10.10.0.92") || strings.Contains(out, "BUSIEST") {
		t.Errorf("others are shown:\n%s", out)
	}
	out, _, _ = d.run(t, "tftp", "status", "--file", "none such")
	contains(t, out, "nothing that runs or is remembered")
	out, _, _ = d.run(t, "tftp", "status", "--failed", "--limit", "1", "--json")
	var doc web.TFTP
	if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Last) != 1 || doc.Last[0].Reason != boot.Timeout || len(doc.Live) != 1 {
		t.Errorf("%v: %s", err, out)
	}
	for _, args := range [][]string{{"--limit", "0"}, {"--top", "10001"}, {"word"}} {
		if _, _, code := d.run(t, append([]string{"tftp", "status"}, args...)...); code != ExitUsage {
			t.Errorf("%q: exit %d", args, code)
		}
	}
	if _, errs, code := invoke(t, "tftp", "status", "--socket", filepath.Join(t.TempDir(), "none")); code != ExitNoDaemon || !strings.Contains(errs, "hint: ") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestTFTPStatusFollow(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		d := startDaemon(t)
		d.transfer(t, 1, "10.10.0.90", "old.efi", func(ev *boot.Event) { ev.Reason = boot.Done })
		out := &follower{wrote: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		o := transferOptions{json: asJSON, limit: 10, top: 1, every: time.Millisecond}
		over := make(chan error, 1)
		go func() { over <- o.runFollow(ctx, &Env{Out: out}, web.Dial(d.socket)) }()
		<-out.wrote
		d.transfer(t, 2, "10.10.0.91", "new.efi", func(ev *boot.Event) { ev.Reason, ev.Bytes = boot.Done, 1042432 })
		text := func() string { out.mu.Lock(); defer out.mu.Unlock(); return out.text.String() }
		for !strings.Contains(text(), "new.efi") {
			<-out.wrote
		}
		cancel()
		if err := <-over; err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
		if asJSON {
			var doc web.TFTP
			if err := json.Unmarshal([]byte(strings.SplitN(text(), "\n", 2)[0]), &doc); err != nil || doc.Totals.Done != 1 {
				t.Errorf("%v: %s", err, text())
			}
			continue
		}
		contains(t, text(), "now  ", "  10.10.0.91:2070        done                 new.efi\n", "downloads/s")
		if strings.Contains(text(), "old.efi") || strings.Count(text(), "new.efi") != 1 {
			t.Errorf("old ones, or one twice:\n%s", text())
		}
	}
}

// surefoot tftp has no node around it, and yet a status and, at the end and when asked, a summary.
func TestTFTPAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.0"), []byte("bootstrap"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "api.sock")
	errs := &follower{wrote: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	out := &follower{wrote: make(chan struct{}, 1)}
	over := make(chan int, 1)
	go func() {
		over <- Main(ctx, []string{"tftp", "--root", dir, "--listen", "127.0.0.1:0", "--socket", socket, "--max-transfers", "7"},
			Env{In: strings.NewReader(""), Out: out, Err: errs, Getenv: func(string) string { return "" }})
	}()
	said := func(want string) string {
		t.Helper()
		for late := time.After(10 * time.Second); ; {
			errs.mu.Lock()
			text := errs.text.String()
			errs.mu.Unlock()
			if strings.Contains(text, want) {
				return text
			}
			select {
			case <-errs.wrote:
			case <-late:
				t.Fatalf("no %q in %q", want, text)
			}
		}
	}
	_, at, _ := strings.Cut(said("(Ctrl-C"), " at ")
	at, _, _ = strings.Cut(at, " ")
	fetch(t, at, "a.0")
	<-out.wrote
	text, _, code := invoke(t, "tftp", "status", "--socket", socket)
	if code != ExitOK {
		t.Errorf("exit %d", code)
	}
	contains(t, text, "running of at most 7")
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	said("now          ")
	fetch(t, at, "b.0")
	cancel()
	if code := <-over; code != ExitOK {
		t.Errorf("exit %d", code)
	}
	text = said("1 x file-missing: no such file")
	contains(t, text, "1 delivered (9 bytes)", "BUSIEST FILES")
	narrow(t, text[strings.Index(text, "now  "):])
}
