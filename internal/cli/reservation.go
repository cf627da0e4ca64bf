package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/web"
)

const reservationLong = `Machines that always get the same address, or a boot rule of their own: those of the site file, and
those of the files that networks.NAME.reservations_file names. Only the latter are changed here: the
site file is yours.

  surefoot reservation                            the same as list
  surefoot reservation add 52:54:00:12:34:56 --ip 10.10.0.90 --name pc-90 --network vdi --reload
  surefoot reservation remove pc-90
  surefoot reservation import --from isc dhcpd.conf --network vdi --dry-run`

// reservationOptions are those of all verbs.
type reservationOptions struct {
	socket, config, network string
	json, reload, dry       bool
}

func (o *reservationOptions) addFlags(cmd *cobra.Command, changes bool) {
	f := cmd.Flags()
	f.StringVarP(&o.config, "config", "c", "", "site file (default $SUREFOOT_CONFIG, else "+config.DefaultPath+")")
	f.StringVar(&o.network, "network", "", "the network")
	f.BoolVar(&o.json, "json", false, "print JSON")
	if changes {
		f.BoolVar(&o.reload, "reload", false, "have the running node read it at once")
		f.BoolVar(&o.dry, "dry-run", false, "say what would be written, and change nothing")
	}
}

func newReservationCommand(env *Env) *cobra.Command {
	var o reservationOptions
	list := func(_ *cobra.Command, args []string) error { return o.list(env, strings.Join(args, "")) }
	cmd := &cobra.Command{Use: "reservation", Short: "machines with an address or a boot rule of their own", Long: reservationLong, Args: cobra.NoArgs, RunE: list}
	o.addFlags(cmd, false)
	ls := &cobra.Command{
		Use: "list [TEXT]", Short: "reservations, with the place where each stands", Args: cobra.MaximumNArgs(1), RunE: list,
		Long: `List the reservations of the site file and of the files that it names, in their order; with TEXT those
whose MAC address, address or name has it in it.`,
	}
	o.addFlags(ls, false)
	cmd.AddCommand(ls, newReservationAddCommand(env), newReservationRemoveCommand(env), newReservationImportCommand(env))
	return cmd
}

// site is a site file with its reservations.
type reservedSite struct {
	path string
	data []byte
	config.PlacedIn
}

func (o *reservationOptions) site(env *Env) (*reservedSite, error) {
	s := &reservedSite{path: cmp.Or(o.config, env.Getenv("SUREFOOT_CONFIG"), config.DefaultPath)}
	var err error
	if s.data, err = config.Read(s.path); err != nil {
		return nil, err
	}
	s.PlacedIn = config.Reservations(s.path, s.data, config.Options{Read: config.ReadTable})
	return s, nil
}

// reservationsJSON is what list prints.
type reservationsJSON struct {
	Reservations []config.Placed `json:"reservations"`
}

func (o *reservationOptions) list(env *Env, text string) error {
	s, err := o.site(env)
	if err != nil {
		return err
	}
	out := reservationsJSON{Reservations: []config.Placed{}}
	text = strings.ToLower(text)
	if mac, err := boot.ParseMAC(text); err == nil {
		text = mac.String()
	}
	for _, r := range s.Reservations {
		ip, ip6 := addrOr(r.Addr, ""), addrOr(r.Addr6, "")
		if (o.network == "" || r.Network == o.network) && (strings.Contains(r.Who(), text) || strings.Contains(ip, text) || strings.Contains(ip6, text) || strings.Contains(strings.ToLower(r.Name), text)) {
			out.Reservations = append(out.Reservations, r)
		}
	}
	if o.json {
		return printJSON(env.Out, out)
	}
	if len(out.Reservations) == 0 {
		_, err := fmt.Fprintln(env.Out, "no reservation is like that")
		return err
	}
	const row = "%-12s  %-17s  %-15s  %-20s  %-12s  %s\n"
	fmt.Fprintf(env.Out, row, "NETWORK", "MACHINE", "ADDRESS", "NAME", "BOOT", "STANDS IN")
	for _, r := range out.Reservations {
		addrs := addrOr(r.Addr, "-")
		if r.Addr6.IsValid() {
			addrs = strings.TrimPrefix(addrs+" ", "- ") + r.Addr6.String()
		}
		fmt.Fprintf(env.Out, row, fit(r.Network, 12), r.Who(), addrs, cmp.Or(fit(r.Name, 20), "-"), cmp.Or(fit(r.Boot, 12), "-"), fmt.Sprintf("%s:%d", r.File, r.Line))
	}
	return nil
}

