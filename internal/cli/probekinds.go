package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/probe"
)

// kindOptions are those of every kind but downloads.
type kindOptions struct {
	as, arch, mac string
	json, trace   bool
	monitor       monitor
}

func (o *kindOptions) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.trace, "trace", false, "show every packet, also where nothing is wrong")
	o.monitor.flags(cmd)
}

// client reads the kind of machine, its architecture and its MAC.
func (o *kindOptions) client() (as probe.Client, arch *boot.Arch, mac boot.MAC, err error) {
	if as, err = probe.ParseClient(o.as); err != nil {
		return as, nil, mac, fmt.Errorf("--as: %w", err)
	}
	if o.arch != "" {
		list, err := boot.ParseArchs(o.arch)
		if err != nil {
			return as, nil, mac, fmt.Errorf("--arch: %w", err)
		}
		arch = &list[0]
	}
	switch o.mac {
	case "":
	case "random":
		n := rand.Uint64()
		mac = boot.MAC{0x02, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32)}
	default:
		if mac, err = boot.ParseMAC(o.mac); err != nil {
			return as, nil, mac, fmt.Errorf("--mac: %w", err)
		}
		if mac[0]&1 != 0 {
			return as, nil, mac, fmt.Errorf("--mac: %s is the address of a group", mac)
		}
	}
	return as, arch, mac, nil
}

// finish prints a result and turns it into an exit code.
func (o *kindOptions) finish(env *Env, res probe.Result) error {
	f := res.Fault
	switch {
	case o.monitor.on():
		return o.monitor.finish(env.Out, res)
	case f != nil && f.Code == probe.LocalError && f.Err != nil:
		return &Error{Code: codeOf(f.Err), Err: f.Err, Hints: f.Hint}
	}
	if f == nil && !o.trace {
		res.Trace = nil
	}
	if o.json {
		_ = json.NewEncoder(env.Out).Encode(res)
	} else {
		printKind(env.Out, res)
		printProbeTrace(env.Out, res)
	}
	if f != nil {
		return &Error{Code: ExitProblems}
	}
	return nil
}

const probeDHCPLong = `Send a DISCOVER as a booting machine does, and report every offer on the segment: who offers an
address, who offers a boot, which file from where, how UEFI firmware sorts it and which it takes. So
a second or a stranger's DHCP or PXE service is found. No address is ever taken.

  surefoot probe dhcp --interface eth1
  surefoot probe dhcp --interface eth1 --as bdm --flags both        does a server mind the broadcast flag?
  surefoot probe dhcp --interface eth1 --expect 10.0.0.2,10.0.0.11  anybody else is a problem

KINDS OF CLIENT (--as)
  edk2  UEFI firmware: PXE options, flags 0x8000      ipxe  iPXE: PXE options, flags 0
  pxe   BIOS PXE ROM: PXE options, flags 0x8000       bdm   Citrix boot device manager: none, flags 0

It asks with the interface's own MAC, unless --mac says another or "random": switches that allow one
MAC a port, and virtual ones that refuse foreign MACs, then lose the question or the answer.

` + monitorHelp

func newProbeDHCPCommand(env *Env) *cobra.Command {
	var o kindOptions
	var d probe.DHCPOptions
	var flags string
	var expect []string
	cmd := &cobra.Command{
		Use: "dhcp --interface IF", Short: "find out who offers addresses and boots on a segment", Long: probeDHCPLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := o.monitor.check()
			if err == nil {
				d.As, d.Arch, d.MAC, err = o.client()
			}
			if err == nil {
				d.Broadcast, err = parseFlags(flags)
			}
			for _, e := range expect {
				a, bad := netip.ParseAddr(e)
				if bad != nil {
					err = errors.Join(err, fmt.Errorf("--expect: %q is not an address", e))
				}
				d.Expect = append(d.Expect, a)
			}
			switch {
			case err != nil:
			case d.Interface == "":
				err = errors.New("--interface: name one; broadcasts are sent nowhere by themselves")
			case d.Wait <= 0 || d.Wait > time.Minute:
				err = errors.New("--wait: more than 0, at most a minute")
			}
			if err != nil {
				return usageError(cmd, err)
			}
			res := probe.DHCP(cmd.Context(), d)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return o.finish(env, res)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&d.Interface, "interface", "i", "", "where to ask")
	f.StringVar(&o.as, "as", string(probe.ClientEDK2), "kind of client: edk2, pxe, ipxe or bdm")
	f.StringVar(&o.arch, "arch", "", "architecture, as bios, uefi-x64 or a number; default: what such a client usually is")
	f.StringVar(&o.mac, "mac", "", "MAC to ask with, or random; default: the interface's own")
	f.StringVar(&flags, "flags", "", "0, 0x8000 (broadcast) or both; default: as the client does")
	f.DurationVar(&d.Wait, "wait", 4*time.Second, "how long to collect offers")
	f.StringSliceVar(&expect, "expect", nil, "addresses of the servers that have to answer; anybody else is a problem")
	o.flags(cmd)
	return cmd
}

