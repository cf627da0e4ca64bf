package bdm

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// Choice is what a site's rules say that its media should hold.
type Choice struct {
	Site, Network    string
	File, SHA256     string // for UEFI machines
	FileBIOS, SHABIO string
	Servers          []string
	Rules            []string // that said so
	Notes            []string
}

// Choose asks boot.Decide what an UEFI and a BIOS machine of a network would be told ("": the first
// network), and takes all the servers that it names: media live longer than what is down today.
func Choose(site *boot.Site, network string) (Choice, error) {
	c := Choice{Site: site.Name}
	s := *site
	s.Self = "" // media are of no node: nobody stands first because of where they were built
	s.Networks = slices.Clone(site.Networks)
	i := slices.IndexFunc(s.Networks, func(n boot.Network) bool { return network == "" || n.Name == network })
	if i < 0 {
		return c, fmt.Errorf("the site file has no network %q", network)
	}
	c.Network = s.Networks[i].Name
	s.Networks[i].Deliver = boot.DeliverProxy // how else machines there hear of their bootstrap is nothing to media
	var at netip.Prefix
	if sub := s.Networks[i].Subnet; sub.IsValid() {
		at = netip.PrefixFrom(sub.Masked().Addr().Next(), sub.Bits())
	}
	uefi := c.ask(&s, boot.Client{Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2, Link: at})
	bios := c.ask(&s, boot.Client{ // our BIOS half is an iPXE
		Arch: boot.ArchBIOS, Firmware: boot.FirmwareIPXE, UserClass: "Surefoot-BDM", Link: at,
		IPXE: boot.IPXEFeatures{Known: true, TFTP: true},
	})
	if bios == nil { // rules for plain ROMs only
		bios = c.ask(&s, boot.Client{Arch: boot.ArchBIOS, Firmware: boot.FirmwarePXE, Link: at})
	}
	if uefi == nil && bios == nil {
		return c, errors.New("no rule of the site file gives UEFI or BIOS machines of network " + c.Network + " a file")
	}
	if uefi != nil {
		c.File, c.SHA256 = uefi.File, strings.ToLower(uefi.SHA256)
	}
	if bios != nil {
		c.FileBIOS, c.SHABIO = bios.File, strings.ToLower(bios.SHA256)
	}
	return c, nil
}

func (c *Choice) ask(s *boot.Site, who boot.Client) *boot.Answer {
	d := boot.Decide(who, s, nil)
	switch {
	case d.Reason != boot.Answered:
		return nil
	case strings.Contains(d.Answer.File, "://"):
		c.Notes = append(c.Notes, fmt.Sprintf("rule %s names a URL, %s: media hold a file's name and servers", d.Answer.Rule, d.Answer.File))
		return nil
	}
	for _, srv := range d.Answer.Servers {
		if u := ServerURL(srv); u != "" && !slices.Contains(c.Servers, u) {
			c.Servers = append(c.Servers, u)
		}
	}
	if !slices.Contains(c.Rules, d.Answer.Rule) {
		c.Rules = append(c.Rules, d.Answer.Rule)
	}
	return &d.Answer
}

// ServerURL is how an image names a server: by TFTP where it has it, "" if it has nothing for IPv4.
func ServerURL(s boot.Server) string {
	scheme, at := "tftp", s.TFTP
	if !at.IsValid() {
		scheme, at = "http", s.HTTP
	}
	if !at.IsValid() || !at.Addr().Unmap().Is4() {
		return ""
	}
	u, err := ParseServer(scheme + "://" + netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String())
	if err != nil {
		return ""
	}
	return u
}