func addrOr(a netip.Addr, none string) string {
	if !a.IsValid() {
		return none
	}
	return a.String()
}

// choose finds the network whose file is meant: by its name, by the address, or because it is the only one.
func (s *reservedSite) choose(name string, ip netip.Addr) (config.PlacedNetwork, error) {
	var have, tables []string
	var found []config.PlacedNetwork
	for _, n := range s.Networks {
		have = append(have, n.Name)
		if n.Table != "" {
			tables = append(tables, n.Name)
		}
		if n.Name == name || name == "" && (ip.IsValid() && (n.Subnet.Contains(ip) || n.Subnet6.Contains(ip)) || !ip.IsValid() && n.Table != "") {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 0 && name != "":
		return config.PlacedNetwork{}, fmt.Errorf("there is no network %q in %s: it has %s", name, s.path, orNone(strings.Join(have, ", ")))
	case len(found) == 0 && ip.IsValid():
		return config.PlacedNetwork{}, fmt.Errorf("no network of %s has the address %s", s.path, ip)
	case len(found) == 0 && len(have) == 1:
		found = append(found, s.Networks[0])
	case len(found) != 1:
		return config.PlacedNetwork{}, fmt.Errorf("which network? --network: %s", orNone(strings.Join(tables, ", ")))
	}
	n := found[0]
	if n.Table == "" {
		return n, &Error{
			Err: fmt.Errorf("network %s has no file of reservations, and the site file is not changed from here", n.Name), Machine: "no-file",
			Hints: []string{fmt.Sprintf("write reservations_file: /etc/surefoot/%s.csv into networks.%s of %s", n.Name, n.Name, s.path), "or write the reservation into networks." + n.Name + ".reservations there"},
		}
	}
	return n, nil
}

// refusal checks the site with another text of one of its files, and returns what would be wrong because
// of it.
func (s *reservedSite) refusal(table string, text []byte) error {
	with := func(text []byte) error {
		_, err := config.CheckWith(s.path, s.data, config.Options{Interfaces: []string{"any"}, Read: func(path string) ([]byte, error) {
			if path == table {
				return text, nil
			}
			return config.ReadTable(path)
		}})
		return err
	}
	var after *config.Errors
	if err := with(text); err == nil || !errors.As(err, &after) {
		return err
	}
	var before *config.Errors
	if was, err := config.ReadTable(table); err == nil {
		_ = errors.As(with(was), &before)
	}
	news := *after
	news.Problems = slices.DeleteFunc(slices.Clone(after.Problems), func(p config.Problem) bool {
		return before != nil && slices.ContainsFunc(before.Problems, func(q config.Problem) bool {
			return p.File == q.File && p.Message == q.Message && p.Excerpt == q.Excerpt
		})
	})
	if len(news.Problems) == 0 {
		return nil // it was wrong before, and not because of this
	}
	return &news
}

// change edits the file of a network, if the site is right with it, and has the node read it.
func (o *reservationOptions) change(env *Env, cmd *cobra.Command, s *reservedSite, table string, edit func([]byte) (text []byte, said string, err error)) error {
	said := ""
	err := config.EditTable(table, func(was []byte) ([]byte, error) {
		text, what, err := edit(was)
		if err != nil {
			return nil, err
		}
		said = what
		if err := s.refusal(table, text); err != nil {
			return nil, &Error{Err: fmt.Errorf("nothing was written, since surefoot config check would refuse it:\n%w", err), Machine: "refused"}
		}
		if o.dry {
			return nil, nil
		}
		return text, nil
	})
	switch {
	case err != nil:
		return err
	case o.dry:
		_, err = fmt.Fprint(env.Out, wrap("would be "+said+" (--dry-run: nothing was changed)", ""))
		return err
	case !o.reload:
		_, err = fmt.Fprint(env.Out, wrap(said+"; surefoot reload has the node read it", ""))
		return err
	}
	if _, err := web.Dial(o.socket).Reload(cmd.Context()); err != nil {
		return daemonError(fmt.Errorf("%s; but the node did not read it: %w", said, err))
	}
	_, err = fmt.Fprint(env.Out, wrap(said+"; the node has read it", ""))
	return err
}
