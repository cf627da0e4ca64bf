package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/chart"
	"surefoot/internal/health"
	"surefoot/internal/journal"
	"surefoot/internal/journal/transfers"
	"surefoot/internal/watch"
)

// The page: one template that the server fills in, escaped, and a script that puts the newly
// rendered body in place whenever something moves. There is one renderer, and it works without
// the script as well.
//
//go:embed page
var pageFS embed.FS

var pageTemplate = template.Must(template.New("").Funcs(template.FuncMap{
	"clock":   func(t time.Time) string { return t.Format(time.TimeOnly) },
	"ago":     ago,
	"marks":   marksOf,
	"program": program,
	"stamp": func(from time.Time, ev boot.Event) string {
		return fmt.Sprintf("+%.3f s", ev.Time.Sub(from).Seconds())
	},
	"describe": Describe,
	"percent":  func(t *journal.Transfer) int { return t.Percent() },
	"bytes":    journal.Size,
	"size":     func(n uint64) string { return journal.Size(int64(n)) },
	"speed":    func(perSecond float64) string { return journal.Size(int64(perSecond)) + "/s" },
	"share":    func(part float64) string { return fmt.Sprintf("%.1f %%", 100*part) },
	"up":       upOf,
	"pools":    poolBars,
	"left":     leftIn,
	"minus":    func(a, b int) int { return a - b },
	"got":      func(t transfers.Talker) int64 { return t.Transfers - t.Failed },
}).ParseFS(pageFS, "page/*.html"))

// pages are the read-only API and the page.
func (s *Server) pages() http.Handler {
	mux := s.api(false)
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /body", func(w http.ResponseWriter, _ *http.Request) { s.render(w, "parts.html", nil) })
	mux.HandleFunc("GET /course", s.serveCourse)
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
	TFTP    TFTP
	Talkers transfers.Window // the shortest span of time in which anybody talked
	Now     time.Time
	Newest  []Lease // leases that were given last

	Course   template.HTML // in the whole page alone: it has a rhythm of its own
	Patterns template.HTML
}

// index is the whole page.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	span, err := chosenSpan(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	part, _, err := s.coursePart(r.Context(), span)
	if err != nil {
		s.pageError(w, err)
		return
	}
	s.render(w, "index.html", part)
}

func (s *Server) pageError(w http.ResponseWriter, err error) {
	s.deps.Log.Error("status page", "err", err)
	http.Error(w, "the page could not be made; the API still answers", http.StatusInternalServerError)
}

func (s *Server) render(w http.ResponseWriter, name string, course []byte) {
	v := view{
		Course:   template.HTML(course), // a template escaped it
		Patterns: chart.CoursePatterns,
		Status:   s.status(),
		Stories:  s.deps.Journal.Stories(journal.Query{Limit: 40, Steps: true}),
		TFTP:     s.transfers(journal.TransferQuery{Limit: 12, Top: 5}),
		Now:      time.Now(),
	}
	if s.deps.Leases != nil && len(v.Pools) > 0 {
		v.Newest = s.deps.Leases.Newest(8)
	}
	for _, w := range v.TFTP.Report.Talkers {
		if v.Talkers = w; len(w.Clients) > 0 {
			break
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&b, name, v); err != nil {
		s.pageError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
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

// upOf counts the servers that count as up, or of which nothing else is known.
func upOf(list []watch.ServerReport) int {
	n := 0
	for _, r := range list {
		if r.State == health.Up || r.State == health.Unknown {
			n++
		}
	}
	return n
}
