// Command soak downloads one file from Surefoot a million times, with packets lost on the way, and
// judges whether the server is afterwards what it was before: no download failed, no memory, goroutine or
// descriptor kept. `make soak` runs it, outside the tests: it takes minutes and both cores.
//
// The server is `surefoot serve` with a site file, so that journal, stories and metrics are in it;
// what it holds is read from its /metrics. The clients are those of surefoot storm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"surefoot/internal/probe"
	"surefoot/internal/storm"
)

// Exit statuses, those of the surefoot command.
const (
	exitFailed      = 1
	exitProblems    = 3
	exitInterrupted = 130
)

// options of a soak.
type options struct {
	bin, out        string
	downloads       int
	clients, rounds int
	loss            float64
	as              string
}

func main() { os.Exit(run()) }

func run() int {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/surefoot", "the program under test")
	flag.StringVar(&o.out, "picture", "", "draw the server's memory to this .svg or .png")
	flag.IntVar(&o.downloads, "downloads", 1_000_000, "in all")
	flag.IntVar(&o.rounds, "rounds", 0, "after each of them the server is looked at (default 40, or fewer so that every client has a turn)")
	flag.IntVar(&o.clients, "clients", 512, "at the same time")
	flag.Float64Var(&o.loss, "loss", 0.01, "share of the packets that get lost, each way")
	flag.StringVar(&o.as, "as", "edk2,pxelinux,ipxe", "kinds of client, in turn")
	flag.Parse()
	if o.rounds == 0 {
		o.rounds = max(1, min(40, o.downloads/max(o.clients, 1)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := soak(ctx, o)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "soak:", err)
		return exitFailed
	case ctx.Err() != nil:
		return exitInterrupted
	case !ok:
		return exitProblems
	}
	return 0
}

// soak runs all rounds and says what came of them.
func soak(ctx context.Context, o options) (ok bool, err error) {
	cfg, err := o.storm()
	if err != nil {
		return false, err
	}
	srv, err := startServer(ctx, o)
	if err != nil {
		return false, err
	}
	defer srv.stop()
	cfg.Server = srv.tftp
	rec := &record{want: o.downloads, downloads: cfg.Downloads, clients: o.clients}
	// A first download starts what starts with the first one.
	if _, err := storm.Run(ctx, storm.Config{Server: cfg.Server, File: fileName, Clients: 1, As: cfg.As}); err != nil {
		return false, fmt.Errorf("the first download: %w%s", err, srv.lastWords())
	}
	if rec.before, err = srv.least(ctx); err != nil {
		return false, err
	}
	fmt.Printf("%d downloads of %d bytes by %d clients (%s), %g %% of the packets lost each way, %d rounds\nserver: %s\nbefore: %s\n\n%s\n",
		o.downloads, fileSize, o.clients, o.as, 100*o.loss, o.rounds, srv.words, rec.before, heading)
	start := time.Now()
	for ctx.Err() == nil && rec.done+rec.failed < o.downloads {
		n := len(rec.rounds)
		cfg.Seed = uint64(n + 1)
		cfg.From = addresses(n)
		cfg.Downloads = min(rec.downloads, o.downloads-rec.done-rec.failed)
		res, err := storm.Run(ctx, cfg)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return false, fmt.Errorf("round %d: %w%s", n+1, err, srv.lastWords())
		}
		// A context of its own: what there is shall be seen after Ctrl-C as well.
		now, err := srv.look(context.WithoutCancel(ctx))
		if err != nil {
			return false, fmt.Errorf("round %d: the server was asked for its metrics: %w%s", n+1, err, srv.lastWords())
		}
		rec.add(res, now)
		left := time.Duration(float64(time.Since(start)) / float64(max(rec.done+rec.failed, 1)) * float64(o.downloads-rec.done-rec.failed))
		fmt.Println(rec.line(left))
	}
	rec.elapsed = time.Since(start)
	rec.after = srv.settle(context.WithoutCancel(ctx), rec.before)
	fmt.Printf("after:  %s\n\n", rec.after)
	if o.out != "" && len(rec.rounds) > 1 {
		if err := rec.draw(o.out); err != nil {
			return false, fmt.Errorf("draw the server's memory: %w", err)
		}
		fmt.Println("picture:", o.out)
	}
	words, ok := rec.verdict()
	fmt.Println(strings.Join(words, "\n"))
	return ok, nil
}

func (o options) storm() (storm.Config, error) {
	if o.downloads < 1 || o.rounds < 1 {
		return storm.Config{}, errors.New("downloads and rounds: at least 1")
	}
	cfg := storm.Config{File: fileName, Clients: o.clients, Loss: o.loss, Downloads: max(1, (o.downloads+o.rounds-1)/o.rounds)}
	for name := range strings.SplitSeq(o.as, ",") {
		style, err := probe.ParseStyle(name)
		if err != nil {
			return cfg, err
		}
		cfg.As = append(cfg.As, style)
	}
	if ext := filepath.Ext(o.out); o.out != "" && ext != ".svg" && ext != ".png" {
		return cfg, fmt.Errorf("picture: %q is neither .svg nor .png", o.out)
	}
	return cfg, nil
}
