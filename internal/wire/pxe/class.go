package pxe

import (
	"bytes"
	"iter"
	"strconv"
	"strings"

	"surefoot/internal/boot"
)

// The beginnings of option 60 that mark a network boot.
const (
	PXEClient  = "PXEClient"
	HTTPClient = "HTTPClient"
)

// Class is a vendor class taken apart, as in "PXEClient:Arch:00007:UNDI:003016". The kind may
// stand alone: iPXE asks port 4011 with "PXEClient" (BOOTLAB section 3).
type Class struct {
	Kind string    // PXEClient, HTTPClient, or "" for any other vendor
	Arch boot.Arch // ArchUnknown if it does not say
	UNDI string    // major and minor version as sent, "" if it does not say
}

// ParseClass takes option 60 apart.
func ParseClass(s string) Class {
	c := Class{Arch: boot.ArchUnknown}
	for _, kind := range [...]string{PXEClient, HTTPClient} {
		if strings.HasPrefix(s, kind) {
			c.Kind = kind
		}
	}
	if c.Kind == "" {
		return c
	}
	_, rest, more := strings.Cut(s, ":")
	for more {
		var key, value string
		if key, rest, more = strings.Cut(rest, ":"); !more {
			break
		}
		value, rest, more = strings.Cut(rest, ":")
		switch key {
		case "Arch":
			if n, err := strconv.ParseUint(value, 10, 16); err == nil {
				c.Arch = boot.Arch(n)
			}
		case "UNDI":
			c.UNDI = value
		}
	}
	return c
}

// userClass returns option 77 as text. RFC 3004 has a length byte before each class; most
// firmware sends the bare text (iPXE: BOOTLAB section 3). It is taken as RFC 3004 says only if
// the lengths come out exactly, and then the first class counts.
func userClass(b []byte) []byte {
	whole := true
	for rest := b; len(rest) > 0; rest = rest[1+int(rest[0]):] {
		if rest[0] == 0 || len(rest) < 1+int(rest[0]) {
			whole = false
			break
		}
	}
	if whole && len(b) > 0 {
		b = b[1 : 1+int(b[0])]
	}
	return bytes.TrimRight(b, "\x00")
}

// Features that iPXE announces in option 175 (F13; hexadecimal as in BOOTLAB section 3).
const (
	featurePXEExt = 0x10
	featureISCSI  = 0x11
	featureAoE    = 0x12
	featureHTTP   = 0x13
	featureHTTPS  = 0x14
	featureTFTP   = 0x15
	featureDNS    = 0x17
	featureBZIMG  = 0x18
	featureMulti  = 0x19
	featureNBI    = 0x1b
	featurePXE    = 0x21
	featureELF    = 0x22
	featureEFI    = 0x24
	featureVLAN   = 0x26
	featureMenu   = 0x27
)

// ipxeFeature is a feature and whether its value is not zero.
type ipxeFeature struct {
	code byte
	on   bool
}

// eachFeature reads option 175 as far as it is well-formed.
func eachFeature(b []byte) iter.Seq[ipxeFeature] {
	return func(yield func(ipxeFeature) bool) {
		for len(b) >= 2 && len(b) >= 2+int(b[1]) {
			n := int(b[1])
			on := false
			for _, x := range b[2 : 2+n] {
				on = on || x != 0
			}
			if !yield(ipxeFeature{b[0], on}) {
				return
			}
			b = b[2+n:]
		}
	}
}

func parseIPXE(b []byte) boot.IPXEFeatures {
	f := boot.IPXEFeatures{Known: true}
	for x := range eachFeature(b) {
		switch x.code {
		case featureHTTP:
			f.HTTP = x.on
		case featureTFTP:
			f.TFTP = x.on
		case featureEFI:
			f.EFI = x.on
		}
	}
	return f
}

func featureName(c byte) string {
	switch c {
	case featurePXEExt:
		return "pxe-ext"
	case featureISCSI:
		return "iscsi"
	case featureAoE:
		return "aoe"
	case featureHTTP:
		return "http"
	case featureHTTPS:
		return "https"
	case featureTFTP:
		return "tftp"
	case featureDNS:
		return "dns"
	case featureBZIMG:
		return "bzimage"
	case featureMulti:
		return "multiboot"
	case featureNBI:
		return "nbi"
	case featurePXE:
		return "pxe"
	case featureELF:
		return "elf"
	case featureEFI:
		return "efi"
	case featureVLAN:
		return "vlan"
	case featureMenu:
		return "menu"
	}
	return ""
}
