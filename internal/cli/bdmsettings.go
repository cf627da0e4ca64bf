package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/config"
)

// bdmFlags are the settings of an image as flags: of build and of set.
type bdmFlags struct {
	servers              []string
	service, dns         string
	file, fileBIOS       string
	hash, hashBIOS       string
	boot, bootBIOS       string
	ip                   string
	vlan                 int
	dnsServers           []string
	tries, timeout, wait int
}

func (o *bdmFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&o.servers, "servers", nil, "servers in order: names of the site file, addresses, or URLs (http://10.0.0.1:8067/)")
	f.StringVar(&o.service, "service", "", "the service address of that name (vips of the site file) instead of servers")
	f.StringVar(&o.dns, "dns", "", "a DNS name instead of servers: each boot asks for its addresses")
	f.StringVar(&o.file, "file", "", "the bootstrap for UEFI machines, as the servers name it (\"none\": take it out)")
	f.StringVar(&o.fileBIOS, "file-bios", "", "the bootstrap for BIOS machines (\"none\": take it out)")
	f.StringVar(&o.hash, "hash", "", "SHA-256 that the UEFI bootstrap must have, else the next server's turn (\"none\": any)")
	f.StringVar(&o.boot, "bootstrap", "", "a copy of the UEFI bootstrap, of which --hash is computed")
	f.StringVar(&o.hashBIOS, "hash-bios", "", "SHA-256 of the BIOS bootstrap; kept, though iPXE cannot compare it (\"none\": any)")
	f.StringVar(&o.bootBIOS, "bootstrap-bios", "", "a copy of the BIOS bootstrap, of which --hash-bios is computed")
	f.StringVar(&o.ip, "ip", "", "dhcp, or the machine's own ADDRESS/LENGTH[,GATEWAY] (default dhcp)")
	f.IntVar(&o.vlan, "vlan", 0, "number of the VLAN that the machine is to tag its packets with (0: none)")
	f.StringSliceVar(&o.dnsServers, "dns-server", nil, "DNS server instead of those of DHCP (may be repeated, up to 3)")
	f.IntVar(&o.tries, "tries", bdm.DefaultTries, "requests to one server before the next")
	f.IntVar(&o.timeout, "timeout", bdm.DefaultTimeout, "seconds for each request")
	f.IntVar(&o.wait, "wait", bdm.DefaultWait, "seconds between two rounds over all servers")
}

// exclusive refuses more than one of these flags.
func exclusive(cmd *cobra.Command, names ...string) error {
	var given []string
	for _, n := range names {
		if cmd.Flags().Changed(n) {
			given = append(given, "--"+n)
		}
	}
	if len(given) > 1 {
		return usageError(cmd, fmt.Errorf("%s exclude each other", strings.Join(given, " and ")))
	}
	return nil
}

// apply changes the settings as the flags say that were given.
func (o *bdmFlags) apply(cmd *cobra.Command, s *bdm.Settings, cfg *config.Config) error {
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	for _, group := range [][]string{{"servers", "service", "dns"}, {"hash", "bootstrap"}, {"hash-bios", "bootstrap-bios"}} {
		if err := exclusive(cmd, group...); err != nil {
			return err
		}
	}
	if err := o.applyServers(s, cfg, given); err != nil {
		return usageError(cmd, err)
	}
	for _, t := range []struct {
		flag, value string
		to          *string
	}{{"file", o.file, &s.File}, {"file-bios", o.fileBIOS, &s.FileBIOS}, {"hash", strings.ToLower(o.hash), &s.SHA256}, {"hash-bios", strings.ToLower(o.hashBIOS), &s.SHA256BIOS}} {
		if !given(t.flag) {
			continue
		}
		*t.to = strings.TrimLeft(t.value, "/")
		if t.value == "none" {
			*t.to = ""
		}
	}
	for _, t := range []struct {
		flag, path string
		to         *string
	}{{"bootstrap", o.boot, &s.SHA256}, {"bootstrap-bios", o.bootBIOS, &s.SHA256BIOS}} {
		if !given(t.flag) {
			continue
		}
		b, err := os.ReadFile(t.path)
		if err != nil {
			return fmt.Errorf("--%s: %w", t.flag, err)
		}
		if len(b) == 0 {
			return fmt.Errorf("--%s: %s is empty", t.flag, t.path)
		}
		*t.to = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	if given("ip") {
		if err := parseOwnAddress(o.ip, s); err != nil {
			return usageError(cmd, err)
		}
	}
	if given("dns-server") {
		s.DNS = nil
		for _, text := range o.dnsServers {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return usageError(cmd, fmt.Errorf("--dns-server: %q is not an address", text))
			}
			s.DNS = append(s.DNS, a)
		}
	}
	if given("vlan") {
		s.VLAN = o.vlan
	}
	for _, n := range []struct {
		flag string
		from int
		to   *int
	}{{"tries", o.tries, &s.Tries}, {"timeout", o.timeout, &s.Timeout}, {"wait", o.wait, &s.Wait}} {
		if given(n.flag) || *n.to == 0 && n.flag != "wait" {
			*n.to = n.from
		}
	}
	return nil
}

