package journal

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

const (
	pxe  = boot.FirmwarePXE
	edk2 = boot.FirmwareEDK2
	ipxe = boot.FirmwareIPXE
)

// TestSentences plays whole boots and asserts how each stands and the sentence that says so.
func TestSentences(t *testing.T) {
	for _, c := range []struct {
		name   string
		play   func(p *script)
		state  State
		reason boot.Reason
		where  string
		kinds  string
	}{
		{
			"BIOS, direct", func(p *script) { p.offered(pxe, "ARDBP32.BIN", "boot1").fetch(1, "ARDBP32.BIN") },
			Done, boot.Done,
			"ARDBP32.BIN delivered at 10:01:06: 1.0 MB in 0.8 s",
			"discover offer dhcp-request rrq oack progress transfer-end",
		},
		{
			"UEFI: port 4011, the question for the size, the download", func(p *script) {
				p.offered(edk2, "snponly.efi", "boot1").asked4011("snponly.efi", "boot1")
				p.load(boot.ReadRequest, 1, "snponly.efi", granted("tsize=0 blksize=1468"))
				p.load(boot.OptionsSent, 1, "snponly.efi", granted("tsize=1004544 blksize=1468"), moved(0, 0, 1004544))
				p.load(boot.TransferEnd, 1, "snponly.efi", ended(boot.TsizeProbe, ""), moved(0, 0, 1004544))
				p.fetch(2, "snponly.efi")
			},
			Done, boot.Done,
			"snponly.efi delivered at 10:01:06: 1.0 MB in 0.8 s",
			"discover offer dhcp-request boot-request boot-reply rrq oack transfer-end rrq oack progress transfer-end",
		},
		{
			"after the question for the size", func(p *script) {
				p.offered(edk2, "snponly.efi", "boot1").asked4011("snponly.efi", "boot1")
				p.load(boot.ReadRequest, 1, "snponly.efi")
				p.load(boot.TransferEnd, 1, "snponly.efi", ended(boot.TsizeProbe, ""), moved(0, 0, 1004544))
			},
			Running, boot.TsizeProbe,
			"asked for the size of snponly.efi (1.0 MB) at 10:01:06 and will come back for it", "",
		},
		{
			"a request that waits for a place", func(p *script) {
				p.offered(edk2, "snponly.efi", "boot1").asked4011("snponly.efi", "boot1")
				p.load(boot.ReadRequest, 1, "snponly.efi")
				p.load(boot.Waiting, 1, "snponly.efi", ended(boot.TooManyTransfers, "at most 10 run"))
			},
			Running, boot.Answered,
			"waiting for a place to fetch snponly.efi since 10:01:06: as many transfers as are allowed are running", "",
		},
		{
			"a request that waited for a place and got it", func(p *script) {
				p.offered(edk2, "snponly.efi", "boot1").asked4011("snponly.efi", "boot1")
				p.load(boot.ReadRequest, 1, "snponly.efi")
				p.load(boot.Waiting, 1, "snponly.efi", ended(boot.TooManyTransfers, "at most 10 run"))
				p.load(boot.Progress, 1, "snponly.efi", moved(10, 5120, 1004544))
			},
			Running, boot.Answered,
			"fetching snponly.efi by TFTP: block 10 of 1963", "",
		},
		{
			"never came back for the file", func(p *script) {
				p.offered(edk2, "snponly.efi", "boot1").asked4011("snponly.efi", "boot1")
				p.load(boot.ReadRequest, 1, "snponly.efi")
				p.load(boot.TransferEnd, 1, "snponly.efi", ended(boot.TsizeProbe, ""), moved(0, 0, 1004544)).wait(31 * time.Second)
			},
			Stuck, boot.TsizeProbe,
			"asked for the size of snponly.efi (1.0 MB) at 10:01:06 and did not come back for the file: it may be too large for the machine, or the machine was switched off", "",
		},
		{
			"two stages: the ROM loads iPXE, which gets a script and a file", func(p *script) {
				p.offered(pxe, "undionly.kpxe", "boot1").fetch(1, "undionly.kpxe")
				p.wait(3*time.Second).offered(ipxe, "menu.bin", "boot1", xid(7))
				p.feed(boot.Event{
					Role: "http", Kind: boot.ScriptSent, MAC: mac, IP: ip, Firmware: ipxe, Reason: boot.Answered,
					Rule: "r-ipxe", File: "menu.bin", Server: "boot1",
				})
				p.load(boot.HTTPRequest, 2, "menu.bin", byHTTP)
				p.load(boot.TransferEnd, 2, "menu.bin", byHTTP, ended(boot.Done, ""), moved(0, 20000, 20000), took(30*time.Millisecond))
			},
			Done, boot.Done,
			"stage 2 (ipxe): menu.bin delivered at 10:01:13: 20 KB in 30 ms",
			"discover offer dhcp-request rrq oack progress transfer-end discover offer dhcp-request script http-request transfer-end",
		},
		{
			"offered, no address", func(p *script) {
				p.dhcp(boot.DiscoverSeen, pxe, "").dhcp(boot.OfferSent, pxe, boot.Answered, told("r", "a.0", "boot1")).wait(36 * time.Second)
			},
			Stuck, boot.Answered,
			"offered a.0 from boot1 at 10:01:02, and the machine has taken no address since: no DHCP server gave it one, or our offer did not arrive",
			"discover offer",
		},
		{
			"offered, nothing on port 4011", func(p *script) { p.offered(edk2, "a.efi", "boot1").wait(31 * time.Second) },
			Stuck, boot.Answered,
			"offered at 10:01:02, address 10.10.0.90 taken at 10:01:06, no request on port 4011 since: the client took another offer, or a firewall drops UDP 4011",
			"",
		},
		{
			"offered, no read request", func(p *script) { p.offered(pxe, "a.0", "boot1").wait(31 * time.Second) },
			Stuck, boot.Answered,
			"offered at 10:01:02, address 10.10.0.90 taken at 10:01:06, no request on port 4011 and no read request since: the client took another offer, or a firewall drops UDP 4011 or 69",
			"",
		},
		{
			"offered, iPXE of a UEFI machine", func(p *script) { p.offered(ipxe, "a.0", "boot1").wait(31 * time.Second) },
			Stuck, boot.Answered,
			"offered at 10:01:02, address 10.10.0.90 taken at 10:01:06, no read request since: the client took another offer, or a firewall drops UDP 69",
			"",
		},
		{
			"with other nodes, before its patience ends", func(p *script) {
				p.s.peers = func() bool { return true }
				p.offered(edk2, "a.efi", "boot1").wait(5 * time.Second)
			},
			Running, boot.Answered,
			"offered at 10:01:02, address 10.10.0.90 taken at 10:01:06; what it asks next may come to another node",
			"",
		},
		{
			"another node's client", func(p *script) {
				p.s.peers = func() bool { return true }
				p.offered(edk2, "a.efi", "boot1").wait(31 * time.Second)
			},
			Ended, boot.Answered,
			"offered at 10:01:02, address 10.10.0.90 taken at 10:01:06, then nothing more was asked of this node: served elsewhere or by another offer; if the machine did not start, a firewall may drop UDP 4011",
			"",
		},
		{
			"sent to another server", func(p *script) { p.offered(pxe, "ARDBP32.BIN", "pvs1").wait(31 * time.Second) },
			Ended, boot.Answered,
			"offered at 10:01:02, address 10.10.0.90 taken at 10:01:06, sent to pvs1 for ARDBP32.BIN: whether it arrived is not seen on this node",
			"",
		},
		{
			"sent to another server by port 4011", func(p *script) { p.offered(edk2, "a.efi", "pvs1").asked4011("a.efi", "pvs1").wait(31 * time.Second) },
			Ended, boot.Answered,
			"answered on port 4011 at 10:01:06: a.efi from pvs1, which is another server: whether it arrived is not seen on this node", "",
		},
		{
			"answered on port 4011, no read request", func(p *script) { p.offered(edk2, "a.efi", "boot1").asked4011("a.efi", "boot1").wait(31 * time.Second) },
			Stuck, boot.Answered,
			"answered on port 4011 at 10:01:06: a.efi from boot1; no read request since: a firewall drops UDP 69, or the answer did not arrive", "",
		},
		{
			"no rule", func(p *script) {
				p.dhcp(boot.DiscoverSeen, pxe, "").dhcp(boot.Ignored, pxe, boot.NoRule, ended(boot.NoRule, "rule uefi: arch is bios(0), the rule wants uefi-x64(7)"))
			},
			Stuck, boot.NoRule,
			"asked at 10:01:02 and got no answer: no rule matches this client (rule uefi: arch is bios(0), the rule wants uefi-x64(7))", "discover ignored",
		},
		{
			"a silent network", func(p *script) { p.dhcp(boot.DiscoverSeen, pxe, "").dhcp(boot.Ignored, pxe, boot.NetworkSilent) },
			Ended, boot.NetworkSilent,
			"asked at 10:01:02 and got no answer: the network says deliver: none", "discover ignored",
		},
		{
			"the offer could not be sent", func(p *script) {
				p.dhcp(boot.DiscoverSeen, pxe, "").dhcp(boot.OfferSent, pxe, boot.SendFailed, ended(boot.SendFailed, "network is down"))
			},
			Stuck, boot.SendFailed,
			"asked at 10:01:02 and got no answer: the answer could not be sent (network is down)", "discover offer",
		},
		{
			"a file that is not there", func(p *script) {
				p.offered(pxe, "ARDBP32.BN", "boot1").load(boot.ReadRequest, 1, "ARDBP32.BN")
				p.load(boot.TransferEnd, 1, "ARDBP32.BN", ended(boot.FileMissing, `no such file: "ARDBP32.BN" (near: ARDBP32.BIN)`))
			},
			Stuck, boot.FileMissing,
			"asked for ARDBP32.BN, which is not there; near: ARDBP32.BIN", "discover offer dhcp-request rrq transfer-end",
		},
		{
			"a file that need not be there", func(p *script) {
				p.offered(pxe, "pxelinux.0", "boot1").fetch(1, "pxelinux.0").load(boot.ReadRequest, 2, "pxelinux.cfg/C0A8")
				p.load(boot.TransferEnd, 2, "pxelinux.cfg/C0A8", ended(boot.FileMissing, `no such file: "pxelinux.cfg/C0A8"`))
			},
			Done, boot.Done,
			"pxelinux.0 delivered at 10:01:06; then asked for pxelinux.cfg/C0A8, which is not there (boot programs look for files that need not exist)", "",
		},
		{
			"stuck at a block", func(p *script) {
				p.offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0")
				p.load(boot.OptionsSent, 1, "a.0", granted("blksize=1456"), moved(0, 0, 1_004_544))
				p.wait(time.Second).load(boot.Progress, 1, "a.0", moved(16, 16*1456, 1_004_544)).wait(20 * time.Second)
				p.load(boot.TransferEnd, 1, "a.0", ended(boot.Timeout, ""), moved(16, 16*1456, 1_004_544))
			},
			Stuck, boot.Timeout,
			"block 17 of 690 of a.0 never acknowledged for 20 s: blocks of 1456 bytes are lost on the way (MTU), or the machine was switched off", "",
		},
		{
			"stuck before the first block", func(p *script) {
				p.offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0").wait(25 * time.Second)
				p.load(boot.TransferEnd, 1, "a.0", ended(boot.Timeout, ""), moved(0, 0, 1000))
			},
			Stuck, boot.Timeout,
			"nothing of a.0 was ever acknowledged in 25 s: a firewall or NAT drops the transfer's own port (it is not 69), or the machine gave up", "",
		},
		{
			"in the middle", func(p *script) {
				p.offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0")
				p.load(boot.OptionsSent, 1, "a.0", granted("blksize=1456"), moved(0, 0, 1_004_544))
				p.wait(time.Second).load(boot.Progress, 1, "a.0", moved(16, 16*1456, 1_004_544))
			},
			Running, boot.Answered, "fetching a.0 by TFTP: block 16 of 690", "",
		},
		{
			"the machine refuses", func(p *script) {
				p.offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0")
				p.load(boot.TransferEnd, 1, "a.0", ended(boot.ClientError, `undefined: "out of memory", block 3 of 690`))
			},
			Stuck, boot.ClientError, `the machine refused a.0 at 10:01:06 (undefined: "out of memory", block 3 of 690)`, "",
		},
		{
			"stopped in the middle", func(p *script) {
				p.offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0", moved(0, 0, 1000))
				p.load(boot.TransferEnd, 1, "a.0", ended(boot.Draining, "block 1 of 2"), moved(0, 0, 1000))
			},
			Ended, boot.Draining,
			"this node was stopped during the transfer of a.0 (0 bytes of 1 KB): the machine asks again, and another node answers", "",
		},
		{
			"no script for it", func(p *script) {
				p.offered(ipxe, "a.ipxe", "boot1").feed(boot.Event{Role: "http", Kind: boot.ScriptSent, MAC: mac, IP: ip, Firmware: ipxe, Reason: boot.NoRule})
			},
			Stuck, boot.NoRule, "asked at 10:01:06: no rule matches this client", "",
		},
		{
			"HTTP boot", func(p *script) {
				p.offered(boot.FirmwareUEFIHTTP, "a.efi", "boot1")
				p.load(boot.HTTPRequest, 1, "a.efi", byHTTP).load(boot.TransferEnd, 1, "a.efi", byHTTP, ended(boot.TsizeProbe, "HEAD"), moved(0, 0, 5000))
				p.load(boot.HTTPRequest, 2, "a.efi", byHTTP).load(boot.TransferEnd, 2, "a.efi", byHTTP, ended(boot.Done, ""), moved(0, 5000, 5000))
			},
			Done, boot.Done, "a.efi delivered at 10:01:06: 5 KB", "discover offer dhcp-request http-request transfer-end http-request transfer-end",
		},
		{
			"a firmware that goes from PXE to HTTP by itself", func(p *script) {
				p.offered(edk2, "a.efi", "boot1").wait(40*time.Second).offered(boot.FirmwareUEFIHTTP, "a.efi", "boot1", xid(99))
			},
			Running, boot.Answered,
			"stage 2 (uefi-http): offered at 10:01:46, address 10.10.0.90 taken at 10:01:50", "discover offer dhcp-request discover offer dhcp-request",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := play(t)
			c.play(p)
			r := p.one()
			if r.State != c.state || r.Reason != c.reason {
				t.Errorf("%s, %s, want %s, %s", r.State, r.Reason, c.state, c.reason)
			}
			if r.where() != c.where {
				t.Errorf("the sentence:\n got %s\nwant %s", r.where(), c.where)
			}
			if got := kinds(r); c.kinds != "" && got != c.kinds {
				t.Errorf("the steps:\n got %s\nwant %s", got, c.kinds)
			}
		})
	}
}

