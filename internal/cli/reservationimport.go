package cli

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/takeover"
)

type reservationImportOptions struct {
	reservationOptions
	from string
	all  bool
}

func newReservationImportCommand(env *Env) *cobra.Command {
	var o reservationImportOptions
	cmd := &cobra.Command{
		Use:   "import --from isc|kea|dnsmasq FILE...",
		Short: "take over the reservations of another server",
		Long: `Take the reservations of another DHCP server into the file of reservations of a network (--network). Of
the files, every object is accounted for: taken, taken with a change, refused with the reason, or left
because it is no reservation. With --dry-run nothing is written.

  --from isc       dhcpd.conf: host declarations, also in groups and shared networks
  --from kea       kea-dhcp4.conf: global reservations and those of subnets
  --from dnsmasq   dnsmasq.conf, files of dhcp-hostsfile, /etc/ethers

Addresses outside of the network's subnet are refused: import each network by itself. Exit status 3:
something was refused.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(env, cmd, args) },
	}
	o.addFlags(cmd, true)
	socketFlag(cmd, env, &o.socket)
	cmd.Flags().StringVar(&o.from, "from", "", "whose files they are: isc, kea or dnsmasq")
	cmd.Flags().BoolVar(&o.all, "all", false, "show also what is taken as it is, and what is no reservation")
	return cmd
}

func (o *reservationImportOptions) run(env *Env, cmd *cobra.Command, files []string) error {
	var items []takeover.Item
	for _, name := range files {
		data, err := readForeign(env, name)
		if err != nil {
			return err
		}
		switch o.from {
		case fromISC:
			items = append(items, takeover.ISCReservations(name, data)...)
		case fromKea:
			items = append(items, takeover.KeaReservations(name, data)...)
		case fromDnsmasq:
			items = append(items, takeover.DnsmasqReservations(name, data)...)
		default:
			return usageError(cmd, errors.New("--from is needed: isc, kea or dnsmasq"))
		}
	}
	s, err := o.site(env)
	if err != nil {
		return err
	}
	n, err := s.choose(o.network, netip.Addr{})
	if err != nil {
		return err
	}
	list := s.fitting(n, items)
	quiet := *env
	said := ""
	if len(list) > 0 {
		w := &catcher{}
		quiet.Out = w
		err = o.change(&quiet, cmd, s, n.Table, func(was []byte) ([]byte, string, error) {
			is, err := config.AddToTable(was, list)
			return is, fmt.Sprintf("added to %s: %s in network %s", n.Table, plural(len(list), "reservation"), n.Name), err
		})
		if said = w.text; err != nil {
			return err
		}
	}
	err = printImport(env, items, "reservation", o.dry, o.all, o.json)
	if !o.json && said != "" {
		fmt.Fprint(env.Out, said)
	}
	return err
}

// catcher keeps what is written, so that it is said after the account.
type catcher struct{ text string }

func (c *catcher) Write(b []byte) (int, error) { c.text += string(b); return len(b), nil }

// fitting chooses what fits into a network beside what is there, and says of the rest why it does not.
func (s *reservedSite) fitting(n config.PlacedNetwork, items []takeover.Item) []config.Placed {
	machines, addrs := map[boot.MAC]string{}, map[netip.Addr]string{}
	for _, r := range s.Reservations {
		if r.Network == n.Name {
			place := fmt.Sprintf("%s:%d", r.File, r.Line)
			machines[r.MAC] = place
			if r.Addr.IsValid() {
				addrs[r.Addr] = place
			}
		}
	}
	var out []config.Placed
	for i := range items {
		it := &items[i]
		r := it.Reservation
		if r == nil {
			continue
		}
		p := config.Placed{Network: n.Name, MAC: r.MAC, Name: r.Name}
		fits := len(r.Addrs) == 0
		if !fits {
			p.Addr, fits = r.One(n.Subnet)
		}
		was, twice := machines[r.MAC]
		where, used := addrs[p.Addr]
		switch {
		case !fits:
			refuse(it, fmt.Sprintf("%s is not within network %s (%s)", r.Addrs[0], n.Name, n.Subnet))
			continue
		case twice:
			refuse(it, fmt.Sprintf("%s has a reservation in this network already: %s", r.MAC, was))
			continue
		case used && p.Addr.IsValid():
			refuse(it, fmt.Sprintf("%s is reserved already: %s", p.Addr, where))
			continue
		case n.Subnet.Bits() < 31 && p.Addr.IsValid() && (p.Addr == n.Subnet.Masked().Addr() || !n.Subnet.Contains(p.Addr.Next())):
			refuse(it, fmt.Sprintf("%s is the first or the last address of %s, which no machine can have", p.Addr, n.Subnet))
			continue
		case !p.Addr.IsValid() && p.Name == "":
			refuse(it, "it says neither an address nor a name")
			continue
		}
		if len(r.Addrs) > 1 {
			it.Verdict = takeover.Changed
			it.Why = append(it.Why, fmt.Sprintf("of its %d addresses %s is taken, the one in this network", len(r.Addrs), p.Addr))
		}
		place := fmt.Sprintf("%s:%d", it.File, it.Line)
		machines[r.MAC] = place
		if p.Addr.IsValid() {
			addrs[p.Addr] = place
		}
		out = append(out, p)
	}
	return out
}
