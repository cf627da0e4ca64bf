package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/probe"
	"surefoot/internal/storm"
)

const stormLong = `Have many boot clients download one file at once, each with the habits of real firmware, and say how
the server held: downloads a second, times, requests that got lost, failures by cause. Every block is
compared with what a first download brought.

  surefoot storm tftp://10.0.0.5/snponly.efi --clients 500
  surefoot storm tftp://10.0.0.5/ARDBP32.BIN --clients 1000 --as plain --arrive "curve 30s" --picture storm.png
  surefoot storm tftp://10.0.0.5/snponly.efi --clients 100 --loss 1% --out after.json --compare before.json
  surefoot storm tftp://10.0.0.5/snponly.efi --clients 200 --arrive "rate 50/s" --duration 5m

KINDS OF CLIENT (--as; several, separated by commas, take turns)
  edk2, ipxe, pxelinux, plain: what they ask for is as with surefoot probe. A packet that gets no answer
  is sent 6 times, every 4 s, by edk2; 6 times within 16 s by ipxe; 31 times within 2 minutes by
  pxelinux; 10 times, every second, by plain.

ARRIVAL (--arrive)
  all            at once, as after a reset of everything
  "uniform 30s"  evenly within the time
  "curve 30s"    as machines come up after a power failure: most in the first half, some late
  "rate 50/s"    so many a second, as long as --clients are enough

It ends by itself; Ctrl-C prints what there is, with the pictures and files that were asked for. On a
terminal a line says how far it is. The clients need no privilege, and one machine's core is enough
for thousands: "generator" says how busy it was. The last lines say what the result means.`

type stormOptions struct {
	clients, downloads, window, blksize int
	as                                  []string
	arrive, loss, sha256, from          string
	duration                            time.Duration
	json, yes, progress                 bool
	out, picture, compare               string
	seed                                uint64
}

func newStormCommand(env *Env) *cobra.Command {
	var o stormOptions
	cmd := &cobra.Command{
		Use:   "storm tftp://HOST[:PORT]/FILE --clients N",
		Short: "many boot clients at once, to see what a server holds",
		Long:  stormLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, cfg, err := o.parse(args[0])
			if err != nil {
				return usageError(cmd, err)
			}
			return o.run(cmd.Context(), env, cmd, target, cfg)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.clients, "clients", 0, "clients at the same time, at most")
	f.StringSliceVar(&o.as, "as", []string{string(probe.EDK2)}, "kinds of client: edk2, ipxe, pxelinux, plain")
	f.StringVar(&o.arrive, "arrive", "all", `when they ask: all, "uniform 30s", "curve 30s" or "rate 50/s"`)
	f.StringVar(&o.loss, "loss", "0", "packets to lose in each direction, as in 1%")
	f.IntVar(&o.downloads, "downloads", 0, "downloads in all (default: one a client)")
	f.DurationVar(&o.duration, "duration", 0, "begin no download later; without --downloads, go on until then")
	f.IntVar(&o.window, "window", 0, "windowsize to ask for, 1 for none (default: as the kind of client)")
	f.IntVar(&o.blksize, "blksize", 0, "blksize to ask for (default: as the kind of client)")
	f.StringVar(&o.sha256, "sha256", "", "hash that the file must have, in hexadecimal")
	f.StringVar(&o.from, "from", "", "this machine's addresses that the clients use in turn, as in 10.0.9.0/24")
	f.Uint64Var(&o.seed, "seed", 1, "of the packets that get lost")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.out, "out", "", "write the result to this file, for --compare")
	f.StringVar(&o.picture, "picture", "", "draw downloads over time to this file, a .svg or .png")
	f.StringVar(&o.picture, "svg", "", "")
	_ = f.MarkHidden("svg") // the name that --picture had
	f.BoolVar(&o.progress, "progress", false, "say every 5 s how far it is, where stderr is no terminal")
	f.StringVar(&o.compare, "compare", "", "result of an earlier run to compare with")
	f.BoolVar(&o.yes, "yes", false, "aim more than 100 clients at an address that is not private")
	cmd.AddCommand(newStormDHCPCommand(env))
	return cmd
}

