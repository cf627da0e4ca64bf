package transfers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

var (
	start = time.Date(2026, 11, 22, 10, 1, 2, 0, time.UTC)
	pc    = netip.MustParseAddr("10.10.0.90")
	mac   = boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}
)

// script plays events into a board, as the TFTP server emits them.
type script struct {
	*Board
	t    *testing.T
	now  time.Time
	last uint64
}

func play(t *testing.T) *script { return &script{Board: New(start, DefaultLimits()), t: t, now: start} }

// load is one transfer of a script.
type load struct {
	p  *script
	ev boot.Event
}

func (p *script) asks(from netip.Addr, file, options string) *load {
	p.last++
	l := &load{p: p, ev: boot.Event{
		Role: "tftp", IP: from, Peer: netip.AddrPortFrom(from, uint16(2000+p.last%60000)).String(), Local: "10.10.0.11:69", Transfer: p.last, File: file,
	}}
	return l.tell(boot.ReadRequest, func(ev *boot.Event) { ev.Options = options })
}

func (l *load) tell(k boot.Kind, change func(*boot.Event)) *load {
	ev := l.ev
	ev.Kind, ev.Time = k, l.p.now
	if change != nil {
		change(&ev)
	}
	l.p.Feed(&ev, mac, "story1")
	return l
}

func (l *load) granted(file string, size int64, options string) *load {
	l.ev.File, l.ev.Size = file, size
	return l.tell(boot.OptionsSent, func(ev *boot.Event) { ev.Options = options })
}

// is tells how far the transfer is: blocks of 1468 bytes, packets, of them sent again.
func is(blocks, packets int64, again int) func(*boot.Event) {
	return func(ev *boot.Event) {
		ev.Blocks, ev.Bytes, ev.Packets, ev.Retransmits = blocks, min(1468*blocks, ev.Size), packets, again
		ev.RTT, ev.FirstBlock = 300*time.Microsecond, time.Millisecond
	}
}

func (l *load) end(why boot.Reason, change func(*boot.Event)) *load {
	return l.tell(boot.TransferEnd, func(ev *boot.Event) {
		ev.Reason = why
		if change != nil {
			change(ev)
		}
	})
}

func (p *script) wait(d time.Duration) *script {
	p.now = p.now.Add(d)
	p.Tick(p.now)
	return p
}

func (p *script) report(q Query) Report {
	p.t.Helper()
	r := p.Report(p.now, q)
	text, err := json.Marshal(r)
	var back Report
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if again, _ := json.Marshal(back); err != nil || string(again) != string(text) {
		p.t.Errorf("it changes on the way: %v\n%s\n%s", err, text, again)
	}
	return r
}

