package dhcp4

import (
	"fmt"
	"strconv"
)

// ParseCode reads an option's number, or its name as Code.Name has it.
func ParseCode(s string) (Code, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n > 0 && n < uint64(End) {
		return Code(n), nil
	}
	for c := Code(1); c < End; c++ {
		if name, _, ok := c.describe(); ok && name == s {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is not a DHCP option", s)
}
