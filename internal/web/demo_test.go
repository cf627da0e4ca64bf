package web

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/watch"
)

// The only state of this package: go test sets it from its command line.
var show = flag.String("show", "", "address at which TestShow shows the page with made-up boots, until Ctrl-C")

// hostile are texts that a stranger may put into a packet.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}`

// demoStatus is a node with everything that the page can show.
func demoStatus() Status {
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	return Status{
		Node: "boot1", Site: "hq", Version: "v0.1.0", Started: time.Now().Add(-3 * time.Hour), Ready: true,
		Config: ConfigStatus{Path: "/etc/surefoot/surefoot.yaml", LoadedAt: time.Now().Add(-time.Hour)},
		Roles: []RoleStatus{
			{Name: "tftp", State: "ready", Listen: []string{"udp 0.0.0.0:69"}},
			{Name: "http", State: "ready", Listen: []string{"tcp 0.0.0.0:8067"}},
			{Name: "proxydhcp", State: "ready", Listen: []string{"eth1: DHCP broadcasts and relays (67), udp 4011"}},
		},
		Nodes: []NodeStatus{
			{Name: "boot1", Address: "10.10.0.11", Self: true, Roles: []string{"proxydhcp", "tftp", "http"}},
			{Name: "boot2", Address: "10.10.0.12", Roles: []string{"proxydhcp", "tftp", "http"}},
		},
		Servers: []boot.Server{
			{Name: "boot1", Node: true, TFTP: at("10.10.0.11:69"), HTTP: at("10.10.0.11:8067")},
			{Name: "pvs1", TFTP: at("10.10.0.21:69")},
		},
		Rules: []RuleStatus{
			{Name: "pvs-bios", File: "ARDBP32.BIN", From: []string{"pvs1", "pvs2"}},
			{Name: "uefi", File: "snponly.efi", From: []string{"boot1", "boot2"}},
		},
		Networks: []NetworkStatus{{Name: "vdi", Subnet: "10.10.0.0/22", Deliver: "proxy"}},
		Services: []ServiceStatus{
			{
				Name: "boot", Where: "10.10.0.20 udp/69", Mode: "nat", Scheduler: "maglev", By: "nftables", Role: "active",
				Backends: []BackendStatus{
					{Name: "pvs1", Address: "10.10.0.21:69", Weight: 1, State: "up", Good: true, Share: 34, Requests: 412, Bytes: 61 << 20},
					{Name: "pvs2", Address: "10.10.0.22:69", Weight: 2, State: "down or drained", Share: 66, Requests: 803, Retries: 12, Bytes: 118 << 20},
				},
			},
			{
				Name: "direct", Where: "10.10.0.24, every port", Mode: "dsr", Scheduler: "round-robin", By: "BPF", Role: "standby", Trouble: "interface eth1: there is none of that name",
				Backends: []BackendStatus{{Name: "pvs1", Address: "10.10.0.21:69", Weight: 1, State: "up", Good: true}},
			},
		},
		Warnings: []Warning{{
			Code: "file-missing", Title: "rule pvs-bios names a file that is not here", Text: `no such file: "ARDBP32.BIN" (near: ARDBP32.BAK)`,
			Fix: "put the file into /srv/boot, or is one of these meant: ARDBP32.BAK",
		}},
	}
}

