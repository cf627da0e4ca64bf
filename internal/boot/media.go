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
	var id, version string
	if rest, ok := strings.CutPrefix(text, mediaName+" id="); ok {
		id, version, _ = strings.Cut(rest, " v=")
	} else if rest, ok := strings.CutPrefix(text, mediaName+"/"); ok {
		version, id, _ = strings.Cut(rest, " (")
		id = strings.TrimSuffix(id, ")")
	} else if strings.Contains(text, "/") {
		id, version, _ = strings.Cut(text, "/")
	}
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" || len(version) > maxMediaVersion ||
		strings.ContainsFunc(version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil // strangers write there what they like
	}
	return &Media{ID: id, Version: version}
}

const maxMediaVersion = 64
