package journal

import (
	"testing"
	"time"

	"surefoot/internal/boot"
)

// Whose transfers those are is known from DHCP: by address, MAC and name.
func TestTransfersKnowTheirMachine(t *testing.T) {
	j := New(Config{Node: "boot1", Now: func() time.Time { return start.Add(time.Second) }, Name: func(m boot.MAC) string {
		if m == mac {
			return "pc-90"
		}
		return ""
	}})
	j.take(discover(mac, start))
	j.take(boot.Event{Role: "proxydhcp", Kind: boot.RequestSeen, Time: start, MAC: mac, IP: ip, XID: 1})
	j.take(boot.Event{Role: "tftp", Kind: boot.ReadRequest, Time: start, IP: ip, Peer: ip.String() + ":2070", File: "a.0\x1b[2J", Transfer: 1})
	j.take(boot.Event{Role: "tftp", Kind: boot.TransferEnd, Time: start, IP: ip, Peer: ip.String() + ":2070", File: "a.0", Transfer: 1, Size: 9, Bytes: 9, Blocks: 1, Reason: boot.Done})
	j.take(boot.Event{Role: "tftp", Kind: boot.ReadRequest, Time: start, IP: ip, Peer: ip.String() + ":2071", File: "b.0", Transfer: 2})
	story := j.Stories(Query{})[0].ID
	for _, text := range []string{"", "pc-90", "34:56", mac.String(), ip.String()} {
		r := j.Transfers(TransferQuery{Client: text, Top: 3})
		if len(r.Last) != 1 || len(r.Live) != 1 {
			t.Errorf("%q finds %d and %d", text, len(r.Last), len(r.Live))
			continue
		}
		if x := r.Last[0]; x.MAC != mac || x.Name != "pc-90" || x.Boot != story || x.Asked != `a.0\x1b[2J` || x.Machine() != "pc-90" {
			t.Errorf("%+v", x)
		}
		if c := r.Talkers[0].Clients; len(c) != 1 || c[0].MAC != mac || c[0].Name != "pc-90" {
			t.Errorf("%+v", c)
		}
	}
	for _, text := range []string{other.String(), "10.10.0.91", "pc-91"} {
		if r := j.Transfers(TransferQuery{Client: text}); len(r.Last)+len(r.Live) != 0 {
			t.Errorf("%q finds %d and %d", text, len(r.Last), len(r.Live))
		}
	}
}

// A stall is a step of the story, and its sentence says since when.
func TestStoryOfAStall(t *testing.T) {
	p := play(t).offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0").load(boot.Progress, 1, "a.0", moved(3, 3*512, 5000))
	stall := func(ev *boot.Event) { ev.Pause, ev.PauseAt = time.Second, 4 }
	p.wait(2*time.Second).load(boot.Stalled, 1, "a.0", moved(3, 3*512, 5000), stall)
	r := p.one()
	if got := r.where(); r.State != Running || got != "fetching a.0 by TFTP: block 3 of 10, nothing more acknowledged since 10:01:06" {
		t.Errorf("%s: %s", r.State, got)
	}
	p.wait(2*time.Second).load(boot.Progress, 1, "a.0", moved(4, 4*512, 5000)).wait(time.Second).load(boot.Stalled, 1, "a.0", moved(4, 4*512, 5000), stall)
	p.load(boot.TransferEnd, 1, "a.0", moved(10, 5000, 5000), ended(boot.Done, ""))
	if r = p.one(); r.State != Done || kinds(r) != "discover offer dhcp-request rrq progress stalled transfer-end" {
		t.Errorf("%s: %s", r.State, kinds(r))
	}
}
