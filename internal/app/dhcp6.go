package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/serve/dhcp6"
	httprole "surefoot/internal/serve/http"
	"surefoot/internal/serve/tftp"
	wire "surefoot/internal/wire/dhcp6"
)

// Names of the roles over IPv6. TFTP and HTTP have the same limits there once more.
const (
	roleDHCP6 = "dhcp6"
	slotTFTP6 = "tftp6"
	slotHTTP6 = "http6"
)

// scope6 is the name of a network's pool of IPv6 addresses, which no network can have.
func scope6(network string) string { return network + "/6" }

// pools6 are the networks' IPv6 addresses as the book has them.
func pools6(cfg *config.Config) []lease.Pool {
	var out []lease.Pool
	for _, s := range cfg.DHCP.Scopes6 {
		p := lease.Pool{Scope: scope6(s.Network), Subnet: s.Subnet, Lease: s.Lease, Reserved: map[lease.ID]netip.Addr{}}
		for _, r := range s.Ranges {
			p.Ranges = append(p.Ranges, lease.Range(r))
		}
		for _, r := range s.Exclude {
			for a := r.From; !r.To.Less(a); a = a.Next() {
				p.Exclude = append(p.Exclude, a)
			}
		}
		for id, r := range hosts6(cfg, s.Network) {
			p.Reserved[id] = r.Addr6
		}
		out = append(out, p)
	}
	return out
}

// hosts6 are the machines of a network that an IPv6 address is reserved for.
func hosts6(cfg *config.Config, network string) map[lease.ID]boot.Reservation {
	out := map[lease.ID]boot.Reservation{}
	for _, n := range cfg.Site.Networks {
		if n.Name != network {
			continue
		}
		for mac, r := range n.Reservations {
			if r.Addr6.IsValid() {
				out[lease.Hardware(1, mac[:])] = r
			}
		}
		for text, r := range n.ByDUID {
			if id, err := wire.ParseDUID(text); err == nil { // config lets nothing else through
				out[lease.Machine(id)] = r
			}
		}
	}
	return out
}

// networkOf is the network of a scope.
func networkOf(scope string) string { return strings.TrimSuffix(scope, "/6") }

// each calls f for the records of a network, or of all with "", until it returns false.
func (l *leases) each(network string, f func(lease.Record) bool) {
	more := true
	l.book.Each(network, func(r lease.Record) bool { more = f(r); return more })
	if network != "" && more {
		l.book.Each(scope6(network), f)
	}
}

// dhcp6Server is the role with the file of its leases, which is opened with its sockets.
type dhcp6Server struct {
	*dhcp6.Server
	leases *leases
	file   string
}

// Listen opens the leases, then the sockets.
func (s *dhcp6Server) Listen(ctx context.Context) error {
	if err := s.leases.open(ctx, s.file); err != nil {
		return err
	}
	return s.Server.Listen(ctx)
}

func (s *setup) hasDHCP6() bool {
	return s.has(roleDHCP6) && len(s.DHCP.Scopes6) > 0 && len(s.Node.Interfaces) > 0
}

func (s *setup) dhcp6Config(duid wire.DUID) dhcp6.Config {
	c := dhcp6.Config{Node: s.Node.Name, DUID: duid, Site: &s.Site, Interfaces: s.Node.Interfaces}
	for _, d := range s.DHCP.Scopes6 {
		hosts := map[lease.ID]struct{}{}
		for id := range hosts6(s.Config, d.Network) {
			hosts[id] = struct{}{}
		}
		c.Scopes = append(c.Scopes, dhcp6.Scope{
			Hosts: hosts,
			Name:  scope6(d.Network), Network: d.Network, Subnet: d.Subnet, Preference: uint8(d.Preference), NoRapid: !d.Rapid,
			DNS: d.DNS, NTP: d.NTP, Search: d.Search,
		})
	}
	return c
}

