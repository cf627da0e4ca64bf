// Package nft hands rule sets to nftables by its program nft(8), a whole transaction at a time: either
// all of it holds from then on or nothing of it. It knows no rules of its own. The program is used
// because it has every expression (fwd is in no library of Go), and because what people see by `nft
// list` is then the text that was written here.
package nft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// within bounds one call of the program.
const within = 20 * time.Second

// Run carries out a script as one transaction.
func Run(ctx context.Context, script string) error {
	_, err := run(ctx, script, "-f", "-")
	return err
}

// Check looks whether the kernel would take a script, and changes nothing.
func Check(ctx context.Context, script string) error {
	_, err := run(ctx, script, "-c", "-f", "-")
	return err
}

// Available says whether there is the program.
func Available() error {
	if _, err := exec.LookPath("nft"); err != nil {
		return &MissingError{}
	}
	return nil
}

func run(ctx context.Context, script string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := Available(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nft", args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin = strings.NewReader(script)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, explain(script, said.String(), err)
	}
	return out.Bytes(), nil
}

// MissingError says that the program is not there.
type MissingError struct{}

func (*MissingError) Error() string { return "run nft: there is no such program" }

// Hint says where it comes from.
func (*MissingError) Hint() []string { return []string{"apt install nftables"} }

// Error is what the program or the kernel refused.
type Error struct {
	Line int    // of the script; 0: unknown
	Text string // that line
	Said string // the first line of what nft said
	Err  error
}

func (e *Error) Error() string {
	text := "run nft: " + e.Said
	if e.Text != "" {
		text += fmt.Sprintf(": %.120q", e.Text)
	}
	return text
}

// Unwrap returns how the program ended.
func (e *Error) Unwrap() error { return e.Err }

// Is makes a refusal for lack of a capability one of fs.ErrPermission.
func (e *Error) Is(target error) bool {
	return target == fs.ErrPermission && strings.Contains(e.Said, "Operation not permitted")
}

// Hint says what the usual reasons need.
func (e *Error) Hint() []string {
	switch {
	case strings.Contains(e.Said, "Operation not permitted"):
		return []string{
			"needs CAP_NET_ADMIN; in the systemd unit, by `systemctl edit surefoot`: [Service] AmbientCapabilities=CAP_NET_ADMIN and CapabilityBoundingSet=CAP_NET_ADMIN (docs/nat.md)",
			"capabilities of the file (setcap) do not reach the program nft: use the unit, or run it as root",
		}
	case strings.Contains(e.Said, "No such file or directory") && strings.Contains(e.Text, "helper"):
		return []string{"the kernel lacks the connection tracking helper of TFTP: modprobe nf_conntrack_tftp nf_nat_tftp"}
	case strings.Contains(e.Said, "No such file or directory"), strings.Contains(e.Said, "Operation not supported"):
		return []string{"the kernel lacks a part of nftables: modprobe nft_nat nft_ct nft_numgen nft_hash nft_fwd_netdev"}
	}
	return nil
}

var place = regexp.MustCompile(`^[^ :]+:(\d+):\d+(?:-\d+)?: (?:Error: )?(.*)$`)

func explain(script, said string, err error) error {
	first, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	e := &Error{Said: first, Err: err}
	if m := place.FindStringSubmatch(first); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Said = m[2]
		if lines := strings.Split(script, "\n"); e.Line >= 1 && e.Line <= len(lines) {
			e.Text = lines[e.Line-1]
		}
	}
	if e.Said == "" {
		e.Said = err.Error()
	}
	return e
}

// IsGone reports whether an error says that there is no such table.
func IsGone(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.Contains(e.Said, "No such file or directory")
}
