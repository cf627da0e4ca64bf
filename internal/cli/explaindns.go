package cli

import (
	"fmt"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/config"
)

// dhcpLines are what the DHCP server of a network has to say where it tells machines a DNS name.
func dhcpLines(c boot.Client, d boot.Decision, cfg *config.Config) []string {
	n, ok := cfg.Site.NameOf(d.Answer.Rule)
	if !ok {
		return []string{"no DNS name stands for the servers of rule " + d.Answer.Rule + ": write one below dns.names"}
	}
	name := strings.TrimSuffix(n.Name, ".")
	if !n.Absolute() {
		name += "." + strings.TrimSuffix(cfg.DNS.Zones[0], ".")
	}
	if c.Firmware == boot.FirmwareUEFIHTTP {
		port := ""
		if p := cfg.HTTP.Port(); p != 80 {
			port = fmt.Sprintf(":%d", p)
		}
		return []string{
			"option 60                   HTTPClient",
			"option 67, boot file        http://" + name + port + "/" + strings.TrimLeft(d.Answer.File, "/"),
			"option 6                    a resolver that knows the name",
		}
	}
	return []string{
		"option 66, server name      " + name,
		"option 67, boot file        " + d.Answer.File,
		// F finding 2: hardly any firmware resolves option 66 itself.
		"next-server (siaddr)        " + name + " where the DHCP server resolves names, as ISC dhcpd does; most firmware reads this address and no option 66",
	}
}
