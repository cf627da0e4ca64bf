package cli

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"surefoot/internal/lb/setup"
)

const lbSetupLong = `Say what a server needs to be a backend behind direct server return: the service address on its loopback
interface, and silence about it in ARP. Linux, and Windows (Citrix Provisioning).

  surefoot lb backend-setup --service 10.10.0.20                  print it
  surefoot lb backend-setup --service 10.10.0.20 --apply          do it here, until the machine starts again
  surefoot lb backend-setup --service 10.10.0.20 --undo           take back what --apply did
  surefoot lb backend-setup --service 10.10.0.20 --for windows

--apply notes what it changes before it does, so that --undo finds it; what was there before stays. It needs root.`

type lbSetupOptions struct {
	address, system, card string
	apply, undo           bool
	setup                 setup.Setup
	json                  bool
}

func newLBSetupCommand(env *Env) *cobra.Command {
	var o lbSetupOptions
	cmd := &cobra.Command{
		Use: "backend-setup --service ADDRESS", Short: "what a server behind direct server return needs: print, apply, undo", Long: lbSetupLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := netip.ParseAddr(o.address)
			switch {
			case err != nil:
				err = fmt.Errorf("--service: %q is not an address", o.address)
			case o.system != "linux" && o.system != "windows" && o.system != "all":
				err = fmt.Errorf("--for: %q is none of linux, windows and all", o.system)
			case o.setup.Dry && !o.apply && !o.undo:
				err = errors.New("--dry-run goes with --apply or --undo")
			}
			if err != nil {
				return usageError(cmd, err)
			}
			return o.run(env, a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.address, "service", "", "the service's address")
	f.StringVar(&o.system, "for", "all", "print it for linux, windows or all")
	f.StringVar(&o.card, "connection", "Ethernet", "of Windows: the name of its network connection")
	f.BoolVar(&o.apply, "apply", false, "do it on this machine")
	f.BoolVar(&o.undo, "undo", false, "take back what --apply did")
	f.BoolVar(&o.setup.Dry, "dry-run", false, "with --apply or --undo: only say what would be changed")
	f.StringVar(&o.setup.File, "notes", setup.DefaultNotes, "file that notes what was changed")
	f.BoolVar(&o.json, "json", false, "with --apply or --undo: print JSON")
	_ = cmd.MarkFlagRequired("service")
	cmd.MarkFlagsMutuallyExclusive("apply", "undo")
	return cmd
}

func (o *lbSetupOptions) run(env *Env, a netip.Addr) error {
	o.setup.Has = interfaceOf
	var done []string
	var err error
	switch {
	case o.apply:
		done, err = o.setup.Apply(a)
	case o.undo:
		done, err = o.setup.Undo(a)
	default:
		if o.system != "windows" {
			fmt.Fprint(env.Out, setup.Linux(a))
		}
		if o.system == "all" {
			fmt.Fprintln(env.Out)
		}
		if o.system != "linux" {
			fmt.Fprint(env.Out, setup.Windows(a, o.card))
		}
		return nil
	}
	if err != nil {
		var h interface{ Hint() []string }
		out := &Error{Code: codeOf(err), Err: err}
		if errors.As(err, &h) {
			out.Hints = h.Hint()
		}
		return out
	}
	if o.json {
		return printJSON(env.Out, struct {
			Changed []string `json:"changed"`
			DryRun  bool     `json:"dry_run,omitempty"`
		}{append([]string{}, done...), o.setup.Dry})
	}
	verb := "done: "
	if o.setup.Dry {
		verb = "would be done: "
	}
	for _, d := range done {
		fmt.Fprintln(env.Out, verb+d)
	}
	switch {
	case len(done) == 0 && o.undo:
		fmt.Fprintf(env.Out, "nothing was changed for %s by this command\n", a)
	case len(done) == 0:
		fmt.Fprintf(env.Out, "this machine has all that a backend of %s needs\n", a)
	}
	return nil
}

// interfaceOf returns the interface of this machine that has an address, "" if none does.
func interfaceOf(a netip.Addr) string {
	list, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range list {
		addrs, _ := i.Addrs()
		for _, x := range addrs {
			if n, ok := x.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a {
					return i.Name
				}
			}
		}
	}
	return ""
}
