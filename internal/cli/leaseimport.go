package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/lease"
	"surefoot/internal/takeover"
	"surefoot/internal/web"
)

type leaseImportOptions struct {
	socket, from, file string
	serve              serveOptions
	dry, all, json     bool
}

func newLeaseImportCommand(env *Env) *cobra.Command {
	var o leaseImportOptions
	cmd := &cobra.Command{
		Use:   "import --from isc|kea|dnsmasq FILE...",
		Short: "take over the leases that another server gave",
		Long: `Take over the leases of another DHCP server, so that no machine changes its address: those that have
not run out keep their address and their end. Every lease of the files is accounted for: taken,
taken with a change, refused with the reason, or left because it is over. Stop the other server
first: what it gives afterwards is not in the file.

  --from isc       dhcpd.leases
  --from kea       kea-leases4.csv (memfile); what lease file cleanup left beside it is read, too
  --from dnsmasq   dnsmasq.leases

The leases go to the running node. With --file they go into the lease file of a node that is stopped,
whose site file (--config) says which networks it has. Exit status 3: something was refused.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, env, args) },
	}
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "whose files they are: isc, kea or dnsmasq")
	f.StringVar(&o.file, "file", "", "lease file of a node that is stopped; none: the running node takes them")
	f.StringVarP(&o.serve.config, "config", "c", "", "with --file: site file (default $SUREFOOT_CONFIG, else /etc/surefoot/surefoot.yaml)")
	f.StringVar(&o.serve.node, "node", "", "with --file: name of the node (default: the host name)")
	f.BoolVar(&o.dry, "dry-run", false, "say what would become of them, and change nothing")
	f.BoolVar(&o.all, "all", false, "show also what is taken as it is, and what is over")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *leaseImportOptions) run(cmd *cobra.Command, env *Env, files []string) error {
	items, err := o.read(cmd, env, files)
	if err != nil {
		return err
	}
	var records []lease.Record
	var of []*takeover.Item
	for i := range items {
		if l := items[i].Lease; l != nil {
			records = append(records, lease.Record{
				Addr: l.Addr, ID: l.ID, MAC: l.MAC, State: lease.Active, Start: l.Start, Expires: l.Expires, Host: l.Host, Class: l.Class,
			})
			of = append(of, &items[i])
		}
	}
	took, err := o.adopt(cmd, env, records)
	if err != nil && len(took) == 0 {
		return err
	}
	for i, t := range took {
		switch {
		case !t.Taken:
			refuse(of[i], t.Why)
		case t.Why != "":
			of[i].Verdict = takeover.Changed
			of[i].Why = append(of[i].Why, t.Why)
		}
	}
	for _, it := range of[len(took):] {
		refuse(it, fmt.Sprintf("the node did not answer: %v", err))
	}
	return printImport(env, items, "lease", o.dry, o.all, o.json)
}

// printImport prints an account and says by the exit code whether something was refused.
func printImport(env *Env, items []takeover.Item, what string, dry, all, asJSON bool) error {
	n := map[takeover.Verdict]int{}
	if asJSON {
		for _, it := range items {
			n[it.Verdict]++
		}
		if items == nil {
			items = []takeover.Item{}
		}
		if err := printJSON(env.Out, importJSON{DryRun: dry, Taken: n[takeover.Taken] + n[takeover.Changed], Items: items}); err != nil {
			return err
		}
	} else {
		n = printAccount(env.Out, items, all)
		printTally(env.Out, n, len(items), what, all)
		if dry {
			fmt.Fprintln(env.Out, "nothing was changed (--dry-run)")
		}
	}
	if n[takeover.Refused] > 0 {
		return &Error{Code: ExitProblems}
	}
	return nil
}

func (o *leaseImportOptions) read(cmd *cobra.Command, env *Env, files []string) ([]takeover.Item, error) {
	now := time.Now()
	var items []takeover.Item
	for _, name := range files {
		var sources []takeover.Source
		if o.from == fromKea && name != "-" {
			var err error
			if sources, err = keaFiles(env, name); err != nil {
				return nil, err
			}
		} else {
			data, err := readForeign(env, name)
			if err != nil {
				return nil, err
			}
			sources = []takeover.Source{{Name: name, Data: data}}
		}
		switch o.from {
		case fromISC:
			items = append(items, takeover.ISCLeases(name, sources[0].Data, now)...)
		case fromKea:
			items = append(items, takeover.KeaLeases(sources, now)...)
		case fromDnsmasq:
			items = append(items, takeover.DnsmasqLeases(name, sources[0].Data, now)...)
		default:
			return nil, usageError(cmd, errors.New("--from is needed: isc, kea or dnsmasq"))
		}
	}
	return items, nil
}

// keaFiles reads what belongs to a memfile, in the order in which Kea loads it: a cleanup that was finished
// and not yet put in place, or the two files of one that was not finished; then the file itself.
func keaFiles(env *Env, name string) ([]takeover.Source, error) {
	var out []takeover.Source
	add := func(path string, must bool) (bool, error) {
		data, err := readForeign(env, path)
		if !must && errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		out = append(out, takeover.Source{Name: path, Data: data})
		return true, nil
	}
	done, err := add(name+".completed", false)
	if err == nil && !done {
		if _, err = add(name+".2", false); err == nil {
			_, err = add(name+".1", false)
		}
	}
	if err == nil {
		_, err = add(name, true)
	}
	return out, err
}

// adopt hands leases to the running node, or writes them into the file of a stopped one.
func (o *leaseImportOptions) adopt(cmd *cobra.Command, env *Env, records []lease.Record) ([]web.Adopted, error) {
	if len(records) == 0 {
		return nil, nil
	}
	ctx := cmd.Context()
	if o.file == "" {
		out, err := web.Dial(o.socket).Adopt(ctx, records, o.dry)
		if err != nil {
			err = leaseError(err)
		}
		return out, err
	}
	return o.intoFile(ctx, cmd, env, records)
}

func (o *leaseImportOptions) intoFile(ctx context.Context, cmd *cobra.Command, env *Env, records []lease.Record) ([]web.Adopted, error) {
	opts, err := o.serve.options(cmd, env)
	if err != nil {
		return nil, err
	}
	cfg, err := app.LoadConfig(opts)
	if err != nil {
		return nil, err
	}
	return app.AdoptIntoFile(ctx, cfg, o.file, records, opts, o.dry)
}
