package probe

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Target is a file on a server.
type Target struct {
	Scheme string // "tftp" or "http"
	Host   string // name or address, without brackets
	Port   uint16
	File   string // as the server is to be asked for it
}

// ParseTarget reads tftp://HOST[:PORT]/FILE (RFC 3617) or http://HOST[:PORT]/FILE. The file name
// of TFTP goes without its leading slash, as PXE ROMs ask.
func ParseTarget(s string) (Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, fmt.Errorf("%q is not an address: %w", s, unwrapURL(err))
	}
	t := Target{Scheme: u.Scheme, Host: u.Hostname()}
	switch u.Scheme {
	case "tftp":
		t.Port, t.File = 69, strings.TrimPrefix(u.Path, "/")
		t.File, _, _ = strings.Cut(t.File, ";mode=") // RFC 3617; octet is what boot clients use
	case "http":
		t.Port, t.File = 80, u.RequestURI()
	default:
		return Target{}, fmt.Errorf("%q is not an address that can be probed (tftp://HOST/FILE or http://HOST/FILE)", s)
	}
	if t.Host == "" || strings.Trim(t.File, "/") == "" {
		return Target{}, fmt.Errorf("%q names no %s (%s://HOST[:PORT]/FILE)", s, missing(t.Host), u.Scheme)
	}
	if strings.ContainsRune(t.File, 0) {
		return Target{}, fmt.Errorf("%q holds a NUL", s)
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Target{}, fmt.Errorf("%q: port %s is not between 1 and 65535", s, p)
		}
		t.Port = uint16(n)
	}
	return t, nil
}

func missing(host string) string {
	if host == "" {
		return "host"
	}
	return "file"
}

func unwrapURL(err error) error {
	if ue, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse documents this type
		return ue.Err
	}
	return err
}

// String writes the target as an address, in plain ASCII: what is not goes as %XX, so that it can
// be printed, and probed again.
func (t Target) String() string {
	file := strings.TrimPrefix(t.File, "/")
	if t.Scheme == "tftp" { // the name itself; that of HTTP is in the form of an address already
		file = strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", ";mode=", "%3Bmode=").Replace(file)
	}
	return t.Scheme + "://" + escaped(t.hostPort()+"/"+file)
}

// escaped writes every byte that is no printable ASCII as %XX.
func escaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hostPort writes the host, and the port where it is not the usual one.
func (t Target) hostPort() string {
	if t.Scheme == "tftp" && t.Port != 69 || t.Scheme == "http" && t.Port != 80 {
		return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
	}
	if strings.Contains(t.Host, ":") {
		return "[" + t.Host + "]"
	}
	return t.Host
}

// addrOf prefers IPv4, in which most firmware boots.
func addrOf(all []netip.Addr) netip.Addr {
	for _, a := range all {
		if a.Unmap().Is4() {
			return a.Unmap()
		}
	}
	return all[0]
}
