package httpboot

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// serve takes every request: no ServeMux, which would answer //grubx64.efi with a redirect that
// boot firmware does not follow.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "surefoot")
	if r.ContentLength != 0 { // a body is nobody's business here: do not wait for it
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
	}
	ev := s.event(r)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		ev.Kind, ev.Reason = boot.HTTPRequest, boot.MethodRefused
		s.emit(ev)
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	now := s.content.Load()
	switch {
	case r.URL.Path == "/health":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	case r.URL.Path == ScriptPath && (r.URL.Query().Has("mac") || !now.files.Has(ScriptPath)):
		s.serveScript(w, r, now, ev)
	default:
		s.serveFile(w, r, now, ev)
	}
}

// event starts an event with what the request tells of its sender.
func (s *Server) event(r *http.Request) boot.Event {
	ev := boot.Event{
		Role: Role, Node: s.cfg.Node, Peer: r.RemoteAddr, File: strings.TrimLeft(r.URL.Path, "/"),
		Firmware: firmwareOf(r.UserAgent()), IP: remoteAddr(r), Media: boot.MediaOf(r.UserAgent()),
		Detail: fmt.Sprintf("%s by %.80q", r.Method, r.UserAgent()), Options: r.Header.Get("Range"),
	}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		ev.Local = a.String()
	}
	if mac, err := boot.ParseMAC(r.URL.Query().Get("mac")); err == nil {
		ev.MAC = mac
	}
	return ev
}

func (s *Server) emit(ev boot.Event) {
	ev.Time = s.deps.Now()
	s.deps.Emit.To(ev)
}

func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// firmwareOf recognises boot programs by User-Agent, as BOOTLAB measured them: OVMF says
// "UefiHttpBoot/1.0", iPXE "iPXE/1.0.0+git...", GRUB "GRUB 2.06".
func firmwareOf(agent string) boot.Firmware {
	switch {
	case strings.HasPrefix(agent, "UefiHttpBoot"):
		return boot.FirmwareUEFIHTTP
	case strings.HasPrefix(agent, "iPXE"):
		return boot.FirmwareIPXE
	case strings.HasPrefix(agent, "GRUB"):
		return boot.FirmwareGRUB
	}
	return boot.FirmwareUnknown
}
