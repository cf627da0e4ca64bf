package journal

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// A name that a machine asks for while it boots is a step of its story; what resolvers and running
// systems ask makes no story, brings none back and keeps none open.
func TestNamesInStories(t *testing.T) {
	p := play(t)
	name := boot.Event{Role: "dns", Kind: boot.NameAsked, IP: ip, Detail: "uefi.boot.example.net.", Options: "A", Reason: boot.Answered, Server: "boot1"}
	p.feed(name)
	stranger := name
	stranger.IP = netip.MustParseAddr("10.0.0.53")
	p.feed(stranger)
	if n := p.s.count(); n != 0 {
		t.Fatalf("%d machines are known by their questions", n)
	}
	p.dhcp(boot.DiscoverSeen, pxe, "", xid(1)).dhcp(boot.RequestSeen, pxe, "", xid(1), from(ip))
	p.feed(name)
	r := p.of(mac)[0]
	if last := r.Steps[len(r.Steps)-1]; last.Kind != boot.NameAsked {
		t.Errorf("the name is no step of the story: %s", kinds(r))
	}
	p.load(boot.ReadRequest, 1, "a", from(ip)).load(boot.TransferEnd, 1, "a", from(ip), ended(boot.Done, ""), moved(1, 9, 9))
	steps := len(r.Steps)
	for range 100 { // the operating system asks every ten seconds
		p.wait(10 * time.Second)
		p.feed(name)
	}
	if got := p.of(mac); len(got) != 1 || len(got[0].Steps) != steps {
		t.Errorf("%d stories, %d steps in the last, want %d", len(got), len(got[len(got)-1].Steps), steps)
	}
}
