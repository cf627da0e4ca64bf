package bdm

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// TextSize is the size of the file that holds the Settings: fixed, so that they can be changed in
// place, whatever file system is around them.
const TextSize = 4096

// TextName is its name, in the root of the image's EFI system partition.
const TextName = "SUREFOOT.CFG"

const (
	textMagic = "surefoot-bdm 1"
	maxLine   = 200 // bytes of a line, without its end: what the UEFI program has room for

	sumsUEFI = "# uefi-programs " // comments for those who boot, sums for those who inspect
	sumsBIOS = "# bios-programs "
)

// SumError says that the text is not what its own last line says: somebody edited it by hand, or a
// bit fell over. What it says may still be right.
type SumError struct{ Want, Got uint32 }

func (e *SumError) Error() string {
	return fmt.Sprintf("%s has the sum %08x and says %08x: it was edited by hand, or is damaged", TextName, e.Got, e.Want)
}

// Encode writes the Settings as the text of an image: TextSize bytes.
func (s *Settings) Encode() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	line := func(key, value string) {
		if value != "" {
			b.WriteString(key + " " + value + "\n")
		}
	}
	b.WriteString(textMagic + "\n")
	line("id", s.ID.String())
	line("version", s.Version)
	line("built", s.Built)
	line("site", s.Site)
	line("file", s.File)
	line("sha256", s.SHA256)
	line("file-bios", s.FileBIOS)
	line("sha256-bios", s.SHA256BIOS)
	for _, server := range s.Servers {
		line("server", server)
	}
	if ip := "static " + s.Static.String(); s.Static.IsValid() {
		if s.Gateway.IsValid() {
			ip += " " + s.Gateway.String()
		}
		line("ip", ip)
	} else {
		line("ip", "dhcp")
	}
	for _, d := range s.DNS {
		line("dns", d.String())
	}
	if s.VLAN != 0 {
		line("vlan", strconv.Itoa(s.VLAN))
	}
	line("tries", strconv.Itoa(s.Tries))
	line("timeout", strconv.Itoa(s.Timeout))
	line("wait", strconv.Itoa(s.Wait))
	if s.Sums.UEFI != "" {
		b.WriteString(sumsUEFI + s.Sums.UEFI + "\n")
	}
	if s.Sums.BIOS != "" {
		b.WriteString(sumsBIOS + s.Sums.BIOS + "\n")
	}
	fmt.Fprintf(&b, "crc %08x\n", crc32.ChecksumIEEE(b.Bytes()))
	for l := range strings.Lines(b.String()) {
		if len(l) > maxLine+1 {
			return nil, fmt.Errorf("a line of %d bytes is longer than the %d that an image's reader takes: %.40s…", len(l)-1, maxLine, l)
		}
	}
	return pad(b.Bytes(), TextSize, "settings")
}

// pad fills a text up with newlines, which say nothing in any of our texts.
func pad(text []byte, size int, what string) ([]byte, error) {
	if len(text) > size {
		return nil, fmt.Errorf("the %s need %d bytes, and an image has room for %d: fewer servers or shorter names", what, len(text), size)
	}
	return append(bytes.Clone(text), bytes.Repeat([]byte("\n"), size-len(text))...), nil
}

