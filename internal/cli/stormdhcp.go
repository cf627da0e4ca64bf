package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/storm/dhcp"
)

const stormDHCPLong = `Have many machines ask for an address at once, each by raw frames as firmware does, and say how the DHCP
servers of that network held: who was answered, at which packet, how soon, and whether two machines got
the same address.

  surefoot storm dhcp --interface eth1 --machines 3000
  surefoot storm dhcp --interface eth1 --machines 500 --secs zero --client-id --record got.txt
  surefoot storm dhcp --interface eth1 --again got.txt
  surefoot storm dhcp --interface eth1 --relay 10.0.9.1 --server 10.0.9.2 --machines 8000 --rate 5000 --duration 30s

It takes addresses and does not give them back: they are the machines' until their leases end. With
--offers no machine takes what it is offered.

WHAT MACHINES DIFFER IN
  --broadcast   sets the broadcast flag; without it answers come to a machine that has no address yet
  --client-id   sends option 61
  --pxe         asks as a UEFI boot ROM does
  --secs        zero: always 0; real: since the first packet, as EDK2; pxe4: 4 more; swap: bytes exchanged

A packet without an answer is sent again after 4, 12 and 28 seconds, as boot ROMs do (--retry). As a
relay it needs an address of this machine in the network of the server.`

type stormDHCPOptions struct {
	cfg           dhcp.Config
	relay, server string
	first, secs   string
	retry         string
	offers        bool
	record, again string
	json          bool
}

func newStormDHCPCommand(env *Env) *cobra.Command {
	var o stormDHCPOptions
	cmd := &cobra.Command{
		Use:   "dhcp --interface IF --machines N",
		Short: "many machines that ask for an address at once",
		Long:  stormDHCPLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.parse(); err != nil {
				return usageError(cmd, err)
			}
			return o.run(cmd.Context(), env)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cfg.Interface, "interface", "", "where the machines are")
	f.IntVar(&o.cfg.Machines, "machines", 0, "how many there are")
	f.StringVar(&o.first, "first", "02:5f:00:00:00:01", "MAC address of the first; the others count on")
	f.StringVar(&o.relay, "relay", "", "they are behind this relay: an address of this machine on the interface")
	f.StringVar(&o.server, "server", "", "the server that the relay asks")
	f.BoolVar(&o.offers, "offers", false, "ask only, and take nothing")
	f.BoolVar(&o.cfg.Broadcast, "broadcast", false, "set the broadcast flag")
	f.BoolVar(&o.cfg.ClientID, "client-id", false, "send option 61")
	f.BoolVar(&o.cfg.PXE, "pxe", false, "ask as a boot ROM")
	f.StringVar(&o.secs, "secs", string(dhcp.SecsReal), "what is in secs: zero, real, pxe4 or swap")
	f.Float64Var(&o.cfg.Rate, "rate", 0, "so many begin in a second (default: all at once)")
	f.IntVar(&o.cfg.Window, "window", 0, "at most so many wait for an answer at the same time")
	f.DurationVar(&o.cfg.Duration, "duration", 0, "begin anew with the first machine until then")
	f.StringVar(&o.retry, "retry", "4s,12s,28s", "when a packet is sent again, from the first one on; none: never")
	f.DurationVar(&o.cfg.Patience, "patience", 0, "how long the last packet is waited for (default 4s)")
	f.StringVar(&o.record, "record", "", "write each address to this file as it is given: MAC and address, a line each")
	f.StringVar(&o.again, "again", "", "the machines of such a file ask for the same addresses again")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *stormDHCPOptions) parse() error {
	var err error
	if o.cfg.First, err = boot.ParseMAC(o.first); err != nil {
		return fmt.Errorf("--first: %w", err)
	}
	for _, a := range []struct {
		name, text string
		to         *netip.Addr
	}{{"--relay", o.relay, &o.cfg.Relay}, {"--server", o.server, &o.cfg.Server}} {
		if a.text == "" {
			continue
		}
		if *a.to, err = netip.ParseAddr(a.text); err != nil {
			return fmt.Errorf("%s: %q is not an IPv4 address", a.name, a.text)
		}
	}
	o.cfg.Retries = []time.Duration{}
	for text := range strings.SplitSeq(o.retry, ",") {
		if o.retry == "none" {
			break
		}
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("--retry: %q is neither none nor times like 4s,12s,28s", o.retry)
		}
		o.cfg.Retries = append(o.cfg.Retries, d)
	}
	o.cfg.Secs = dhcp.Secs(o.secs)
	if o.offers {
		o.cfg.What = dhcp.Offer
	}
	if o.again != "" {
		if o.offers {
			return errors.New("--offers and --again exclude each other")
		}
		o.cfg.What = dhcp.Again
		if o.cfg.Had, err = readHad(o.again); err != nil {
			return err
		}
	}
	return o.cfg.Check()
}

