package journal

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// script plays events into a story machine, as the roles of node boot1 emit them.
type script struct {
	t   *testing.T
	s   *stories
	now time.Time
}

var (
	start = time.Date(2026, 11, 22, 10, 1, 2, 0, time.UTC)
	mac   = boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	other = boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x57}
	ip    = netip.MustParseAddr("10.10.0.90")
	bios  = boot.ArchBIOS
	x64   = boot.ArchX64
)

func play(t *testing.T) *script {
	return &script{t: t, s: newStories("boot1", defaultLimits()), now: start}
}

// wait lets time pass; stories whose patience ends are marked.
func (p *script) wait(d time.Duration) *script {
	p.now = p.now.Add(d)
	p.s.tick(p.now)
	return p
}

func (p *script) feed(ev boot.Event) *script {
	ev.Time, ev.Node = p.now, "boot1"
	p.s.feed(ev)
	return p
}

// dhcp is an event of ProxyDHCP about mac.
func (p *script) dhcp(kind boot.Kind, fw boot.Firmware, reason boot.Reason, change ...func(*boot.Event)) *script {
	ev := boot.Event{Role: "proxydhcp", Kind: kind, MAC: mac, XID: 0x1234, Firmware: fw, Reason: reason, Network: "vdi", Arch: &x64}
	if fw == boot.FirmwarePXE {
		ev.Arch = &bios
	}
	for _, c := range change {
		c(&ev)
	}
	return p.feed(ev)
}

func told(rule, file, server string) func(*boot.Event) {
	return func(ev *boot.Event) { ev.Rule, ev.File, ev.Server = rule, file, server }
}

func withIP(ev *boot.Event) { ev.IP = ip }

func xid(x uint32) func(*boot.Event) { return func(ev *boot.Event) { ev.XID = x } }

func ofMAC(m boot.MAC) func(*boot.Event) { return func(ev *boot.Event) { ev.MAC = m } }

// offered plays DISCOVER, offer and the client's REQUEST for an address.
func (p *script) offered(fw boot.Firmware, file, server string, change ...func(*boot.Event)) *script {
	p.dhcp(boot.DiscoverSeen, fw, "", change...)
	p.dhcp(boot.OfferSent, fw, boot.Answered, append(change, told("r-"+string(fw), file, server))...)
	return p.wait(4*time.Second).dhcp(boot.RequestSeen, fw, boot.OtherMessage, append(change, withIP)...)
}

// asked4011 plays the boot service on port 4011.
func (p *script) asked4011(file, server string) *script {
	p.dhcp(boot.BootRequestSeen, boot.FirmwareEDK2, "", withIP)
	return p.dhcp(boot.BootReplySent, boot.FirmwareEDK2, boot.Answered, withIP, told("r-edk2", file, server))
}

// load is an event of a transfer: what a role knows of it is an address.
func (p *script) load(kind boot.Kind, id uint64, file string, change ...func(*boot.Event)) *script {
	ev := boot.Event{Role: "tftp", Kind: kind, IP: ip, Peer: ip.String() + ":2070", File: file, Transfer: id}
	for _, c := range change {
		c(&ev)
	}
	return p.feed(ev)
}

func byHTTP(ev *boot.Event) { ev.Role = "http" }

func from(a netip.Addr) func(*boot.Event) { return func(ev *boot.Event) { ev.IP = a } }

func ended(why boot.Reason, detail string) func(*boot.Event) {
	return func(ev *boot.Event) { ev.Reason, ev.Detail = why, detail }
}

func moved(blocks, bytes, size int64) func(*boot.Event) {
	return func(ev *boot.Event) { ev.Blocks, ev.Bytes, ev.Size = blocks, bytes, size }
}

func granted(options string) func(*boot.Event) { return func(ev *boot.Event) { ev.Options = options } }

func took(d time.Duration) func(*boot.Event) { return func(ev *boot.Event) { ev.Dur = d } }

// fetch plays a whole download of 1 MB in 1456 byte blocks.
func (p *script) fetch(id uint64, file string) *script {
	const size = 1_004_544
	p.load(boot.ReadRequest, id, file)
	p.load(boot.OptionsSent, id, file, granted("blksize=1456 tsize=1004544"), moved(0, 0, size))
	p.wait(400*time.Millisecond).load(boot.Progress, id, file, moved(300, 300*1456, size))
	return p.wait(400*time.Millisecond).load(boot.TransferEnd, id, file, ended(boot.Done, ""), moved(690, size, size), took(800*time.Millisecond))
}

// of returns the stories of a machine, oldest first.
func (p *script) of(m boot.MAC) []*record {
	found := p.s.byMAC[m]
	if found == nil {
		return nil
	}
	return found.stories
}

// one returns the single story of mac.
func (p *script) one() *record {
	p.t.Helper()
	all := p.of(mac)
	if len(all) != 1 {
		p.t.Fatalf("%d stories, want one: %s", len(all), p.summary())
	}
	return all[0]
}

func (p *script) summary() string {
	var b strings.Builder
	for _, m := range p.s.byMAC {
		for _, r := range m.stories {
			b.WriteString("\n  " + r.Machine() + " " + string(r.State) + " " + kinds(r) + ": " + r.where())
		}
	}
	return b.String()
}

func kinds(r *record) string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, string(s.Kind))
	}
	return strings.Join(out, " ")
}
