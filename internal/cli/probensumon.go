package cli

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/probe"
)

// maxScriptArgs is the most that NetScaler hands to a user monitor, in bytes (F33).
const maxScriptArgs = 512

// netscaler reads what NetScaler hands to a user monitor, ADDRESS PORT ARGUMENTS [SECONDS], in the
// form of Citrix' own TFTP monitor (finding 9): file=ARDBP32.bin;content=Provisioning Services
// bootstrap. args becomes the one address that the rest of the command works with.
func (o *probeOptions) netscaler(args *[]string) error {
	in := *args
	addr, err := netip.ParseAddr(in[0])
	if err != nil {
		return fmt.Errorf("%q is not an address", in[0])
	}
	port, err := strconv.ParseUint(in[1], 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("port %q is not between 1 and 65535", in[1])
	}
	if len(in[2]) > maxScriptArgs {
		return fmt.Errorf("%d bytes of arguments, NetScaler hands over %d at the most", len(in[2]), maxScriptArgs)
	}
	file := ""
	for _, part := range strings.Split(in[2], ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=VALUE", part)
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "file":
			file = value
		case "content":
			o.contains = value
		case "sha256":
			o.sha256 = value
		case "as":
			o.as = value
		default:
			return fmt.Errorf("%q is none of file, content, sha256 and as", name)
		}
	}
	if file == "" {
		return errors.New("the arguments name no file, as in file=ARDBP32.BIN;content=text")
	}
	if len(in) == 4 {
		seconds, err := strconv.ParseFloat(in[3], 64)
		if err != nil || seconds <= 0 || seconds > 3600 {
			return fmt.Errorf("the time-out %q is not a number of seconds", in[3])
		}
		o.monitor.maxTime = time.Duration(seconds * float64(time.Second))
		o.timeout = o.monitor.maxTime
	}
	host := addr.Unmap().String()
	t := probe.Target{Scheme: "tftp", Host: host, Port: uint16(port), File: file}
	*args = []string{"tftp://" + net.JoinHostPort(host, in[1]) + strings.TrimPrefix(t.String(), hostPart(t))}
	return nil
}

// hostPart is the beginning of a target's address, up to the file.
func hostPart(t probe.Target) string {
	s := t.String()
	return s[:len("tftp://")+strings.IndexByte(s[len("tftp://"):], '/')]
}
