package files

import (
	"fmt"
	"strings"
	"text/template"
)

// permitted are the functions of templates. Those of text/template that can make much of little
// (printf, with a width) are not among them.
var permitted = []string{
	"lower", "upper", "hexdash", "default", "print",
	"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice",
}

// functions are our own; the rest of the permitted ones is text/template's.
func functions() template.FuncMap {
	return template.FuncMap{
		"lower": func(s string) (string, error) { return short(strings.ToLower(s)) },
		"upper": func(s string) (string, error) { return short(strings.ToUpper(s)) },
		// hexdash writes a MAC address as PXELINUX and others have it in file names.
		"hexdash": func(s string) (string, error) { return short(strings.ReplaceAll(strings.ToLower(s), ":", "-")) },
		"default": func(otherwise, s string) string {
			if s == "" {
				return otherwise
			}
			return s
		},
		"print": printAll,
	}
}

// printAll is fmt.Sprint for what cannot be too long.
func printAll(args ...any) (string, error) {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case Client:
			n += 8 << 10
		default: // a number, or true
			n += 32
		}
		if n > maxValue {
			return "", tooLong()
		}
	}
	return short(fmt.Sprint(args...))
}

func short(s string) (string, error) {
	if len(s) > maxValue {
		return "", tooLong()
	}
	return s, nil
}

func tooLong() error { return fmt.Errorf("a value is longer than %d bytes", maxValue) }