// TestAttempts asserts where one boot attempt ends and the next begins.
func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(p *script)
		want int
	}{
		{"firmware repeats its DISCOVER after 4, 8, 16 and 32 s", func(p *script) {
			for i, d := range []int{0, 4, 8, 16, 32} {
				p.wait(time.Duration(d)*time.Second).dhcp(boot.DiscoverSeen, edk2, "", xid(uint32(i+1)))
			}
		}, 1},
		{"switched on again after two minutes", func(p *script) {
			p.dhcp(boot.DiscoverSeen, edk2, "").wait(130*time.Second).dhcp(boot.DiscoverSeen, edk2, "", xid(9))
		}, 2},
		{"switched on again after its boot", func(p *script) {
			p.offered(pxe, "a.0", "boot1").fetch(1, "a.0").wait(20*time.Second).offered(pxe, "a.0", "boot1", xid(9))
		}, 2},
		{"the same, by a ROM that makes its xid of the MAC", func(p *script) {
			p.offered(pxe, "a.0", "boot1").fetch(1, "a.0").wait(20*time.Second).offered(pxe, "a.0", "boot1")
		}, 2},
		{"switched off in mid-transfer and on again", func(p *script) {
			p.offered(pxe, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0").wait(5*time.Second).dhcp(boot.DiscoverSeen, pxe, "", xid(9))
		}, 2},
		{"iPXE that the ROM loaded", func(p *script) {
			p.offered(pxe, "undionly.kpxe", "boot1").fetch(1, "undionly.kpxe").wait(5*time.Second).dhcp(boot.DiscoverSeen, ipxe, "", xid(9))
		}, 1},
		{"iPXE that iPXE of the ROM loaded", func(p *script) {
			p.offered(ipxe, "ipxe.pxe", "boot1").fetch(1, "ipxe.pxe").wait(5*time.Second).dhcp(boot.DiscoverSeen, ipxe, "", xid(9))
		}, 1},
		{"iPXE of the ROM, after what it loaded has come back", func(p *script) {
			p.offered(ipxe, "test.0", "boot1").fetch(1, "test.0").wait(5*time.Second).dhcp(boot.DiscoverSeen, ipxe, "", xid(9))
		}, 2},
		{"iPXE three minutes after the ROM's boot", func(p *script) {
			p.offered(pxe, "undionly.kpxe", "boot1").fetch(1, "undionly.kpxe").wait(3*time.Minute).dhcp(boot.DiscoverSeen, ipxe, "", xid(9))
		}, 2},
		{"a file that a menu fetches five minutes later", func(p *script) {
			p.offered(pxe, "pxelinux.0", "boot1").fetch(1, "pxelinux.0").wait(5*time.Minute).fetch(2, "vmlinuz")
		}, 1},
		{"a file an hour later", func(p *script) {
			p.offered(pxe, "pxelinux.0", "boot1").fetch(1, "pxelinux.0").wait(time.Hour).fetch(2, "vmlinuz")
		}, 2},
		{"an operating system takes an address", func(p *script) {
			p.offered(pxe, "a.0", "boot1").fetch(1, "a.0").wait(30*time.Second).dhcp(boot.RequestSeen, "", boot.OtherMessage, withIP)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := play(t)
			c.play(p)
			if got := len(p.of(mac)); got != c.want {
				t.Errorf("%d stories, want %d:%s", got, c.want, p.summary())
			}
		})
	}
}