// applyServers fills in the servers, if a flag names any.
func (o *bdmFlags) applyServers(s *bdm.Settings, cfg *config.Config, given func(string) bool) error {
	switch {
	case given("dns"):
		u, err := bdm.ParseServer(o.dns)
		if err != nil {
			return fmt.Errorf("--dns: %w", err)
		}
		s.Servers = []string{u}
	case given("service"):
		if cfg == nil {
			return errors.New("--service: there is no site file, which would say its address")
		}
		for _, v := range cfg.VIPs {
			if v.Name == o.service {
				u, err := bdm.ParseServer(v.Address.Addr().String())
				s.Servers = []string{u}
				return err
			}
		}
		return fmt.Errorf("--service: the site file has no service address %q under vips", o.service)
	case given("servers"):
		s.Servers = nil
		for _, name := range o.servers {
			u, err := mediaServer(name, cfg)
			if err != nil {
				return fmt.Errorf("--servers: %w", err)
			}
			s.Servers = append(s.Servers, u)
		}
	}
	return nil
}

// mediaServer is a server by its name in the site file, else by itself.
func mediaServer(text string, cfg *config.Config) (string, error) {
	if cfg != nil {
		if srv, ok := cfg.Site.Servers[text]; ok {
			u := bdm.ServerURL(srv)
			if u == "" {
				return "", fmt.Errorf("%s hands out nothing over IPv4", text)
			}
			return u, nil
		}
	}
	return bdm.ParseServer(text)
}

// parseOwnAddress reads dhcp, or ADDRESS/LENGTH[,GATEWAY].
func parseOwnAddress(text string, s *bdm.Settings) (err error) {
	s.Static, s.Gateway = netip.Prefix{}, netip.Addr{}
	if text == "dhcp" {
		return nil
	}
	own, gateway, more := strings.Cut(text, ",")
	if s.Static, err = netip.ParsePrefix(strings.TrimSpace(own)); err != nil {
		return fmt.Errorf("--ip %q is neither \"dhcp\" nor an address with a length, as in 10.0.0.9/24,10.0.0.254", text)
	}
	if more {
		if s.Gateway, err = netip.ParseAddr(strings.TrimSpace(gateway)); err != nil {
			return fmt.Errorf("--ip: gateway %q is not an address", gateway)
		}
	}
	return nil
}

// newSettings are those of an image that is built now, by the site file if there is one.
func newSettings(env *Env, cfg *config.Config, network, id, date string) (bdm.Settings, bdm.Choice, error) {
	s := bdm.Settings{Version: versionOf(), Tries: bdm.DefaultTries, Timeout: bdm.DefaultTimeout, Wait: bdm.DefaultWait}
	var c bdm.Choice
	var err error
	if id != "" {
		if s.ID, err = bdm.ParseID(id); err != nil {
			return s, c, fmt.Errorf("--id: %w", err)
		}
	} else {
		_, _ = rand.Read(s.ID[:]) // never fails
	}
	if s.Built, err = buildDate(env, date); err != nil {
		return s, c, err
	}
	if cfg == nil {
		return s, c, nil
	}
	if c, err = bdm.Choose(&cfg.Site, network); err != nil {
		return s, c, err
	}
	s.Site, s.Servers = c.Site, c.Servers
	s.File, s.SHA256, s.FileBIOS, s.SHA256BIOS = c.File, c.SHA256, c.FileBIOS, c.SHABIO
	return s, c, nil
}

// buildDate is the date given, else that of SOURCE_DATE_EPOCH (reproducible-builds.org), else today.
func buildDate(env *Env, date string) (string, error) {
	if date != "" {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return "", fmt.Errorf("--date %q is not a date, as in 2026-11-25", date)
		}
		return date, nil
	}
	if text := env.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds", text)
		}
		return time.Unix(n, 0).UTC().Format(time.DateOnly), nil
	}
	return time.Now().UTC().Format(time.DateOnly), nil
}
