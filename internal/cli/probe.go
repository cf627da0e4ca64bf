package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/probe"
)

const probeLong = `Download a boot file as a boot client would, and say how it went: availability, response time,
first block, retransmissions, size and hash. When it fails: the step that failed, the evidence and,
unless the whole file came and is the wrong one, every packet.

  surefoot probe tftp://10.0.0.5/ARDBP32.BIN --contains "Provisioning Services bootstrap"
  surefoot probe tftp://10.0.0.5:1069/snponly.efi --as ipxe --sha256 9f86d0...
  surefoot probe http://10.0.0.5:8067/snponly.efi --range --count 10 --interval 500ms
  surefoot probe tftp://10.0.0.5/x.efi --nagios --warning 1s --critical 3s
  surefoot probe --nsumon 10.0.0.5 69 "file=ARDBP32.BIN;content=Provisioning Services bootstrap"

Others than files: surefoot probe dhcp, surefoot probe pxe, surefoot probe dns. The servers behind a service
address: surefoot probe service.

KINDS OF CLIENT (--as)
  edk2      UEFI firmware: asks for the size, aborts, then downloads with blksize 1468, windowsize 4
  ipxe      blksize 1432; takes an answer from any address
  pxelinux  blksize 1408
  plain     no options, blocks of 512 bytes, as shim and old ROMs ask

` + monitorHelp + nsumonHelp

type probeOptions struct {
	as       string
	sha256   string
	contains string
	count    int
	interval time.Duration
	timeout  time.Duration
	slow     time.Duration
	ranged   bool
	prove    bool
	json     bool
	trace    bool
	monitor  monitor
}

func newProbeCommand(env *Env) *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use:   "probe tftp://HOST[:PORT]/FILE | http://HOST[:PORT]/FILE",
		Short: "download a boot file as a boot client would; ask for DHCP, PXE and DNS",
		Long:  probeLong,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.monitor.nsumon {
				return cobra.RangeArgs(3, 4)(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.monitor.check(); err != nil {
				return usageError(cmd, err)
			}
			if o.monitor.nsumon {
				if err := o.netscaler(&args); err != nil {
					return usageError(cmd, err)
				}
			}
			target, po, err := o.parse(args[0])
			if err != nil {
				return usageError(cmd, err)
			}
			if o.monitor.on() && !cmd.Flags().Changed("prove") {
				po.Prove = false // whoever waits for the answer has little time
			}
			return o.run(cmd.Context(), env, target, po)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.as, "as", string(probe.EDK2), "kind of client: edk2, ipxe, pxelinux or plain")
	f.StringVar(&o.sha256, "sha256", "", "hash that the file must have, in hexadecimal")
	f.StringVar(&o.contains, "contains", "", "text that the file must hold")
	f.IntVar(&o.count, "count", 1, "downloads, one after the other")
	f.DurationVar(&o.interval, "interval", time.Second, "between the starts of two downloads")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long the server may send nothing new")
	f.DurationVar(&o.slow, "slow", 0, "a download that takes longer is a problem; 0: however long")
	f.BoolVar(&o.ranged, "range", false, "HTTP: ask for the second half once more, as a download that goes on does")
	f.BoolVar(&o.prove, "prove", true, "after a failure, look again to tell its causes apart (up to 10 s more)")
	f.BoolVar(&o.json, "json", false, "print JSON: one object a download, with --count a summary in the end")
	f.BoolVar(&o.trace, "trace", false, "show every packet, also where the whole file came")
	o.monitor.flags(cmd)
	f.BoolVar(&o.monitor.nsumon, "nsumon", false, "answer as a NetScaler user monitor: ADDRESS PORT ARGUMENTS [TIMEOUT]")
	cmd.AddCommand(newProbeDHCPCommand(env), newProbeBDMCommand(env), newProbeDHCP6Command(env), newProbePXECommand(env), newProbeDNSCommand(env))
	cmd.AddCommand(newProbeServiceCommand(env))
	return cmd
}

func (o *probeOptions) parse(address string) (probe.Target, probe.Options, error) {
	target, err := probe.ParseTarget(address)
	if err != nil {
		return target, probe.Options{}, err
	}
	style, err := probe.ParseStyle(o.as)
	if err != nil {
		return target, probe.Options{}, fmt.Errorf("--as: %w", err)
	}
	if b, err := hex.DecodeString(o.sha256); o.sha256 != "" && (err != nil || len(b) != 32) {
		return target, probe.Options{}, fmt.Errorf("--sha256: %q is not a hash of 64 hexadecimal digits", o.sha256)
	}
	switch {
	case o.count < 1:
		return target, probe.Options{}, errors.New("--count: at least 1")
	case o.timeout <= 0:
		return target, probe.Options{}, errors.New("--timeout: more than 0")
	case o.slow < 0:
		return target, probe.Options{}, errors.New("--slow: not less than 0")
	case o.monitor.on() && o.count > 1:
		return target, probe.Options{}, errors.New("--count: a monitor asks once; it repeats by itself")
	case o.interval < 0:
		return target, probe.Options{}, errors.New("--interval: not less than 0")
	}
	if o.ranged && target.Scheme != "http" {
		return target, probe.Options{}, errors.New("--range: TFTP has no parts of files; it is for http://")
	}
	return target, probe.Options{
		As: style, Timeout: o.timeout, SHA256: o.sha256, Contains: o.contains, Slow: o.slow, Prove: o.prove, Range: o.ranged,
		MaxTime: o.monitor.maxTime,
	}, nil
}

func (o *probeOptions) run(ctx context.Context, env *Env, target probe.Target, po probe.Options) error {
	bar := newProbeBar(env.Err)
	po.Progress = bar.show
	var results []probe.Result
	for i := range o.count {
		next := time.After(o.interval)
		res := probe.Run(ctx, target, po)
		bar.clear()
		if ctx.Err() != nil {
			break
		}
		results = append(results, res)
		if o.monitor.on() {
			return o.monitor.finish(env.Out, res)
		}
		o.print(env.Out, i+1, res)
		if i+1 < o.count {
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
	}
	sum := probe.Summarize(results)
	if o.count > 1 && len(results) > 0 {
		o.printSummary(env.Out, sum)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(sum.Faults) > 0 {
		return &Error{Code: ExitProblems}
	}
	return nil
}
