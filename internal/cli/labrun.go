package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/kernel/bind"
	"surefoot/internal/lab"
)

const labRunLong = `Build a boot site on this machine, boot an emulated PC in it while you watch, and leave the
servers and the status page running until Ctrl-C, which takes everything down again.

Everything is in network namespaces: a DHCP server (dnsmasq) that hands out addresses and says
nothing of booting, and Surefoot nodes beside it, each the program that you run now.`

type labRunOptions struct {
	boot   bootOptions
	nodes  int
	status string
	once   bool
	noBoot bool
}

func newLabRunCommand(env *Env) *cobra.Command {
	var o labRunOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "build a lab, boot a PC before your eyes, keep the lab until Ctrl-C",
		Long:  labRunLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.nodes < 1 || o.nodes > 9 {
				return usageError(cmd, fmt.Errorf("--nodes %d: a lab has 1 to 9", o.nodes))
			}
			if _, err := o.boot.machine(1); err != nil {
				return usageError(cmd, err)
			}
			if _, err := netip.ParseAddrPort(o.status); err != nil {
				return usageError(cmd, fmt.Errorf("--status %q is not address:port", o.status))
			}
			return o.run(cmd.Context(), env)
		},
	}
	o.boot.addFlags(cmd)
	f := cmd.Flags()
	f.IntVar(&o.nodes, "nodes", 2, "how many Surefoot nodes")
	f.StringVar(&o.status, "status", "127.0.0.1:8068", "address:port of the status page on this machine")
	f.BoolVar(&o.once, "once", false, "end after the first boot; exit status 0 if it went well")
	f.BoolVar(&o.noBoot, "no-boot", false, "boot nothing, only keep the site")
	return cmd
}

func (o *labRunOptions) run(ctx context.Context, env *Env) (err error) {
	out := env.Out
	if err := lab.Needs(false); err != nil {
		return labError(err)
	}
	if gone, err := lab.Sweep(ctx, ""); err != nil {
		return err
	} else if len(gone) > 0 {
		say(out, "Removed what killed labs had left behind: %v", gone)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	say(out, "Building a boot site in network namespaces of this machine (no network of yours is touched).")
	l, err := lab.Up(ctx, lab.Options{Binary: exe, Nodes: o.nodes})
	if err != nil {
		return labError(err)
	}
	defer func() {
		say(out, "Taking the lab down.")
		err = errors.Join(err, l.Close())
	}()
	say(out, "  network      %s, a bridge in namespace %s", lab.Subnet, l.Spaces[0])
	say(out, "  DHCP server  %s  dnsmasq: hands out addresses, says nothing of booting", lab.DHCPAddr)
	for _, n := range l.Nodes {
		start := time.Now()
		if err := l.Node(n.Name).Start(ctx); err != nil {
			return err
		}
		say(out, "  node %s      %s  surefoot serve --config %s --node %s: ready in %.2f s",
			n.Name, n.Addr, l.Node(n.Name).Config, n.Name, time.Since(start).Seconds())
	}
	page, err := l.ListenPage(ctx, o.status)
	if err != nil {
		err = bind.Explain(err, "tcp", netip.MustParseAddrPort(o.status), "")
		return &Error{Err: fmt.Errorf("status page: %w", err), Hints: []string{"--status 127.0.0.1:0 takes any free port"}}
	}
	defer page.Close()
	say(out, "  status page  %s", page.URL())
	say(out, "")
	if !o.noBoot {
		m, err := o.boot.machine(1)
		if err != nil {
			return err
		}
		err = bootOne(ctx, env, l, m)
		if o.once || ctx.Err() != nil {
			return err
		}
		if err != nil {
			say(out, "surefoot: %v", err)
		}
	}
	if o.once {
		return nil
	}
	o.next(env, l, page)
	return watchNodes(ctx, env, l)
}

// next says what to try while the lab is there.
func (o *labRunOptions) next(env *Env, l *lab.Lab, page *lab.Page) {
	last := l.Nodes[len(l.Nodes)-1]
	say(env.Out, "The site stays up until Ctrl-C. Open %s, and in another terminal try:", page.URL())
	say(env.Out, "")
	for _, c := range []struct{ cmd, what string }{
		{labCommand("lab boot --firmware uefi"), "boot another PC (bios, ipxe, uefi, http)"},
		{labCommand("lab kill " + l.Nodes[0].Name), "a node dies; boot again: the other one delivers"},
		{labCommand("status --socket " + last.Socket), "what a node does"},
		{labCommand("story --follow --socket " + last.Socket), "watch the boots as they happen"},
		{labCommand("explain --config " + l.Node(last.Name).Config + " --node " + last.Name + " --mac " + lab.MAC(lab.UEFI, 7).String() + " --arch uefi-x64"), "why that file, that server"},
		{"less " + last.Log, "a node's log"},
	} {
		say(env.Out, "  %s\n      %s", c.cmd, c.what)
	}
	say(env.Out, "")
}

// watchNodes waits for Ctrl-C and says which nodes end meanwhile.
func watchNodes(ctx context.Context, env *Env, l *lab.Lab) error {
	ended := make(chan string)
	for _, n := range l.Nodes {
		p := l.Node(n.Name).Process()
		go func() {
			select {
			case <-p.Done():
				ended <- fmt.Sprintf("Node %s ended (%s).", n.Name, p.State())
			case <-ctx.Done():
			}
		}()
	}
	for {
		select {
		case line := <-ended:
			say(env.Out, "%s", line)
		case <-ctx.Done():
			return nil // Ctrl-C is the way to end a lab
		}
	}
}
