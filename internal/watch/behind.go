package watch

import (
	"fmt"
	"net/netip"

	"surefoot/internal/probe"
)

// Behind is a service with direct server return, as the monitor sees it.
type Behind struct {
	Name      string
	Address   netip.AddrPort        // of the service
	Interface string                // towards the servers; "": that of the route to each
	Backends  map[string]netip.Addr // the servers' own addresses
}

// Reach lets the tests of a service's servers go through the data plane: a server that delivers at its own
// address alone is of no use there. direct says which servers machines are also sent to by their own address: of those the
// test stays as it is, and another one, which steers nothing, is beside it.
func (b Behind) Reach(tests []Test, direct func(server string) bool) []Test {
	out := tests[:0:0]
	for _, t := range tests {
		own, ok := b.Backends[t.Server]
		if !ok || t.Target.Scheme != "tftp" {
			out = append(out, t)
			continue
		}
		through := t
		through.Target.Host, through.Target.Port = b.Address.Addr().String(), b.Address.Port()
		through.Through = probe.Through{Interface: b.Interface, Backend: own}
		through.Twins = b.Name + "\x00" + t.File
		if direct != nil && direct(t.Server) {
			out = append(out, t)
			through.Name, through.Server = b.Name+":"+t.Name, ""
		}
		out = append(out, through)
	}
	return out
}

// compare makes a good result a bad one where most of its twins deliver another content: a machine would get one
// or the other by chance. Where there is no majority nobody is in the wrong, and `surefoot lb check` tells of it.
// The caller holds the lock.
func (w *Watcher) compare(e *entry, out *Result) {
	if e.test.Twins == "" || !out.Good() || out.SHA256 == "" {
		return
	}
	count, all := map[string]int{out.SHA256: 1}, 1
	for _, o := range w.order {
		if o == e || o.test.Twins != e.test.Twins || o.last == nil || o.last.SHA256 == "" {
			continue
		}
		if o.last.Good() || o.last.Code == probe.OtherContent {
			count[o.last.SHA256]++
			all++
		}
	}
	for sum, n := range count {
		if sum != out.SHA256 && 2*n > all {
			out.Availability, out.Response, out.FirstBlock = 0, 0, 0
			out.Step, out.Code = probe.StepContent, probe.OtherContent
			out.Cause = fmt.Sprintf("%d bytes with the hash %.12s...; %d of %d servers of the service deliver %.12s...", out.Bytes, out.SHA256, n, all, sum)
			out.Hints = []string{"a machine gets one file or the other, by chance: bring the files in line"}
		}
	}
}
