package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"surefoot/internal/journal"
	"surefoot/internal/lease"
)

// Leases is who knows the addresses that the node gave out.
type Leases interface {
	List(q LeaseQuery) (LeasePage, error)
	Find(who string) []Lease // by MAC address, IP address or name, what is active in front
	Reserved(who string) []ReservedAddr
	Pools() []PoolUsage
	Newest(n int) []Lease
	Release(ctx context.Context, who string) (Lease, error)
	Adopt(ctx context.Context, list []lease.Record, dry bool) []Adopted
}

// LeaseQuery asks for leases.
type LeaseQuery struct {
	Network string
	State   string // active, expired, offered, released, declined; "": all
	Text    string // part of a MAC address, of an address or of a name
	Limit   int    // of one page
	After   string // where the page before ended
}

// LeasePage are leases in the order of networks and addresses. Next is After of the page that follows, ""
// if there is none.
type LeasePage struct {
	Node   string    `json:"node"`
	Time   time.Time `json:"time"`
	Leases []Lease   `json:"leases"`
	Next   string    `json:"next,omitempty"`
}

// Lease is one address that somebody has or had. Fields are only ever added.
type Lease struct {
	Network  string     `json:"network"`
	Addr     netip.Addr `json:"ip"`
	ID       lease.ID   `json:"id"`
	MAC      string     `json:"mac,omitempty"`
	State    string     `json:"state"` // active, expired, offered, released, declined
	Name     string     `json:"name,omitempty"`
	Reserved bool       `json:"reserved,omitempty"`
	Start    time.Time  `json:"start"`
	Expires  time.Time  `json:"expires"`
	Node     string     `json:"node"` // who gave it
	Host     string     `json:"host,omitempty"`
	Relay    netip.Addr `json:"relay,omitzero"`
	Circuit  string     `json:"circuit,omitempty"`
	Class    string     `json:"class,omitempty"`
	Arch     *uint16    `json:"arch,omitempty"`
	Serial   uint64     `json:"serial"`
}

// ReservedAddr is a reservation of a machine.
type ReservedAddr struct {
	Network string     `json:"network"`
	MAC     string     `json:"mac,omitempty"`
	DUID    string     `json:"duid,omitempty"` // instead
	Name    string     `json:"name,omitempty"`
	Addr    netip.Addr `json:"ip,omitzero"`
	Addr6   netip.Addr `json:"ip6,omitzero"`
	Boot    string     `json:"boot,omitempty"`
}

// LeaseShown is everything that is known of a machine's addresses.
type LeaseShown struct {
	Node         string         `json:"node"`
	Time         time.Time      `json:"time"`
	Leases       []Lease        `json:"leases"`
	Reservations []ReservedAddr `json:"reservations"`
	Story        *journal.Story `json:"story,omitempty"` // its last boot
}

// PoolUsage says how full a network is.
type PoolUsage struct {
	Network  string   `json:"network"`
	Subnet   string   `json:"subnet"`
	Ranges   []string `json:"ranges"`
	Size     int      `json:"size"` // the sum of the others
	Active   int      `json:"active"`
	Offered  int      `json:"offered"`
	Declined int      `json:"declined"`
	Resting  int      `json:"resting"`
	Reserved int      `json:"reserved"` // for machines that do not have them now
	Free     int      `json:"free"`
	Full     string   `json:"full,omitempty"` // nearly, or empty: nothing is left
}

// Adopted says what became of a lease of another server.
type Adopted struct {
	Addr  netip.Addr `json:"ip"`
	Taken bool       `json:"taken"`
	Why   string     `json:"why,omitempty"`
}

// ErrNoLease is a release of what nobody has.
var ErrNoLease = errors.New("no active lease")

// LeaseEnd is the answer to a release.
type LeaseEnd struct {
	Released Lease `json:"released"`
}

// AdoptRequest has leases of another server taken over.
type AdoptRequest struct {
	Leases []lease.Record `json:"leases"`
	DryRun bool           `json:"dry_run"`
}

// maxAdopt bounds a request in bytes: some 20,000 leases.
const maxAdopt = 16 << 20

func (s *Server) leaseAPI(mux *http.ServeMux, control bool) {
	need := func(h func(http.ResponseWriter, *http.Request, Leases)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if s.deps.Leases == nil || len(s.deps.Leases.Pools()) == 0 {
				http.Error(w, "no network of this node has deliver: dhcp", http.StatusNotFound)
				return
			}
			h(w, r, s.deps.Leases)
		}
	}
	mux.HandleFunc("GET /api/v1/leases", need(s.leases))
	mux.HandleFunc("GET /api/v1/leases/{who}", need(s.lease))
	mux.HandleFunc("GET /api/v1/pools", func(w http.ResponseWriter, _ *http.Request) {
		out := []PoolUsage{}
		if s.deps.Leases != nil {
			out = append(out, s.deps.Leases.Pools()...)
		}
		writeJSON(w, map[string]any{"pools": out})
	})
	if !control {
		return
	}
	mux.HandleFunc("POST /api/v1/leases/{who}/release", need(s.release))
	mux.HandleFunc("POST /api/v1/leases", need(s.adopt))
}

func (s *Server) leases(w http.ResponseWriter, r *http.Request, l Leases) {
	v := r.URL.Query()
	q := LeaseQuery{Network: v.Get("network"), State: v.Get("state"), Text: v.Get("text"), After: v.Get("after"), Limit: 100}
	if !number(w, r, "limit", &q.Limit) {
		return
	}
	page, err := l.List(q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if page.Leases == nil {
		page.Leases = []Lease{}
	}
	page.Node, page.Time = s.status().Node, time.Now()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page) // not indented: there may be ten thousand
}

func (s *Server) lease(w http.ResponseWriter, r *http.Request, l Leases) {
	who := r.PathValue("who")
	out := LeaseShown{Node: s.status().Node, Time: time.Now(), Leases: l.Find(who), Reservations: l.Reserved(who)}
	mac := ""
	switch {
	case len(out.Leases) > 0:
		mac = out.Leases[0].MAC
	case len(out.Reservations) > 0:
		mac = out.Reservations[0].MAC
	default:
		http.Error(w, fmt.Sprintf("there is no lease and no reservation of %q", who), http.StatusNotFound)
		return
	}
	if out.Leases == nil {
		out.Leases = []Lease{}
	}
	if out.Reservations = append(out.Reservations, l.Reserved(mac)...); len(out.Reservations) > 1 && out.Reservations[0] == out.Reservations[1] {
		out.Reservations = out.Reservations[1:]
	}
	if mac != "" {
		if list := s.deps.Journal.Stories(journal.Query{Machine: mac, Limit: 1, Steps: true}); len(list) > 0 {
			out.Story = &list[0]
		}
	}
	writeJSON(w, out)
}

func (s *Server) release(w http.ResponseWriter, r *http.Request, l Leases) {
	out, err := l.Release(context.WithoutCancel(r.Context()), r.PathValue("who"))
	switch {
	case errors.Is(err, ErrNoLease):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		writeJSON(w, LeaseEnd{out})
	}
}

func (s *Server) adopt(w http.ResponseWriter, r *http.Request, l Leases) {
	var q AdoptRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAdopt)).Decode(&q); err != nil {
		http.Error(w, fmt.Sprintf("the request cannot be read: %v", err), http.StatusBadRequest)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the disk may take its time
	writeJSON(w, map[string]any{"adopted": l.Adopt(r.Context(), q.Leases, q.DryRun)})
}
