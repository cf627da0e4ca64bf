package app

import (
	"encoding/json"
	"strings"

	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// pastSink takes what the monitor sees to the history and to the alerts.
type pastSink struct{ *App }

// Result takes the result of a test. What tells nothing of a server (Verdict) is kept, too: it is why
// there is a gap.
func (p pastSink) Result(r watch.Result) {
	m := store.Measurement{
		Test: r.Test, Server: r.Server, File: r.File, At: r.Time, Available: r.Availability == 100, Response: r.Response, FirstBlock: r.FirstBlock,
		Bytes: r.Bytes, Retransmits: r.Retransmits, Content: r.SHA256, Cause: string(r.Code), Text: strings.TrimSpace(r.Cause),
	}
	if r.Diagnosis != nil {
		if b, err := json.Marshal(r.Diagnosis); err == nil {
			m.Diagnosis = b
		}
	}
	p.Measured(m)
}

// Change takes a change of state; a drain is one for the history alone.
func (p pastSink) Change(c watch.Change) {
	x := store.Change{
		Test: c.Test, Server: c.Server, File: c.File, By: string(c.By), At: c.Time, From: string(c.From), To: string(c.To), Cause: string(c.Reason), Text: c.Text,
	}
	if x.To != "" {
		p.Changed(x)
		return
	}
	if x.To = string(c.Reason); p.history != nil {
		p.history.Change(x)
	}
}