// A transfer from its request to its end: what its record says at each step.
func TestRecord(t *testing.T) {
	p := play(t)
	l := p.asks(pc, `\SnpOnly.EFI`, "tsize=0 blksize=1468 windowsize=4")
	live := func() Record {
		t.Helper()
		r := p.report(Query{})
		if len(r.Live) != 1 || r.Running != 1 {
			t.Fatalf("%d live ones: %+v", len(r.Live), r.Live)
		}
		return r.Live[0]
	}
	r := live()
	if r.State != Running || r.Asked != `\SnpOnly.EFI` || r.File != "" || r.Options != "tsize=0 blksize=1468 windowsize=4" || r.Client != "10.10.0.90:2001" ||
		r.Local != "10.10.0.11:69" || r.MAC != mac || r.Boot != "story1" || r.Direction != Download || !r.Began.Equal(start) || r.Percent() != -1 {
		t.Errorf("%+v", r)
	}
	p.wait(3 * time.Second)
	if r = live(); r.State != Opening || r.Where != "the file is not open yet after 3.0 s: the disk is slow" {
		t.Errorf("%+v", r)
	}
	l.granted("snponly.efi", 1042432, "tsize=1042432 blksize=1468 windowsize=4")
	if r = live(); r.State != Running || r.File != "snponly.efi" || r.BlockSize != 1468 || r.Window != 4 || r.Total != 711 || r.Where != "begun" {
		t.Errorf("%+v", r)
	}
	p.wait(time.Second)
	l.tell(boot.Progress, func(ev *boot.Event) { is(300, 305, 4)(ev); ev.Dur = 4 * time.Second })
	if r = live(); r.Where != "block 300 of 711" || r.Percent() != 42 || r.BytesPerSecond != 300*1468/4 || r.RTT != 300*time.Microsecond {
		t.Errorf("%+v", r)
	}
	p.wait(2 * time.Second)
	l.tell(boot.Stalled, func(ev *boot.Event) { is(310, 330, 15)(ev); ev.Pause, ev.PauseAt = 1500*time.Millisecond, 311 })
	p.wait(3 * time.Second)
	if r = live(); r.State != Stalled || r.Where != "no ACK of block 311 of 711 since 10:01:06 (4.5 s)" || r.Pause != 4500*time.Millisecond || p.report(Query{}).Stalled != 1 {
		t.Errorf("%+v", r)
	}
	l.tell(boot.Progress, func(ev *boot.Event) { is(400, 430, 15)(ev); ev.Pause, ev.PauseAt = 4600*time.Millisecond, 311 })
	if r = live(); r.State != Running || p.report(Query{}).Stalled != 0 {
		t.Errorf("%+v", r)
	}
	p.wait(time.Second)
	l.end(boot.Done, func(ev *boot.Event) {
		is(711, 727, 16)(ev)
		ev.Dur, ev.Pause, ev.PauseAt = 10*time.Second, 4600*time.Millisecond, 311
	})
	rep := p.report(Query{})
	if len(rep.Live) != 0 || len(rep.Last) != 1 || len(rep.Failures) != 0 {
		t.Fatalf("%+v", rep)
	}
	if r = rep.Last[0]; r.State != Done || r.Where != "longest pause 4.6 s, at block 311 of 711" || r.Bytes != 1042432 || r.Retransmits != 16 ||
		r.Packets != 727 || r.Dur != 10*time.Second || r.FirstBlock != time.Millisecond || r.ReasonText == "" || r.Percent() != 100 {
		t.Errorf("%+v", r)
	}
	k := rep.Totals
	if k.Begun != 1 || k.Done != 1 || k.Bytes != 1042432 || k.Packets != 727 || k.Retransmits != 16 || k.Stalls != 1 || k.Ended[boot.Done] != 1 {
		t.Errorf("%+v", k)
	}
}

// EDK2 asks for the size and breaks off before each download: no failure (finding 7 of the field).
func TestSizeQueryIsNoFailure(t *testing.T) {
	p := play(t)
	p.asks(pc, "a.efi", "tsize=0").granted("a.efi", 2000, "tsize=2000").end(boot.TsizeProbe, nil)
	p.asks(pc, "a.efi", "blksize=1468").granted("a.efi", 2000, "blksize=1468").end(boot.Done, is(2, 3, 0))
	p.asks(pc, "b.efi", "").end(boot.FileMissing, func(ev *boot.Event) { ev.Detail = "near: a.efi" })
	r := p.report(Query{Top: 5})
	if k := r.Totals; k.SizeQueries != 1 || k.Failed != 1 || k.Done != 1 {
		t.Errorf("%+v", k)
	}
	if len(r.Last) != 3 || r.Last[2].State != SizeQuery || len(r.Failures) != 1 || r.Failures[0].Where != "no such file: near: a.efi" || r.Failures[0].File != "" {
		t.Errorf("%+v", r.Last)
	}
	c := r.Talkers[0].Clients
	if len(c) != 1 || c[0].Transfers != 2 || c[0].SizeQueries != 1 || c[0].Failed != 1 || c[0].Bytes != 2000 {
		t.Errorf("%+v", c)
	}
	if f := r.Talkers[0].Files; len(f) != 2 || f[0].File != "a.efi" || f[0].Failed != 0 || f[1].File != "b.efi" || f[1].Failed != 1 {
		t.Errorf("%+v", f)
	}
}

