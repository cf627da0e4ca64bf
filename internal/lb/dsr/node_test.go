package dsr

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/lb"
)

// TestMain is a balancer where the environment says so: a process of its own, in a network namespace of its own,
// that can be killed. It does what its standard input says, a line each, and answers with a line.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SUREFOOT_DSR_DIR"); dir != "" {
		if err := serveNode(dir, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveNode(dir string, in io.Reader, out io.Writer) error {
	p := New(Config{Dir: dir}, Deps{Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: time.Now})
	var peers *Peers
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		verb, rest, _ := strings.Cut(sc.Text(), " ")
		var answer any
		var err error
		switch verb {
		case "apply":
			var tables []lb.Table
			if err = json.Unmarshal([]byte(rest), &tables); err == nil {
				err = p.Apply(context.Background(), tables)
			}
		case "counters":
			answer, err = p.Counters(context.Background())
		case "reasons":
			var n map[bpf.Reason]uint64
			n, err = p.NotForwarded()
			words := map[string]uint64{}
			for r, c := range n {
				words[r.String()] = c
			}
			answer = words
		case "other": // what a process of another version leaves behind
			err = p.path.Disown()
		case "peers":
			var a, b string
			_, _ = fmt.Sscan(rest, &a, &b)
			cfg := PeersConfig{Node: a, Addr: netip.MustParseAddrPort(a), Peers: []netip.AddrPort{netip.MustParseAddrPort(b)}, Key: []byte("as long as a key has to be")}
			if peers, err = NewPeers(cfg, p, p.d); err == nil {
				if err = peers.Listen(context.Background()); err == nil {
					go func() { _ = peers.Run(context.Background(), func() {}) }()
				}
			}
		case "views":
			answer = peers.Views()
		case "leave":
			err = p.Leave()
		case "remove":
			err = p.Remove()
		default:
			err = fmt.Errorf("what is %q?", verb)
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if err := json.NewEncoder(out).Encode(struct {
			Err    string
			Answer any
		}{text, answer}); err != nil {
			return err
		}
	}
	return sc.Err()
}
