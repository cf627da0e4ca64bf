package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/probe"
)

const probeDHCP6Long = `Ask a segment by DHCPv6 who offers addresses and boots, and report every answer, with the URL that it
names. It sends SOLICITs as machines that boot by PXE and by HTTP do, and an INFORMATION-REQUEST, and
takes nothing: no REQUEST follows. The server that runs on this machine answers, too.

  surefoot probe dhcp6 --interface eth1
  surefoot probe dhcp6 --interface eth1 --as ipxe,http --arch uefi-arm64
  surefoot probe dhcp6 --interface eth1 --inform                       where addresses come from elsewhere
  surefoot probe dhcp6 --interface eth1 --expect fd00:10:10::11        anybody else who says what to boot is a problem

KINDS OF CLIENT (--as)
  pxe   UEFI firmware that boots by PXE: options 61 and 16 (PXEClient), asks for 59 and 60
  http  UEFI firmware that boots by HTTP: the same with HTTPClient
  ipxe  iPXE: the same with the user class iPXE

It asks from the interface's link-local address, on port 546: a DHCPv6 client that holds that port has to be
stopped for the time. --expect names a server by its link-local address, or by the address in its URL.

` + monitorHelp

func newProbeDHCP6Command(env *Env) *cobra.Command {
	var o kindOptions
	var d probe.DHCP6Options
	var as, expect []string
	cmd := &cobra.Command{
		Use: "dhcp6 --interface IF", Short: "find out who offers addresses and boots by DHCPv6", Long: probeDHCP6Long, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := o.monitor.check()
			o.as = string(probe.ClientEDK2)
			var arch *boot.Arch
			if err == nil {
				_, arch, d.MAC, err = o.client()
			}
			if err == nil {
				d.Clients, err = clients6(as, arch)
			}
			for _, e := range expect {
				a, bad := netip.ParseAddr(e)
				if bad != nil || !a.Is6() {
					err = errors.Join(err, fmt.Errorf("--expect: %q is not an IPv6 address", e))
				}
				d.Expect = append(d.Expect, a.WithZone(""))
			}
			switch {
			case err != nil:
			case d.Interface == "":
				err = errors.New("--interface: name one; nothing is sent anywhere by itself")
			case d.Wait <= 0 || d.Wait > time.Minute:
				err = errors.New("--wait: more than 0, at most a minute")
			}
			if err != nil {
				return usageError(cmd, err)
			}
			res := probe.DHCP6(cmd.Context(), d)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return o.finish(env, res)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&d.Interface, "interface", "i", "", "where to ask")
	f.StringSliceVar(&as, "as", []string{"pxe", "http"}, "kinds of client: pxe, http, ipxe")
	f.StringVar(&o.arch, "arch", "", "architecture, as uefi-x64, uefi-arm64 or a number; default: uefi-x64")
	f.StringVar(&o.mac, "mac", "", "MAC in the DUID, or random; default: the interface's own")
	f.BoolVar(&d.NoAddress, "inform", false, "send INFORMATION-REQUESTs only")
	f.DurationVar(&d.Wait, "wait", 4*time.Second, "how long to collect answers")
	f.StringSliceVar(&expect, "expect", nil, "addresses of the servers that have to answer")
	o.flags(cmd)
	return cmd
}

// clients6 are the machines of the names, of one architecture.
func clients6(names []string, arch *boot.Arch) ([]boot.Client, error) {
	var out []boot.Client
	for _, name := range names {
		c := boot.Client{Arch: boot.ArchX64}
		if arch != nil {
			c.Arch = *arch
		}
		switch strings.ToLower(name) {
		case "pxe", "edk2":
			c.Firmware = boot.FirmwareEDK2
		case "ipxe":
			c.Firmware = boot.FirmwareIPXE
		case "http":
			c.Firmware = boot.FirmwareUEFIHTTP
			class := c.Arch.Class().Archs() // PXE and HTTP boot have numbers of their own
			if i := slices.IndexFunc(class, boot.Arch.HTTP); i >= 0 {
				c.Arch = class[i]
			}
		default:
			return nil, fmt.Errorf("--as: %q is not a kind of client (one of pxe, http, ipxe)", name)
		}
		out = append(out, c)
	}
	return out, nil
}
