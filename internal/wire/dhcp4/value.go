package dhcp4

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ParseCode reads the name or the number of an option, as in "router" or "3".
func ParseCode(text string) (Code, error) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		if n == uint64(Pad) || n >= uint64(End) {
			return 0, fmt.Errorf("%s is not the number of an option: they go from 1 to 254", text)
		}
		return Code(n), nil
	}
	for c := Pad + 1; c < End; c++ {
		if name, _, ok := c.describe(); ok && name == strings.ToLower(text) {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is not the name of an option that is known here: write its number", text)
}

// forms are the words that say what a value is, where the option alone does not. The text after the
// colon is the value.
var forms = map[string]form{
	"text": asText, "hex": asHex, "addresses": asAddrs, "uint8": asUint8, "uint16": asUint16, "uint32": asUint32,
	"int32": asInt32, "routes": asRoutes, "names": asNames,
}

// ParseValue reads the value of an option as people write it:
//
//	router             10.0.0.1, 10.0.0.2
//	subnet-mask        255.255.255.0
//	mtu                1500
//	domain-name        example.net
//	domain-search      example.net, lab.example.net
//	classless-routes   10.0.0.0/8 via 10.1.0.1, default via 10.1.0.2
//	vendor-specific    hex: 06 01 08
//
// For an option that has no name here, and to give one another form than its own, the value says its
// form: "text: …", "hex: …", "addresses: …", "uint8: …", "uint16: …", "uint32: …", "int32: …",
// "routes: …", "names: …". An error says what to write instead. Options by which client and server
// speak to each other are refused: they are not for a site to set.
func ParseValue(c Code, text string) ([]byte, error) {
	if c.ofProtocol() {
		return nil, fmt.Errorf("%s is the server's own to set: leave it out", c)
	}
	_, f, known := c.describe()
	text = strings.TrimSpace(text)
	if word, rest, ok := strings.Cut(text, ":"); ok {
		if g, ok := forms[word]; ok {
			text, f, known = strings.TrimSpace(rest), g, true
		}
	}
	if !known {
		return nil, fmt.Errorf("%s: it is not known here what its value looks like: write its form before it, "+
			`as in "text: %s" or "hex: 0a 0b" (text, hex, addresses, uint8, uint16, uint32, int32, routes, names)`, c, orExample(text))
	}
	b, err := f.parse(text)
	if err == nil && c == StaticRoutes && len(b)%8 != 0 {
		err = fmt.Errorf("an odd number of addresses: write a destination and a router each time, or use %s", ClasslessRoutes.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	return b, nil
}

func orExample(text string) string {
	if text == "" {
		return "some words"
	}
	return text
}

// ofProtocol reports whether an option belongs to the exchange itself.
func (c Code) ofProtocol() bool {
	switch c {
	case Pad, RequestedAddress, Overload, MessageTypeOption, ServerID, ParameterList, MaxMessageSize, ClientID,
		RapidCommit, RelayAgentInfo, SubnetSelection, End:
		return true
	}
	return false
}

func (f form) parse(text string) ([]byte, error) {
	switch f {
	case asText, asFile:
		b, err := parseText(text)
		if f == asFile && err == nil {
			b = append(b, 0)
		}
		return b, err
	case asAddr:
		a, err := parseAddr(text)
		return a[:], err
	case asMask:
		return parseMask(text)
	case asAddrs:
		return parseAddrs(text)
	case asUint8:
		return parseNumber(text, 1)
	case asUint16:
		return parseNumber(text, 2)
	case asUint32:
		return parseNumber(text, 4)
	case asInt32:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number of at most 32 bits, as in -3600", text)
		}
		return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
	case asRoutes:
		return parseRoutesText(text)
	case asNames:
		names := list(text)
		if len(names) == 0 {
			return nil, errors.New(`no name: write one or several, as in "example.net, lab.example.net"`)
		}
		return appendNames(nil, names)
	}
	return parseHex(text)
}

// list splits at commas and spaces.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

func parseText(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("an empty text: leave the option out")
	}
	if !printable([]byte(text)) {
		return nil, fmt.Errorf("%q has characters that cannot be printed: write the bytes, as in %q", text, fmt.Sprintf("hex: % x", text))
	}
	return []byte(text), nil
}

func parseHex(text string) ([]byte, error) {
	plain := strings.NewReplacer(" ", "", ":", "", "-", "", "\t", "").Replace(strings.TrimPrefix(text, "0x"))
	b, err := hex.DecodeString(plain)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf(`%q is not hexadecimal: write two digits for each byte, as in "06 01 08", or "text: …" for text`, text)
	}
	return b, nil
}