// TestStages asserts what each program of a chain was told and whether it got it.
func TestStages(t *testing.T) {
	p := play(t).offered(pxe, "undionly.kpxe", "boot1").fetch(1, "undionly.kpxe").wait(3*time.Second).
		offered(ipxe, "menu.bin", "boot2", xid(7))
	r := p.one()
	if len(r.Stages) != 2 {
		t.Fatalf("stages %+v, want two", r.Stages)
	}
	first, second := r.Stages[0], r.Stages[1]
	if first.Firmware != pxe || first.File != "undionly.kpxe" || !first.Delivered || !first.Has(boot.TransferEnd) {
		t.Errorf("the first stage: %+v", first)
	}
	if second.Firmware != ipxe || second.File != "menu.bin" || second.Server != "boot2" || second.Delivered || second.Has(boot.ReadRequest) {
		t.Errorf("the second stage: %+v", second)
	}
}

// TestAddressAlone is TFTP without DHCP: the story hangs on the address, until a MAC is known.
func TestAddressAlone(t *testing.T) {
	p := play(t).fetch(1, "a.0")
	m := p.s.byIP[ip]
	if m == nil || len(m.stories) != 1 || m.stories[0].State != Done || m.stories[0].Machine() != "10.10.0.90" {
		t.Fatalf("no story of the address: %+v", m)
	}
	p.wait(3*time.Minute).fetch(2, "a.0")
	if len(m.stories) != 2 {
		t.Errorf("%d stories after three minutes of silence, want 2", len(m.stories))
	}
	p.feed(boot.Event{Role: "http", Kind: boot.ScriptSent, MAC: mac, IP: ip, Firmware: ipxe, Reason: boot.Answered, File: "b", Server: "boot1"})
	if got := p.of(mac); len(got) != 2 || got[0].MAC != mac || got[1].phase != scripted {
		t.Errorf("the stories did not become the machine's:%s", p.summary())
	}
	if p.s.byIP[ip] != p.s.byMAC[mac] || p.s.count() != 1 {
		t.Error("the address is still a machine of its own")
	}
}

