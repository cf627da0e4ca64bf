package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	dnsrole "surefoot/internal/serve/dns"
	"surefoot/internal/web"
)

const dnsLong = `List the DNS names of the site and the servers that each stands for at present.

  surefoot dns                                         as the running node knows it
  surefoot dns --config site.yaml --node boot1         as it would be, from a site file`

const dnsQueryLong = `Say what a client that resolves a name is told, and why: the zone, the name, which servers are in
the answer and which are not, their order, and the answer as dig prints it. It decides as the
server does, with its health, and moves no rotation on. A name without a dot is one below the zone.

  surefoot dns query uefi --from 10.10.1.77            asked by this address itself
  surefoot dns query uefi --from 10.10.1.0/24          asked by a resolver that tells of this subnet
  surefoot dns query _tftp._udp.uefi --type SRV --from 10.10.1.77
  surefoot dns query uefi.boot.hq.example.net --from 10.10.1.77 --config site.yaml --node boot1

The running node is asked through its socket; with --config nobody is asked, and of health nothing
is known but whether the files are in the root of this machine. Exit status 3 says that the answer
holds no record.`

type dnsOptions struct {
	serve       serveOptions
	socket      string
	qtype, from string
	json        bool
}

// flags are those that both commands have.
func (o *dnsOptions) flags(cmd *cobra.Command, env *Env) {
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.StringVarP(&o.serve.config, "config", "c", "", "decide from this site file instead of asking the running node")
	f.StringVar(&o.serve.node, "node", "", "name of the node that answers, with --config (default: the host name)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("config", "socket")
}

func newDNSCommand(env *Env) *cobra.Command {
	var o dnsOptions
	cmd := &cobra.Command{
		Use:   "dns",
		Short: "the DNS names of the site, and what they stand for",
		Long:  dnsLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.list(cmd, env) },
	}
	o.flags(cmd, env)
	cmd.AddCommand(newDNSQueryCommand(env))
	return cmd
}

func newDNSQueryCommand(env *Env) *cobra.Command {
	var o dnsOptions
	cmd := &cobra.Command{
		Use:   "query NAME --from CLIENT",
		Short: "what a client that asks for a name is told, and why",
		Long:  dnsQueryLong,
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.query(cmd, env, args[0]) },
	}
	o.flags(cmd, env)
	cmd.Flags().StringVar(&o.qtype, "type", "A", "type of record: A, AAAA, SRV, NS, SOA or TXT")
	cmd.Flags().StringVar(&o.from, "from", "127.0.0.1", "who asks: an address, or a subnet that a resolver tells of")
	return cmd
}

// zones makes the zones of a site file.
func (o *dnsOptions) zones(cmd *cobra.Command, env *Env) (*dnsrole.Zones, view, error) {
	opts, err := o.serve.options(cmd, env)
	if err != nil {
		return nil, view{}, err
	}
	cfg, err := app.LoadConfig(opts)
	if err != nil {
		return nil, view{}, err
	}
	at := lookAt(cfg, false)
	z, err := app.DNSZones(cfg, at.down)
	return z, at, err
}

func (o *dnsOptions) list(cmd *cobra.Command, env *Env) error {
	var names []dnsrole.Name
	if o.serve.config != "" {
		z, at, err := o.zones(cmd, env)
		if err != nil {
			return err
		}
		defer at.close()
		names = z.List(time.Now())
	} else if err := web.Dial(o.socket).DNS(cmd.Context(), "", "", "", &names); err != nil {
		return o.dnsError(err)
	}
	if o.json {
		return json.NewEncoder(env.Out).Encode(names)
	}
	t := tabwriter.NewWriter(env.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tFILE\tORDER\tANSWERS\tSTANDS FOR")
	for _, n := range names {
		living := strings.Join(n.Living, " ")
		switch {
		case n.FailOpen:
			living += " (every one looks dead)"
		case len(n.Living) < len(n.From):
			living += fmt.Sprintf(" (%d of %d)", len(n.Living), len(n.From))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", strings.TrimSuffix(n.FQDN, "."), fit(n.File, 24), n.Order, boot.AnswersText(n.Answers), living)
	}
	return t.Flush()
}

func (o *dnsOptions) query(cmd *cobra.Command, env *Env, name string) error {
	from, err := clientPrefix(o.from)
	if err != nil {
		return usageError(cmd, err)
	}
	qtype, err := dnsrole.ParseType(o.qtype)
	if err != nil {
		return usageError(cmd, fmt.Errorf("--type: %w", err))
	}
	var e dnsrole.Explanation
	if o.serve.config != "" {
		z, at, err := o.zones(cmd, env)
		if err != nil {
			return err
		}
		defer at.close()
		e = z.Explain(name, qtype, from, time.Now())
	} else if err := web.Dial(o.socket).DNS(cmd.Context(), name, o.qtype, from.String(), &e); err != nil {
		return o.dnsError(err)
	}
	if o.json {
		err = json.NewEncoder(env.Out).Encode(e)
	} else {
		printDNS(env.Out, e)
	}
	if err == nil && len(e.Records) == 0 {
		err = &Error{Code: ExitProblems}
	}
	return err
}

// dnsError says how to do without the node that cannot be reached.
func (o *dnsOptions) dnsError(err error) error {
	err = daemonError(err)
	var e *Error
	if errors.As(err, &e) && e.Code == ExitNoDaemon {
		e.Hints = append(e.Hints, "--config FILE decides from a site file, and asks nobody")
	}
	return err
}

// clientPrefix reads an address, which asks by itself, or a subnet.
func clientPrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("--from: %q is neither an address nor a subnet, as in 10.10.1.77 or 10.10.1.0/24", s)
	}
	return p.Masked(), nil
}
