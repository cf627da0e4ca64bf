// Package bdm makes boot media: small images that hold the servers' addresses themselves, so that
// a machine needs neither PXE firmware nor boot options of a DHCP server. It has the Settings that
// an image carries and their text, and builds, inspects, changes and writes images: hybrid ISO, disk
// with GPT, bare partition, VHD.
//
// It is not what boots: the UEFI program is in bdm/efi, the BIOS half's script in bdm/bios. Nor does
// it choose servers: the caller hands in what boot.Decide said. Formats: ECMA-119 (ISO 9660), El
// Torito 1.0, UEFI 2.10 chapters 5 and 13, Microsoft's FAT and VHD specifications.
package bdm

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ID names an image. It stands in what a machine sends when it boots from it.
type ID [16]byte

// String writes 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the same.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads it back.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// ParseID reads 32 hexadecimal digits.
func ParseID(s string) (id ID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not an image id: 32 hexadecimal digits", s)
	}
	return ID(b), nil
}

// Settings are what an image holds beside its programs.
type Settings struct {
	ID         ID     `json:"id"`
	Version    string `json:"version"` // of the Surefoot that built it
	Built      string `json:"built"`   // a date, as in 2026-11-25
	Site       string `json:"site,omitempty"`
	File       string `json:"file,omitempty"`        // for UEFI machines, as the servers name it
	SHA256     string `json:"sha256,omitempty"`      // of File; other content counts as a dead server
	FileBIOS   string `json:"file_bios,omitempty"`   // for BIOS machines
	SHA256BIOS string `json:"sha256_bios,omitempty"` // of FileBIOS; iPXE cannot compare it

	Servers []string `json:"servers"` // URLs in order, each ending in "/" (ParseServer)

	Static  netip.Prefix `json:"static,omitzero"`  // the machine's own address; the zero value: by DHCP
	Gateway netip.Addr   `json:"gateway,omitzero"` // with Static only
	DNS     []netip.Addr `json:"dns,omitempty"`
	VLAN    int          `json:"vlan,omitempty"`

	Tries   int `json:"tries"`   // requests to one server before the next
	Timeout int `json:"timeout"` // seconds each
	Wait    int `json:"wait"`    // seconds between rounds over all servers

	Sums Sums `json:"sums"` // Build fills them in
}

// Sums are CRC-32s over the programs of each half, by which damage is noticed; "" for a half that an
// image has not.
type Sums struct {
	UEFI string `json:"uefi,omitempty"`
	BIOS string `json:"bios,omitempty"`
}

// The defaults, and the limits of an image.
const (
	DefaultTries   = 2
	DefaultTimeout = 2
	DefaultWait    = 5

	maxServers = 16
	maxDNS     = 3
)

// Check says what is wrong, nil if nothing is.
func (s *Settings) Check() error {
	if _, err := time.Parse(time.DateOnly, s.Built); err != nil {
		return fmt.Errorf("built %q is not a date, as in 2026-11-25", s.Built)
	}
	switch {
	case s.File == "" && s.FileBIOS == "":
		return fmt.Errorf("no file is named: neither for UEFI nor for BIOS machines")
	case len(s.Servers) == 0:
		return fmt.Errorf("no server is named")
	case len(s.Servers) > maxServers:
		return fmt.Errorf("%d servers are more than the %d that an image holds", len(s.Servers), maxServers)
	case len(s.DNS) > maxDNS:
		return fmt.Errorf("%d DNS servers are more than the %d that an image holds", len(s.DNS), maxDNS)
	case s.VLAN < 0 || s.VLAN > 4094:
		return fmt.Errorf("vlan %d is not a VLAN number (1 to 4094)", s.VLAN)
	case s.Gateway.IsValid() && !s.Static.IsValid():
		return fmt.Errorf("a gateway without a static address: DHCP tells it")
	}
	for _, c := range []struct {
		name       string
		n, low, up int
	}{{"tries", s.Tries, 1, 99}, {"timeout", s.Timeout, 1, 99}, {"wait", s.Wait, 0, 999}} {
		if c.n < c.low || c.n > c.up {
			return fmt.Errorf("%s %d is not between %d and %d", c.name, c.n, c.low, c.up)
		}
	}
	for _, w := range []struct{ name, text string }{
		{"version", s.Version}, {"site", s.Site}, {"file", s.File}, {"file-bios", s.FileBIOS}, {"sum", s.Sums.UEFI}, {"sum", s.Sums.BIOS},
	} {
		if bad := strings.IndexFunc(w.text, func(r rune) bool { return !plain(r) }); bad >= 0 {
			return fmt.Errorf("%s %q: %q cannot stand in an image: letters, digits and %s can", w.name, w.text, w.text[bad:bad+1], plainMarks)
		}
	}
	for name, h := range map[string]string{"sha256": s.SHA256, "sha256-bios": s.SHA256BIOS} {
		if b, err := hex.DecodeString(h); h != "" && (err != nil || len(b) != 32 || strings.ToLower(h) != h) {
			return fmt.Errorf("%s %q is not a SHA-256 hash: 64 hexadecimal digits", name, h)
		}
	}
	return s.checkAddresses()
}

