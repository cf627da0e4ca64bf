package nft

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// space enters a network namespace of its own for the rest of the test.
func space(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("nft")
	if os.Geteuid() != 0 || err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root and nft")
		}
		t.Skip("needs root and nft")
	}
	runtime.LockOSThread()
	was, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = netns.Set(was)
		_, _ = ns.Close(), was.Close()
		runtime.UnlockOSThread()
	})
}

func TestTransactions(t *testing.T) {
	space(t)
	ctx := context.Background()
	if _, there, err := List(ctx, "inet", "x"); there || err != nil {
		t.Fatalf("before: %v, %v", there, err)
	}
	before, err := Generation()
	if err != nil {
		t.Fatal(err)
	}
	text := "add table inet x\nadd counter inet x c/a\nadd set inet x k { type ipv4_addr; flags dynamic,timeout; timeout 100s; }\n" +
		"add chain inet x b\nadd chain inet x in { type filter hook input priority 0; }\nadd rule inet x in counter name \"c/a\" jump b\n"
	if err := Check(ctx, text); err != nil {
		t.Fatal(err)
	}
	if g, _ := Generation(); g != before {
		t.Error("a check changed something")
	}
	if err := Run(ctx, text); err != nil {
		t.Fatal(err)
	}
	l, there, err := List(ctx, "inet", "x")
	if err != nil || !there || strings.Join(l.Chains, " ") != "b" || strings.Join(l.Hooks, " ") != "in" || strings.Join(l.Sets, " ") != "k" || l.Rules != 1 || len(l.Counters) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if g, _ := Generation(); g == before {
		t.Error("the generation is that of before")
	}
	// All of it or nothing.
	err = Run(ctx, "add chain inet x c\nadd rule inet x c jump nowhere\n")
	var e *Error
	if !errors.As(err, &e) || e.Line != 2 || !strings.Contains(e.Text, "nowhere") {
		t.Errorf("%v: %+v", err, e)
	}
	if l, _, _ := List(ctx, "inet", "x"); len(l.Chains) != 1 {
		t.Errorf("half a transaction: %v", l.Chains)
	}
}

func TestExpires(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"elements = { 10.1.0.10 timeout 1m40s expires 1m39s996ms }": 99996 * time.Millisecond,
		"elements = { 10.1.0.10 timeout 2d expires 1d23h59m }":      47*time.Hour + 59*time.Minute,
		"elements = { 10.1.0.10 timeout 2d expires 1d }":            24 * time.Hour,
	} {
		if got, ok := expires(text); !ok || got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	if _, ok := expires("elements = { 10.1.0.10 }"); ok {
		t.Error("an element without a time")
	}
}

func TestErrors(t *testing.T) {
	err := explain("add rule x\nct helper set \"tftp4\"\n", "/dev/stdin:2:5-10: Error: Could not process rule: No such file or directory\nct helper\n  ^^^", errors.New("exit status 1"))
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(strings.Join(e.Hint(), " "), "nf_conntrack_tftp") || !IsGone(err) {
		t.Errorf("%v %v", err, e.Hint())
	}
	if h := (&Error{Said: "Operation not permitted (you must be root)"}).Hint(); len(h) == 0 || !strings.Contains(h[0], "CAP_NET_ADMIN") {
		t.Errorf("%v", h)
	}
}
