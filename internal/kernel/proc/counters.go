package proc

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// own is the directory of the calling thread's network namespace; /proc/net is that of the process's first thread.
const own = "/proc/thread-self/net/"

// Counter returns one of the counters of /proc/net/snmp and /proc/net/netstat, as in Udp and InCsumErrors.
func Counter(group, name string) (n int64, ok bool) {
	for _, file := range []string{"snmp", "netstat"} {
		b, err := os.ReadFile(own + file)
		if err != nil {
			continue
		}
		if n, ok := counter(string(b), group, name); ok {
			return n, true
		}
	}
	return 0, false
}

// counter finds it in pairs of lines: the names, and then the numbers.
func counter(text, group, name string) (int64, bool) {
	var names []string
	for line := range strings.Lines(text) {
		head, rest, ok := strings.Cut(line, ":")
		if !ok || head != group {
			continue
		}
		if names == nil {
			names = strings.Fields(rest)
			continue
		}
		for i, v := range strings.Fields(rest) {
			if i < len(names) && names[i] == name {
				n, err := strconv.ParseInt(v, 10, 64)
				return n, err == nil
			}
		}
		names = nil
	}
	return 0, false
}

// Expectations counts the connections that the helpers of conntrack expect; ok is false where the kernel does not list
// them. It takes root.
func Expectations() (n int, ok bool) {
	b, err := os.ReadFile(own + "nf_conntrack_expect")
	return bytes.Count(b, []byte("\n")), err == nil
}
