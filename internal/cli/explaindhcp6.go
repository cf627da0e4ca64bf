package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/web"
	"surefoot/internal/wire/dhcp6"
)

const explainDHCP6Long = `Say what a node of the site answers a machine by DHCPv6, and why: what its lease belongs to, which
address it gets, and which file. It decides as the server does, with the leases of the node if it runs
here.

  surefoot explain dhcp6 --mac 52:54:00:12:34:56 --arch uefi-x64
  surefoot explain dhcp6 --mac 52:54:00:12:34:56 --arch 16 --inform       what it boots, with an address from elsewhere
  surefoot explain dhcp6 --duid 0004c7c0a1f2... --iaid 7 --network vdi    a system that hides its MAC address
  surefoot explain dhcp6 --mac 52:54:00:12:34:56 --relay fd00:10:11::1    behind a relay

Without --duid the machine calls itself by its MAC address. Without --network or --relay it is on the
link of the first network with a section dhcp6. Exit status 3 says that it would get no answer.`

type explainDHCP6Options struct {
	serve          serveOptions
	mac, duid      string
	iaid           uint32
	arch, as       string
	network, relay string
	from           string
	inform, json   bool
}

func newExplainDHCP6Command(env *Env) *cobra.Command {
	var o explainDHCP6Options
	cmd := &cobra.Command{
		Use:   "dhcp6 --mac MAC | --duid DUID [--arch ARCH]",
		Short: "what a machine gets by DHCPv6, and why",
		Long:  explainDHCP6Long,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	f := cmd.Flags()
	f.StringVar(&o.mac, "mac", "", "the machine's MAC address, of which its link-local address is made")
	f.StringVar(&o.duid, "duid", "", "what it calls itself, in hexadecimal")
	f.Uint32Var(&o.iaid, "iaid", 1, "number of the association")
	f.StringVar(&o.from, "from", "", "its link-local address, where it is not made of the MAC address")
	f.StringVar(&o.arch, "arch", "", "architecture, as uefi-x64, or a number of option 61; without it, it is a system")
	f.StringVar(&o.as, "as", "", "firmware: "+joined(boot.Firmwares()))
	f.StringVar(&o.network, "network", "", "name of the network that the machine is on")
	f.StringVar(&o.relay, "relay", "", "address in the machine's network of the relay that forwards its packets (link-address)")
	f.BoolVar(&o.inform, "inform", false, "it sends an INFORMATION-REQUEST: it has an address")
	f.StringVarP(&o.serve.config, "config", "c", "", "site file (default "+config.DefaultPath+" if it is there; $SUREFOOT_CONFIG)")
	f.StringVar(&o.serve.node, "node", "", "name of the node that decides (default: the host name)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// explained6 is what is printed.
type explained6 struct {
	Node    string      `json:"node"`
	Asks    string      `json:"asks"`
	MAC     string      `json:"mac,omitempty"`
	DUID    string      `json:"duid"`
	IAID    uint32      `json:"iaid"`
	From    string      `json:"from"`
	Network string      `json:"network,omitempty"`
	Reason  boot.Reason `json:"reason"`
	Text    string      `json:"text"`
	ID      string      `json:"id,omitempty"`
	KnownBy string      `json:"known_by,omitempty"`
	Address string      `json:"address,omitempty"`
	Rule    string      `json:"rule,omitempty"`
	URL     string      `json:"url,omitempty"`
	NoFile  string      `json:"no_file,omitempty"`
	Wire    []string    `json:"wire,omitempty"`
	Leases  bool        `json:"leases_known"` // the node was asked which leases the machine has
}

func (o *explainDHCP6Options) run(cmd *cobra.Command, env *Env) error {
	q, err := o.ask()
	if err != nil {
		return usageError(cmd, err)
	}
	opts, err := o.serve.options(cmd, env)
	if err != nil {
		return err
	}
	cfg, err := app.LoadConfig(opts)
	if err != nil {
		return err
	}
	if len(cfg.DHCP.Scopes6) == 0 {
		return &Error{Err: errors.New("no network of the site file has a section dhcp6"), Machine: "no-dhcp6", Hints: []string{"docs/dhcp6.md says how it is written"}}
	}
	if q.Network == "" && !q.Client.Relay.IsValid() {
		q.Network = cfg.DHCP.Scopes6[0].Network
	}
	at := lookAt(cfg, false)
	defer at.close()
	socket := cmp.Or(env.Getenv("SUREFOOT_SOCKET"), cfg.Socket)
	at.ask(cmd.Context(), socket, cfg.Watch.Enabled)
	has, asked := leases6(cmd.Context(), socket, cfg.Node.Name, q)
	a, err := app.Answer6To(cfg, q, at.down, has, time.Now())
	if err != nil {
		return err
	}
	e := explained6{
		Node: cfg.Node.Name, Asks: dhcp6.Solicit.String(), DUID: q.DUID.String(), IAID: q.IAID, From: q.From.String(), Network: a.Network,
		Reason: a.Why, Text: a.Why.Text(), KnownBy: a.KnownBy, Address: a.Addr, Leases: asked,
	}
	if q.Inform {
		e.Asks = dhcp6.InformationRequest.String()
	}
	if !q.Client.MAC.IsZero() {
		e.MAC = q.Client.MAC.String()
	}
	if !a.ID.IsZero() {
		e.ID = a.ID.String()
	}
	if a.Boots && a.Said != nil {
		if a.Boot.Reason == boot.Answered {
			e.Rule, e.URL = a.Boot.Answer.Rule, a.Said.URL
		} else {
			e.NoFile = a.Boot.Reason.Text()
		}
	}
	if a.Said != nil {
		e.Wire = a.Said.Lines()
	}
	if o.json {
		if err := printJSON(env.Out, e); err != nil {
			return err
		}
	} else {
		e.print(env.Out)
	}
	if a.Why != boot.Answered || e.NoFile != "" {
		return &Error{Code: ExitProblems}
	}
	return nil
}

func (e explained6) print(w io.Writer) {
	row := func(name, text string) {
		if text != "" {
			wrapped(w, fmt.Sprintf("%-9s ", name), 10, text)
		}
	}
	row("client", strings.TrimSpace(fmt.Sprintf("%s  DUID %s, IAID %d, from %s", e.MAC, e.DUID, e.IAID, e.From)))
	row("asks", e.Asks)
	row("node", e.Node)
	row("network", e.Network)
	row("known by", e.KnownBy)
	if e.Reason != boot.Answered {
		row("answer", "none: "+e.Text+" ("+string(e.Reason)+")")
	}
	if e.Address != "" && !e.Leases {
		e.Address += "; the node was not asked which lease it has"
	}
	row("address", e.Address)
	row("rule", e.Rule)
	row("boots", e.URL)
	if e.NoFile != "" {
		row("boots", "nothing: "+e.NoFile)
	}
	if len(e.Wire) > 0 {
		fmt.Fprintln(w, "on the wire")
		for _, l := range e.Wire {
			fmt.Fprint(w, wrap(l, "  "))
		}
	}
}

// ask makes the machine that the flags describe.
func (o *explainDHCP6Options) ask() (app.Ask6, error) {
	q := app.Ask6{IAID: o.iaid, Network: o.network, Inform: o.inform, From: netip.MustParseAddr("fe80::1")}
	q.Client.Arch = boot.ArchUnknown
	var err error
	if o.mac == "" && o.duid == "" {
		return q, errors.New("--mac or --duid is needed")
	}
	if o.mac != "" {
		if q.Client.MAC, err = boot.ParseMAC(o.mac); err != nil {
			return q, fmt.Errorf("--mac: %w", err)
		}
		q.DUID, q.From = dhcp6.LL(q.Client.MAC), linkLocal(q.Client.MAC)
	}
	if o.duid != "" {
		if q.DUID, err = dhcp6.ParseDUID(strings.NewReplacer(":", "", "-", "").Replace(strings.ToLower(o.duid))); err != nil {
			return q, fmt.Errorf("--duid: %w", err)
		}
	}
	if o.from != "" {
		if q.From, err = netip.ParseAddr(o.from); err != nil || !q.From.IsLinkLocalUnicast() || !q.From.Is6() {
			return q, fmt.Errorf("--from: %q is not a link-local address", o.from)
		}
	}
	if o.relay != "" {
		if q.Client.Relay, err = netip.ParseAddr(o.relay); err != nil || !q.Client.Relay.Is6() {
			return q, fmt.Errorf("--relay: %q is not an IPv6 address", o.relay)
		}
	}
	if o.arch != "" {
		e := explainOptions{mac: "02:00:00:00:00:01", arch: o.arch, as: o.as}
		c, err := e.client()
		if err != nil {
			return q, err
		}
		q.Client.Arch, q.Client.Firmware = c.Arch, c.Firmware
	}
	return q, nil
}

// linkLocal is the address that is made of a MAC address (RFC 4291 appendix A).
func linkLocal(m boot.MAC) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}

// leases6 asks the node, if it runs here, which IPv6 addresses the machine has.
func leases6(ctx context.Context, socket, node string, q app.Ask6) (has []lease.Record, asked bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	seen := map[netip.Addr]bool{}
	for _, who := range []string{q.Client.MAC.String(), q.DUID.String()} {
		shown, err := web.Dial(socket).Lease(ctx, who)
		var none *web.NotFoundError
		switch {
		case errors.As(err, &none):
			asked = true
			continue
		case err != nil || shown.Node != node:
			return nil, false
		}
		asked = true
		for _, l := range shown.Leases {
			if r, ok := app.Record6(l); ok && !seen[l.Addr] {
				seen[l.Addr] = true
				has = append(has, r)
			}
		}
	}
	return has, asked
}
