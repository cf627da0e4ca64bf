package conform

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/files"
	"surefoot/internal/serve/tftp"
)

// The only state of this package: go test sets it from its command line.
var (
	targetFlag = flag.String("target", "", "check the server at this `HOST:PORT` instead of our own")
	rootFlag   = flag.String("root", "", "the `DIR` that the target serves; the suite writes its files there")
	checkFlag  = flag.String("check", "", "run only the checks whose names match this `REGEXP`")
	longFlag   = flag.Bool("long", false, "run checks that take up to a minute, too")
	updateFlag = flag.Bool("update", false, "write the comparison in docs/conformance.md")
)

// TestMain lets tests run side by side whatever the number of processors, since they mostly wait,
// unless told otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if !told {
		_ = flag.Set("test.parallel", "16")
	}
	os.Exit(m.Run())
}

// suite is all checks. Their numbers count through it.
func suite() []group {
	return []group{
		{title: "Content and sizes", checks: contentChecks()},
		{title: "Transfer identifiers", checks: tidChecks()},
		{title: "Modes", checks: modeChecks()},
		{title: "Options", checks: optionChecks()},
		{title: "Values of options", checks: valueChecks()},
		{title: "Windows", checks: windowChecks()},
		{title: "Loss and repetition", checks: resendChecks()},
		{title: "What is no request", checks: junkChecks()},
		{title: "Names and files", checks: nameChecks()},
		{title: "Boot firmware", checks: firmwareChecks()},
		{title: "Many at once", checks: crowdChecks()},
		{title: "Real clients", checks: programChecks()},
		{title: "Patience", checks: slowChecks(), slow: true},
		{title: "What kills and hangs servers", checks: harmChecks(), alone: true},
	}
}

// chosen returns the regular expression of -check.
func chosen(t *testing.T) func(check) bool {
	re, err := regexp.Compile(*checkFlag)
	if err != nil {
		t.Fatal(err)
	}
	return func(c check) bool { return re.MatchString(c.name) }
}

// directory makes a filled directory to serve.
func directory(t testing.TB) string {
	t.Helper()
	top, err := os.MkdirTemp("", "conform")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	if err := os.Chmod(top, 0o755); err != nil { // a server may run as another user
		t.Fatal(err)
	}
	root := filepath.Join(top, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fill(root, top); err != nil {
		t.Fatal(err)
	}
	return root
}

// surefoot runs our server over root.
func surefoot(t testing.TB, root string) target { return surefootAt(t, root, "0.0.0.0", "127.0.0.1") }

// surefootAt runs it at one address, to be asked at another.
func surefootAt(t testing.TB, root, listen, ask string) target {
	t.Helper()
	r, err := files.Open(root, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := tftp.New(tftp.Config{
		Node: "conform", Listen: netip.AddrPortFrom(netip.MustParseAddr(listen), 0), Files: r, DrainTimeout: 50 * time.Millisecond,
	}, tftp.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = r.Close()
	})
	at := netip.AddrPortFrom(netip.MustParseAddr(ask), srv.Addr().Port())
	return target{addr: at, root: root, wait: 5 * time.Second, long: *longFlag, retries: 2}
}

// elsewhere is the server that the command line names.
func elsewhere(t *testing.T) target {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", *targetFlag)
	if err != nil {
		t.Fatal(err)
	}
	if *rootFlag == "" {
		t.Fatal("-target needs -root, the directory that the server serves")
	}
	root, err := filepath.Abs(*rootFlag)
	if err == nil {
		err = fill(root, t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	return target{addr: unmap(addr.AddrPort()), root: root, wait: 7 * time.Second, long: *longFlag}
}

// known are checks that our server fails, with the reason, until it does not.
func known() map[string]string {
	return map[string]string{}
}

// optional reports whether a check may be skipped where everything is required: it takes long.
func optional(v verdict) bool {
	return !*longFlag && slices.ContainsFunc(slowChecks(), func(c check) bool { return c.name == v.check.name })
}

// TestConformance runs the suite against our server, or against the one of -target.
func TestConformance(t *testing.T) {
	var to target
	if *targetFlag != "" {
		to = elsewhere(t)
	} else {
		to = surefoot(t, directory(t))
	}
	report(t, to.run(suite(), chosen(t)))
}

// TestConformanceIPv6 runs most of the suite against our server at an IPv6 address.
func TestConformanceIPv6(t *testing.T) {
	t.Parallel()
	if *targetFlag != "" {
		t.Skip("another server is to be checked")
	}
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	_ = c.Close()
	parts := slices.DeleteFunc(suite(), func(g group) bool {
		return g.slow || slices.Contains([]string{"Many at once", "Real clients"}, g.title)
	})
	to := surefootAt(t, directory(t), "::", "::1")
	picked := chosen(t)
	report(t, to.run(parts, func(c check) bool { return picked(c) && !slices.Contains(notIPv6(), c.name) }))
}

// notIPv6 are checks that need the many addresses of 127.0.0.0/8, or that take much and are about
// numbers, not addresses.
func notIPv6() []string {
	return []string{
		"asked-address", "asked-address-error", "foreign-address", "broadcast", "source-port-0",
		"wrap", "window-wrap", "window-wrap-loss", "junk",
	}
}

// report prints verdicts and makes a test of each.
func report(t *testing.T, verdicts []verdict) {
	if *targetFlag != "" || testing.Verbose() {
		fmt.Print(table(verdicts))
	}
	for _, v := range verdicts {
		t.Run(v.check.name, func(t *testing.T) {
			why, isKnown := known()[v.check.name]
			switch {
			case isKnown && *targetFlag == "" && v.outcome == failed:
				t.Skipf("known: %s; %s", why, v.seen)
			case v.outcome == failed && v.check.level != info, v.outcome == lacked && *targetFlag == "":
				t.Errorf("%s (%s, %s): %s", v.check.says, v.check.clause, v.check.level, v.seen)
			case v.outcome == absent && os.Getenv("SUREFOOT_TEST_REQUIRE") != "" && !optional(v):
				t.Errorf("everything is required: %s", v.seen)
			case v.outcome == absent:
				t.Skip(v.seen)
			}
		})
	}
}

// table prints verdicts, and how many there are of each kind.
func table(verdicts []verdict) string {
	var b strings.Builder
	count := map[outcome]int{}
	for _, v := range verdicts {
		count[v.outcome]++
		fmt.Fprintf(&b, "%3d  %-17s %-27s %-6s  %-5s  %s\n", v.number, v.check.clause, v.check.name, v.check.level, v.outcome, v.seen)
	}
	fmt.Fprintf(&b, "%d checks: %d passed, %d failed, %d of options that are not offered, %d skipped\n",
		len(verdicts), count[passed], count[failed], count[lacked], count[absent])
	return b.String()
}
