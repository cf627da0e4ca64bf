package config

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"surefoot/internal/boot"
)

const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`

var (
	nameRegexp    = regexp.MustCompile(namePattern)
	decimalRegexp = regexp.MustCompile(`^[1-9][0-9]*$`)
	digitsOnly    = regexp.MustCompile(`^[0-9]+$`)
	sha256Regexp  = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// index appends a list index to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parseText takes any text; what YAML reads as a number or a boolean must be quoted.
func parseText(v *value) (string, *fault) {
	switch {
	case v.kind == kindNumber, v.kind == kindBool:
		return "", faultf("%s is %s to YAML, and a text is wanted", quote(v.text), v.describe()).write(strconv.Quote(v.text))
	case strings.TrimSpace(v.text) == "":
		return "", faultf("the text is empty").do("leave the key out")
	}
	return v.text, nil
}

func checkName(s string) *fault {
	switch {
	case nameRegexp.MatchString(s):
		return nil
	case s == "":
		return faultf("the name is empty").do("names have 1 to 63 letters, digits, dots, dashes and underscores")
	}
	return faultf("%s is not a name", quote(s)).do("names have 1 to 63 letters, digits, dots, dashes and underscores, and begin with a letter or digit")
}

func parseName(v *value) (string, *fault) {
	if v.kind == kindNumber || v.kind == kindBool {
		return parseText(v)
	}
	return v.text, checkName(v.text)
}

// parsePath takes an absolute path: a service has no directory that it starts in.
func parsePath(v *value) (string, *fault) {
	s, f := parseText(v)
	switch {
	case f != nil:
		return "", f
	case len(s) > 2 && s[1] == ':' && strings.ContainsAny(s[2:3], `\/`):
		return "", faultf("%s is a Windows path, and nodes run Linux", quote(s)).write("/srv/boot")
	case !strings.HasPrefix(s, "/"):
		return "", faultf("%s is not an absolute path", quote(s)).write(plain("/" + strings.TrimPrefix(s, "./")))
	}
	return s, nil
}

// maxSocketPath is what sun_path of Linux holds, less the final zero (unix(7)).
const maxSocketPath = 107

func parseSocket(v *value) (string, *fault) {
	s, f := parsePath(v)
	if f == nil && len(s) > maxSocketPath {
		f = faultf("the path of a unix socket has at most %d bytes, this one has %d", maxSocketPath, len(s)).write(DefaultSocket)
	}
	return s, f
}

// maxFileName is what the file field of a DHCP packet holds, less the final zero (RFC 2131 2).
const maxFileName = 127

func parseFile(v *value) (string, *fault) {
	s, f := parseText(v)
	switch {
	case f != nil && f.instead == "":
		return "", faultf("the file name is empty").write("ARDBP32.BIN")
	case f != nil:
		return "", f
	case len(s) > maxFileName:
		return "", faultf("a file name has at most %d bytes in a DHCP packet, this one has %d", maxFileName, len(s)).do("use a shorter name, or a link with one")
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return "", faultf("%s holds a control character", quote(s)).do(`in double quotes a backslash begins an escape: use single quotes, as in 'boot\x64\file.efi'`)
	case leadsOut(s):
		return "", faultf("%s leads out of the root", quote(s)).do("name the file from the root on, as in boot/x64/snponly.efi, and put it there")
	}
	return s, nil
}

// leadsOut reports whether a name climbs above the root, where no server looks. Backslashes are
// slashes there, and leading ones count for nothing (F30).
func leadsOut(file string) bool {
	if strings.Contains(file, "://") {
		return false
	}
	clean := path.Clean(strings.TrimLeft(strings.ReplaceAll(file, `\`, "/"), "/"))
	return clean == ".." || strings.HasPrefix(clean, "../")
}

func parseSHA256(v *value) (string, *fault) {
	if !sha256Regexp.MatchString(v.text) {
		return "", faultf("%s is not a SHA-256: it has %s, not 64 hexadecimal digits", quote(v.text), count(len(v.text), "character")).do("sha256sum FILE prints it")
	}
	if !v.quoted && digitsOnly.MatchString(v.text) {
		return "", faultf("these digits are a number to YAML readers").write(strconv.Quote(v.text))
	}
	return strings.ToLower(v.text), nil
}

func parseInterface(v *value) (string, *fault) {
	s, f := parseText(v)
	switch {
	case f != nil:
		return "", f
	case s == "*" || s == "all" || s == "any":
		return "", faultf("%s is not an interface: each one that is to be answered on has to be named", quote(s)).do("ip -br link lists them")
	case len(s) > 15 || s == "." || s == ".." || strings.ContainsAny(s, "/ \t"):
		return "", faultf("%s is not the name of a network interface (1 to 15 characters)", quote(s)).do("ip -br link lists them")
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "", faultf("%s is an address, and the interface's name is wanted", s).do("ip -br addr shows which interface has it")
	}
	return s, nil
}

// parseChoice takes one of a set of words.
func parseChoice[T ~string](choices ...T) func(*value) (T, *fault) {
	return func(v *value) (T, *fault) {
		if slices.Contains(choices, T(v.text)) {
			return T(v.text), nil
		}
		var names []string
		for _, c := range choices {
			names = append(names, string(c))
		}
		f := faultf("%s is not one of %s", quote(v.text), strings.Join(names, ", "))
		if near := nearest(v.text, names); len(near) > 0 {
			return "", f.do("did you mean %s?", near[0])
		}
		return "", f
	}
}

func parseBool(v *value) (bool, *fault) {
	if v.kind == kindBool {
		return strings.EqualFold(v.text, "true"), nil
	}
	f := faultf("%s is not a boolean (true or false)", quote(v.text))
	switch strings.ToLower(v.text) {
	case "yes", "on", "y", "1", "true":
		f.write("true")
	case "no", "off", "n", "0", "false":
		f.write("false")
	}
	return false, f
}

// parseCount takes a decimal number from least, which is 0 or 1, to most.
func parseCount(least, most int) func(*value) (int, *fault) {
	return func(v *value) (int, *fault) {
		if v.kind == kindText && v.quoted && decimalRegexp.MatchString(v.text) {
			return 0, faultf("this is a text, and a number is wanted").write(v.text)
		}
		n, err := strconv.Atoi(v.text)
		if v.kind == kindNumber && v.text == "0" && least == 0 {
			return 0, nil
		}
		if v.kind != kindNumber || !decimalRegexp.MatchString(v.text) || err != nil || n > most {
			return 0, faultf("%s is not a whole number from %d to %d", quote(v.text), least, most).write(strconv.Itoa(min(most, DefaultMaxTransfers)))
		}
		return n, nil
	}
}

// parseRange takes a decimal number between two others, and suggests a third.
func parseRange(least, most, suggest int) func(*value) (int, *fault) {
	return func(v *value) (int, *fault) {
		n, f := parseCount(1, most)(v)
		switch {
		case f != nil && v.quoted && decimalRegexp.MatchString(v.text):
			return 0, f
		case f != nil || n < least:
			return 0, faultf("%s is not a whole number from %d to %d", quote(v.text), least, most).write(strconv.Itoa(suggest))
		}
		return n, nil
	}
}

// parseDuration takes a duration with its unit, from 0s to an hour.
func parseDuration(v *value) (time.Duration, *fault) {
	if v.kind == kindNumber {
		return 0, faultf("%s has no unit", v.text).write(v.text + "s").do("the units are ms, s, m and h")
	}
	t, err := time.ParseDuration(v.text)
	if err != nil {
		return 0, faultf("%s is not a duration", quote(v.text)).write("30s").do("the units are ms, s, m and h, as in 1m30s")
	}
	if t < 0 || t > time.Hour {
		return 0, faultf("%s is not between 0s and 1h", v.text).write("30s")
	}
	return t, nil
}

// maxBusyPoll is more than any client in lock-step takes to answer.
const maxBusyPoll = time.Millisecond

func parseBusyPoll(v *value) (time.Duration, *fault) {
	t, f := parseDuration(v)
	switch {
	case f != nil && v.kind == kindNumber:
		return 0, faultf("%s has no unit", v.text).write(v.text + "us").do("the units are us and ms")
	case f != nil:
		return 0, f
	case t > maxBusyPoll:
		return 0, faultf("%s is longer than 1ms: a client that takes longer to answer gains nothing", v.text).write("50us")
	}
	return t, nil
}

// parseDeliver takes a delivery, or the name of a service address after vip:.
func parseDeliver(v *value) (boot.Delivery, *fault) {
	if name, ok := strings.CutPrefix(v.text, boot.DeliverVIP); ok && name != "" {
		return boot.Delivery(v.text), nil
	}
	d, f := parseChoice(boot.DeliverProxy, boot.DeliverDHCP, boot.DeliverDNS, boot.DeliverNone)(v)
	if f != nil {
		f.message += ", or vip:NAME of vips"
	}
	return d, f
}