// demoBoots emits boots of every kind, the last of them now.
func demoBoots(emit func(boot.Event), now time.Time, missing string) {
	n := byte(0)
	machine := func(ago time.Duration) (boot.MAC, netip.Addr, time.Time) {
		n++
		return boot.MAC{0x52, 0x54, 0, 0x12, 0x34, n}, netip.AddrFrom4([4]byte{10, 10, 0, 90 + n}), now.Add(-ago)
	}
	bios, x64 := boot.ArchBIOS, boot.ArchX64
	id := uint64(0)
	offered := func(m boot.MAC, ip netip.Addr, at time.Time, fw boot.Firmware, file, server string) {
		a := &x64
		if fw == boot.FirmwarePXE {
			a = &bios
		}
		base := boot.Event{Node: "boot1", Role: "proxydhcp", MAC: m, XID: uint32(m[5]), Firmware: fw, Arch: a, Network: "vdi", If: "eth1"}
		step := func(after time.Duration, k boot.Kind, r boot.Reason, f func(*boot.Event)) {
			ev := base
			ev.Time, ev.Kind, ev.Reason = at.Add(after), k, r
			if f != nil {
				f(&ev)
			}
			emit(ev)
		}
		told := func(ev *boot.Event) { ev.Rule, ev.File, ev.Server = "uefi", file, server }
		step(0, boot.DiscoverSeen, "", nil)
		step(time.Millisecond, boot.OfferSent, boot.Answered, told)
		step(2*time.Second, boot.RequestSeen, boot.OtherMessage, func(ev *boot.Event) { ev.IP = ip })
		if fw == boot.FirmwareEDK2 {
			step(2100*time.Millisecond, boot.BootRequestSeen, "", func(ev *boot.Event) { ev.IP = ip })
			step(2101*time.Millisecond, boot.BootReplySent, boot.Answered, told)
		}
	}
	load := func(ip netip.Addr, at time.Time, role, file string, size, blocks int64, why boot.Reason, detail string) {
		id++
		ev := boot.Event{Time: at, Node: "boot1", Role: role, IP: ip, Peer: ip.String() + ":2070", File: file, Transfer: id}
		ev.Kind = boot.ReadRequest
		if role == "http" {
			ev.Kind = boot.HTTPRequest
		}
		ev.Options = "tsize=0 blksize=1468 windowsize=4"
		emit(ev)
		ev.Size = size
		if role == "tftp" && size > 0 {
			ev.Kind, ev.Options = boot.OptionsSent, "tsize=1042432 blksize=1468 windowsize=4"
			emit(ev)
		}
		ev.Options, ev.Kind, ev.Blocks, ev.Bytes, ev.Time, ev.Dur = "", boot.Progress, blocks, min(blocks*1468, size), at.Add(400*time.Millisecond), 400*time.Millisecond
		if blocks > 0 {
			emit(ev)
		}
		if why == "" {
			return
		}
		ev.Kind, ev.Reason, ev.Detail, ev.Time, ev.Dur = boot.TransferEnd, why, detail, at.Add(900*time.Millisecond), 900*time.Millisecond
		if why == boot.Done {
			ev.Bytes = size
		}
		emit(ev)
	}
	m, ip, at := machine(9 * time.Minute)
	offered(m, ip, at, boot.FirmwarePXE, "ARDBP32.BIN", "pvs1")
	m, ip, at = machine(7 * time.Minute)
	offered(m, ip, at, boot.FirmwareEDK2, "snponly.efi", "boot1")
	_, ip, at = machine(6 * time.Minute)
	load(ip, at, "tftp", "switch-config.txt", 4711, 4, boot.Done, "")
	m, ip, at = machine(5 * time.Minute)
	offered(m, ip, at, boot.FirmwarePXE, "ARDBP32.BN", "boot1")
	load(ip, at.Add(3*time.Second), "tftp", "ARDBP32.BN", 0, 0, boot.FileMissing, `no such file: "ARDBP32.BN" (near: ARDBP32.BIN)`)
	m, ip, at = machine(4 * time.Minute)
	offered(m, ip, at, boot.FirmwareEDK2, "snponly.efi", "boot1")
	load(ip, at.Add(2200*time.Millisecond), "tftp", "snponly.efi", 1042432, 0, boot.TsizeProbe, "")
	load(ip, at.Add(2300*time.Millisecond), "tftp", "snponly.efi", 1042432, 711, boot.Done, "")
	offered(m, ip, at.Add(6*time.Second), boot.FirmwareIPXE, "pc-image.bin", "boot1")
	x := boot.Event{Time: at.Add(9 * time.Second), Node: "boot1", Role: "http", Kind: boot.ScriptSent, MAC: m, IP: ip, Firmware: boot.FirmwareIPXE, Reason: boot.Answered, Rule: "image", File: "pc-image.bin", Server: "boot1"}
	emit(x)
	load(ip, at.Add(10*time.Second), "http", "pc-image.bin", 48_000_000, 0, boot.Done, "")
	m, _, at = machine(3 * time.Minute)
	emit(boot.Event{Time: at, Node: "boot1", Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: m, XID: 9, Firmware: boot.FirmwareEDK2, Arch: &x64})
	emit(boot.Event{Time: at, Node: "boot1", Role: "proxydhcp", Kind: boot.Ignored, Reason: boot.NoRule, MAC: m, XID: 9, Detail: "rule pvs-bios: arch is uefi-x64(7), the rule wants bios(0)"})
	m, ip, at = machine(time.Minute)
	offered(m, ip, at, boot.FirmwarePXE, missing, "boot1")
	load(ip, at.Add(3*time.Second), "tftp", missing, 0, 0, boot.FileMissing, "no such file: "+missing)
	m, ip, at = machine(9 * time.Second)
	offered(m, ip, at, boot.FirmwarePXE, "ARDBP32.BIN", "boot1")
	load(ip, at.Add(3*time.Second), "tftp", "ARDBP32.BIN", 300000, 120, "", "")
	emit(boot.Event{
		Time: now, Node: "boot1", Role: "tftp", Kind: boot.Stalled, IP: ip, Peer: ip.String() + ":2070", File: "ARDBP32.BIN", Transfer: id,
		Size: 300000, Blocks: 120, Bytes: 120 * 1468, Packets: 131, Retransmits: 11, Pause: 5 * time.Second, PauseAt: 121,
	})
	m, ip, at = machine(4 * time.Second)
	offered(m, ip, at, boot.FirmwareEDK2, "snponly.efi", "boot1")
	load(ip, at.Add(3*time.Second), "tftp", "snponly.efi", 1042432, 300, "", "")
	m, _, at = machine(time.Second)
	emit(boot.Event{Time: at, Node: "boot1", Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: m, XID: 9, Firmware: boot.FirmwareUEFIHTTP, Arch: &x64})
	emit(boot.Event{Time: at, Node: "boot1", Role: "proxydhcp", Kind: boot.OfferSent, MAC: m, XID: 9, Firmware: boot.FirmwareUEFIHTTP, Arch: &x64, Reason: boot.Answered, File: "grubx64.efi", Server: "boot1"})
}

