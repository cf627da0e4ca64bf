package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The test binary is also the publisher that dies: before its change of the number that the
// environment gives, it is killed as by a power failure.
const crashEnv = "PUBLISH_CRASH"

func TestMain(m *testing.M) {
	if how := os.Getenv(crashEnv); how != "" {
		os.Exit(publishAndDie(strings.Fields(how)))
	}
	os.Exit(m.Run())
}

// publishAndDie takes the words WHAT STEP ROOT FOLDER.
func publishAndDie(how []string) int {
	at, err := strconv.Atoi(how[1])
	if err != nil {
		panic(err)
	}
	r, err := Open(how[2])
	if err != nil {
		panic(err)
	}
	n := 0
	r.step = func(what string) {
		if n++; n == at {
			fmt.Print(what)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	switch how[0] {
	case "publish":
		_, err = r.Publish(context.Background(), how[3], Options{ID: "new", Now: day.AddDate(0, 0, 1), Keep: 2, Adopt: true})
	case "rollback":
		_, err = r.Rollback("v1", false)
	}
	if err != nil {
		fmt.Print(err)
		return 1
	}
	return 0
}

// TestCrash lets the publisher die before each of its changes. What is served is the old version
// or the new one, whole; the next publisher needs no help and leaves nothing of it.
func TestCrash(t *testing.T) {
	old := map[string]string{"ARDBP32.BIN": "old", "sub/a": "old a", "only-old": "x"}
	fresh := map[string]string{"ARDBP32.BIN": "new", "sub/a": "new a", "only-new": "x"}
	prepare := map[string]func(dir string){
		"versions": func(dir string) {
			r := openRoot(t, dir)
			for i, id := range []string{"v0", "v1", "v2"} {
				if _, err := r.Publish(t.Context(), folder(t, map[string]string{"ARDBP32.BIN": id}), Options{ID: id, Now: day.AddDate(0, 0, i-9)}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Publish(t.Context(), folder(t, old), Options{ID: "old", Now: day}); err != nil {
				t.Fatal(err)
			}
		},
		"loose": func(dir string) {
			for name, text := range old {
				put(t, dir, name, text)
			}
		},
		"nothing": func(string) {},
	}
	for _, c := range []struct{ what, from string }{{"publish", "versions"}, {"publish", "loose"}, {"publish", "nothing"}, {"rollback", "versions"}} {
		t.Run(c.what+" "+c.from, func(t *testing.T) {
			src, seen, switched := folder(t, fresh), 0, false
			for step := 1; ; step++ {
				dir := t.TempDir()
				prepare[c.from](dir)
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s %s", crashEnv, c.what, step, dir, src))
				out, err := cmd.Output()
				if err == nil { // it came to the end
					break
				}
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("step %d: %v: %s", step, err, out)
				}
				seen++
				name := fmt.Sprintf("died at step %d, %s", step, out)
				next := fresh
				if c.what == "rollback" {
					next = map[string]string{"ARDBP32.BIN": "v1"}
				}
				before := old
				if c.from == "nothing" {
					before = nil
				}
				is := wholly(t, dir, before, next)
				switch {
				case is == "":
					t.Errorf("%s: neither the old version nor the new one is served", name)
				case switched && is == "old":
					t.Errorf("%s: the old version again", name)
				}
				switched = is == "new"
				recovers(t, name, dir)
			}
			if seen < 4 || !switched && c.what == "publish" && c.from != "nothing" {
				t.Errorf("%d steps seen, switched %v: the steps are not told", seen, switched)
			}
			t.Logf("died at %d steps", seen)
		})
	}
}

// wholly reports which of two sets of files is served, every one of them.
func wholly(t *testing.T, dir string, old, fresh map[string]string) string {
	t.Helper()
	is := func(these, others map[string]string) bool {
		for name, text := range these {
			if served(t, dir, name) != text {
				return false
			}
		}
		for name := range others {
			if _, ok := these[name]; !ok && !strings.HasPrefix(served(t, dir, name), "error: no such file") {
				return false
			}
		}
		return true
	}
	switch {
	case is(fresh, old):
		return "new"
	case is(old, fresh):
		return "old"
	}
	return ""
}

// recovers publishes once more after a crash, and goes back.
func recovers(t *testing.T, name, dir string) {
	t.Helper()
	r := openRoot(t, dir)
	was := state(t, r).Current
	p, err := r.Publish(t.Context(), folder(t, map[string]string{"ARDBP32.BIN": "again"}), Options{ID: "again", Now: day.AddDate(0, 0, 2), Adopt: true})
	if err != nil {
		t.Fatalf("%s: the next one: %v", name, err)
	}
	st := state(t, r)
	if was != "" && st.Previous != was || served(t, dir, "ardbp32.bin") != "again" {
		t.Errorf("%s: then %+v", name, st)
	}
	if l := leftovers(t, r); len(l) > 0 {
		t.Errorf("%s: left over: %q", name, l)
	}
	for _, v := range st.Versions {
		if v.Error != "" {
			t.Errorf("%s: version %s: %s", name, v.ID, v.Error)
		}
		if ref, err := r.Verify(t.Context(), v.ID, nil); err != nil || !ref.Local.OK {
			t.Errorf("%s: version %s: %v, %+v", name, v.ID, err, ref.Local)
		}
	}
	if p.Previous != "" {
		if _, err := r.Rollback("", false); err != nil {
			t.Errorf("%s: back: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "current")); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
