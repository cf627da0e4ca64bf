package dhcp4

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text writes the option's value for people: addresses, numbers, routes and text as such, the rest, and
// whatever does not have the form that it should, in hexadecimal.
func (o Option) Text() string {
	_, f, _ := o.Code.describe()
	d := o.Data
	switch f {
	case asText, asFile:
		if printable(d) {
			return strconv.Quote(string(d))
		}
	case asAddr, asMask, asAddrs:
		if len(d) > 0 && len(d)%4 == 0 {
			return addrsText(d)
		}
	case asUint8, asUint16, asUint32, asInt32:
		if len(d) > 0 && len(d) <= 4 {
			return numberText(d, f == asInt32)
		}
	case asRoutes:
		if routes, err := ParseRoutes(d); err == nil {
			return routesText(routes)
		}
	case asNames:
		if names, err := parseNames(d); err == nil {
			return strings.Join(names, " ")
		}
	case asType:
		if len(d) == 1 {
			return MessageType(d[0]).String()
		}
	case asCodes:
		return codesText(d)
	case asAgent:
		if text, ok := Agent(d).text(); ok {
			return text
		}
	}
	return fmt.Sprintf("% x", d)
}

func addrsText(d []byte) string {
	var out []string
	for ; len(d) > 0; d = d[4:] {
		out = append(out, netip.AddrFrom4([4]byte(d)).String())
	}
	return strings.Join(out, " ")
}

func numberText(d []byte, signed bool) string {
	n := uint32(0)
	for _, x := range d {
		n = n<<8 | uint32(x)
	}
	if signed && len(d) == 4 {
		return strconv.FormatInt(int64(int32(n)), 10)
	}
	return strconv.FormatUint(uint64(n), 10)
}

func routesText(routes []Route) string {
	var out []string
	for _, r := range routes {
		out = append(out, r.String())
	}
	return strings.Join(out, ", ")
}

func codesText(d []byte) string {
	var out []string
	for _, x := range d {
		out = append(out, strconv.Itoa(int(x)))
	}
	return strings.Join(out, ",")
}

// printable reports whether b is text, apart from NULs at its end.
func printable(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	return len(b) > 0 && utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
