package alert

import (
	"slices"
	"time"
)

// Trouble is a finding that was made elsewhere.
type Trouble struct {
	Code     Code
	Severity Severity
	Labels   []string // names and values in turns
	After    time.Duration
	Title    string
	Evidence []string
	Meaning  string
	Fix      string
}

// Troubles takes all that is true now of some codes; what is not in the list is over.
func (m *Machine) Troubles(now time.Time, codes []Code, list []Trouble) {
	is := map[string]bool{}
	for _, t := range list {
		f := finding{
			code: t.Code, severity: t.Severity, labels: t.Labels, after: t.After,
			title: t.Title, evidence: t.Evidence, meaning: t.Meaning, fix: t.Fix,
		}
		m.find(now, f)
		key, _ := f.key()
		is[key] = true
	}
	for key, h := range m.alerts {
		if h.is && !is[key] && slices.Contains(codes, h.Code) {
			h.is, h.over = false, now
		}
	}
}
