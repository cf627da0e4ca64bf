package alert

import (
	"fmt"
	"slices"
	"time"

	"surefoot/internal/store"
)

// content looks whether a file is still what the test got the last time.
func (m *Machine) content(now time.Time, s subject, t *test, x store.Measurement) {
	if x.Content == "" || x.Content == t.content {
		return
	}
	was := t.content
	t.content = x.Content
	switch {
	case was != "":
		m.changedContent(now, s, "SHA-256 before: "+was, "SHA-256 now:    "+x.Content, fmt.Sprintf("%d bytes", x.Bytes))
	case t.before != "" && t.before != x.Content:
		m.changedContent(now, s, "SHA-256 before: "+t.before+", before this node was started anew", "SHA-256 now:    "+x.Content, fmt.Sprintf("%d bytes", x.Bytes))
	}
	t.before = ""
	m.compare(now, s.file)
}

// Recall tells what a test downloaded last before this process, as the history has it. It may come
// after the first results. It is no content that servers are compared by: nobody knows whether the
// server still has it.
func (m *Machine) Recall(now time.Time, c store.Content) {
	s := subject{c.Test, c.Server, c.File}
	t := m.test(s)
	switch t.content {
	case "":
		t.before = c.SHA256
	case c.SHA256:
	default:
		m.changedContent(now, s, "SHA-256 before: "+c.SHA256+", before this node was started anew", "SHA-256 now:    "+t.content)
	}
}

func (m *Machine) changedContent(now time.Time, s subject, evidence ...string) {
	h := m.find(now, finding{
		code: ContentChanged, severity: Info, labels: []string{"server", s.server, "file", s.file},
		title:    fmt.Sprintf("%s on %s has another content", s.file, s.server),
		evidence: evidence,
		meaning:  "somebody published another file, or the file is damaged",
		fix:      "if nobody published it: compare it with the original; sha256 in the rule of the site file refuses a wrong one",
	})
	h.lapses = now.Add(time.Hour)
}

// compare looks whether all servers deliver the same content for a file.
func (m *Machine) compare(now time.Time, file string) {
	by := map[string][]string{} // content → servers
	for s, t := range m.tests[file] {
		if t.content != "" && !m.down(s) && !slices.Contains(by[t.content], s.server) {
			by[t.content] = append(by[t.content], s.server)
		}
	}
	if len(by) < 2 {
		m.clear(now, ContentDiffers, "file", file)
		return
	}
	var lines []string
	for content, servers := range by {
		slices.Sort(servers)
		lines = append(lines, fmt.Sprintf("%.12s… on %v", content, servers))
	}
	slices.Sort(lines)
	m.find(now, finding{
		code: ContentDiffers, severity: Warning, labels: []string{"file", file}, after: m.rules.ContentAfter,
		title: fmt.Sprintf("%s is not the same on all servers", file), evidence: lines,
		meaning: "which boot file a machine gets depends on the server it meets: some machines start the old one",
		fix:     "publish the file on all servers, or drain those that have the wrong one: surefoot server drain NAME",
	})
}
