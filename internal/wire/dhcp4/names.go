package dhcp4

import (
	"errors"
	"fmt"
	"strings"
)

// maxName is the longest name that DNS has, in bytes on the wire.
const maxName = 255

// maxJumps bounds the work that a chain of pointers makes.
const maxJumps = 10

// appendNames writes DNS names as option 119 has them (RFC 3397): labels with their lengths, ends of
// names that were there before by a pointer into the value (RFC 1035 section 4.1.4). A dot at the end
// of a name makes no difference.
func appendNames(dst []byte, names []string) ([]byte, error) {
	start, seen := len(dst), map[string]int{}
	for _, name := range names {
		rest := strings.ToLower(strings.TrimSuffix(name, "."))
		if rest == "" || len(rest)+2 > maxName {
			return nil, fmt.Errorf("%q is not a domain name", name)
		}
		for rest != "" {
			if at, ok := seen[rest]; ok {
				dst = append(dst, 0xc0|byte(at>>8), byte(at))
				break
			}
			if at := len(dst) - start; at < 0x4000 {
				seen[rest] = at
			}
			label, more, dotted := strings.Cut(rest, ".")
			if !isLabel(label) || dotted && more == "" {
				return nil, fmt.Errorf("%q is not a domain name", name)
			}
			dst = append(append(dst, byte(len(label))), label...)
			if rest = more; rest == "" {
				dst = append(dst, 0)
			}
		}
	}
	return dst, nil
}

// isLabel allows an underscore too, which names of services and of Windows domains have.
func isLabel(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) < 64 && s[0] != '-' && s[len(s)-1] != '-'
}

// parseNames reads the value of option 119. A pointer may only point backwards.
func parseNames(b []byte) ([]string, error) {
	var out []string
	for at := 0; at < len(b); {
		name, next, err := nameAt(b, at)
		if err != nil {
			return nil, fmt.Errorf("parse domain names: %w", err)
		}
		out, at = append(out, name), next
	}
	return out, nil
}

func nameAt(b []byte, at int) (name string, next int, err error) {
	var labels []string
	size, jumps := 1, 0
	for i := at; ; {
		if i >= len(b) {
			return "", 0, errors.New("a name is cut short")
		}
		n := int(b[i])
		switch {
		case n == 0:
			return strings.Join(labels, "."), max(next, i+1), nil
		case n < 64:
			if i+1+n > len(b) {
				return "", 0, errors.New("a name is cut short")
			}
			if size += 1 + n; size > maxName {
				return "", 0, errors.New("a name is too long")
			}
			labels = append(labels, string(b[i+1:i+1+n]))
			i += 1 + n
		case n >= 0xc0 && i+1 < len(b):
			to := (n&0x3f)<<8 | int(b[i+1])
			if jumps++; to >= i || jumps > maxJumps {
				return "", 0, errors.New("a pointer that does not point backwards, or to one too many")
			}
			next = max(next, i+2)
			i = to
		default:
			return "", 0, fmt.Errorf("a label that begins with 0x%02x", n)
		}
	}
}
