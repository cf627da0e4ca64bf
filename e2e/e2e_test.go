package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"surefoot/internal/lab"
)

// scenario is one thing to be seen.
type scenario struct {
	name string
	run  func(t *testing.T, b *bench)
}

// scenarios returns all of them, the plain boots first: what follows rests on them.
func scenarios() []scenario {
	var all []scenario
	for _, group := range [][]scenario{
		bootScenarios(), failoverScenarios(), operateScenarios(), messageScenarios(), clientScenarios(), floodScenarios(), natScenarios(), steerScenarios(),
		pairs(dhcpScenarios(), "uefi", "relay", "beside", "more"), dhcpMatrixScenarios(), pairs(most(dhcp6Scenarios(), "shared")),
		relayScenarios(), pairs(deliverVIPScenarios()), most(dsrScenarios(), "failover"), lbNATScenarios(), most([]scenario{{"lb-check-peer", lbCheckPeer}}, "peer"), most(lbMatrixScenarios(), "matrix"),
		pairs(most(
			bdmEFIScenarios(), "port-closed", "dies-midway", "crooked", "name", "gateway", "comes-back", "two-cards", "no-link",
			"other-driver", "no-dhcp", "rogue-dhcp", "ipxe", "vlan", "damaged",
		)),
		pairs(most(bdmMediaScenarios(), "bios-disk", "bios-static", "uefi-usb", "uefi-raw")),
	} {
		all = append(all, group...)
	}
	return all
}

// most leaves out scenarios whose names end so, unless somebody asks by name: what they show differs little from the
// others, and all of them together take longer than anybody waits for. `make e2e E2E=.` runs everything.
func most(list []scenario, ends ...string) []scenario {
	for i, s := range list {
		if endsIn(s.name, ends) {
			list[i].run = func(t *testing.T, b *bench) {
				if pattern() == "" {
					t.Skip("only by name: make e2e E2E=" + s.name)
				}
				s.run(t, b)
			}
		}
	}
	return list
}

func endsIn(name string, ends []string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, "-"+end) })
}

// pairs lets scenarios run two at a time, after all the others: those whose names end so, or all. Each is mostly one
// emulated machine, which keeps one processor busy, in a lab of its own.
func pairs(list []scenario, ends ...string) []scenario {
	for i, s := range list {
		if len(ends) > 0 && !endsIn(s.name, ends) {
			continue
		}
		list[i].run = func(t *testing.T, b *bench) {
			t.Parallel()
			s.run(t, b)
		}
	}
	return list
}

// bench is what all scenarios share.
type bench struct{ binary string }

// tally counts the outcomes of a run.
type tally struct{ begun, passed, failed atomic.Int32 }

// results are those of this run; TestMain prints them when all is over.
var results tally

// count notes the outcome of a scenario when it ends.
func (c *tally) count(t *testing.T) {
	c.begun.Add(1)
	t.Cleanup(func() {
		switch {
		case t.Failed():
			c.failed.Add(1)
		case !t.Skipped():
			c.passed.Add(1)
		}
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	fmt.Printf("%d passed, %d failed\n", results.passed.Load(), results.failed.Load())
	os.Exit(code)
}

func TestE2E(t *testing.T) {
	if err := lab.Needs(true); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if gone, err := lab.Sweep(t.Context(), labsDir); err != nil {
		t.Fatal(err)
	} else if len(gone) > 0 {
		t.Logf("removed the labs that a killed run left behind: %q", gone)
	}
	b := &bench{binary: program(t)}
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			results.count(t)
			s.run(t, b)
		})
	}
	if results.begun.Load() == 0 { // a misspelt name must not look like success
		results.failed.Add(1)
		var names []string
		for _, s := range scenarios() {
			names = append(names, s.name)
		}
		t.Fatalf("no scenario has such a name; there are:\n  %s", strings.Join(names, "\n  "))
	}
}

// program returns the program to be proved, in a folder that everybody may read: a scenario runs
// it as an ordinary user. It is a fresh build, unless SUREFOOT_BIN names one.
func program(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "surefoot-e2e")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "surefoot")
	if given := os.Getenv("SUREFOOT_BIN"); given != "" {
		b, err := os.ReadFile(given)
		if err == nil {
			err = os.WriteFile(path, b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	// go test keeps results unless a file that was looked at has changed: look at the sources.
	for _, dir := range []string{"../cmd", "../internal"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", path, "../cmd/surefoot")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, strings.TrimSpace(string(out)))
	}
	return path
}