func (o *stormOptions) parse(address string) (probe.Target, storm.Config, error) {
	fail := func(err error) (probe.Target, storm.Config, error) { return probe.Target{}, storm.Config{}, err }
	target, err := probe.ParseTarget(address)
	switch {
	case err != nil:
		return fail(err)
	case target.Scheme != "tftp":
		return fail(fmt.Errorf("%q: only tftp:// can be stormed", address))
	case o.clients < 1:
		return fail(errors.New("--clients is missing: how many machines boot at the same time"))
	}
	cfg := storm.Config{
		File: target.File, Clients: o.clients, Downloads: o.downloads, Duration: o.duration,
		Window: o.window, BlockSize: o.blksize, SHA256: o.sha256, Seed: o.seed,
	}
	for _, name := range o.as {
		style, err := probe.ParseStyle(name)
		if err != nil {
			return fail(fmt.Errorf("--as: %w", err))
		}
		cfg.As = append(cfg.As, style)
	}
	if cfg.Arrive, err = storm.ParseArrival(o.arrive); err != nil {
		return fail(fmt.Errorf("--arrive: %w", err))
	}
	if cfg.Loss, err = parsePercent(o.loss); err != nil {
		return fail(fmt.Errorf("--loss: %w", err))
	}
	if o.from != "" {
		if cfg.From, err = parseFrom(o.from); err != nil {
			return fail(fmt.Errorf("--from: %w", err))
		}
	}
	if o.picture != "" && pictureKind(o.picture) == "" {
		return fail(fmt.Errorf("--picture: %q is neither .svg nor .png", o.picture))
	}
	if b, err := hex.DecodeString(o.sha256); o.sha256 != "" && (err != nil || len(b) != 32) {
		return fail(fmt.Errorf("--sha256: %q is not a hash of 64 hexadecimal digits", o.sha256))
	}
	check := cfg // the server's address is not known yet
	check.Server = netip.AddrPortFrom(netip.IPv4Unspecified(), target.Port)
	if cfg.From.IsValid() && !cfg.From.Addr().Is4() {
		check.Server = netip.AddrPortFrom(netip.IPv6Unspecified(), target.Port)
	}
	if err := check.Check(); err != nil {
		return fail(err)
	}
	return target, cfg, nil
}

// parsePercent reads "1%" or "0.01" as a share.
func parsePercent(s string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v < 1) {
		return 0, fmt.Errorf("%q is not a share like 1%% or 0.01", s)
	}
	return v, nil
}

func parseFrom(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is not an address or a prefix like 10.0.9.0/24", s)
	}
	return p, nil
}

func (o *stormOptions) run(ctx context.Context, env *Env, cmd *cobra.Command, target probe.Target, cfg storm.Config) error {
	var before *storm.Result
	if o.compare != "" {
		var err error
		if before, err = storm.ReadResult(o.compare); err != nil {
			return err
		}
	}
	addr, err := lookUp(ctx, target.Host)
	if err != nil {
		return err
	}
	cfg.Server = netip.AddrPortFrom(addr, target.Port)
	if cfg.Stranger() && !o.yes {
		return &Error{
			Code: ExitUsage, Machine: "usage",
			Err:   fmt.Errorf("%s is not a private address, and %d clients are a lot for a stranger's server", addr, cfg.Clients),
			Hints: []string{"--yes goes on, if the server is yours"},
		}
	}
	if err := cfg.Check(); err != nil {
		return usageError(cmd, err)
	}
	bar := newStormBar(env.Err, o.progress)
	cfg.Progress = bar.show
	res, err := storm.Run(ctx, cfg)
	bar.clear()
	var fault *probe.Fault
	switch {
	case errors.As(err, &fault):
		return &Error{Code: ExitProblems, Machine: string(fault.Code), Err: fmt.Errorf("the first download failed: %w", fault), Hints: fault.Hint}
	case err != nil:
		return err
	}
	res.Target = target.String()
	o.print(env.Out, res, before) // first: a file that cannot be written takes nothing away
	if err := o.write(res, before); err != nil {
		return err
	}
	switch {
	case res.Interrupted:
		return &Error{Code: ExitInterrupted}
	case res.Failed > 0:
		return &Error{Code: ExitProblems}
	}
	return nil
}

// write keeps the result and its picture where that was asked for.
func (o *stormOptions) write(res, before *storm.Result) error {
	if o.out != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		if err == nil {
			err = os.WriteFile(o.out, append(b, '\n'), 0o644)
		}
		if err != nil {
			return fmt.Errorf("keep the result: %w", err)
		}
	}
	if o.picture != "" {
		runs := []storm.Line{{Name: "this run", Result: res}}
		if before != nil {
			runs = append(runs, storm.Line{Name: "before", Result: before})
		}
		if err := writePicture(o.picture, storm.Picture(runs)); err != nil {
			return fmt.Errorf("draw the result: %w", err)
		}
	}
	return nil
}

// lookUp finds the address of a host, IPv4 before IPv6 as most firmware boots.
func lookUp(ctx context.Context, host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap(), nil
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range all {
		if a.Unmap().Is4() {
			return a.Unmap(), nil
		}
	}
	return all[0], nil
}
