package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/probe"
)

const probeServiceLong = `Download a file from each server behind a service address with direct server return, by the way that the
balancer uses: the packets are for the service address, and have the MAC of one server. Say whether each takes the
address, which one it answers from, whether it answers ARP for it, and whether all have the same file.

  surefoot probe service tftp://10.10.0.20/ARDBP32.BIN --backends 10.10.0.21,10.10.0.22

Run it on the balancer, or on another machine of the same segment. It needs CAP_NET_RAW.`

type probeServiceOptions struct {
	probe    probeOptions
	backends []string
	iface    string
}

func newProbeServiceCommand(env *Env) *cobra.Command {
	var o probeServiceOptions
	o.probe.count = 1
	cmd := &cobra.Command{
		Use: "service tftp://SERVICE[:PORT]/FILE --backends ADDRESS,...", Short: "the servers behind a service address, as the balancer reaches them", Long: probeServiceLong,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, po, err := o.probe.parse(args[0])
			if err == nil && target.Scheme != "tftp" {
				err = errors.New("only tftp:// so far")
			}
			if err != nil {
				return usageError(cmd, err)
			}
			var at []netip.Addr
			for _, b := range o.backends {
				a, err := netip.ParseAddr(strings.TrimSpace(b))
				if err != nil {
					return usageError(cmd, fmt.Errorf("--backends: %q is not an address", b))
				}
				at = append(at, a)
			}
			return o.run(cmd, env, target, po, at)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.backends, "backends", nil, "the servers' own addresses, separated by commas")
	f.StringVarP(&o.iface, "interface", "i", "", "towards the servers (default: that of the route to them)")
	f.StringVar(&o.probe.as, "as", string(probe.IPXE), "kind of client: edk2, ipxe, pxelinux or plain")
	f.StringVar(&o.probe.sha256, "sha256", "", "hash that the file must have, in hexadecimal")
	f.StringVar(&o.probe.contains, "contains", "", "text that the file must hold")
	f.DurationVar(&o.probe.timeout, "timeout", 5*time.Second, "how long a server may send nothing new")
	f.BoolVar(&o.probe.json, "json", false, "print JSON: one object a server")
	f.BoolVar(&o.probe.trace, "trace", false, "show every packet, also where the whole file came")
	_ = cmd.MarkFlagRequired("backends")
	return cmd
}

func (o *probeServiceOptions) run(cmd *cobra.Command, env *Env, target probe.Target, po probe.Options, at []netip.Addr) error {
	var all []probe.Result
	for _, a := range at {
		po := po
		po.Through = &probe.Through{Interface: o.iface, Backend: a}
		res := probe.TFTP(cmd.Context(), target, po)
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		all = append(all, res)
	}
	probe.Content(all)
	if !o.probe.json {
		printThrough(env.Out, target.String(), all)
	}
	local, bad := (*probe.Fault)(nil), false
	for _, r := range all {
		if r.Fault != nil {
			bad = true
			if r.Fault.Code == probe.LocalError {
				local = r.Fault
			}
		}
		if !o.probe.trace && !tracesHelp(r) {
			r.Trace = nil
		}
		if o.probe.json {
			_ = json.NewEncoder(env.Out).Encode(r)
		} else if o.probe.trace {
			printProbeTrace(env.Out, r)
		}
	}
	switch {
	case local != nil && local.Err != nil:
		return &Error{Code: codeOf(local.Err), Err: local.Err, Hints: local.Hint}
	case bad:
		return &Error{Code: ExitProblems}
	}
	return nil
}

// printThrough is a table of what each server delivers, and below it what is wrong.
func printThrough(w io.Writer, title string, all []probe.Result) {
	fmt.Fprintf(w, "%s through the data plane, as %s\n\n", title, all[0].As)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "BACKEND\tMAC\tANSWERS FROM\tBYTES\tTIME\tSHA256\tVERDICT")
	for _, r := range all {
		s, verdict, took, sum := r.Through, "good", "-", "-"
		if r.Fault != nil {
			verdict = string(r.Fault.Code)
		}
		if r.Response > 0 {
			took = millis(r.Response)
		}
		if r.SHA256 != "" {
			sum = r.SHA256[:12]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.Backend, cmp.Or(s.MAC, "-"), cmp.Or(s.From, "-"), r.Size, took, sum, verdict)
	}
	_ = t.Flush()
	for _, r := range all {
		if r.Fault == nil && len(r.Notes) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if f := r.Fault; f != nil {
			wrapped(w, fmt.Sprintf("%-12s ", r.Through.Backend), 13, f.Text)
			for _, h := range f.Hint {
				wrapped(w, "       hint: ", 13, h)
			}
		}
		for _, n := range r.Notes {
			wrapped(w, fmt.Sprintf("%-12s ", r.Through.Backend), 13, n)
		}
	}
}
