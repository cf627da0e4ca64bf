package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/wire/dhcp6"
)

type reservationAddOptions struct {
	reservationOptions
	ip, ip6, name, rule string
}

func newReservationAddCommand(env *Env) *cobra.Command {
	var o reservationAddOptions
	cmd := &cobra.Command{
		Use:   "add MAC|DUID [--ip IP] [--ip6 IP] [--name NAME] [--boot RULE]",
		Short: "bind a machine to an address, a name or a boot rule",
		Long: `Add a line to the file of reservations of a network: of --network, else of the one that the address is
in, else of the only one that has a file. What config check would refuse is refused. All other lines of
the file stay as they are. A machine whose MAC address DHCPv6 does not tell is named by its DUID, in
hexadecimal, as surefoot lease show has it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(env, cmd, args[0]) },
	}
	o.addFlags(cmd, true)
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.StringVar(&o.ip, "ip", "", "the address that it always gets")
	f.StringVar(&o.ip6, "ip6", "", "the IPv6 address that it always gets")
	f.StringVar(&o.name, "name", "", "what it is called")
	f.StringVar(&o.rule, "boot", "", "the boot rule that holds for it")
	return cmd
}

func (o *reservationAddOptions) run(env *Env, cmd *cobra.Command, text string) error {
	r := config.Placed{Name: o.name, Boot: o.rule}
	var err error
	if r.MAC, err = boot.ParseMAC(foldMAC(text)); err != nil {
		if r.DUID = duidOf(text); r.DUID == "" {
			return usageError(cmd, err)
		}
	}
	for flag, text := range map[string]string{"ip": o.ip, "ip6": o.ip6} {
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			return usageError(cmd, fmt.Errorf("--%s: %q is not an address", flag, text))
		case a.Is4() && flag == "ip6":
			return usageError(cmd, fmt.Errorf("--ip6: %s is an IPv4 address", a))
		case a.Is4():
			r.Addr = a
		case r.Addr6.IsValid() && r.Addr6 != a:
			return usageError(cmd, errors.New("--ip and --ip6 are two IPv6 addresses, and one is reserved"))
		default:
			r.Addr6 = a
		}
	}
	s, err := o.site(env)
	if err != nil {
		return err
	}
	in := r.Addr
	if !in.IsValid() {
		in = r.Addr6
	}
	n, err := s.choose(o.network, in)
	if err != nil {
		return err
	}
	return o.change(env, cmd, s, n.Table, func(was []byte) ([]byte, string, error) {
		is, err := config.AddToTable(was, []config.Placed{r})
		return is, fmt.Sprintf("added to %s: %s%s%s in network %s", n.Table, r.Who(), prefixed(", ", addrOr(r.Addr, "")), prefixed(", ", addrOr(r.Addr6, "")), n.Name), err
	})
}

// duidOf reads a DUID, "" if it is none. Those of machines have seven bytes at the least: less is a mistyped MAC
// address.
func duidOf(s string) string {
	id, err := dhcp6.ParseDUID(strings.NewReplacer(":", "", "-", "").Replace(strings.ToLower(strings.TrimSpace(s))))
	if err != nil || len(id) < 7 {
		return ""
	}
	return id.String()
}

// foldMAC takes a MAC address of twelve digits alone, too.
func foldMAC(s string) string {
	s = strings.TrimSpace(s)
	if len(s) != 12 || strings.ContainsAny(s, ":-.") {
		return s
	}
	return s[:2] + ":" + s[2:4] + ":" + s[4:6] + ":" + s[6:8] + ":" + s[8:10] + ":" + s[10:]
}

func newReservationRemoveCommand(env *Env) *cobra.Command {
	var o reservationOptions
	cmd := &cobra.Command{
		Use:   "remove MAC|DUID|IP|NAME",
		Short: "take a machine out of the file of reservations",
		Long: `Take a machine's line out of the file of reservations that it stands in. A lease that it has goes on
until it ends. What stands in the site file itself is yours to take out.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.remove(env, cmd, args[0]) },
	}
	o.addFlags(cmd, true)
	socketFlag(cmd, env, &o.socket)
	return cmd
}

func (o *reservationOptions) remove(env *Env, cmd *cobra.Command, who string) error {
	s, err := o.site(env)
	if err != nil {
		return err
	}
	mac, err := boot.ParseMAC(foldMAC(who))
	isMAC, duid := err == nil, duidOf(who)
	ip, _ := netip.ParseAddr(who)
	var found []config.Placed
	for _, r := range s.Reservations {
		if (o.network == "" || r.Network == o.network) && (isMAC && r.MAC == mac || duid != "" && r.DUID == duid || ip.IsValid() && (r.Addr == ip || r.Addr6 == ip) || strings.EqualFold(r.Name, who) && who != "") {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0:
		return &Error{Err: fmt.Errorf("there is no reservation of %s", who), Machine: "not-found", Hints: []string{"surefoot reservation list shows what there is"}}
	case len(found) > 1:
		e := &Error{Code: ExitUsage, Machine: "ambiguous", Err: fmt.Errorf("%s means %d reservations", who, len(found))}
		for _, r := range found[:min(3, len(found))] {
			e.Hints = append(e.Hints, fmt.Sprintf("%s:%d: %s in network %s: name the MAC address or DUID, and --network", r.File, r.Line, r.Who(), r.Network))
		}
		return e
	case found[0].File == s.path:
		return &Error{Err: errors.New("it stands in the site file, which is not changed from here"), Machine: "site-file", Hints: []string{fmt.Sprintf("take it out of line %d of %s, then surefoot reload", found[0].Line, s.path)}}
	}
	r := found[0]
	return o.change(env, cmd, s, r.File, func(was []byte) ([]byte, string, error) {
		is, n, err := config.DropFromTable(was, r)
		if err == nil && n == 0 {
			err = fmt.Errorf("%s is not in %s any more", r.Who(), r.File)
		}
		return is, fmt.Sprintf("removed from %s: %s%s%s", r.File, r.Who(), prefixed(", ", addrOr(r.Addr, "")), prefixed(", ", addrOr(r.Addr6, ""))), err
	})
}