func parseFlags(s string) ([]bool, error) {
	switch strings.ToLower(s) {
	case "":
		return nil, nil
	case "0", "unicast":
		return []bool{false}, nil
	case "0x8000", "broadcast":
		return []bool{true}, nil
	case "both":
		return []bool{false, true}, nil
	}
	return nil, fmt.Errorf("--flags: %q is none of 0, 0x8000 and both", s)
}

const probePXELong = `Ask a PXE boot service on port 4011 which file to load, as UEFI firmware does after an offer without
option 43, or a ROM after its menu.

  surefoot probe pxe 10.0.0.11
  surefoot probe pxe 10.0.0.11 --as pxe --arch bios --file undionly.kpxe

` + monitorHelp

func newProbePXECommand(env *Env) *cobra.Command {
	var o kindOptions
	var p probe.PXEOptions
	cmd := &cobra.Command{
		Use: "pxe HOST", Short: "ask a boot service on port 4011", Long: probePXELong, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := o.monitor.check()
			if err == nil {
				p.As, p.Arch, p.MAC, err = o.client()
			}
			if err == nil && p.As == probe.ClientBDM {
				err = errors.New("--as: a boot device manager asks no PXE service")
			}
			if err != nil {
				return usageError(cmd, err)
			}
			p.Server = args[0]
			res := probe.PXE(cmd.Context(), p)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return o.finish(env, res)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.as, "as", string(probe.ClientEDK2), "kind of client: edk2, pxe or ipxe")
	f.StringVar(&o.arch, "arch", "", "architecture, as bios, uefi-x64 or a number; default: what such a client usually is")
	f.StringVar(&o.mac, "mac", "", "MAC of the client, or random; default: 02:53:46:50:52:42, which is nobody's")
	f.Uint16Var(&p.Item, "item", 0x8000, "menu item that a ROM chose (43.71)")
	f.StringVar(&p.File, "file", "", "file that the reply has to name")
	o.flags(cmd)
	return cmd
}

const probeDNSLong = `Look a name up as the machines do that are told names, by UDP and once more by TCP, and say which
server answered, with what, and for how long it may be kept.

  surefoot probe dns boot.example.com
  surefoot probe dns boot.example.com --server 10.0.0.11 --expect 10.0.0.11,10.0.0.12
  surefoot probe dns _tftp._udp.example.com --type SRV

` + monitorHelp

func newProbeDNSCommand(env *Env) *cobra.Command {
	var o kindOptions
	var d probe.DNSOptions
	cmd := &cobra.Command{
		Use: "dns NAME", Short: "look a name up, by UDP and TCP", Long: probeDNSLong, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := o.monitor.check()
			if err == nil && d.Timeout <= 0 {
				err = errors.New("--timeout: more than 0")
			}
			if err != nil {
				return usageError(cmd, err)
			}
			d.Name = args[0]
			res := probe.DNS(cmd.Context(), d)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return o.finish(env, res)
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.Server, "server", "", "whom to ask, ADDRESS[:PORT]; default: the first of /etc/resolv.conf")
	f.StringSliceVar(&d.Types, "type", []string{"A", "AAAA"}, "types of records")
	f.StringSliceVar(&d.Expect, "expect", nil, "values that the answer has to be, all of them and no other")
	f.DurationVar(&d.Timeout, "timeout", 5*time.Second, "how long an answer may take")
	f.BoolVar(&d.NoTCP, "no-tcp", false, "do not ask by TCP")
	o.flags(cmd)
	return cmd
}