func TestQuery(t *testing.T) {
	p := play(t)
	other := netip.MustParseAddr("10.10.0.91")
	p.asks(pc, "boot/A.efi", "").end(boot.Done, is(1, 1, 0))
	p.wait(time.Second).asks(other, "boot/b.efi", "").end(boot.Timeout, is(1, 1, 0))
	p.wait(time.Second).asks(pc, "boot/a.efi", "").tell(boot.Progress, is(1, 1, 0))
	p.wait(time.Second).asks(other, "c.0", "").tell(boot.Stalled, func(ev *boot.Event) { ev.Pause = time.Second })
	only := func(a netip.Addr) func(boot.MAC, netip.Addr) bool {
		return func(_ boot.MAC, ip netip.Addr) bool { return ip == a }
	}
	for i, c := range []struct {
		q                    Query
		live, last, failures []uint64
	}{
		{Query{}, []uint64{4, 3}, []uint64{2, 1}, []uint64{2}},
		{Query{Is: only(pc)}, []uint64{3}, []uint64{1}, nil},
		{Query{File: "A.EF"}, []uint64{3}, []uint64{1}, nil},
		{Query{Failed: true}, []uint64{4}, []uint64{2}, []uint64{2}},
		{Query{Limit: 1}, []uint64{4}, []uint64{2}, []uint64{2}},
		{Query{File: "zz"}, nil, nil, nil},
	} {
		r := p.report(c.q)
		for what, x := range map[string]struct {
			got  []Record
			want []uint64
		}{"live": {r.Live, c.live}, "last": {r.Last, c.last}, "failures": {r.Failures, c.failures}} {
			var got []uint64
			for _, rec := range x.got {
				got = append(got, rec.Transfer)
			}
			if !slices.Equal(got, x.want) {
				t.Errorf("query %d: %s %v, want %v", i, what, got, x.want)
			}
		}
	}
	if r := p.report(Query{Limit: 1}); r.Matching != 2 {
		t.Errorf("%d matching", r.Matching)
	}
}

// The journal loses events when too many come: a record begins with whatever is seen of it, and
// one whose end was lost does not run for ever.
func TestLostEvents(t *testing.T) {
	p := play(t)
	a := p.asks(pc, "a", "")
	a.tell(boot.Progress, is(1, 1, 0))
	l := &load{p: p, ev: boot.Event{Role: "tftp", IP: pc, Peer: "10.10.0.90:9", Transfer: 77, File: "b", Size: 5000}}
	l.end(boot.Done, func(ev *boot.Event) { is(4, 4, 0)(ev); ev.Dur = time.Second })
	if r := p.report(Query{}); r.Last[0].Asked != "b" || !r.Last[0].Began.Equal(p.now.Add(-time.Second)) || r.Totals.Done != 1 {
		t.Errorf("%+v", r.Last[0])
	}
	slow := p.asks(pc, "hangs", "")
	p.wait(silent)
	if n, _, _ := p.Counts(); n != 1 {
		t.Errorf("%d running", n)
	}
	slow.end(boot.ReadFailed, nil)
	if r := p.report(Query{}); r.Totals.Lost != 1 || r.Running != 0 || r.Failures[0].Asked != "hangs" {
		t.Errorf("%+v", r)
	}
	// A server that a reload began counts anew.
	p.last = 0
	b := p.asks(pc, "new", "")
	p.last = 0
	b.p.asks(netip.MustParseAddr("10.10.0.91"), "new", "")
	if n, _, _ := p.Counts(); n != 2 {
		t.Errorf("%d running, want two of the same number", n)
	}
}

// A request that waits for a place runs as soon as something of it moves.
func TestWaiting(t *testing.T) {
	p := play(t)
	a, b := p.asks(pc, "a", ""), p.asks(pc, "b", "")
	queued := func(ev *boot.Event) { ev.Reason = boot.TooManyOfClient }
	a.tell(boot.Waiting, queued)
	b.tell(boot.Waiting, queued)
	p.wait(3 * time.Second)
	r := p.report(Query{})
	if r.Running != 0 || r.Waiting != 2 || r.Live[0].State != Waiting || r.Live[0].Reason != "" ||
		r.Live[0].Where != "waits for a place since 10:01:02 (3.0 s): this client address has as many transfers as one may have" {
		t.Errorf("%d running, %d waiting: %+v", r.Running, r.Waiting, r.Live[0])
	}
	a.granted("a", 2000, "blksize=1468")
	b.end(boot.TooManyOfClient, nil)
	if r = p.report(Query{}); r.Running != 1 || r.Waiting != 0 || r.Live[0].State != Running || len(r.Failures) != 1 {
		t.Errorf("%+v", r)
	}
}

