package httpboot

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"surefoot/internal/boot"
)

// ScriptPath is where scripts are made. Parameters: mac, uuid, arch (a number of option 93 or
// the name of a class), or instead of arch iPXE's own ${platform} and ${buildarch}.
const ScriptPath = "/boot.ipxe"

// serveScript decides for the machine that the parameters describe, and writes it as a script. It
// never answers with an error: the words of a script stand on the machine's screen, a 404 does not.
func (s *Server) serveScript(w http.ResponseWriter, r *http.Request, now *content, ev boot.Event) {
	ev.Kind = boot.ScriptSent
	var script []byte
	if q := r.URL.Query(); !q.Has("mac") {
		script, ev.Detail = AskScript(), "a script that asks for MAC, UUID and architecture"
	} else if c, err := clientOf(q); err != nil {
		script = sorry(s.cfg.Node, err.Error())
		ev.Reason, ev.Detail = boot.BadRequest, err.Error()
	} else {
		c.Addr = ev.IP
		d := boot.Decide(c, now.site, s.deps.Down)
		script = Script(c, d, s.cfg.Node)
		ev.MAC, ev.UUID, ev.Reason, ev.Detail = c.MAC, c.UUID, d.Reason, ""
		ev.Network, ev.Rule, ev.File = d.Answer.Network, d.Answer.Rule, d.Answer.File
		ev.Firmware, ev.Arch = c.Firmware, &c.Arch
		for _, srv := range d.Answer.Servers[:min(1, len(d.Answer.Servers))] {
			ev.Server = srv.Name
		}
	}
	ev.Bytes, ev.Size = int64(len(script)), int64(len(script))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", s.deps.Now(), bytes.NewReader(script))
	s.emit(ev)
}

// clientOf reads the facts of an iPXE from a script's parameters.
func clientOf(q url.Values) (boot.Client, error) {
	mac, err := boot.ParseMAC(q.Get("mac"))
	if err != nil {
		return boot.Client{}, fmt.Errorf("the parameter mac: %w", err)
	}
	c := boot.Client{
		MAC: mac, Arch: boot.ArchUnknown, Firmware: boot.FirmwareIPXE, UserClass: "iPXE", VendorClass: "PXEClient",
		IPXE: boot.IPXEFeatures{Known: true, HTTP: true, TFTP: true},
	}
	if u := q.Get("uuid"); u != "" {
		if c.UUID, err = boot.ParseUUID(u); err != nil {
			c.UUID = boot.UUID{} // some boards have none worth the name; rules do not look at it
		}
	}
	if a := archParam(q); a != "" {
		if err := c.Arch.UnmarshalText([]byte(a)); err != nil {
			return boot.Client{}, fmt.Errorf("the parameter arch: %w", err)
		}
		c.VendorClass = fmt.Sprintf("PXEClient:Arch:%05d", uint16(c.Arch))
		c.IPXE.EFI = c.Arch.UEFI()
	}
	return c, nil
}

// archParam returns the architecture as it was given, or what platform and buildarch amount to.
func archParam(q url.Values) string {
	if a := q.Get("arch"); a != "" {
		return a
	}
	switch platform := q.Get("platform"); {
	case platform == "pcbios": // buildarch is i386 or x86_64 there, which says nothing
		return string(boot.ClassBIOS)
	case platform != "efi":
		return ""
	}
	switch q.Get("buildarch") {
	case "i386":
		return string(boot.ClassUEFIia32)
	case "x86_64":
		return string(boot.ClassUEFIx64)
	case "arm32":
		return string(boot.ClassUEFIarm32)
	case "arm64":
		return string(boot.ClassUEFIarm64)
	}
	return ""
}

// fileURL writes the address of a file with everything but plain characters escaped, since a
// script would take spaces, ${ and | for its own.
func fileURL(scheme, host, file string) string {
	var b strings.Builder
	b.WriteString(scheme + "://" + host + "/")
	for _, c := range []byte(strings.TrimLeft(file, "/")) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
