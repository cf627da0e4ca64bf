package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/wire/pxe"
)

const explainLong = `Say what a machine is told, and why: network, rule, file, servers in order, then every option that
goes on the wire, then why not the other rules. It decides as the server does, with its trace, and
looks at the files in the root and at the node's interfaces where it runs on the node. If the node
runs there, it is asked which servers deliver at present, and which are drained.

  surefoot explain --mac 52:54:00:12:34:56 --arch uefi-x64
  surefoot explain --mac 52:54:00:12:34:56 --arch bios --as ipxe --network vdi
  surefoot explain --mac 52:54:00:12:34:56 --arch 16 --config site.yaml --node boot2
  surefoot explain --mac 52:54:00:12:34:56 --arch bios --interface eth1 --root /srv/boot --json
  surefoot explain dhcp --mac 52:54:00:12:34:56      who answers its DHCPDISCOVER, of two other servers
  surefoot explain dhcp6 --mac 52:54:00:12:34:56     what it gets by DHCPv6, address and file, and why

Without --as the firmware follows from the architecture: bios is a PXE ROM, uefi-... is EDK2, the
numbers of UEFI HTTP boot (15, 16, 18, 19) are uefi-http. Without --network, --relay or --addr the
machine is on the node's own subnet. Exit status 3 says that the machine would get no answer.`

type explainOptions struct {
	serve       serveOptions
	mac, uuid   string
	arch, as    string
	network     string
	relay, addr string
	userClass   string
	vendorClass string
	json        bool
}

func newExplainCommand(env *Env) *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain --mac MAC --arch ARCH [--as FIRMWARE]",
		Short: "which file from which server a machine gets, and why",
		Long:  explainLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	f := cmd.Flags()
	f.StringVar(&o.mac, "mac", "", "the machine's MAC address")
	f.StringVar(&o.arch, "arch", "", "architecture: "+joined(boot.ArchClasses())+", or a number of option 93")
	f.StringVar(&o.as, "as", "", "firmware: "+joined(boot.Firmwares()))
	f.StringVar(&o.uuid, "uuid", "", "the machine's UUID, as it prints it")
	f.StringVar(&o.network, "network", "", "name of the network that the machine is on")
	f.StringVar(&o.relay, "relay", "", "address of the relay agent that forwards its packets")
	f.StringVar(&o.addr, "addr", "", "the machine's own address")
	f.StringVar(&o.userClass, "user-class", "", "option 77 as it sends it")
	f.StringVar(&o.vendorClass, "vendor-class", "", "option 60 as it sends it")
	f.StringVarP(&o.serve.config, "config", "c", "", "site file (default "+config.DefaultPath+" if it is there; $SUREFOOT_CONFIG)")
	f.StringVar(&o.serve.node, "node", "", "name of the node that decides (default: the host name)")
	f.StringSliceVarP(&o.serve.interfaces, "interface", "i", nil, "interface, as for serve")
	f.StringVar(&o.serve.root, "root", "", "folder with the boot files (without a site file)")
	f.StringVar(&o.serve.bios, "bios", "", "file for BIOS machines (without a site file)")
	f.StringVar(&o.serve.uefi, "uefi", "", "file for UEFI x64 machines (without a site file)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(newExplainDHCPCommand(env), newExplainDHCP6Command(env))
	return cmd
}

func joined[T ~string](names []T) string {
	var out []string
	for _, n := range names {
		out = append(out, string(n))
	}
	return strings.Join(out, ", ")
}

func (o *explainOptions) run(cmd *cobra.Command, env *Env) error {
	c, err := o.client()
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
	at := lookAt(cfg, len(o.serve.interfaces) > 0)
	defer at.close()
	socket := cfg.Socket
	if s := env.Getenv("SUREFOOT_SOCKET"); s != "" {
		socket = s
	}
	at.ask(cmd.Context(), socket, cfg.Watch.Enabled)
	at.askLeases(cmd.Context(), socket, c.MAC.String())
	if err := o.place(&c, cfg, at); err != nil {
		return usageError(cmd, err)
	}
	e := explain(c, cfg, at)
	if o.json {
		if err := json.NewEncoder(env.Out).Encode(e); err != nil {
			return err
		}
	} else {
		e.print(env.Out)
	}
	if e.Decision.Reason != boot.Answered {
		return &Error{Code: ExitProblems}
	}
	return nil
}

