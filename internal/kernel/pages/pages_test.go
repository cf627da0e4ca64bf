package pages

import (
	"os"
	"strings"
	"testing"
)

// resident reads how much of the process' memory is pages of files, in kB.
func resident(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "RssFile:")
	line, _, _ = strings.Cut(line, "\n")
	return strings.TrimSpace(line)
}

func TestReleaseStart(t *testing.T) {
	before := resident(t)
	n, err := ReleaseStart()
	if err != nil || n < 1<<20 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	t.Logf("pages of files: %s before, %s after", before, resident(t))
}

func TestOwnMapping(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00b77000 r-xp 00000000 fe:00 99  /bin/surefoot":        true,
		"00b77000-01398000 r--p 00777000 fe:00 99  /bin/surefoot":        true,
		"01398000-01407000 rw-p 00f98000 fe:00 99  /bin/surefoot":        false, // may hold what the file does not
		"00400000-00b77000 r-xs 00000000 fe:00 99  /bin/surefoot":        false,
		"7f0f9c9ac000-7f0f9c9b0000 r--p 00000000 fe:00 7 /lib/libc.so.6": false,
		"7f0f9c9b2000-7f0f9c9b4000 r-xp 00000000 00:00 0 [vdso]":         false,
		"x-y r-xp 00000000 fe:00 99 /bin/surefoot":                       false,
		"": false,
	} {
		if _, _, ok := ownMapping(line, "/bin/surefoot"); ok != want {
			t.Errorf("%q: %t", line, ok)
		}
	}
}
