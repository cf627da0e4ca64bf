package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/lease"
	"surefoot/internal/store/leasedb"
	"surefoot/internal/web"
)

// fakeLeases is a node's leases for the commands: one for each address of a list.
type fakeLeases struct {
	mu       sync.Mutex // guards what follows
	list     []web.Lease
	adopted  []lease.Record
	released []string
}

func (f *fakeLeases) List(q web.LeaseQuery) (web.LeasePage, error) {
	var p web.LeasePage
	if q.State == "odd" {
		return p, fmt.Errorf("there is no state %q", q.State)
	}
	from := 0
	if q.After != "" {
		_, _ = fmt.Sscan(q.After, &from)
	}
	to := min(from+q.Limit, len(f.list))
	if p.Leases = f.list[from:to]; to < len(f.list) {
		p.Next = fmt.Sprint(to)
	}
	return p, nil
}

func (f *fakeLeases) Find(who string) []web.Lease {
	var out []web.Lease
	for _, l := range f.list {
		if l.MAC == who || l.Addr.String() == who || l.Host == who {
			out = append(out, l)
		}
	}
	return out
}

func (f *fakeLeases) Reserved(string) []web.ReservedAddr { return nil }
func (f *fakeLeases) Pools() []web.PoolUsage             { return []web.PoolUsage{{Network: "vdi", Size: 10}} }
func (f *fakeLeases) Newest(int) []web.Lease             { return nil }

func (f *fakeLeases) Release(_ context.Context, who string) (web.Lease, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.released = append(f.released, who)
	l := f.Find(who)[0]
	l.State = "released"
	return l, nil
}

func (f *fakeLeases) Adopt(_ context.Context, list []lease.Record, dry bool) []web.Adopted {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []web.Adopted
	for _, r := range list {
		out = append(out, web.Adopted{Addr: r.Addr, Taken: r.Addr.String() != "10.0.0.2", Why: map[bool]string{true: "somebody has it"}[r.Addr.String() == "10.0.0.2"]})
	}
	if !dry {
		f.adopted = append(f.adopted, list...)
	}
	return out
}

