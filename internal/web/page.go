package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
)

// The page: one template that the server fills in, escaped, and a script that puts the newly
// rendered body in place whenever something moves. There is one renderer, and it works without
// the script as well.
//
//go:embed page
var pageFS embed.FS

var pageTemplate = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.Format(time.TimeOnly) },
	"ago":   ago,
	"steps": stepsOf,
	"stamp": func(from time.Time, ev boot.Event) string {
		return fmt.Sprintf("+%.3f s", ev.Time.Sub(from).Seconds())
	},
	"describe": Describe,
	"percent":  func(t *journal.Transfer) int { return t.Percent() },
	"bytes":    byteCount,
}).ParseFS(pageFS, "page/*.html"))

// pages are the read-only API and the page.
func (s *Server) pages() http.Handler {
	mux := s.api(false)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.render(w, "index.html") })
	mux.HandleFunc("GET /body", func(w http.ResponseWriter, _ *http.Request) { s.render(w, "body.html") })
	for _, name := range []string{"page.css", "page.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, pageFS, "page/"+name)
		})
	}
	return mux
}

// view is what the template sees.
type view struct {
	Status
	Stories []journal.Story
	Now     time.Time
}

func (s *Server) render(w http.ResponseWriter, name string) {
	v := view{
		Status:  s.status(),
		Stories: s.deps.Journal.Stories(journal.Query{Limit: 40, Steps: true}),
		Now:     time.Now(),
	}
	var b bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&b, name, v); err != nil {
		s.deps.Log.Error("status page", "err", err)
		http.Error(w, "the page could not be made; the API still answers", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// pageStep is one mark of the bar that shows how far a boot came.
type pageStep struct {
	Name  string
	State string // "done", "now", "bad" or "" (not reached)
}

// stepsOf makes the bar of a story: the steps of its last stage.
func stepsOf(s journal.Story) []pageStep {
	st := s.Stage()
	var out []pageStep
	add := func(name string, kinds ...boot.Kind) {
		state := ""
		for _, k := range kinds {
			if st.Has(k) {
				state = "done"
			}
		}
		out = append(out, pageStep{Name: name, State: state})
	}
	add("asked", boot.DiscoverSeen)
	add("offered", boot.OfferSent)
	if st.Has(boot.BootRequestSeen) || s.Firmware == boot.FirmwareEDK2 {
		add("4011", boot.BootReplySent)
	}
	if st.Has(boot.ScriptSent) || s.Firmware == boot.FirmwareIPXE && st.Has(boot.HTTPRequest) {
		add("script", boot.ScriptSent)
	}
	add("file", boot.ReadRequest, boot.HTTPRequest)
	out = append(out, pageStep{Name: "delivered"})
	last := &out[len(out)-1]
	switch s.State {
	case journal.Done:
		last.State = "done"
	case journal.Stuck:
		last.State, last.Name = "bad", "stuck"
	case journal.Ended:
		last.Name = "ended"
	case journal.Running:
		last.State = "now"
	}
	return out
}

// Describe says one step of a story in words.
func Describe(ev boot.Event) string {
	text := map[boot.Kind]string{
		boot.DiscoverSeen: "asks who can boot it", boot.OfferSent: "is offered", boot.RequestSeen: "takes an address",
		boot.BootRequestSeen: "asks on port 4011", boot.BootReplySent: "is told", boot.Ignored: "is not answered",
		boot.ReadRequest: "asks for", boot.OptionsSent: "is granted", boot.Progress: "gets",
		boot.HTTPRequest: "asks by HTTP for", boot.ScriptSent: "gets its iPXE script",
	}[ev.Kind]
	if ev.Kind == boot.TransferEnd {
		text = ev.Reason.Text() + ":"
	}
	if ev.Kind == boot.RequestSeen && ev.IP.IsValid() {
		text += " " + ev.IP.String()
	}
	if ev.File != "" && ev.Kind != boot.DiscoverSeen && ev.Kind != boot.RequestSeen {
		text += " " + ev.File
	}
	if ev.Server != "" {
		text += " from " + ev.Server
	}
	if ev.Options != "" {
		text += " (" + ev.Options + ")"
	}
	if ev.Kind == boot.Progress || ev.Kind == boot.TransferEnd && ev.Bytes > 0 {
		text += fmt.Sprintf(", %s of %s", byteCount(ev.Bytes), byteCount(ev.Size))
		if ev.Dur > 0 {
			text += " in " + ev.Dur.Round(time.Millisecond).String()
		}
	}
	if ev.Retransmits > 0 {
		text += fmt.Sprintf(", %d packets repeated", ev.Retransmits)
	}
	if ev.Reason != "" && ev.Kind == boot.Ignored {
		text += ": " + ev.Reason.Text()
	}
	if ev.Detail != "" && !ev.Reason.Good() {
		text += " [" + ev.Detail + "]"
	}
	return text
}

func byteCount(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return t.Format(time.DateTime)
}