// A DISCOVER was seen, the REQUEST was not (a relay keeps it), so the download hung on the address
// alone; then the machine tells its MAC.
func TestMerge(t *testing.T) {
	p := play(t)
	p.dhcp(boot.DiscoverSeen, ipxe, "").dhcp(boot.OfferSent, ipxe, boot.Answered, told("r", "a.ipxe", "boot1"))
	p.wait(time.Second).fetch(1, "a.ipxe")
	p.load(boot.HTTPRequest, 2, "b.bin", byHTTP, ofMAC(mac))
	r := p.one()
	if got, want := kinds(r), "discover offer rrq oack progress transfer-end http-request"; got != want {
		t.Errorf("steps\n got %s\nwant %s", got, want)
	}
	if r.finished.IsZero() || r.IP != ip {
		t.Errorf("the download is not part of the story: %+v", r.Story)
	}
	if p.s.kept != len(r.Steps) {
		t.Errorf("%d steps in the account, %d kept", p.s.kept, len(r.Steps))
	}
}

// An address that moves to another machine takes nothing with it.
func TestAddressMoves(t *testing.T) {
	p := play(t).offered(pxe, "a.0", "boot1").fetch(1, "a.0").wait(time.Minute)
	p.offered(pxe, "b.0", "boot1", ofMAC(other), xid(5)).fetch(2, "b.0")
	if a, b := p.of(mac), p.of(other); len(a) != 1 || len(b) != 1 || a[0].File != "a.0" || b[0].File != "b.0" || len(a[0].Steps) != 7 {
		t.Errorf("mixed up:%s", p.summary())
	}
}

