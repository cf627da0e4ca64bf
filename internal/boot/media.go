package boot

import "strings"

// Media is the boot medium that a machine says it boots from: the image's id and the version of the
// Surefoot that built it.
type Media struct {
	ID      string `json:"id"` // 32 hexadecimal digits
	Version string `json:"version,omitempty"`
}

// MediaOption is the TFTP option in which our UEFI program names its medium, as ID/VERSION. Servers
// that do not know it leave it out of their OACK (RFC 2347).
const MediaOption = "x-surefoot-bdm"

// mediaName begins what our media say of themselves.
const mediaName = "Surefoot-BDM"

// MediaOf reads the three ways in which a medium names itself: the user class of its DHCP packets
// (option 77, without RFC 3004's length bytes, as iPXE sends it), the User-Agent of its HTTP requests,
// and the value of MediaOption. It is nil for anybody else.
func MediaOf(text string) *Media {
	var m Media
	if rest, ok := strings.CutPrefix(text, mediaName+" id="); ok {
		m.ID, m.Version, _ = strings.Cut(rest, " v=")
	} else if rest, ok := strings.CutPrefix(text, mediaName+"/"); ok {
		m.Version, m.ID, _ = strings.Cut(rest, " (")
		m.ID = strings.TrimSuffix(m.ID, ")")
	} else if strings.Contains(text, "/") {
		m.ID, m.Version, _ = strings.Cut(text, "/")
	}
	if len(m.ID) != 32 || strings.Trim(m.ID, "0123456789abcdef") != "" || len(m.Version) > maxMediaVersion ||
		strings.ContainsFunc(m.Version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil // strangers write there what they like
	}
	return &m
}

const maxMediaVersion = 64
