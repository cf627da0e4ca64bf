package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/store/leasedb"
	"surefoot/internal/web"
)

const leaseLong = `The addresses that this node's DHCP server gave out (networks with deliver: dhcp).

  surefoot lease                                 the same as list
  surefoot lease list --network vdi --state active --csv
  surefoot lease show 52:54:00:12:34:56          all that is known of a machine's addresses, in words
  surefoot lease release 10.10.1.7               end a lease before its time
  surefoot lease import --from isc dhcpd.leases  take over what another server gave

They are asked of the running node; with --file they are read from the file of one that is stopped.`

// leaseOptions are those of all verbs that read leases.
type leaseOptions struct {
	socket, file, config string
	json                 bool
}

func (o *leaseOptions) addFlags(cmd *cobra.Command, env *Env) {
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "lease file of a stopped node (/var/lib/surefoot/leases.db)")
	f.StringVarP(&o.config, "config", "c", "", "with --file: site file, for names (default as for surefoot config)")
	f.BoolVar(&o.json, "json", false, "print JSON")
}

// site is the site file for names, nil if there is none to read.
func (o *leaseOptions) site(env *Env) *config.Config {
	for _, path := range []string{o.config, env.Getenv("SUREFOOT_CONFIG"), config.DefaultPath} {
		if path == "" {
			continue
		}
		if cfg, err := config.Load(path, config.Options{AnyNode: true}); err == nil {
			return cfg
		}
	}
	return nil
}

type leaseListOptions struct {
	leaseOptions
	network, state, text string
	limit                int
	csv, follow          bool
}

