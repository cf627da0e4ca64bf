package boot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Arch is a client system architecture as option 93 carries it (RFC 4578 2.1, with the erratum
// that exchanged 7 and 9; numbers above 10 from the IANA registry; F9).
type Arch uint16

const (
	ArchBIOS      Arch = 0
	ArchIA32      Arch = 6
	ArchX64       Arch = 7
	ArchEBC       Arch = 9 // sent by x64 firmware of the years before the erratum: treated as x64
	ArchARM32     Arch = 10
	ArchARM64     Arch = 11
	ArchIA32HTTP  Arch = 15
	ArchX64HTTP   Arch = 16
	ArchARM32HTTP Arch = 18
	ArchARM64HTTP Arch = 19
	ArchUnknown   Arch = 0xffff // the client said nothing
)

// ArchClass is a name that rules use: it stands for each number that such a machine may send,
// by PXE as well as by HTTP boot.
type ArchClass string

const (
	ClassBIOS      ArchClass = "bios"
	ClassUEFIx64   ArchClass = "uefi-x64"
	ClassUEFIia32  ArchClass = "uefi-ia32"
	ClassUEFIarm64 ArchClass = "uefi-arm64"
	ClassUEFIarm32 ArchClass = "uefi-arm32"
)

// classes lists the numbers of each class, the one that firmware of today sends first.
var classes = []struct {
	class   ArchClass
	numbers []Arch
}{
	{ClassBIOS, []Arch{ArchBIOS}},
	{ClassUEFIx64, []Arch{ArchX64, ArchEBC, ArchX64HTTP}},
	{ClassUEFIia32, []Arch{ArchIA32, ArchIA32HTTP}},
	{ClassUEFIarm64, []Arch{ArchARM64, ArchARM64HTTP}},
	{ClassUEFIarm32, []Arch{ArchARM32, ArchARM32HTTP}},
}

// ArchClasses returns the names that rules may use.
func ArchClasses() []ArchClass {
	var out []ArchClass
	for _, c := range classes {
		out = append(out, c.class)
	}
	return out
}

// Archs returns the numbers that the class stands for, or nil for an unknown name.
func (c ArchClass) Archs() []Arch {
	for _, k := range classes {
		if k.class == c {
			return slices.Clone(k.numbers)
		}
	}
	return nil
}

// Class returns the class of a number, or "" if it has none.
func (a Arch) Class() ArchClass {
	for _, k := range classes {
		if slices.Contains(k.numbers, a) {
			return k.class
		}
	}
	return ""
}

// UEFI reports whether such a machine runs UEFI firmware.
func (a Arch) UEFI() bool { c := a.Class(); return c != "" && c != ClassBIOS }

// HTTP reports whether the number says UEFI HTTP boot.
func (a Arch) HTTP() bool {
	return a == ArchIA32HTTP || a == ArchX64HTTP || a == ArchARM32HTTP || a == ArchARM64HTTP
}

// String prints name and number, as in "uefi-x64(7)"; an unnamed number prints as "arch(21)".
func (a Arch) String() string {
	if a == ArchUnknown {
		return "unknown"
	}
	name := string(a.Class())
	if name == "" {
		name = "arch"
	}
	if a.HTTP() {
		name += "-http"
	}
	return fmt.Sprintf("%s(%d)", name, uint16(a))
}

// ParseArchs reads a class name or a number and returns every option-93 value it stands for.
func ParseArchs(s string) ([]Arch, error) {
	if as := ArchClass(s).Archs(); as != nil {
		return as, nil
	}
	if n, err := strconv.ParseUint(s, 10, 16); err == nil && Arch(n) != ArchUnknown {
		return []Arch{Arch(n)}, nil
	}
	var names []string
	for _, c := range classes {
		names = append(names, string(c.class))
	}
	return nil, fmt.Errorf("%q is not an architecture (one of %s, or a number of option 93)", s, strings.Join(names, ", "))
}

// MarshalText writes the number, or "" when the client said nothing.
func (a Arch) MarshalText() ([]byte, error) {
	if a == ArchUnknown {
		return nil, nil
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads what MarshalText wrote, a class name or a number.
func (a *Arch) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "" {
		*a = ArchUnknown
		return nil
	}
	if i := strings.IndexByte(s, '('); i >= 0 {
		s = strings.TrimSuffix(s[i+1:], ")")
	}
	as, err := ParseArchs(s)
	if err != nil {
		return err
	}
	*a = as[0]
	return nil
}
