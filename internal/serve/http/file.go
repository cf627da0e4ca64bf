package httpboot

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// serveFile hands out one file, whole or in ranges.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, now *content, ev boot.Event) {
	start := s.deps.Now()
	ev.Transfer = s.transfers.Add(1)
	req := ev
	req.Kind = boot.HTTPRequest
	s.emit(req)

	end := func(why boot.Reason, detail string) {
		ev.Kind, ev.Reason, ev.Detail, ev.Dur = boot.TransferEnd, why, detail, s.deps.Now().Sub(start)
		s.emit(ev)
	}
	f, err := now.files.OpenFor(r.URL.Path, s.asker(ev))
	if err != nil {
		why, status := explainOpen(err)
		end(why, err.Error())
		http.Error(w, why.Text(), status) // near names are for the story, not for strangers
		return
	}
	defer f.Close()
	ev.File, ev.Version, ev.Template, ev.Size = f.Name(), f.Version(), f.Template(), f.Size()

	src := &source{ReaderAt: f}
	out := &sink{
		ResponseWriter: w, stall: s.cfg.StallTimeout, now: s.deps.Now,
		progress: func(n int64) {
			p := ev
			p.Kind, p.Detail, p.Bytes, p.Dur = boot.Progress, "", n, s.deps.Now().Sub(start)
			s.emit(p)
		},
	}
	w.Header().Set("Content-Type", contentType(f.Name()))
	if f.Template() != "" { // made for this client, now
		w.Header().Set("Cache-Control", "no-store")
		if path.Ext(f.Name()) == "" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
	}
	http.ServeContent(out, r, "", f.ModTime(), io.NewSectionReader(src, 0, f.Size()))
	if err := http.NewResponseController(w).Flush(); err != nil && out.err == nil {
		out.err = err
	}
	ev.Bytes = out.bytes
	end(outcome(r, out, src))
}

// asker is the client of a request, as far as the request itself tells.
func (s *Server) asker(ev boot.Event) files.Asker {
	a := files.Asker{IP: ev.IP, MAC: ev.MAC, Firmware: ev.Firmware, Who: s.deps.Who}
	if local, err := netip.ParseAddrPort(ev.Local); err == nil {
		a.Server = local.Addr().Unmap()
	}
	return a
}

// outcome says how the transfer ended, from what the two ends of it saw.
func outcome(r *http.Request, out *sink, src *source) (boot.Reason, string) {
	switch {
	case src.err != nil:
		return boot.ReadFailed, src.err.Error()
	case errors.Is(out.err, os.ErrDeadlineExceeded):
		return boot.Timeout, "took nothing for " + out.stall.String()
	case out.err != nil:
		return boot.ClientGone, out.err.Error()
	case out.status == http.StatusRequestedRangeNotSatisfiable:
		return boot.RangeRefused, r.Header.Get("Range")
	case out.status == http.StatusNotModified:
		return boot.Done, "not modified since the client got it"
	case r.Method == http.MethodHead:
		return boot.TsizeProbe, "HEAD"
	}
	// A client that closes the connection as soon as it has everything is a good one.
	if want, err := strconv.ParseInt(out.Header().Get("Content-Length"), 10, 64); err == nil && out.bytes < want {
		return boot.ClientGone, "the connection was closed"
	}
	return boot.Done, ""
}

// explainOpen sorts the errors of the file room into reasons and HTTP's numbers.
func explainOpen(err error) (boot.Reason, int) {
	var missing *files.NotFoundError
	var template *files.TemplateError
	switch {
	case errors.As(err, &template):
		return boot.TemplateFailed, http.StatusInternalServerError
	case errors.As(err, &missing):
		return boot.FileMissing, http.StatusNotFound
	case errors.Is(err, files.ErrOutside):
		return boot.AccessDenied, http.StatusForbidden
	case errors.Is(err, files.ErrNotAFile):
		return boot.NotAFile, http.StatusNotFound
	}
	return boot.ReadFailed, http.StatusInternalServerError
}

// contentType goes by the extension. UEFI firmware looks at it: UEFI 2.10 section 24.7.3.2 names
// application/efi, and the two kinds of RAM disk image.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".efi":
		return "application/efi"
	case ".iso":
		return "application/vnd.efi-iso"
	case ".img":
		return "application/vnd.efi-img"
	case ".ipxe", ".txt", ".cfg", ".conf", ".lst", ".ks", ".yaml", ".yml":
		return "text/plain; charset=utf-8"
	case ".json":
		return "application/json"
	}
	return "application/octet-stream"
}

// source remembers that the file could not be read, which http.ServeContent does not tell.
type source struct {
	io.ReaderAt
	err error
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, off)
	if n < len(p) && err == io.EOF { // the section ends within the file: it became shorter
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		s.err = err
	}
	return n, err
}

// sink counts what leaves, gives each piece its own time limit, and tells of progress.
type sink struct {
	http.ResponseWriter
	stall    time.Duration
	now      func() time.Time
	progress func(sent int64)

	status  int
	bytes   int64
	err     error
	renewed time.Time // when the socket's deadline was set last
	told    time.Time // when progress was told of last
}

// tellEvery bounds the events of a transfer.
const tellEvery = 250 * time.Millisecond

func (s *sink) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *sink) Write(p []byte) (int, error) {
	wall := time.Now()
	if wall.Sub(s.renewed) > s.stall/4 { // not for every piece: it costs a timer
		s.renewed = wall
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(wall.Add(s.stall + s.stall/4))
	}
	n, err := s.ResponseWriter.Write(p)
	s.bytes += int64(n)
	if err != nil && s.err == nil {
		s.err = err
	}
	switch now := s.now(); {
	case s.told.IsZero():
		s.told = now
	case now.Sub(s.told) >= tellEvery:
		s.told = now
		s.progress(s.bytes)
	}
	return n, err
}
