package config

import (
	"runtime"
	"testing"
)

// bounded checks a file, and fails if that is more work than its length accounts for. Work is
// counted in allocations: all that a check does makes some, and they are as many on a busy machine,
// or with the race detector, as on an idle one. The worst files take 5 for each byte.
func bounded(t *testing.T, data []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Check("f", data, nil)
	runtime.ReadMemStats(&after)
	const each, some = 10, 200_000
	if n := after.Mallocs - before.Mallocs; n > each*uint64(len(data))+some {
		t.Errorf("%d allocations for %d bytes", n, len(data))
	}
	return err
}