// readHad reads what --record wrote. A line that is not whole is no address: it was being written when the
// program ended.
func readHad(path string) ([]dhcp.Had, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []dhcp.Had
	seen := map[boot.MAC]int{}
	for line := range strings.Lines(string(b)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		mac, addr, _ := strings.Cut(strings.TrimSpace(line), " ")
		var h dhcp.Had
		if h.MAC, err = boot.ParseMAC(mac); err == nil {
			h.Addr, err = netip.ParseAddr(addr)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a MAC address and an address", path, strings.TrimSpace(line))
		}
		if i, twice := seen[h.MAC]; twice {
			out[i] = h // the later one counts
			continue
		}
		seen[h.MAC] = len(out)
		out = append(out, h)
	}
	return out, nil
}

func (o *stormDHCPOptions) run(ctx context.Context, env *Env) error {
	var record *bufio.Writer
	if o.record != "" {
		f, err := os.OpenFile(o.record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("record the addresses: %w", err)
		}
		defer f.Close()
		record = bufio.NewWriter(f)
		o.cfg.Each = func(h dhcp.Had) { fmt.Fprintln(record, h.MAC, h.Addr) }
	}
	res, err := dhcp.Run(ctx, o.cfg)
	if record != nil {
		err = errors.Join(err, record.Flush())
	}
	if err != nil {
		return err
	}
	if o.json {
		_ = json.NewEncoder(env.Out).Encode(res)
	} else {
		printStormDHCP(env.Out, &o.cfg, res)
	}
	switch {
	case res.Interrupted:
		return &Error{Code: ExitInterrupted}
	case !res.OK():
		return &Error{Code: ExitProblems}
	}
	return nil
}

func printStormDHCP(w io.Writer, cfg *dhcp.Config, res *dhcp.Result) {
	row := func(name, format string, args ...any) {
		wrapped(w, fmt.Sprintf("%-17s ", name), 18, fmt.Sprintf(format, args...))
	}
	row("machines", "%d, which asked %d times in %.2f s", res.Machines, res.Begun, res.Elapsed.Seconds())
	if cfg.What != dhcp.Again {
		row("offered", "%d (%d offers came)", res.Offered, res.Offers)
	}
	if cfg.What != dhcp.Offer {
		row("got an address", "%d", res.Leases)
		row("refused (NAK)", "%d", res.Refused)
	}
	if cfg.What == dhcp.Again {
		row("got another one", "%d", res.Changed)
	}
	row("never answered", "%d", res.Failed)
	row("given twice", "%d", len(res.Twice))
	for _, s := range res.Twice[:min(3, len(res.Twice))] {
		row("", "%s", s)
	}
	var tries []string
	for i, n := range res.ByTry {
		tries = append(tries, fmt.Sprintf("%d at packet %d", n, i+1))
	}
	if len(tries) > 0 {
		row("answered", "%s; the slowest after %s", strings.Join(tries, ", "), milli(res.Slowest))
	}
	times := func(name string, t dhcp.Times) {
		if t.Max > 0 {
			row(name, "p50 %s, p99 %s, longest %s", milli(t.P50), milli(t.P99), milli(t.Max))
		}
	}
	times("DISCOVER to OFFER", res.OfferTime)
	times("REQUEST to ACK", res.ACKTime)
	what := "addresses"
	if cfg.What == dhcp.Offer {
		what = "offers"
	}
	row("throughput", "%.0f %s/s, %d packets sent", res.PerSecond, what, res.Sent)
	if res.Lost > 0 {
		row("not read in time", "%d replies: this machine is too slow for the storm, or has no core for it", res.Lost)
	}
}

func milli(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