func TestJunkMakesNoStory(t *testing.T) {
	p := play(t)
	for _, ev := range []boot.Event{
		{Role: "proxydhcp", Kind: boot.Ignored, Reason: boot.Malformed},
		{Role: "proxydhcp", Kind: boot.Ignored, Reason: boot.NotPXE, MAC: mac, XID: 1},
		{Role: "proxydhcp", Kind: boot.Ignored, Reason: boot.RateLimited, MAC: mac, XID: 1},
		{Role: "proxydhcp", Kind: boot.RequestSeen, Reason: boot.OtherMessage, MAC: mac, IP: ip},
		{Role: "tftp", Kind: boot.Ignored, Reason: boot.UnexpectedOpcode, IP: netip.MustParseAddr("10.0.0.1")},
		{Role: "tftp", Kind: boot.TransferEnd, Reason: boot.Timeout, IP: netip.MustParseAddr("10.0.0.2")},
		{Role: "tftp", Kind: boot.ReadRequest, IP: netip.IPv4Unspecified()},
	} {
		p.feed(ev)
	}
	for m := range p.s.byMAC {
		if n := len(p.of(m)); n != 0 {
			t.Errorf("%s has %d stories:%s", m, n, p.summary())
		}
	}
	if p.s.kept != 0 || len(p.s.live) != 0 {
		t.Errorf("%d steps, %d live stories", p.s.kept, len(p.s.live))
	}
	p.fetch(1, "a.0") // the REQUEST told whose address that is
	p.one()
}

