package dhcp4

import (
	"errors"
)

// ParseCode reads the name or the number of an option, as in "router" or "3".
func ParseCode(text string) (Code, error) { return 0, errors.ErrUnsupported }

// ParseValue reads the value of an option as people write it: see the table of forms in value.go.
func ParseValue(c Code, text string) ([]byte, error) { return nil, errors.ErrUnsupported }
