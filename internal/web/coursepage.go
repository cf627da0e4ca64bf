package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// coursePages keeps what was made for each span: however many readers and however often they ask,
// the history is read a twentieth of the time, unless that takes longer than 3 s.
type coursePages struct {
	mu   sync.Mutex // guards made
	made map[string]*coursePage
}

// coursePage is the part of the page for one span.
type coursePage struct {
	sync.Mutex // held while it is made: the others wait for it, and ask nothing themselves
	body       []byte
	tag        string
	until      time.Time
}

const (
	leastFresh = 2 * time.Second // for how long it is good
	mostFresh  = time.Minute
	courseTime = 10 * time.Second // the history may take
)

func (c *coursePages) of(span string) *coursePage {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made = map[string]*coursePage{}
	}
	if c.made[span] == nil {
		c.made[span] = &coursePage{}
	}
	return c.made[span]
}

// errSpan is a span that the page does not have.
var errSpan = errors.New("span is one of 1h, 24h, 7d, 30d")

// chosenSpan reads which span is asked for.
func chosenSpan(r *http.Request) (courseSpan, error) {
	spans := courseSpans()
	name := r.URL.Query().Get("span")
	if name == "" {
		return spans[usualSpan], nil
	}
	i := slices.IndexFunc(spans, func(s courseSpan) bool { return s.Name == name })
	if i < 0 {
		return courseSpan{}, errSpan
	}
	return spans[i], nil
}

// coursePart returns the part of the page, made a few seconds ago at the most.
func (s *Server) coursePart(ctx context.Context, span courseSpan) (body []byte, tag string, err error) {
	if s.deps.Monitor == nil {
		return nil, "", nil
	}
	p := s.courses.of(span.Name)
	p.Lock()
	defer p.Unlock()
	now := time.Now()
	if now.Before(p.until) {
		return p.body, p.tag, nil
	}
	// Who asked may go away; the others want it, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), courseTime)
	defer cancel()
	var b bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&b, "course.html", s.course(ctx, span, now)); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(b.Bytes())
	done := time.Now()
	p.body, p.tag, p.until = b.Bytes(), `"`+hex.EncodeToString(sum[:12])+`"`, done.Add(min(max(20*done.Sub(now), leastFresh), mostFresh))
	return p.body, p.tag, nil
}

// serveCourse answers the page's script.
func (s *Server) serveCourse(w http.ResponseWriter, r *http.Request) {
	span, err := chosenSpan(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, tag, err := s.coursePart(r.Context(), span)
	if err != nil {
		s.pageError(w, err)
		return
	}
	if tag != "" {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body)
}