// A machine that was given up goes on after all.
func TestStuckIsNotForEver(t *testing.T) {
	p := play(t).offered(edk2, "a.efi", "boot1").wait(31 * time.Second)
	r := p.one()
	if r.State != Stuck {
		t.Fatalf("%s, want stuck", r.State)
	}
	p.asked4011("a.efi", "boot1").fetch(1, "a.efi")
	if r = p.one(); r.State != Done {
		t.Errorf("%s, want done: %s", r.State, r.where())
	}
}

// A transfer that ended because its client began another one does not decide how the story stands.
func TestTransferIsOvertaken(t *testing.T) {
	p := play(t).offered(boot.FirmwarePXELINUX, "a.0", "boot1").load(boot.ReadRequest, 1, "a.0").load(boot.ReadRequest, 2, "b.0")
	p.load(boot.TransferEnd, 1, "a.0", ended(boot.Draining, ""))
	if r := p.one(); r.State != Running {
		t.Errorf("%s, want running: %s", r.State, r.where())
	}
	p.load(boot.TransferEnd, 2, "b.0", ended(boot.Done, ""), moved(1, 10, 10))
	if r := p.one(); r.State != Done || r.File != "b.0" {
		t.Errorf("%s of %s, want done of b.0", r.State, r.File)
	}
}

func TestIDsAreInOrder(t *testing.T) {
	p := play(t)
	last := ""
	for i := range 50 {
		m := mac
		m[5] = byte(i)
		p.dhcp(boot.DiscoverSeen, pxe, "", ofMAC(m))
		id := p.of(m)[0].ID
		if id <= last || len(id) != 8 {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}
