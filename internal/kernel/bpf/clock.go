package bpf

import "golang.org/x/sys/unix"

// Clock is the time by which clients are remembered, in ns (CLOCK_MONOTONIC_COARSE).
func Clock() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts) != nil {
		return 0
	}
	return uint64(ts.Nano())
}
