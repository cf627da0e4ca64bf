package cli

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/health"
	httprole "surefoot/internal/serve/http"
	"surefoot/internal/serve/proxydhcp"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// explanation is what `surefoot explain` prints: one decision in every encoding that this client
// may meet.
type explanation struct {
	Client struct {
		MAC      boot.MAC      `json:"mac"`
		UUID     boot.UUID     `json:"uuid,omitzero"`
		Arch     boot.Arch     `json:"arch"`
		Firmware boot.Firmware `json:"firmware"`
		Relay    netip.Addr    `json:"relay,omitzero"`
		Addr     netip.Addr    `json:"addr,omitzero"`
	} `json:"client"`
	Node     string        `json:"node"`
	Decision boot.Decision `json:"decision"`
	Text     string        `json:"text"` // the reason in words

	Address   string   `json:"address,omitempty"`    // which one its DHCP server gives it, and why (deliver: dhcp)
	DHCPOffer []string `json:"dhcp_offer,omitempty"` // the DHCPOFFER, a field or option a line
	Offer     []string `json:"offer,omitempty"`      // the ProxyDHCP offer, a field or option a line
	BootReply []string `json:"boot_reply,omitempty"` // the answer on port 4011
	DHCP      []string `json:"dhcp,omitempty"`       // what the network's own DHCP server has to say (deliver: dns)
	URLs      []string `json:"urls,omitempty"`       // where the file is, in order
	ScriptURL string   `json:"script_url,omitempty"`
	Script    string   `json:"script,omitempty"`
	Note      string   `json:"note,omitempty"`

	Interface string `json:"interface,omitempty"` // of this machine, whose address the node answers from
	LookedIn  string `json:"files_looked_at_in,omitempty"`
	// NotLooked says why it was decided without a look at the node's files; "" if they were looked at.
	NotLooked string `json:"files_not_looked_at,omitempty"`

	Health string       `json:"health,omitempty"` // where it is known from who delivers, or why it is not
	Out    []health.Out `json:"out,omitempty"`    // who is not named at present, and why
}

// explain decides as the node would and encodes.
func explain(c boot.Client, cfg *config.Config, at view) explanation {
	d := boot.Decide(c, &cfg.Site, at.down)
	e := explanation{Node: cfg.Site.Self, Decision: d, Text: d.Reason.Text(), NotLooked: at.notLooked, Health: at.health, Out: at.out}
	if at.root != nil {
		e.LookedIn = at.root.Dir()
	}
	e.Client.MAC, e.Client.UUID, e.Client.Arch, e.Client.Firmware = c.MAC, c.UUID, c.Arch, c.Firmware
	e.Client.Relay, e.Client.Addr = c.Relay, c.Addr
	own, name := at.own(c)
	if e.Interface = name; !own.IsValid() {
		own = cfg.Node.Addr
	}
	if d.Reason != boot.Answered {
		return e
	}
	self := cfg.Site.Servers[cfg.Site.Self]
	self.Name, self.Node = cfg.Site.Self, true
	self.TFTP = netip.AddrPortFrom(own, config.DefaultTFTPPort) // as the node names itself on the wire
	if d.Answer.Script {
		e.ScriptURL = pxe.ScriptURL(self, c)
		e.Script = string(httprole.Script(c, d, e.Node))
		e.URLs = scriptURLs(e.Script)
	} else {
		for _, srv := range d.Answer.Servers {
			e.URLs = append(e.URLs, fileURLs(c, srv, d.Answer.File)...)
		}
	}
	if c.Firmware == boot.FirmwareGRUB || c.Firmware == boot.FirmwarePXELINUX {
		e.Note = fmt.Sprintf("%s asks no ProxyDHCP server: it goes on with what the firmware before it was told", c.Firmware)
		return e
	}
	if d.Answer.Deliver == boot.DeliverDHCP {
		e.explainDHCP(c, d, cfg, at)
		return e
	}
	if d.Answer.Deliver == boot.DeliverDNS { // no ProxyDHCP there
		e.DHCP = dhcpLines(c, d, cfg)
		return e
	}
	discover := c
	discover.Addr = netip.Addr{} // it has none yet
	offer := proxydhcp.EncodeOffer(c, d.Answer, self, pxe.DiscoverOf(discover))
	e.Offer = packetLines(offer)
	if c.Firmware != boot.FirmwareUEFIHTTP {
		e.BootReply = packetLines(proxydhcp.EncodeBoot(c, d.Answer, self, bootRequest(c, offer)))
	}
	return e
}

// bootRequest is what a client that has the offer asks on port 4011. Where the offer lists servers
// to choose from, the client names the item that it chose (43.71; PXE 2.1 section 2.2.4).
func bootRequest(c boot.Client, offer *dhcp4.Packet) *dhcp4.Packet {
	req := pxe.DiscoverOf(c)
	req.SetType(dhcp4.Request)
	b, _ := offer.Get(dhcp4.VendorSpecific)
	if v, err := pxe.ParseVendor(b); err == nil {
		if list, ok := v.Get(pxe.SubServers); ok && len(list) >= 2 {
			item := []byte{list[0], list[1], 0, 0} // its type, layer 0
			req.Set(dhcp4.VendorSpecific, pxe.Vendor{{Code: pxe.SubItem, Data: item}}.Bytes())
		}
	}
	return req
}

func packetLines(p *dhcp4.Packet) []string {
	return strings.Split(strings.TrimSuffix(pxe.Summary(p), "\n"), "\n")
}

// fileURLs lists the addresses at which this client may fetch the file from a server.
func fileURLs(c boot.Client, srv boot.Server, file string) []string {
	var out []string
	add := func(scheme string, at netip.AddrPort, usual uint16) {
		if !at.IsValid() {
			return
		}
		host := at.String()
		if at.Port() == usual && at.Addr().Is4() {
			host = at.Addr().String()
		}
		u := url.URL{Scheme: scheme, Host: host, Path: "/" + strings.TrimLeft(file, "/")}
		out = append(out, u.String())
	}
	if strings.Contains(file, "://") {
		return []string{file}
	}
	if c.Firmware != boot.FirmwareUEFIHTTP {
		add("tftp", srv.TFTP, 69)
	}
	if c.Firmware == boot.FirmwareUEFIHTTP || c.Firmware == boot.FirmwareGRUB {
		add("http", srv.HTTP, 80)
	}
	return out
}

// scriptURLs lists what an iPXE script fetches, in its order and as it stands there.
func scriptURLs(script string) []string {
	var out []string
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "imgfetch" {
			continue
		}
		for _, w := range words {
			if strings.Contains(w, "://") {
				out = append(out, w)
				break
			}
		}
	}
	return out
}
