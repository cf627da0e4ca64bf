package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"surefoot/internal/boot"
)

var (
	digitsAndColons = regexp.MustCompile(`^[0-9]+(:[0-9]+)*$`)
	hexMAC          = regexp.MustCompile(`^[0-9A-Fa-f]{12}$`)
	macStart        = regexp.MustCompile(`^[0-9a-f]{2}(:[0-9a-f]{2}){0,5}$`)
)

// bare refuses a MAC address that some YAML reader takes for a number: YAML 1.1 reads
// 52:54:00:12:34:56 to the base of sixty, so the next tool to rewrite the file would ruin it.
func bare(v *value) *fault {
	if v.kind == kindNumber {
		if m, ok := fromSexagesimal(v.text); ok {
			return faultf("%s is a number: what YAML 1.1 tools make of %s without quotes", v.text, m).write(strconv.Quote(m))
		}
		return faultf("%s is a number to YAML: quote it", v.text).write(suggestMAC(v.text))
	}
	if !v.quoted && digitsAndColons.MatchString(v.text) {
		return faultf("the MAC address %s without quotes is a number to some YAML readers: quote it", v.text).write(strconv.Quote(v.text))
	}
	return nil
}

// fromSexagesimal finds the MAC address that a YAML 1.1 reader made a number of.
func fromSexagesimal(s string) (string, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 60*60*60*60*60 {
		return "", false
	}
	m := ""
	for range 5 {
		m = fmt.Sprintf(":%02d", n%60) + m
		n /= 60
	}
	return fmt.Sprintf("%02d", n) + m, n <= 99
}

// suggestMAC puts the colons into twelve digits that have none, and else gives an example.
func suggestMAC(s string) string {
	if hexMAC.MatchString(s) {
		return strconv.Quote(s[:2] + ":" + s[2:4] + ":" + s[4:6] + ":" + s[6:8] + ":" + s[8:10] + ":" + s[10:])
	}
	return `"52:54:00:12:34:56"`
}

func parseMAC(v *value) (boot.MAC, *fault) {
	if f := bare(v); f != nil {
		return boot.MAC{}, f
	}
	m, err := boot.ParseMAC(v.text)
	switch {
	case err != nil:
		return m, faultf("%s is not a MAC address (six hexadecimal pairs)", quote(v.text)).write(suggestMAC(v.text))
	case m.IsZero(), m[0]&1 != 0:
		return m, faultf("%s is not one machine's MAC address", quote(v.text)).write(`"52:54:00:12:34:56"`)
	}
	return m, nil
}

// parseMACStart takes a MAC address or its first pairs, and gives them in lower case with colons.
func parseMACStart(v *value) (string, *fault) {
	if f := bare(v); f != nil {
		return "", f
	}
	if m, err := boot.ParseMAC(v.text); err == nil {
		return m.String(), nil
	}
	s := strings.TrimSuffix(strings.ReplaceAll(strings.ToLower(v.text), "-", ":"), ":")
	if !macStart.MatchString(s) {
		return "", faultf("%s is not a MAC address, nor the first pairs of one", quote(v.text)).do(`write "52:54:00:12:34:56", or "52:54:00" for every card of that maker`)
	}
	return s, nil
}