func (a *App) dhcp6Slot() *slot {
	return &slot{
		name: roleDHCP6,
		make: func(cfg *setup) (server, error) {
			if !cfg.hasDHCP6() {
				return nil, nil
			}
			duid, err := nodeDUID(cfg.State)
			if err != nil {
				return nil, err
			}
			d := dhcp6.Deps{Log: a.log, Now: a.now, Emit: a.starved.emit(a.fromMachines), Down: a.health.down, Book: a.leases.book, Keeper: a.leases}
			if a.leases.shared != nil {
				d.Keeper, d.Shared = a.leases.shared, a.leases.shared
			}
			srv, err := dhcp6.New(cfg.dhcp6Config(duid), d)
			if err != nil {
				return nil, err
			}
			return &dhcp6Server{srv, a.leases, cfg.DHCP.Leases}, nil
		},
		same: func(was, is *setup) bool {
			return was.hasDHCP6() == is.hasDHCP6() && slices.Equal(was.Node.Interfaces, is.Node.Interfaces)
		},
		apply: func(s server, cfg *setup) {
			duid, err := nodeDUID(cfg.State)
			if err == nil {
				err = errors.Join(a.leases.configure(cfg.Config), s.(*dhcp6Server).Apply(cfg.dhcp6Config(duid)))
			}
			if err != nil {
				a.log.Error("the DHCPv6 server goes on with the scopes before", "err", err)
			}
		},
	}
}

// nodeDUID is what this node calls itself to DHCPv6 clients. It is made once and kept: clients renew with the
// server of that name (RFC 8415 section 11), and a UUID is nobody else's (RFC 6355).
func nodeDUID(state string) (wire.DUID, error) {
	path := duidFile(state)
	if d, err := readDUID(state); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	d := wire.OfUUID(u)
	if err := writeOnce(path, d.String()+"\n"); err != nil {
		return nil, fmt.Errorf("keep the DUID of this node: %w", err)
	}
	return d, nil
}

func duidFile(state string) string { return filepath.Join(state, "dhcp6-duid") }

func readDUID(state string) (wire.DUID, error) {
	b, err := os.ReadFile(duidFile(state))
	if err != nil {
		return nil, fmt.Errorf("read the DUID of this node: %w", err)
	}
	d, err := wire.ParseDUID(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", duidFile(state), err)
	}
	return d, nil
}

// writeOnce makes a file whole or not at all, on the disk before it returns.
func writeOnce(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// over6 is where a role that listens on IPv4 listens on IPv6, if the node hands out files there.
func (s *setup) over6(role string, at netip.AddrPort) (netip.AddrPort, bool) {
	return netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port()), s.has(role) && s.Node.Addr6.IsValid() && at.Addr().Is4()
}

func (a *App) tftp6Slot() *slot {
	of := a.tftpSlot()
	return &slot{
		name: slotTFTP6,
		make: func(cfg *setup) (server, error) {
			at, ok := cfg.over6(roleTFTP, cfg.TFTP)
			if !ok {
				return nil, nil
			}
			return a.makeTFTP(cfg, at)
		},
		same: func(was, is *setup) bool {
			return of.same(was, is) && was.Node.Addr6.IsValid() == is.Node.Addr6.IsValid()
		},
		apply: func(s server, cfg *setup) { applyTFTP(s.(*tftp.Server), cfg) },
	}
}

func (a *App) http6Slot() *slot {
	of := a.httpSlot()
	return &slot{
		name: slotHTTP6,
		make: func(cfg *setup) (server, error) {
			at, ok := cfg.over6(roleHTTP, cfg.HTTP)
			if !ok {
				return nil, nil
			}
			return a.makeHTTP(cfg, at)
		},
		same: func(was, is *setup) bool {
			return of.same(was, is) && was.Node.Addr6.IsValid() == is.Node.Addr6.IsValid()
		},
		apply: func(s server, cfg *setup) { s.(*httprole.Server).Apply(&cfg.Site, cfg.files) },
	}
}
