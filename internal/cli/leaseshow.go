package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/lease"
	"surefoot/internal/web"
)

func newLeaseShowCommand(env *Env) *cobra.Command {
	var o leaseOptions
	cmd := &cobra.Command{
		Use:   "show MAC|IP|NAME",
		Short: "all that is known of a machine's addresses, in words",
		Long: `Show the leases and reservations of a machine, or of an address: since when and until when, which node
gave it, through which relay and port, what the machine said of itself, and its last boot.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.show(cmd.Context(), env, args[0]) },
	}
	o.addFlags(cmd, env)
	return cmd
}

func (o *leaseOptions) show(ctx context.Context, env *Env, who string) error {
	var out web.LeaseShown
	var err error
	if o.file != "" {
		out, err = o.shownFile(ctx, env, who)
	} else if out, err = web.Dial(o.socket).Lease(ctx, who); err != nil {
		err = leaseError(err)
	}
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(env.Out, out)
	}
	printLeases(env.Out, who, out)
	return nil
}

func (o *leaseOptions) shownFile(ctx context.Context, env *Env, who string) (web.LeaseShown, error) {
	cfg := o.site(env)
	is := app.LeaseOf(cfg, who)
	out := web.LeaseShown{Time: time.Now(), Leases: []web.Lease{}, Reservations: app.ReservedFor(cfg, who)}
	list, err := readLeases(ctx, env, o.file, func(r lease.Record) bool { return r.State != lease.Free && is(r) })
	for _, r := range list {
		out.Leases = append(out.Leases, app.ShownLease(cfg, r, out.Time))
	}
	if err == nil && len(list)+len(out.Reservations) == 0 {
		err = &Error{Err: fmt.Errorf("there is no lease and no reservation of %q in %s", who, o.file), Machine: "not-found"}
	}
	return out, err
}

func printLeases(w io.Writer, who string, s web.LeaseShown) {
	for i, l := range s.Leases {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printLease(w, l, s.Time)
	}
	if len(s.Leases) == 0 {
		fmt.Fprint(w, wrap(who+" has no lease, and had none that is remembered", ""))
	}
	for _, r := range s.Reservations {
		text := "reserved in network " + r.Network + " for " + cmp.Or(r.MAC, r.DUID)
		if r.Name != "" {
			text += " (" + r.Name + ")"
		}
		if r.Addr.IsValid() {
			text += ": always " + r.Addr.String()
		}
		if r.Addr6.IsValid() {
			text += ": always " + r.Addr6.String()
		}
		if r.Boot != "" {
			text += "; boots by rule " + r.Boot
		}
		fmt.Fprint(w, wrap(text, ""))
	}
	if s.Story != nil {
		fmt.Fprintln(w, "\nits last boot:")
		printSteps(w, *s.Story)
	}
}

func printLease(w io.Writer, l web.Lease, now time.Time) {
	head := l.Addr.String() + "  " + machineOf(l)
	if name := cmp.Or(l.Name, l.Host); name != "" {
		head += "  " + name
	}
	fmt.Fprintf(w, "%s  network %s: %s\n", head, l.Network, l.State)
	row := func(name, text string) {
		if text != "" {
			wrapped(w, fmt.Sprintf("  %-9s ", name), 12, text)
		}
	}
	at := func(t time.Time) string { return t.Local().Format(time.DateTime) }
	switch l.State {
	case "active":
		row("until", at(l.Expires)+", in "+since(now, l.Expires))
	case "expired":
		row("until", at(l.Expires)+", "+since(l.Expires, now)+" ago; the machine gets it again if nobody else has by then")
	case "released":
		if l.Expires.After(now) { // another node may not have heard of it (nodes that share a store)
			row("rests", "until "+at(l.Expires)+", when its lease would have ended; its machine gets it again before")
			break
		}
		row("released", at(l.Expires)+", "+since(l.Expires, now)+" ago")
	case "declined":
		row("left alone", "until "+at(l.Expires)+": somebody else was found at this address")
	default:
		row("until", at(l.Expires))
	}
	row("since", at(l.Start)+", "+since(l.Start, now)+" ago (the last time that it was given or prolonged)")
	row("given by", "node "+l.Node)
	if l.Reserved {
		row("reserved", "yes, this address is this machine's alone")
	}
	if l.MAC != l.ID.String() {
		row("known by", l.ID.String())
	}
	if l.Host != "" && l.Host != l.Name {
		row("calls", "itself "+l.Host)
	}
	if l.Addr.Is6() { // whose record says so instead of a port
		row("duid", l.Circuit+" (and the IAID)")
		l.Circuit = ""
	}
	if l.Relay.IsValid() {
		row("relay", strings.TrimSuffix(l.Relay.String()+", port "+l.Circuit, ", port "))
	} else {
		row("port", l.Circuit)
	}
	row("class", l.Class)
	if l.Arch != nil && boot.Arch(*l.Arch) != boot.ArchUnknown {
		row("arch", boot.Arch(*l.Arch).String())
	}
}

type releaseOptions struct {
	socket    string
	yes, json bool
}

func newLeaseReleaseCommand(env *Env) *cobra.Command {
	var o releaseOptions
	cmd := &cobra.Command{
		Use:   "release MAC|IP",
		Short: "end a lease before its time",
		Long: `End a machine's lease, as if the machine had given it back: after its rest (dhcp.rest) the address may
go to another one. The machine does not hear of it: one that is still on goes on using the address
until it asks again. So release the leases of machines that are off, or are gone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args[0]) },
	}
	socketFlag(cmd, env, &o.socket)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON; needs --yes")
	return cmd
}

