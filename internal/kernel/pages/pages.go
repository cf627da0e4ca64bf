// Package pages gives memory back to the system. A start touches most of a program once: its tables, its
// tests of the processor, the parts of its libraries that prepare themselves. These pages stay
// mapped, and count as the process' memory wherever somebody limits or watches it, until the system
// runs short. It moves no data and knows nothing of Go's heap.
package pages

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ReleaseStart unmaps the pages of the running program's own file that cannot be written to. What is
// needed again comes back from the page cache. It returns how many bytes it looked at; an error of
// any kind means that everything stays as it was.
func ReleaseStart() (int, error) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	total := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		from, size, ok := ownMapping(lines.Text(), exe)
		if !ok {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, uintptr(size), unix.MADV_DONTNEED); errno != 0 {
			return total, fmt.Errorf("give back the pages at %x: %w", from, errno)
		}
		total += size
	}
	return total, nil
}

// ownMapping reads a line of /proc/self/maps (proc(5)). ok says that it is a private mapping of a file,
// and that nobody may write to it: then its pages hold nothing that the file does not.
func ownMapping(line, file string) (from uintptr, size int, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || strings.Join(fields[5:], " ") != file || fields[1] != "r-xp" && fields[1] != "r--p" {
		return 0, 0, false
	}
	var a, b uintptr
	if n, _ := fmt.Sscanf(fields[0], "%x-%x", &a, &b); n != 2 || b <= a {
		return 0, 0, false
	}
	return a, int(b - a), true
}
