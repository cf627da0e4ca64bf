package etcd

import (
	"net/netip"
	"net/url"
	"strings"
)

// keys names what is in the store. The number is the version of the form of all of it.
type keys struct{ root string }

func newKeys(prefix, site string) keys {
	return keys{root: "/" + strings.Trim(prefix, "/") + "/" + url.PathEscape(site) + "/1/"}
}

func (k keys) record(scope string, a netip.Addr) string {
	return k.records() + url.PathEscape(scope) + "/" + a.String()
}

func (k keys) records() string            { return k.root + "l/" }
func (k keys) blocks(scope string) string { return k.root + "b/" + url.PathEscape(scope) }
func (k keys) node(name string) string    { return k.root + "n/" + url.PathEscape(name) }
func (k keys) nodes() string              { return k.root + "n/" }

// What a key is about.
const (
	aboutRecord = 'l'
	aboutBlocks = 'b'
	aboutNode   = 'n'
)

// parse takes a key apart: what it is about, the name of a scope or node, and the address of a record.
func (k keys) parse(key string) (about byte, name string, a netip.Addr, ok bool) {
	rest, ok := strings.CutPrefix(key, k.root)
	if !ok || len(rest) < 3 || rest[1] != '/' {
		return 0, "", a, false
	}
	about, rest = rest[0], rest[2:]
	if about == aboutRecord {
		var text string
		if rest, text, ok = strings.Cut(rest, "/"); !ok {
			return 0, "", a, false
		}
		var err error
		if a, err = netip.ParseAddr(text); err != nil {
			return 0, "", a, false
		}
	}
	name, err := url.PathUnescape(rest)
	return about, name, a, err == nil
}
