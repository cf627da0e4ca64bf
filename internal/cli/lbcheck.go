package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/lb"
	"surefoot/internal/lb/check"
	"surefoot/internal/probe"
	"surefoot/internal/web"
)

const lbCheckLong = `Look for what makes a load-balanced service fail although everything runs, and say what to do about it:
a backend that lacks the service address or answers from its own, ARP answers that lead past the balancer, another file
on one backend, rp_filter, forwarding and redirects, tables of conntrack that fill, offloads of virtual network cards.

  surefoot lb check                                 every service of the site file
  surefoot lb check boot --config site.yaml
  surefoot lb check --service 10.10.0.20 --mode dsr --backends 10.10.0.21,10.10.0.22 --file ARDBP32.BIN

On a balancer or a standby the backends are looked at from outside; on a backend, its own settings. It changes nothing,
and needs CAP_NET_RAW. What each finding means: docs/lb-check.md.`

type lbCheckOptions struct {
	lb       lbOptions
	address  string
	mode     string
	backends []string
	file     string
	as       string
	iface    string
	clients  []string
	timeout  time.Duration
}

func newLBCheckCommand(env *Env) *cobra.Command {
	var o lbCheckOptions
	cmd := &cobra.Command{
		Use: "check [SERVICE]", Short: "find what makes a service fail although everything runs", Long: lbCheckLong, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.lb.service = args[0]
			}
			list, err := o.services(cmd, env)
			if err != nil {
				return err
			}
			return o.run(cmd, env, list)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.lb.serve.config, "config", "c", "", "site file (default: that of the service)")
	f.StringVar(&o.lb.serve.node, "node", "", "name of this node (default: the host name)")
	socketFlag(cmd, env, &o.lb.socket)
	f.StringVar(&o.address, "service", "", "without a site file: the service's address, with or without a port")
	f.StringVar(&o.mode, "mode", string(lb.DSR), "with --service: dsr, nat, snat or relay")
	f.StringSliceVar(&o.backends, "backends", nil, "with --service: the backends, ADDRESS or NAME=ADDRESS, separated by commas")
	f.StringVar(&o.file, "file", "", "the file that the backends are to deliver (default: one of a rule that names the service)")
	f.StringVar(&o.as, "as", string(probe.IPXE), "kind of client: edk2, ipxe, pxelinux or plain")
	f.StringVarP(&o.iface, "interface", "i", "", "where the service's packets come in (default: towards the first backend)")
	f.StringSliceVar(&o.clients, "clients", nil, "with --service: the networks of the machines, separated by commas")
	f.DurationVar(&o.timeout, "timeout", 3*time.Second, "how long a server may send nothing new")
	f.BoolVar(&o.lb.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("service", "config")
	return cmd
}

// services are what is looked at: one that the flags say, or those of the site file.
func (o *lbCheckOptions) services(cmd *cobra.Command, env *Env) ([]check.Service, error) {
	as, err := probe.ParseStyle(o.as)
	if err != nil {
		return nil, usageError(cmd, fmt.Errorf("--as: %w", err))
	}
	var list []check.Service
	if o.address == "" {
		cfg, at, err := o.lb.look(cmd, env)
		if err != nil {
			return nil, err
		}
		at.close()
		if list, err = app.Checks(cfg, o.lb.service); err != nil {
			return nil, err
		}
	} else {
		s, err := o.bare()
		if err != nil {
			return nil, usageError(cmd, err)
		}
		list = []check.Service{s}
	}
	for i := range list {
		s := &list[i]
		s.As = as
		if o.file != "" {
			s.File = o.file
		}
		if o.iface != "" {
			s.Interface = o.iface
		}
	}
	return list, nil
}

// bare is a service as the flags say it.
func (o *lbCheckOptions) bare() (check.Service, error) {
	s := check.Service{Name: o.address, Mode: lb.Mode(o.mode)}
	var err error
	if s.Address, err = endpoint(o.address); err != nil {
		return s, fmt.Errorf("--service: %w", err)
	}
	switch s.Mode {
	case lb.DSR, lb.NAT, lb.SNAT, lb.Relay:
	default:
		return s, fmt.Errorf("--mode: %q is none of dsr, nat, snat and relay", o.mode)
	}
	if len(o.backends) == 0 {
		return s, errors.New("--backends is missing")
	}
	for _, b := range o.backends {
		name, addr, named := strings.Cut(b, "=")
		if !named {
			addr = name
		}
		at, err := endpoint(addr)
		if err != nil {
			return s, fmt.Errorf("--backends: %w", err)
		}
		s.Backends = append(s.Backends, check.Backend{Name: name, Addr: at})
	}
	for _, c := range o.clients {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return s, fmt.Errorf("--clients: %q is not a network, as in 10.10.0.0/22", c)
		}
		s.Clients = append(s.Clients, p)
	}
	return s, nil
}

// endpoint reads an address, with TFTP's port where none is said.
func endpoint(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 69), nil
	}
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return ap, fmt.Errorf("%q is neither an address nor address:port", text)
	}
	return ap, nil
}

func (o *lbCheckOptions) run(cmd *cobra.Command, env *Env, list []check.Service) error {
	reports, bad := []check.Report{}, false
	for i, s := range list {
		r := check.Run(cmd.Context(), s, o.timeout)
		if i == 0 {
			r.Findings = append(r.Findings, o.peers(cmd.Context())...)
		}
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		reports = append(reports, r)
		bad = bad || r.Bad()
		if !o.lb.json {
			if i > 0 {
				fmt.Fprintln(env.Out)
			}
			printLBCheck(env.Out, &r)
		}
	}
	if o.lb.json {
		if err := printJSON(env.Out, reports); err != nil {
			return err
		}
	}
	if bad {
		return &Error{Code: ExitProblems}
	}
	return nil
}

// peers are what the running node says of the other balancers: one that it does not hear, or that sees other backends,
// would not go on with its transfers. Where no node runs there is nothing to say.
func (o *lbCheckOptions) peers(ctx context.Context) []check.Finding {
	st, err := web.Dial(o.lb.socket).Status(ctx)
	if err != nil {
		return nil
	}
	return peerFindings(st.Warnings)
}

func peerFindings(list []web.Warning) (out []check.Finding) {
	for _, w := range list {
		if strings.HasPrefix(w.Code, "lb-peer-") {
			out = append(out, check.Finding{Code: check.Code(w.Code), Subject: "balancers", Text: w.Title + ": " + w.Text, Fix: []string{w.Fix}})
		}
	}
	return out
}

func printLBCheck(w io.Writer, r *check.Report) {
	fmt.Fprintf(w, "service %s  %s  mode %s; this machine: %s\n", r.Service, r.Address, r.Mode, r.Role)
	for _, g := range r.Good {
		wrapped(w, fmt.Sprintf("  good     %-14s ", g.Subject), 26, g.Text)
	}
	for _, f := range r.Findings {
		mark := "PROBLEM"
		if f.Warning {
			mark = "warning"
		}
		wrapped(w, fmt.Sprintf("  %s  %-14s ", mark, f.Subject), 26, fmt.Sprintf("%s: %s", f.Code, f.Text))
		for _, x := range f.Fix {
			wrapped(w, strings.Repeat(" ", 21)+"do:  ", 26, x)
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "  nothing is wrong")
	}
}