func (o *releaseOptions) run(ctx context.Context, env *Env, who string) error {
	c := web.Dial(o.socket)
	s, err := c.Lease(ctx, who)
	if err != nil {
		return leaseError(err)
	}
	var active []web.Lease
	for _, l := range s.Leases {
		if l.State == "active" {
			active = append(active, l)
		}
	}
	switch {
	case len(active) == 0:
		return &Error{Err: fmt.Errorf("there is no active lease of %s: nothing to release", who), Machine: "not-found", Hints: []string{"surefoot lease show " + who}}
	case len(active) > 1:
		return &Error{Code: ExitUsage, Machine: "ambiguous", Err: fmt.Errorf("%s has %d leases: name the address", who, len(active)), Hints: []string{"surefoot lease show " + who}}
	}
	l := active[0]
	if !o.yes {
		if o.json {
			return &Error{Code: ExitUsage, Machine: "usage", Err: errors.New("--json cannot ask: say --yes as well")}
		}
		printLease(env.Err, l, s.Time)
		fmt.Fprint(env.Err, wrap(fmt.Sprintf("This ends the lease, and %s may go to another machine. %s is not told: if it is on, it goes on using the address, and two machines may have it.", l.Addr, machineOf(l)), ""))
		if !confirmed(env, "Release "+l.Addr.String()+"? [y/N] ") {
			return &Error{Err: errors.New("nothing was released"), Machine: "not-confirmed", Hints: []string{"--yes does not ask"}}
		}
	}
	ended, err := c.Release(ctx, l.Addr.String())
	if err != nil {
		return leaseError(err)
	}
	if o.json {
		return printJSON(env.Out, web.LeaseEnd{Released: ended})
	}
	text := fmt.Sprintf("released: %s of %s in network %s", ended.Addr, machineOf(ended), ended.Network)
	if l.Reserved {
		text += "; it stays reserved for it"
	}
	fmt.Fprint(env.Out, wrap(text, ""))
	return nil
}

// confirmed asks, and takes anything but y or yes for no.
func confirmed(env *Env, question string) bool {
	fmt.Fprint(env.Err, question)
	if env.In == nil {
		return false
	}
	answer, _ := bufio.NewReader(env.In).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "" {
		fmt.Fprintln(env.Err)
	}
	return answer == "y" || answer == "yes"
}
