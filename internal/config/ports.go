package config

import (
	"fmt"
	"strconv"
	"strings"
)

// ParsePorts reads "any", "single" or a range as in 50000-50999.
func ParsePorts(s string) (Ports, error) {
	switch s {
	case "any":
		return Ports{}, nil
	case "single":
		return Ports{Single: true}, nil
	}
	low, high, ok := strings.Cut(s, "-")
	a, err := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	switch {
	case !ok || err != nil || err2 != nil:
		return Ports{}, fmt.Errorf("%s is not any, single or a range of ports", quote(s))
	case a < 1024:
		return Ports{}, fmt.Errorf("a range of ports begins at 1024 or later, this one at %d", a)
	case b < a:
		return Ports{}, fmt.Errorf("no port is in the range %d-%d", a, b)
	}
	return Ports{Low: uint16(a), High: uint16(b)}, nil
}

func parsePorts(v *value) (Ports, *fault) {
	p, err := ParsePorts(v.text)
	if err != nil {
		return Ports{}, faultf("%v", err).write("50000-50999").do("or leave the key out: then any port is taken")
	}
	return p, nil
}

// String is what ParsePorts reads.
func (p Ports) String() string {
	switch {
	case p.Single:
		return "single"
	case p.Low == 0:
		return "any"
	}
	return fmt.Sprintf("%d-%d", p.Low, p.High)
}
