package cli

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/diagnose"
)

const explainDHCPLong = `Say which of two DHCP servers a machine belongs to, and when nobody answers it although both run.

ISC dhcpd with a failover peer and Kea's HA hook divide the machines by a hash (RFC 3074) over option
61, or over the hardware address where a machine sends none. The server that a machine does not belong
to is silent ("load balance to peer") as long as it believes in its peer. If the peer does not hear the
machine, because a relay lists one server only or a filter is in between, nobody ever answers. The
broadcast flag has no part in it; secs has, with ISC.

  surefoot explain dhcp --mac 52:54:00:12:34:56
  surefoot explain dhcp --mac 52:54:00:12:34:56 --pair isc --names pvs1,pvs2 --split 128 --max-secs 3
  surefoot explain dhcp --mac 52:54:00:12:34:56 --client-id 01525400123456 --secs 4 --pair kea

Surefoot's own nodes divide nothing: each that hears a machine answers it.`

type explainDHCP struct {
	mac, clientID, uuid string
	secs                uint16
	pair                string
	names               []string
	split               int
	maxSecs             uint16
	json                bool
}

func newExplainDHCPCommand(env *Env) *cobra.Command {
	var o explainDHCP
	cmd := &cobra.Command{
		Use:   "dhcp --mac MAC [--pair isc|kea]",
		Short: "which of two DHCP servers answers a machine, and when nobody does",
		Long:  explainDHCPLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	f := cmd.Flags()
	f.StringVar(&o.mac, "mac", "", "the machine's MAC address")
	f.StringVar(&o.clientID, "client-id", "", "option 61 as the machine sends it, in hexadecimal")
	f.StringVar(&o.uuid, "uuid", "", "the machine's UUID, to look at what its boot ROM may send")
	f.Uint16Var(&o.secs, "secs", 0, "the field secs of its DHCPDISCOVER")
	f.StringVar(&o.pair, "pair", "", "isc or kea (default: both)")
	f.StringSliceVar(&o.names, "names", nil, "what the two servers are called, the primary or first one first")
	f.IntVar(&o.split, "split", 128, "ISC: split of the failover declaration")
	f.Uint16Var(&o.maxSecs, "max-secs", 3, "ISC: load balance max seconds")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// pairView is one pair and what becomes of the machine with it.
type pairView struct {
	Pair     diagnose.PairKind  `json:"pair"`
	Names    [2]string          `json:"servers"`
	Owner    diagnose.Owner     `json:"owner"`
	Outcomes []diagnose.Outcome `json:"outcomes"`
	Stages   []stageView        `json:"stages"`
	Divided  bool               `json:"divided"` // the machine's stages belong to different servers
}

type stageView struct {
	Stage string         `json:"stage"`
	Owner diagnose.Owner `json:"owner"`
}

func (o *explainDHCP) run(cmd *cobra.Command, env *Env) error {
	m, uuid, err := o.machine()
	if err != nil {
		return usageError(cmd, err)
	}
	pairs, err := o.pairs()
	if err != nil {
		return usageError(cmd, err)
	}
	var views []pairView
	for _, p := range pairs {
		v := pairView{Pair: p.Kind, Names: p.Names, Owner: p.Own(m), Outcomes: p.Outcomes(m)}
		list := diagnose.Identities(m.MAC, uuid)
		for _, i := range list {
			v.Stages = append(v.Stages, stageView{i.Name, p.Own(diagnose.Machine{MAC: m.MAC, ClientID: i.ClientID})})
		}
		v.Divided = p.Divided(m.MAC, list)
		views = append(views, v)
	}
	if o.json {
		return json.NewEncoder(env.Out).Encode(views)
	}
	sent := "no option 61"
	if len(m.ClientID) > 0 {
		sent = "option 61 " + hex.EncodeToString(m.ClientID)
	}
	fmt.Fprintf(env.Out, "DHCPDISCOVER of %s, %s, secs %d for ever\n", m.MAC, sent, m.Secs)
	for i, v := range views {
		v.print(env.Out, pairs[i])
	}
	fmt.Fprint(env.Out, ownNodes)
	return nil
}

const ownNodes = `
Surefoot's nodes
  each node that hears it answers it, at once or within half a second, whatever secs, flags and option 61
  say and whatever it believes of the others: there is no case in which all are silent
`

func (v pairView) print(w io.Writer, p diagnose.Pair) {
	title := "ISC dhcpd, failover pair"
	if p.Kind == diagnose.Kea {
		title = "Kea, HA in load-balancing mode"
	}
	fmt.Fprintf(w, "\n%s: %s and %s\n", title, p.Names[0], p.Names[1])
	fmt.Fprintf(w, "  it belongs to %s: bucket %d of 256 over %s", v.Owner.Name, v.Owner.Bucket, v.Owner.Over)
	if p.Kind == diagnose.Kea {
		fmt.Fprintf(w, ", even numbers to %s, odd ones to %s\n", p.Names[0], p.Names[1])
	} else {
		fmt.Fprintf(w, ", those below %d to %s\n", p.Split, p.Names[0])
	}
	silent := false
	for _, out := range v.Outcomes {
		mark := "ok"
		if !out.Answered {
			mark, silent = "NO", true
		}
		fmt.Fprintf(w, "  %s  %s\n      %s\n", mark, out.Case, out.Text)
	}
	fmt.Fprintln(w, "  what its stages send decides as well")
	for _, s := range v.Stages {
		fmt.Fprintf(w, "      %-10s bucket %3d  %s\n", s.Owner.Name, s.Owner.Bucket, s.Stage)
	}
	if v.Divided {
		fmt.Fprintln(w, "      so one stage of the machine may be answered and the next one not, on the same cable")
	}
	if silent {
		fmt.Fprintf(w, "  what to do\n      %s\n", strings.Join(v.remedy(p), "\n      "))
	}
}

// remedy says how such a pair is kept from being silent.
func (v pairView) remedy(p diagnose.Pair) []string {
	out := []string{
		"list both servers in every relay (ip helper-address), and look for filters: each must hear each machine",
		"surefoot probe dhcp --interface IF --as bdm shows who answers such a DISCOVER, and who does not",
	}
	if p.Kind == diagnose.Kea {
		return append(out, "hot-standby instead of load-balancing, with max-unacked-clients: 0, has one server less that can be wrong about the other")
	}
	return append(out, "load balance max seconds 0 takes the division away: both answer everybody")
}

func (o *explainDHCP) machine() (diagnose.Machine, boot.UUID, error) {
	var m diagnose.Machine
	var uuid boot.UUID
	var err error
	if o.mac == "" {
		return m, uuid, fmt.Errorf("--mac is needed")
	}
	if m.MAC, err = boot.ParseMAC(o.mac); err != nil {
		return m, uuid, fmt.Errorf("--mac: %w", err)
	}
	if o.uuid != "" {
		if uuid, err = boot.ParseUUID(o.uuid); err != nil {
			return m, uuid, fmt.Errorf("--uuid: %w", err)
		}
	}
	text := strings.NewReplacer(":", "", "-", "", " ", "").Replace(o.clientID)
	if m.ClientID, err = hex.DecodeString(text); err != nil || len(m.ClientID) > 255 {
		return m, uuid, fmt.Errorf("--client-id: %q is not option 61 in hexadecimal, as in 01525400123456", o.clientID)
	}
	m.Secs = o.secs
	return m, uuid, nil
}

func (o *explainDHCP) pairs() ([]diagnose.Pair, error) {
	kinds := []diagnose.PairKind{diagnose.ISC, diagnose.Kea}
	switch k := diagnose.PairKind(o.pair); k {
	case "":
	case diagnose.ISC, diagnose.Kea:
		kinds = []diagnose.PairKind{k}
	default:
		return nil, fmt.Errorf("--pair: %q is neither isc nor kea", o.pair)
	}
	if o.names != nil && (len(o.names) != 2 || o.names[0] == "" || o.names[1] == "") {
		return nil, fmt.Errorf("--names: two names are wanted, as in pvs1,pvs2")
	}
	if o.split < 0 || o.split > 256 {
		return nil, fmt.Errorf("--split: %d is not between 0 and 256", o.split)
	}
	var out []diagnose.Pair
	for _, k := range kinds {
		p := diagnose.DefaultPair(k)
		if len(o.names) == 2 {
			p.Names = [2]string(o.names)
		}
		if k == diagnose.ISC {
			p.Split, p.MaxSecs = o.split, o.maxSecs
		}
		out = append(out, p)
	}
	return out, nil
}