// node is a server under test with its journal.
type node struct {
	*Server
	journal *journal.Journal
	mu      sync.Mutex // guards what follows
	status  Status
	reload  error
	reloads int
}

func (n *node) set(f func(st *Status)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.status)
}

// start runs journal and server until the test ends.
func start(t *testing.T, cfg Config) *node {
	t.Helper()
	n := &node{status: demoStatus()}
	n.journal = journal.New(journal.Config{Node: "boot1", Site: "hq", Version: "v0.1.0"})
	s, err := New(cfg, Deps{
		Journal: n.journal, Gatherer: n.journal.Gatherer(), Log: slog.New(slog.DiscardHandler),
		Status:     func() Status { n.mu.Lock(); defer n.mu.Unlock(); return n.status },
		TFTPLimits: func() TFTPLimits { return TFTPLimits{MaxTransfers: 4096} },
		Ready:      func() []string { n.mu.Lock(); defer n.mu.Unlock(); return n.status.NotReady },
		Reload:     func(context.Context) error { n.mu.Lock(); defer n.mu.Unlock(); n.reloads++; return n.reload },
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Server = s
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context, func()) error{n.journal.Run, s.Run} {
		up := make(chan struct{})
		wg.Go(func() {
			if err := run(ctx, func() { close(up) }); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		<-up
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return n
}

// told waits until the journal has worked on everything emitted so far: on an event of its own.
func (n *node) told(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	last := netip.MustParseAddr("192.0.2.1")
	updates := n.journal.Follow(ctx)
	n.journal.Emit(boot.Event{Time: time.Now(), Node: "boot1", Role: "tftp", Kind: boot.ReadRequest, IP: last, File: "last"})
	for u := range updates {
		if u.Story.IP == last {
			return
		}
	}
	t.Fatal("the journal does not move")
}

func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "api.sock") }

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// TestShow is for people who work on the page: go test ./internal/web -run TestShow -show 127.0.0.1:8099
// docs/status-page.png is made of it: chromium --headless --screenshot=docs/status-page.png
// --window-size=1060,990 --hide-scrollbars http://127.0.0.1:8099/; docs/status-servers.png is its
// part #course.
func TestShow(t *testing.T) {
	if *show == "" {
		t.Skip("for people: -show 127.0.0.1:8099")
	}
	n := start(t, Config{Status: netip.MustParseAddrPort(*show), Socket: socketPath(t)})
	n.deps.Monitor, n.deps.History = demoCourses(time.Now()) // before anybody asks for them
	n.set(func(st *Status) { st.Health = n.deps.Monitor.Report(watch.Query{}).Servers })
	demoBoots(n.journal.Emit, time.Now(), "undionly.kpxe")
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	if ctx.Err() == nil {
		<-ctx.Done()
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Log(err)
	}
}