// client makes the machine that the flags describe.
func (o *explainOptions) client() (boot.Client, error) {
	var c boot.Client
	var err error
	if o.mac == "" || o.arch == "" {
		return c, fmt.Errorf("--mac and --arch are needed (--arch: one of %s, or a number of option 93)", joined(boot.ArchClasses()))
	}
	if c.MAC, err = boot.ParseMAC(o.mac); err != nil {
		return c, fmt.Errorf("--mac: %w", err)
	}
	archs, err := boot.ParseArchs(o.arch)
	if err != nil {
		return c, fmt.Errorf("--arch: %w", err)
	}
	c.Arch = archs[0]
	if o.as != "" {
		if c.Firmware, err = boot.ParseFirmware(o.as); err != nil {
			return c, fmt.Errorf("--as: %w", err)
		}
	} else {
		c.Firmware = usualFirmware(c.Arch)
	}
	if c.Firmware == boot.FirmwareUEFIHTTP && !c.Arch.HTTP() { // by its name, not by its number
		for _, a := range archs {
			if a.HTTP() {
				c.Arch = a
			}
		}
		if !c.Arch.HTTP() {
			return c, fmt.Errorf("--as uefi-http: %s is no architecture of UEFI HTTP boot", c.Arch)
		}
	}
	if o.uuid != "" {
		if c.UUID, err = boot.ParseUUID(o.uuid); err != nil {
			return c, fmt.Errorf("--uuid: %w", err)
		}
	}
	c.UserClass, c.VendorClass = o.userClass, o.vendorClass
	if c.Firmware == boot.FirmwareIPXE {
		c.IPXE = boot.IPXEFeatures{Known: true, HTTP: true, TFTP: true, EFI: c.Arch.UEFI()}
		if c.UserClass == "" {
			c.UserClass = "iPXE"
		}
	}
	if c.VendorClass == "" {
		c.VendorClass = pxe.VendorClass(c)
	}
	return c, nil
}

func usualFirmware(a boot.Arch) boot.Firmware {
	switch {
	case a.HTTP():
		return boot.FirmwareUEFIHTTP
	case a == boot.ArchBIOS:
		return boot.FirmwarePXE
	}
	return boot.FirmwareEDK2
}

// place puts the machine on a network: the one named, else the node's own.
func (o *explainOptions) place(c *boot.Client, cfg *config.Config, at view) error {
	given := 0
	for _, s := range []string{o.network, o.relay, o.addr} {
		if s != "" {
			given++
		}
	}
	if given > 1 {
		return errors.New("--network, --relay and --addr exclude each other")
	}
	var err error
	switch {
	case o.relay != "":
		if c.Relay, err = netip.ParseAddr(o.relay); err != nil {
			return fmt.Errorf("--relay: %q is not an address", o.relay)
		}
	case o.addr != "":
		if c.Addr, err = netip.ParseAddr(o.addr); err != nil {
			return fmt.Errorf("--addr: %q is not an address", o.addr)
		}
	case o.network != "":
		return placeOn(c, o.network, cfg.Site.Networks)
	case len(at.links) > 0:
		c.Link = at.links[0].Addrs[0]
	case cfg.Node.Addr.IsValid():
		c.Link = netip.PrefixFrom(cfg.Node.Addr, cfg.Node.Addr.BitLen())
	}
	return nil
}

// placeOn gives the machine's link an address in the network of that name.
func placeOn(c *boot.Client, name string, networks []boot.Network) error {
	var names []string
	for _, n := range networks {
		if n.Name != name {
			names = append(names, n.Name)
			continue
		}
		if n.Subnet.IsValid() {
			c.Link = netip.PrefixFrom(n.Subnet.Masked().Addr().Next(), n.Subnet.Bits())
		}
		return nil
	}
	return fmt.Errorf("--network: the site file has no network %q (it has %s)", name, orNone(strings.Join(names, ", ")))
}