func newLeaseCommand(env *Env) *cobra.Command {
	var o leaseListOptions
	cmd := &cobra.Command{
		Use: "lease", Short: "addresses that machines have", Long: leaseLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	o.addFlags(cmd, env)
	cmd.AddCommand(newLeaseListCommand(env), newLeaseShowCommand(env), newLeaseReleaseCommand(env), newLeaseImportCommand(env))
	return cmd
}

func newLeaseListCommand(env *Env) *cobra.Command {
	var o leaseListOptions
	cmd := &cobra.Command{
		Use:   "list [TEXT]",
		Short: "leases, by network and address",
		Long: `List leases in the order of networks and addresses; with TEXT those whose MAC address, address or name
has it in it. STATE is active, expired (its time is over), offered, released or declined (somebody
else was found at the address).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.text = strings.Join(args, "")
			return o.run(cmd, env)
		},
	}
	o.addFlags(cmd, env)
	f := cmd.Flags()
	f.StringVar(&o.network, "network", "", "of this network only")
	f.StringVar(&o.state, "state", "", "in this state only: active, expired, offered, released, declined")
	f.IntVar(&o.limit, "limit", 0, "at the most (default: all)")
	f.BoolVar(&o.csv, "csv", false, "print CSV")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with those that are given or change, until Ctrl-C")
	return cmd
}

func (o *leaseListOptions) run(cmd *cobra.Command, env *Env) error {
	if o.csv && o.json {
		return usageError(cmd, errors.New("--csv and --json exclude each other"))
	}
	if o.follow && o.file != "" {
		return usageError(cmd, errors.New("--follow asks a running node, and --file reads a stopped one's"))
	}
	out := o.printer(env)
	var err error
	if o.file != "" {
		err = o.fromFile(cmd.Context(), env, out.one)
	} else {
		err = o.fromNode(cmd.Context(), out.one)
	}
	if err == nil && o.follow {
		out.flush()
		err = o.followOn(cmd.Context(), out)
	}
	if err != nil {
		return err
	}
	return out.end()
}

// page is how many leases are asked for at once.
const leasePage = 5000

func (o *leaseListOptions) fromNode(ctx context.Context, each func(web.Lease) error) error {
	q := web.LeaseQuery{Network: o.network, State: o.state, Text: o.text, Limit: leasePage}
	for n := 0; ; {
		if o.limit > 0 {
			q.Limit = min(leasePage, o.limit-n)
		}
		page, err := web.Dial(o.socket).Leases(ctx, q)
		if err != nil {
			return leaseError(err)
		}
		for _, l := range page.Leases {
			if err := each(l); err != nil {
				return err
			}
		}
		n += len(page.Leases)
		if q.After = page.Next; q.After == "" || o.limit > 0 && n >= o.limit {
			return nil
		}
	}
}

// leaseError gives errors of the API their codes.
func leaseError(err error) error {
	var none *web.NotFoundError
	if errors.As(err, &none) {
		return &Error{Err: err, Machine: "not-found", Hints: []string{"surefoot status shows the networks of this node; surefoot lease list its leases"}}
	}
	return daemonError(err)
}

// fromFile reads the leases of a stopped node. They fit in memory: so they did in the node's.
func (o *leaseListOptions) fromFile(ctx context.Context, env *Env, each func(web.Lease) error) error {
	cfg, now := o.site(env), time.Now()
	wanted, err := app.LeaseFilter(cfg, web.LeaseQuery{Network: o.network, State: o.state, Text: o.text}, now)
	if err != nil {
		return &Error{Code: ExitUsage, Err: err, Machine: "usage"}
	}
	list, err := readLeases(ctx, env, o.file, wanted)
	if err != nil {
		return err
	}
	for i, r := range list {
		if o.limit > 0 && i == o.limit {
			break
		}
		if err := each(app.ShownLease(cfg, r, now)); err != nil {
			return err
		}
	}
	return nil
}

// readLeases reads records of a lease file, in the order of networks and addresses.
func readLeases(ctx context.Context, env *Env, file string, wanted func(lease.Record) bool) ([]lease.Record, error) {
	var list []lease.Record
	damaged, err := leasedb.Read(ctx, file, func(r lease.Record) {
		if wanted(r) {
			list = append(list, r)
		}
	})
	if err != nil {
		e := &Error{Err: err}
		if errors.Is(err, fs.ErrNotExist) {
			e.Hints = []string{"surefoot config show --effective says where the leases are (dhcp.leases)"}
		}
		if errors.Is(err, fs.ErrPermission) {
			e.Code, e.Machine = ExitNotPermitted, "not-permitted"
		}
		return nil, e
	}
	if damaged > 0 {
		fmt.Fprintf(env.Err, "warning: %s in %s cannot be read\n", plural(damaged, "record"), file)
	}
	slices.SortFunc(list, func(a, b lease.Record) int { return cmp.Or(cmp.Compare(a.Scope, b.Scope), a.Addr.Compare(b.Addr)) })
	return list, nil
}

// followEvery is how often a node is asked what has changed.
const followEvery = time.Second

// followOn prints leases whose record is another one than before.
func (o *leaseListOptions) followOn(ctx context.Context, out *leasePrinter) error {
	type key struct{ network, addr string }
	seen := map[key]string{}
	note := func(l web.Lease) bool {
		k, v := key{l.Network, l.Addr.String()}, fmt.Sprint(l.Serial, l.State)
		changed := seen[k] != v
		seen[k] = v
		return changed
	}
	if err := o.fromNode(ctx, func(l web.Lease) error { note(l); return nil }); err != nil {
		return err
	}
	for pause := followEvery; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		began := time.Now()
		err := o.fromNode(ctx, func(l web.Lease) error {
			if !note(l) {
				return nil
			}
			return out.one(l)
		})
		if err != nil {
			return err
		}
		out.flush()
		pause = max(followEvery, 5*time.Since(began)) // of many leases less often
	}
}

// leasePrinter prints leases one by one: a hundred thousand are not collected before.
type leasePrinter struct {
	w    *bufio.Writer
	one  func(web.Lease) error
	end  func() error
	csv  *csv.Writer
	seen int
}

func (p *leasePrinter) flush() {
	if p.csv != nil {
		p.csv.Flush()
	}
	_ = p.w.Flush()
}

const leaseRow = "%-12s  %-15s  %-17s  %-8s  %-10s  %-19s  %s\n"

func (o *leaseListOptions) printer(env *Env) *leasePrinter {
	p := &leasePrinter{w: bufio.NewWriter(env.Out)}
	p.end = p.w.Flush
	switch {
	case o.json: // a line for each
		enc := json.NewEncoder(p.w)
		p.one = func(l web.Lease) error { return enc.Encode(l) }
	case o.csv:
		p.csv = csv.NewWriter(p.w)
		_ = p.csv.Write([]string{"network", "ip", "mac", "id", "state", "name", "host", "start", "expires", "node", "relay", "circuit", "class"})
		p.one = func(l web.Lease) error {
			relay := ""
			if l.Relay.IsValid() {
				relay = l.Relay.String()
			}
			return p.csv.Write([]string{
				l.Network, l.Addr.String(), l.MAC, l.ID.String(), l.State, l.Name, l.Host, l.Start.Format(time.RFC3339), l.Expires.Format(time.RFC3339),
				l.Node, relay, l.Circuit, l.Class,
			})
		}
		p.end = func() error {
			p.csv.Flush()
			return errors.Join(p.csv.Error(), p.w.Flush())
		}
	default:
		now := time.Now()
		p.one = func(l web.Lease) error {
			if p.seen == 0 {
				fmt.Fprintf(p.w, leaseRow, "NETWORK", "ADDRESS", "MACHINE", "STATE", "LEFT", "SINCE", "NAME")
			}
			p.seen++
			_, err := fmt.Fprintf(p.w, leaseRow, fit(l.Network, 12), l.Addr, machineOf(l), l.State, leftOf(l, now), l.Start.Local().Format(time.DateTime), cmp.Or(l.Name, l.Host, "-"))
			return err
		}
		p.end = func() error {
			if p.seen == 0 {
				fmt.Fprintln(p.w, o.none())
			}
			return p.w.Flush()
		}
	}
	return p
}

// none says that nothing was found, as what was asked for.
func (o *leaseListOptions) none() string {
	if o.network == "" && o.state == "" && o.text == "" {
		return "no machine has been given an address yet"
	}
	return "no lease is like that"
}

func machineOf(l web.Lease) string { return cmp.Or(l.MAC, fit(l.ID.String(), 17), "-") }

// leftOf is how long a lease lasts, or for how long it is over.
func leftOf(l web.Lease, now time.Time) string {
	switch {
	case l.State == "active" || l.State == "declined" && l.Expires.After(now):
		return since(now, l.Expires)
	case l.Expires.IsZero():
		return "-"
	}
	return "-" + since(l.Expires, now)
}

// printPools prints how full the networks are.
func printPools(w io.Writer, pools []web.PoolUsage) {
	if len(pools) == 0 {
		return
	}
	const row = "%-16s  %9s  %9s  %8s  %9s  %8s  %9s  %9s  %s\n"
	fmt.Fprintf(w, "\n"+strings.Replace(row, "  %s\n", "%s\n", 1), "ADDRESSES OF", "ALL", "LEASED", "OFFERED", "DECLINED", "RESTING", "RESERVED", "FREE", "")
	for _, p := range pools {
		note := map[string]string{"nearly": "nearly full", "empty": "NOTHING LEFT"}[p.Full]
		fmt.Fprint(w, strings.TrimRight(fmt.Sprintf(row, fit(p.Network, 16), num(p.Size), num(p.Active), num(p.Offered), num(p.Declined), num(p.Resting), num(p.Reserved), num(p.Free), note), " \n")+"\n")
	}
}

func num(n int) string { return fmt.Sprint(n) }
