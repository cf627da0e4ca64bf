package journal

import (
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/journal/transfers"
)

// TransferQuery chooses TFTP transfers. Zero fields choose all.
type TransferQuery struct {
	Client string // the IP address, the MAC address or its end, or the machine's name
	File   string // part of the name, asked for or found
	Failed bool   // what failed or stands still
	Limit  int    // records of each list; 0: all
	Top    int    // talkers of each kind
}

// Transfers says what TFTP does and did.
func (j *Journal) Transfers(q TransferQuery) transfers.Report {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	choose := transfers.Query{File: q.File, Failed: q.Failed, Limit: q.Limit, Top: q.Top}
	if q.Client != "" {
		choose.Is = func(mac boot.MAC, ip netip.Addr) bool {
			return matches(q.Client, j.tell.names(mac), mac, []netip.Addr{ip})
		}
	}
	r := j.board.Report(now, choose)
	r.Clients(func(ip netip.Addr, mac *boot.MAC, name *string) {
		if m := j.tell.byIP[ip]; m != nil && mac.IsZero() {
			*mac = m.mac
		}
		if !mac.IsZero() {
			*name = j.tell.names(*mac)
		}
	})
	r.Missed = j.dropped.Load()
	return r
}