// Other roles and packets of no transfer make no record.
func TestNotMine(t *testing.T) {
	p := play(t)
	for _, ev := range []boot.Event{
		{Role: "http", Kind: boot.TransferEnd, Transfer: 1, Reason: boot.Done},
		{Role: "tftp", Kind: boot.Ignored, Transfer: 1, Reason: boot.UnknownTID},
		{Role: "tftp", Kind: boot.TransferEnd, Reason: boot.Done},
	} {
		ev.Time = start
		p.Feed(&ev, mac, "")
	}
	if r := p.report(Query{Top: 1}); r.Totals.Begun != 0 || len(r.Last) != 0 || len(r.Talkers[2].Clients) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestLastMinute(t *testing.T) {
	p := play(t)
	p.now = start.Add(time.Hour)
	for range 120 {
		p.now = p.now.Add(500 * time.Millisecond)
		p.asks(pc, "a", "").granted("a", 1468, "blksize=1468").end(boot.Done, is(1, 4, 1))
	}
	p.now = p.now.Truncate(time.Second).Add(time.Second)
	m := p.report(Query{}).Minute
	if m.Seconds != 60 || m.Done < 1.95 || m.Done > 2 || m.Resent != 0.25 || m.Bytes < 1.95*1468 {
		t.Errorf("%+v", m)
	}
	p.now = p.now.Add(time.Minute + time.Second)
	if m = p.report(Query{}).Minute; m.Done != 0 || m.Bytes != 0 {
		t.Errorf("a minute later: %+v", m)
	}
	if m = New(start, DefaultLimits()).Report(start, Query{}).Minute; m != (Rates{}) {
		t.Errorf("at the start: %+v", m)
	}
}

// A flood of one outcome leaves the records of the others.
func TestOutcomesKeepTheirPlace(t *testing.T) {
	p := play(t)
	p.asks(pc, "precious", "").end(boot.Timeout, is(3, 9, 6))
	for i := range 5000 {
		p.asks(pc, fmt.Sprint("junk", i), "").end(boot.FileMissing, nil)
	}
	l := DefaultLimits()
	for range 2 * l.Done {
		p.asks(pc, "good", "").end(boot.Done, is(1, 1, 0))
	}
	r := p.report(Query{})
	if len(r.Last) != l.Done+l.Other+1 || len(r.Failures) != l.Other+1 {
		t.Errorf("%d last, %d failures", len(r.Last), len(r.Failures))
	}
	if !slices.ContainsFunc(r.Failures, func(r Record) bool { return r.Asked == "precious" }) {
		t.Error("the one that matters is forgotten")
	}
	if r := p.report(Query{File: strings.ToUpper("junk4999")}); len(r.Last) != 1 {
		t.Error("the newest is not there")
	}
}

// Uploads are no downloads: they are listed and counted by themselves.
func TestUploadsCountApart(t *testing.T) {
	p := play(t)
	up := func(why boot.Reason, bytes int64) {
		p.last++
		l := &load{p: p, ev: boot.Event{
			Role: "tftp", IP: pc, Peer: fmt.Sprintf("10.10.0.90:%d", 2000+p.last), Transfer: p.last, File: "crash/a", Upload: true,
		}}
		l.tell(boot.WriteRequest, nil)
		l.tell(boot.TransferEnd, func(ev *boot.Event) { ev.Reason, ev.Bytes = why, bytes })
	}
	up(boot.Received, 1000)
	up(boot.UploadExists, 0)
	r := p.report(Query{})
	for _, e := range r.Last {
		if want := map[boot.Reason]State{boot.Received: Done, boot.UploadExists: Failed}[e.Reason]; e.State != want || e.Direction != Upload {
			t.Errorf("%s %s, %s", e.Reason, e.State, e.Direction)
		}
	}
	k := r.Totals
	if k.Uploads != 1 || k.UploadBytes != 1000 || k.Done != 0 || k.Bytes != 0 || k.Failed != 1 || r.Minute.Done != 0 || r.Minute.Bytes != 0 {
		t.Errorf("%+v %+v", k, r.Minute)
	}
	for _, w := range r.Talkers {
		if len(w.Clients)+len(w.Files) > 0 {
			t.Errorf("%+v", w)
		}
	}
}