func startLeases(t *testing.T, n int) (*fakeLeases, string) {
	t.Helper()
	f := &fakeLeases{}
	now := time.Now()
	for i := range n {
		mac := boot.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}
		f.list = append(f.list, web.Lease{
			Network: "vdi", Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), ID: lease.Hardware(1, mac[:]), MAC: mac.String(), State: "active",
			Start: now, Expires: now.Add(time.Hour), Node: "boot1", Host: fmt.Sprintf("host%d", i), Relay: netip.MustParseAddr("10.0.0.254"), Circuit: "ge-0/0/1",
		})
	}
	socket := filepath.Join(t.TempDir(), "api.sock")
	j := journal.New(journal.Config{Node: "boot1"})
	s, err := web.New(web.Config{Socket: socket}, web.Deps{
		Journal: j, Gatherer: j.Gatherer(), Ready: func() []string { return nil }, Leases: f,
		Status: func() web.Status { return web.Status{Node: "boot1", Ready: true} },
	})
	if err == nil {
		err = s.Listen(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()
	t.Cleanup(func() { cancel(); <-done })
	return f, socket
}

func TestLeaseList(t *testing.T) {
	_, socket := startLeases(t, leasePage+7)
	code, out, errs := call(t, socket, "", "lease", "list")
	if code != ExitOK || strings.Count(out, "\n") != leasePage+8 || !strings.Contains(out, "host5001") {
		t.Errorf("code %d, %d lines: %s", code, strings.Count(out, "\n"), errs)
	}
	code, out, _ = call(t, socket, "", "lease", "list", "--csv", "--limit", "3")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != ExitOK || err != nil || len(rows) != 4 || rows[1][2] != "02:00:00:00:00:00" || rows[0][2] != "mac" {
		t.Errorf("code %d: %v, %v", code, rows, err)
	}
	if code, out, _ = call(t, socket, "", "lease", "list", "--json", "--limit", "2"); code != ExitOK || strings.Count(out, "\n") != 2 || !strings.HasPrefix(out, `{"network":"vdi","ip":"10.0.0.0"`) {
		t.Errorf("code %d: %s", code, out)
	}
	if code, _, errs = call(t, socket, "", "lease", "list", "--state", "odd"); code != ExitFailed || !strings.Contains(errs, "there is no state") {
		t.Errorf("code %d: %s", code, errs)
	}
	if code, _, _ = call(t, socket, "", "lease", "list", "--csv", "--json"); code != ExitUsage {
		t.Errorf("code %d", code)
	}
}

func TestLeaseShowAndRelease(t *testing.T) {
	f, socket := startLeases(t, 3)
	code, out, _ := call(t, socket, "", "lease", "show", "host1")
	for _, want := range []string{"10.0.0.1  02:00:00:00:00:01  host1  network vdi: active", "given by  node boot1", "relay     10.0.0.254, port ge-0/0/1", "in 59 min"} {
		if code != ExitOK || !strings.Contains(out, want) {
			t.Errorf("code %d: %q is not in\n%s", code, want, out)
		}
	}
	if code, _, errs := call(t, socket, "", "lease", "show", "nobody"); code != ExitFailed || !strings.Contains(errs, `no lease and no reservation of "nobody"`) {
		t.Errorf("code %d: %s", code, errs)
	}
	// Nobody says yes: nothing happens.
	if code, _, errs := call(t, socket, "", "lease", "release", "10.0.0.1"); code != ExitFailed || !strings.Contains(errs, "is not told") || len(f.released) != 0 {
		t.Errorf("code %d, %v: %s", code, f.released, errs)
	}
	if code, out, _ := call(t, socket, "", "lease", "release", "host1", "--yes"); code != ExitOK || !strings.Contains(out, "released: 10.0.0.1 of 02:00:00:00:00:01") || len(f.released) != 1 || f.released[0] != "10.0.0.1" {
		t.Errorf("code %d, %v: %s", code, f.released, out)
	}
}

func TestLeaseImport(t *testing.T) {
	f, socket := startLeases(t, 1)
	file := filepath.Join(t.TempDir(), "dnsmasq.leases")
	if err := os.WriteFile(file, []byte("0 02:00:00:00:00:01 10.0.0.1 a *\n0 02:00:00:00:00:02 10.0.0.2 b *\n1 02:00:00:00:00:03 10.0.0.3 c *\nbroken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, socket, "", "lease", "import", "--from", "dnsmasq", file, "--dry-run")
	if code != ExitProblems || len(f.adopted) != 0 || !strings.Contains(out, "nothing was changed") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	code, out, _ = call(t, socket, "", "lease", "import", "--from", "dnsmasq", file, "--all")
	for _, want := range []string{":1: taken: lease 10.0.0.1", ":2: refused: lease 10.0.0.2\n    somebody has it", ":3: left:", ":4: refused: broken", "4 objects: 1 taken as they are, 0 taken with a change, 2 refused, 1 left"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if code != ExitProblems || len(f.adopted) != 2 || f.adopted[0].Host != "a" {
		t.Errorf("code %d, %+v", code, f.adopted)
	}
	if code, _, errs = call(t, socket, "", "lease", "import", file); code != ExitUsage || !strings.Contains(errs, "--from is needed") {
		t.Errorf("code %d: %s", code, errs)
	}
}

// Without a node the file itself is read.
func TestLeaseFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.db")
	db, err := leasedb.Open(t.Context(), leasedb.Config{File: file}, leasedb.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx, nil) }()
	mac := boot.MAC{2, 0, 0, 0, 0, 1}
	kept := make(chan error, 1)
	db.Keep(lease.Record{Scope: "vdi", Addr: netip.MustParseAddr("10.0.0.1"), ID: lease.Hardware(1, mac[:]), MAC: mac, State: lease.Active, Start: time.Now(), Expires: time.Now().Add(time.Hour), Node: "boot1", Host: "pc", Serial: 1}, func(err error) { kept <- err })
	if err := <-kept; err != nil {
		t.Fatal(err)
	}
	end()
	<-ended
	none := filepath.Join(t.TempDir(), "none")
	if code, out, errs := call(t, none, "", "lease", "list", "--file", file, "--csv"); code != ExitOK || !strings.Contains(out, "vdi,10.0.0.1,02:00:00:00:00:01,") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	if code, out, _ := call(t, none, "", "lease", "show", "pc", "--file", file); code != ExitOK || !strings.Contains(out, "10.0.0.1  02:00:00:00:00:01  pc  network vdi: active") {
		t.Errorf("code %d: %s", code, out)
	}
	if code, _, errs := call(t, none, "", "lease", "list", "--file", none); code != ExitFailed || !strings.Contains(errs, "dhcp.leases") {
		t.Errorf("code %d: %s", code, errs)
	}
	if code, _, _ := call(t, none, "", "lease", "list"); code != ExitNoDaemon {
		t.Errorf("code %d", code)
	}
}
