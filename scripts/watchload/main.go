// Command watchload has one node do ten thousand real tests every ten seconds, and says what that
// takes: `make bench-watch` runs it, outside the tests, since it takes a minute and a half and both cores.
//
// The node is `surefoot serve` with a history on disk, the roles dns and http, a site file of a hundred
// rules and a hundred servers each: ten thousand tests. The servers are other processes, `surefoot tftp`,
// which answer on a hundred addresses of loopback. CPU and memory are the kernel's figures of the node's
// process alone; what the tests did is read from its metrics, before and after.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit statuses, those of the surefoot command.
const (
	exitFailed      = 1
	exitProblems    = 3
	exitInterrupted = 130
)

// options of a run.
type options struct {
	bin            string
	servers, files int
	every, span    time.Duration
	least, most    int // sizes of files in KiB
	history        bool
}

func main() { os.Exit(run()) }

func run() int {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/surefoot", "the program under test")
	flag.IntVar(&o.servers, "servers", 100, "TFTP servers, each an address")
	flag.IntVar(&o.files, "files", 100, "files, each of a rule of its own, on every server")
	flag.DurationVar(&o.every, "every", 10*time.Second, "from one download of a test to the next")
	flag.DurationVar(&o.span, "for", time.Minute, "how long to measure, after two periods to settle")
	flag.IntVar(&o.least, "least", 1, "KiB of the smallest file")
	flag.IntVar(&o.most, "most", 64, "KiB of the largest file")
	flag.BoolVar(&o.history, "history", true, "keep a history on disk")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := load(ctx, o)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(os.Stderr, "watchload:", err)
		return exitFailed
	case !ok:
		return exitProblems
	}
	return 0
}

// load starts everything, measures, and reports whether the node kept up.
func load(ctx context.Context, o options) (ok bool, err error) {
	if o.servers < 1 || o.servers > 250 || o.files < 1 || o.files > 250 || o.least < 1 || o.most < o.least || o.span < o.every {
		return false, errors.New("servers and files: 1 to 250; least: at least 1 KiB and no more than most; for: at least one period")
	}
	s, err := raise(ctx, o)
	if err != nil {
		return false, err
	}
	defer s.stop()
	fmt.Printf("%d tests every %s: %d files of %d to %d KiB on %d servers\nnode: %s\n", o.servers*o.files, o.every, o.files, o.least, o.most, o.servers, s.words)
	settle := 2 * o.every
	fmt.Printf("settling for %s, then measuring for %s\n", settle, o.span)
	if err := s.wait(ctx, settle); err != nil {
		return false, err
	}
	from, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	asked, stopAsking := s.ask(ctx)
	if err := s.wait(ctx, o.span); err != nil {
		return false, err
	}
	stopAsking()
	to, err := s.end(ctx)
	if err != nil {
		return false, err
	}
	return report(o, from, to, asked), nil
}
