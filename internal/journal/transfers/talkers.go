package transfers

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

const (
	bucketTime = 5 * time.Minute
	buckets    = 12 // with the present one: an hour
)

// bucket is what clients and files did in one span of time.
type bucket struct {
	since   time.Time
	clients *sketch[netip.Addr]
	files   *sketch[string]
}

func newBucket(since time.Time, keys int) *bucket {
	return &bucket{since: since, clients: newSketch[netip.Addr](keys), files: newSketch[string](keys)}
}

// talkers are the buckets of the last hour, the newest last, and one for everything before the
// newest.
type talkers struct {
	keys int
	past []*bucket
	ever *bucket
}

func newTalkers(now time.Time, keys int) *talkers {
	return &talkers{keys: keys, past: []*bucket{newBucket(now, keys)}, ever: newBucket(now, keys)}
}

func (t *talkers) now() *bucket { return t.past[len(t.past)-1] }

// turn begins a new bucket when the present one is full.
func (t *talkers) turn(now time.Time) {
	cur := t.now()
	if now.Sub(cur.since) < bucketTime {
		return
	}
	t.ever.clients.absorb(cur.clients)
	t.ever.files.absorb(cur.files)
	t.past = append(t.past, newBucket(now, t.keys))
	for len(t.past) > buckets || now.Sub(t.past[0].since) > buckets*bucketTime {
		t.past = append(t.past[:0:0], t.past[1:]...)
	}
}

// ended counts a transfer that ended. Load is its request and every block that was acknowledged:
// nobody acknowledges what was sent to a forged address, so that a flood of those weighs little.
func (t *talkers) ended(e *entry) {
	f := Figures{Bytes: e.Bytes, Retransmits: int64(e.Retransmits), Load: 1 + e.Blocks}
	switch {
	case e.Reason == boot.TsizeProbe:
		f.SizeQueries = 1
	default:
		f.Transfers = 1
		if !e.Reason.Good() {
			f.Failed = 1
		}
	}
	cur := t.now()
	cur.clients.add(e.IP, &f)
	file := e.File
	if file == "" {
		file = e.Asked
	}
	cur.files.add(file, &f)
}

// Talker is a client or a file, and the work that it made.
type Talker struct {
	IP      netip.Addr `json:"ip,omitzero"` // of a client
	MAC     boot.MAC   `json:"mac,omitzero"`
	Name    string     `json:"name,omitempty"`
	File    string     `json:"file,omitempty"` // of a file
	Figures            // never too high
	Missing int64      `json:"missing_load,omitempty"` // load that it may have had besides, where there were too many to count all
}

// Window is what was talked in a span of time until now.
type Window struct {
	Name    string    `json:"name"` // recent, hour or start
	Since   time.Time `json:"since"`
	Clients []Talker  `json:"clients"` // the most load first
	Files   []Talker  `json:"files"`
}

// windows returns the spans of time, the shortest first, each with its first n of both kinds.
func (t *talkers) windows(n int) []Window {
	recent := t.past[max(0, len(t.past)-2):]
	return []Window{
		window("recent", recent, n), window("hour", t.past, n), window("start", []*bucket{t.ever, t.now()}, n),
	}
}

func window(name string, of []*bucket, n int) Window {
	var clients []*sketch[netip.Addr]
	var files []*sketch[string]
	for _, b := range of {
		clients, files = append(clients, b.clients), append(files, b.files)
	}
	w := Window{Name: name, Since: of[0].since, Clients: []Talker{}, Files: []Talker{}}
	byClient, _ := merge(clients...)
	for _, r := range byClient[:min(n, len(byClient))] {
		w.Clients = append(w.Clients, Talker{IP: r.key, Figures: r.Figures, Missing: r.missing})
	}
	byFile, _ := merge(files...)
	for _, r := range byFile[:min(n, len(byFile))] {
		w.Files = append(w.Files, Talker{File: r.key, Figures: r.Figures, Missing: r.missing})
	}
	return w
}