func (s *Settings) checkAddresses() error {
	if p := s.Static; p.IsValid() && (!p.Addr().Is4() || p.Bits() < 1 || p.Bits() > 31) {
		return fmt.Errorf("static address %s is not an IPv4 address with the length of its network, as in 10.0.0.9/24", p)
	}
	if g := s.Gateway; g.IsValid() && (!g.Is4() || !s.Static.Contains(g)) {
		return fmt.Errorf("gateway %s is not in the network of %s", g, s.Static)
	}
	for _, d := range s.DNS {
		if !d.Is4() {
			return fmt.Errorf("DNS server %s is not an IPv4 address", d)
		}
	}
	for _, text := range s.Servers {
		again, err := ParseServer(text)
		if err != nil {
			return err
		}
		if again != text {
			return fmt.Errorf("server %s is to be written as %s", text, again)
		}
		if named(text) && s.Static.IsValid() && len(s.DNS) == 0 {
			return fmt.Errorf("server %s is a name, and with a static address nobody says who resolves it: name a DNS server", text)
		}
	}
	return nil
}

// plainMarks are what may stand in a name beside letters and digits. Blanks, quotes, "$" and the
// like mean something to the programs that read them.
const plainMarks = `._-~/\+%@=,:`

func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(plainMarks, r)
}

// ParseServer reads a server: an address or a name, with a port or without, or a URL of TFTP or
// HTTP with a path. It returns the URL as an image holds it, with "/" at its end.
func ParseServer(text string) (string, error) {
	whole := text
	if !strings.Contains(whole, "://") {
		whole = "tftp://" + whole
	}
	u, err := url.Parse(whole)
	if err != nil {
		return "", fmt.Errorf("%q is not a server: an address, a name, or a URL as in http://10.0.0.1:8080/boot/", text)
	}
	switch {
	case u.Scheme != "tftp" && u.Scheme != "http":
		return "", fmt.Errorf("server %q: media fetch by tftp and http, not by %q", text, u.Scheme)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return "", fmt.Errorf("server %q: only a host, a port and a path can stand in an image", text)
	case strings.ContainsFunc(whole, func(r rune) bool { return !plain(r) }):
		return "", fmt.Errorf("server %q: letters, digits and %s can stand in an image (IPv6 addresses not yet)", text, plainMarks)
	case !hostOK(u.Hostname()):
		return "", fmt.Errorf("server %q: %q is neither an IPv4 address nor a name", text, u.Hostname())
	}
	host := u.Hostname()
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("server %q: %q is not a port", text, p)
		}
		if n != map[string]uint64{"tftp": 69, "http": 80}[u.Scheme] {
			host += ":" + strconv.FormatUint(n, 10)
		}
	}
	path := strings.Trim(u.EscapedPath(), "/")
	if path != "" {
		path += "/"
	}
	return u.Scheme + "://" + host + "/" + path, nil
}

func hostOK(h string) bool {
	if a, err := netip.ParseAddr(h); err == nil {
		return a.Is4()
	}
	if h == "" || len(h) > 253 || h[len(h)-1] >= '0' && h[len(h)-1] <= '9' && !strings.ContainsFunc(h, letter) {
		return false
	}
	for label := range strings.SplitSeq(h, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return !letter(r) && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// named reports whether a server's URL has a name rather than an address.
func named(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}
