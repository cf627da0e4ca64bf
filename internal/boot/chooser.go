package boot

// Chooser decides as Decide does, without the trace and without allocating. It is for one goroutine
// at a time.
type Chooser struct {
	site  *Site
	nodes []Server
	d     Decision
	room  []Server // of the last answer's servers
}

// NewChooser makes a Chooser of one site.
func NewChooser(s *Site) *Chooser { return &Chooser{site: s, nodes: bootNodes(s)} }

// Site is what the Chooser decides by.
func (ch *Chooser) Site() *Site { return ch.site }

// Choose returns what Decide would, without its trace. The answer's lists are good until the next call.
func (ch *Chooser) Choose(c Client, down Down) *Decision {
	ch.d = Decision{Answer: Answer{Servers: ch.room[:0]}}
	w := work{c: c, s: ch.site, d: &ch.d}
	w.decide(ch.nodes, down)
	if cap(ch.d.Answer.Servers) > cap(ch.room) {
		ch.room = ch.d.Answer.Servers
	}
	if ch.d.Reason != Answered {
		ch.d.Answer.Servers = nil
	}
	return &ch.d
}