// Decode reads the text of an image. With a *SumError the Settings are those that stand there.
func Decode(b []byte) (Settings, error) {
	var s Settings
	if len(b) != TextSize {
		return s, fmt.Errorf("%s has %d bytes, not %d", TextName, len(b), TextSize)
	}
	body, sum, err := cutSum(b)
	if err != nil {
		return s, err
	}
	n, seen := 0, map[string]bool{}
	for l := range strings.Lines(string(body)) {
		n++
		l = strings.TrimSuffix(l, "\n")
		key, value, _ := strings.Cut(l, " ")
		switch {
		case n == 1 && l != textMagic:
			return s, fmt.Errorf("%s begins with %.40q, not with %q", TextName, l, textMagic)
		case n == 1:
			continue
		case len(l) > maxLine:
			return s, fmt.Errorf("%s line %d: %d bytes are more than %d", TextName, n, len(l), maxLine)
		case strings.HasPrefix(l, sumsUEFI):
			s.Sums.UEFI = strings.TrimPrefix(l, sumsUEFI)
			continue
		case strings.HasPrefix(l, sumsBIOS):
			s.Sums.BIOS = strings.TrimPrefix(l, sumsBIOS)
			continue
		case l == "" || l[0] == '#':
			continue
		case seen[key] && key != "server" && key != "dns":
			return s, fmt.Errorf("%s line %d: %q stands there twice", TextName, n, key)
		}
		seen[key] = true
		if err := s.set(key, value); err != nil {
			return s, fmt.Errorf("%s line %d: %w", TextName, n, err)
		}
	}
	for _, key := range []string{"id", "ip", "tries", "timeout", "wait"} {
		if !seen[key] {
			return s, fmt.Errorf("%s has no line %q", TextName, key)
		}
	}
	if err := s.Check(); err != nil {
		return s, fmt.Errorf("%s: %w", TextName, err)
	}
	if got := crc32.ChecksumIEEE(body); got != sum {
		return s, &SumError{Want: sum, Got: got}
	}
	return s, nil
}

// cutSum returns what stands before the last line, and the sum in it. Behind it only newlines may be.
func cutSum(b []byte) (body []byte, sum uint32, err error) {
	text := bytes.TrimRight(b, "\n")
	at := bytes.LastIndexByte(text, '\n') + 1
	word, ok := strings.CutPrefix(string(text[at:]), "crc ")
	n, err := strconv.ParseUint(word, 16, 32)
	if !ok || err != nil || len(word) != 8 {
		return nil, 0, fmt.Errorf("%s does not end with a line \"crc\" and 8 hexadecimal digits", TextName)
	}
	return text[:at], uint32(n), nil
}

func (s *Settings) set(key, value string) (err error) {
	number := func(to *int) error {
		n, err := strconv.Atoi(value)
		if err != nil || strconv.Itoa(n) != value {
			return fmt.Errorf("%s %q is not a number", key, value)
		}
		*to = n
		return nil
	}
	switch key {
	case "id":
		s.ID, err = ParseID(value)
	case "version":
		s.Version = value
	case "built":
		s.Built = value
	case "site":
		s.Site = value
	case "file":
		s.File = value
	case "sha256":
		s.SHA256 = value
	case "file-bios":
		s.FileBIOS = value
	case "sha256-bios":
		s.SHA256BIOS = value
	case "server":
		s.Servers = append(s.Servers, value)
	case "ip":
		return s.setIP(value)
	case "dns":
		a, err := netip.ParseAddr(value)
		if err != nil {
			return fmt.Errorf("dns %q is not an address", value)
		}
		s.DNS = append(s.DNS, a)
	case "vlan":
		return number(&s.VLAN)
	case "tries":
		return number(&s.Tries)
	case "timeout":
		return number(&s.Timeout)
	case "wait":
		return number(&s.Wait)
	default:
		return fmt.Errorf("%q is no setting of an image", key)
	}
	return err
}

func (s *Settings) setIP(value string) (err error) {
	if value == "dhcp" {
		return nil
	}
	words := strings.Split(value, " ")
	if len(words) < 2 || len(words) > 3 || words[0] != "static" {
		return fmt.Errorf("ip %q is neither \"dhcp\" nor \"static ADDRESS/LENGTH [GATEWAY]\"", value)
	}
	if s.Static, err = netip.ParsePrefix(words[1]); err != nil {
		return fmt.Errorf("ip: %q is not an address with a length, as in 10.0.0.9/24", words[1])
	}
	if len(words) == 3 {
		if s.Gateway, err = netip.ParseAddr(words[2]); err != nil {
			return fmt.Errorf("ip: gateway %q is not an address", words[2])
		}
	}
	return nil
}