func parseNumber(text string, size int) ([]byte, error) {
	most := uint64(1)<<(8*size) - 1
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		if d, err := time.ParseDuration(text); err == nil && d >= 0 && d%time.Second == 0 {
			return nil, fmt.Errorf("%q is not a number: for a time write its seconds, %d", text, d/time.Second)
		}
		return nil, fmt.Errorf("%q is not a number from 0 to %d", text, most)
	}
	if n > most {
		return nil, fmt.Errorf("%s is too large: write a number from 0 to %d", text, most)
	}
	return binary.BigEndian.AppendUint64(nil, n)[8-size:], nil
}

func parseAddr(text string) ([4]byte, error) {
	a, err := netip.ParseAddr(text)
	if err == nil && a.Is4() {
		return a.As4(), nil
	}
	if err == nil {
		return [4]byte{}, fmt.Errorf("%s is an IPv6 address, and the option holds IPv4 ones", text)
	}
	if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() {
		return [4]byte{}, fmt.Errorf("%q is a network: write an address, as in %q", text, p.Addr())
	}
	return [4]byte{}, fmt.Errorf("%q is not an IPv4 address, as in \"10.0.0.1\"", text)
}

func parseAddrs(text string) ([]byte, error) {
	var out []byte
	for _, word := range list(text) {
		a, err := parseAddr(word)
		if err != nil {
			return nil, err
		}
		out = append(out, a[:]...)
	}
	if len(out) == 0 {
		return nil, errors.New(`no address: write one or several, as in "10.0.0.1, 10.0.0.2"`)
	}
	return out, nil
}

func parseMask(text string) ([]byte, error) {
	if bits, err := strconv.ParseUint(strings.TrimPrefix(text, "/"), 10, 8); err == nil && bits <= 32 {
		return nil, fmt.Errorf("%q is a length: write the mask %q", text, maskOf(int(bits)))
	}
	a, err := parseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a mask, as in \"255.255.255.0\"", text)
	}
	if n := binary.BigEndian.Uint32(a[:]); ^n&(^n+1) != 0 {
		return nil, fmt.Errorf("%s is not a mask: its ones have gaps", text)
	}
	return a[:], nil
}

func maskOf(bits int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(uint64(0xffffffff)<<(32-bits)))))
}

func parseRoutesText(text string) ([]byte, error) {
	const example = `write routes as in "10.0.0.0/8 via 10.1.0.1, default via 10.1.0.2"`
	var routes []Route
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) != 3 || words[1] != "via" {
			return nil, fmt.Errorf("%q is not a route: %s", strings.TrimSpace(part), example)
		}
		r := Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
		if words[0] != "default" {
			to, err := netip.ParsePrefix(words[0])
			if err != nil || !to.Addr().Is4() {
				return nil, fmt.Errorf("%q is not an IPv4 network: %s", words[0], example)
			}
			if to != to.Masked() {
				return nil, fmt.Errorf("%s has bits beyond its length: write %s", to, to.Masked())
			}
			r.To = to
		}
		via, err := parseAddr(words[2])
		if err != nil {
			return nil, err
		}
		r.Via = netip.AddrFrom4(via)
		routes = append(routes, r)
	}
	return AppendRoutes(nil, routes), nil
}
