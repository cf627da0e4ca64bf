package policy

import (
	"slices"
	"strings"
	"testing"
)

// layers are the rooms from the top to the bottom: a room imports only what stands below it.
// internal/serve/tftp belongs to the room serve, and so on.
var layers = [][]string{
	{"cmd", "e2e", "scripts"},
	{"cli"},
	{"app"},
	{"lb/relay"}, // it is a TFTP server towards the client
	{"web", "config", "lab", "storm", "publish", "diagnose", "bdm"},
	{"serve", "lb", "testkit"},
	{"watch"},
	{"probe", "alert", "inbox", "iface"},
	{"journal", "files", "testboot", "kernel", "store", "takeover"},
	{"wire", "health", "lease"},
	{"boot", "phase", "rate", "chart", "typo", "heap"},
}

// family are rooms whose folders may import each other; serve is not among them: roles meet in
// app, through values.
var family = []string{"wire", "kernel", "store", "alert", "lb", "testkit", "bdm"}

// never are imports that the layers would allow and the design forbids, with the reason.
var never = []struct{ from, to, why string }{
	{"serve", "journal", "a role emits events and does not know what becomes of them"},
	{"serve", "watch", "a role reads what health says, and does not know how it was found out"},
	{"serve", "probe", "a role does not test others"},
	{"lb", "config", "a way of balancing gets typed values"},
	{"lb", "journal", "it emits events and does not know what becomes of them"},
	{"lb", "watch", "it reads what health says, and does not know how it was found out"},
	{"lab", "web", "the lab watches through the command line, as a person would"},
	{"lab", "serve", "the lab's nodes are real processes"},
	{"lab", "config", "the lab's nodes are real processes"},
	{"e2e", "cli", "end-to-end tests run the binary"},
	{"e2e", "app", "end-to-end tests run the binary"},
}

func TestImportsPointDownwards(t *testing.T) {
	edges := 0
	for _, f := range goFiles(t) {
		if f.test || f.dir == "internal/policy" {
			continue // a test may use whatever proves its point
		}
		for _, path := range f.imports() {
			if !strings.HasPrefix(path, module) {
				continue
			}
			edges++
			if why := refuse(f.dir, strings.TrimPrefix(path, module)); why != "" {
				t.Errorf("%s: imports %s: %s", f.path, path, why)
			}
		}
	}
	if edges == 0 {
		t.Error("no import of our own seen: the walk is wrong")
	}
}

// refuse says why a folder may not import another, or "".
func refuse(fromDir, toDir string) string {
	from, to := room(fromDir), room(toDir)
	above, below := layer(from), layer(to)
	switch {
	case above < 0:
		return "room " + from + " stands in no layer: add it to layers in imports_test.go"
	case below < 0:
		return "room " + to + " stands in no layer: add it to layers in imports_test.go"
	case from == to && (slices.Contains(family, from) || strings.HasPrefix(toDir+"/", fromDir+"/")):
		return ""
	case to == "testkit":
		return "only tests use it"
	case above >= below:
		return from + " does not stand above " + to
	}
	for _, n := range never {
		if n.from == from && n.to == to {
			return n.why
		}
	}
	return ""
}

// room is the first folder below internal, or the folder itself; or the folder that has a layer of its own.
func room(dir string) string {
	dir = strings.TrimPrefix(dir, "internal/")
	first, rest, _ := strings.Cut(dir, "/")
	second, _, _ := strings.Cut(rest, "/")
	if own := first + "/" + second; layer(own) >= 0 {
		return own
	}
	return first
}

func layer(room string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, room) })
}

func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"cmd/surefoot", "internal/cli", true},
		{"internal/app", "internal/serve/tftp", true},
		{"internal/lb/relay", "internal/serve/tftp", true},
		{"internal/serve/tftp", "internal/lb", false},
		{"internal/serve/tftp", "internal/wire/tftp", true},
		{"internal/wire/pxe", "internal/wire/dhcp4", true},
		{"internal/serve/tftp", "internal/serve/http", false},
		{"internal/serve/tftp", "internal/config", false},
		{"internal/serve/tftp", "internal/journal", false},
		{"internal/boot", "internal/wire/pxe", false},
		{"internal/boot", "internal/phase", false},
		{"internal/wire/tftp", "internal/files", false},
		{"internal/app", "internal/cli", false},
		{"internal/app", "internal/testkit/netns", false},
		{"internal/testkit/dhcpwire", "internal/testkit/netns", true},
		{"internal/testkit/dhcpwire", "internal/wire/dhcp4", true},
		{"internal/unheard", "internal/boot", false},
	} {
		if why := refuse(c.from, c.to); (why == "") != c.ok {
			t.Errorf("%s imports %s: got %q, want allowed %v", c.from, c.to, why, c.ok)
		}
	}
}

// kernelPackages are the ways around the standard library to the kernel. Only kernel/* uses
// them, so that what needs a privilege is found in one place.
var kernelPackages = []string{
	"golang.org/x/sys/unix", "syscall", "unsafe", "github.com/vishvananda/", "github.com/mdlayher/", "github.com/cilium/",
}

// kernelExceptions are the places outside kernel/* that use one of them, with the reason.
var kernelExceptions = []struct{ prefix, pkg, why string }{
	{"cmd/surefoot/main.go", "syscall", "the names of signals"},
	{"internal/cli/serve.go", "syscall", "the names of signals"},
	{"internal/config/tablewrite.go", "syscall", "the owner of a file that is replaced, and its lock"},
	{"internal/cli/tftpalone.go", "syscall", "the names of signals"},
	{"internal/app/slot.go", "golang.org/x/sys/unix", "names of errors"},
	{"internal/probe/fault.go", "golang.org/x/sys/unix", "names of errors"},
	{"internal/probe/icmp.go", "", "the error queue of its own UDP socket"},
	{"internal/probe/prove.go", "golang.org/x/sys/unix", "names of errors"},
	{"internal/probe/pxe.go", "golang.org/x/sys/unix", "names of errors"},
	{"internal/probe/socket.go", "golang.org/x/sys/unix", "options of its own UDP socket"},
	{"internal/testkit/", "", "network namespaces for tests"},
	{"internal/serve/proxydhcp/listen.go", "", "options of its own UDP socket, names of errors"},
	{"internal/serve/proxydhcp/port.go", "golang.org/x/sys/unix", "the address that a packet was sent to (IP_PKTINFO)"},
	{"internal/serve/dhcp6/listen.go", "", "options of its own UDP socket"},
	{"internal/serve/tftp/", "", "options of its own UDP sockets, the address that was asked (IP_PKTINFO)"},
	{"internal/lb/relay/", "golang.org/x/sys/unix", "options of its own UDP sockets"},
	{"internal/storm/", "", "epoll and recvmmsg over the UDP sockets of its simulated clients"},
	{"internal/web/client.go", "golang.org/x/sys/unix", "names of errors"},
	{"internal/store/sqlfile/", "golang.org/x/sys/unix", "one writer of a file (flock), names of errors"},
	{"internal/files/", "golang.org/x/sys/unix", "opens without blocking on a pipe that lies in the root"},
	{"internal/inbox/", "golang.org/x/sys/unix", "names of errors"},
	{"internal/publish/", "golang.org/x/sys/unix", "locks a root, asks how full its disk is, names of errors"},
	{"internal/lab/", "", "makes network namespaces and ends the processes that it started"},
	{"scripts/soak/", "syscall", "names of signals, and a server that ends with the soak"},
	{"scripts/watchload/", "syscall", "names of signals, and servers that end with the program"},
	{"e2e/", "", "makes network namespaces and ends the processes that it started"},
}

func TestOnlyKernelTouchesTheKernel(t *testing.T) {
	used := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test || strings.HasPrefix(f.path, "internal/kernel/") {
			continue
		}
		for _, path := range f.imports() {
			if !slices.ContainsFunc(kernelPackages, func(k string) bool { return strings.HasPrefix(path, k) }) {
				continue
			}
			allowed := false
			for _, e := range kernelExceptions {
				if strings.HasPrefix(f.path, e.prefix) && strings.HasPrefix(path, e.pkg) {
					allowed, used[e.prefix+e.pkg] = true, true
				}
			}
			if !allowed {
				t.Errorf("%s: imports %s, which is for internal/kernel alone", f.path, path)
			}
		}
	}
	for _, e := range kernelExceptions {
		if e.pkg != "" && !used[e.prefix+e.pkg] {
			t.Errorf("the exception of %s for %s is not used any more", e.prefix, e.pkg)
		}
	}
}

// pure are rooms without clock, socket and logger: bytes and values go in, values and bytes come
// out.
var pure = []string{"internal/boot", "internal/wire", "internal/health", "internal/lease", "internal/takeover"}

func TestPureRoomsStayPure(t *testing.T) {
	forbidden := []string{"net/http", "os", "log", "log/slog", "syscall", "math/rand", "math/rand/v2"}
	for _, f := range goFiles(t) {
		if f.test || !slices.ContainsFunc(pure, func(p string) bool { return strings.HasPrefix(f.dir, p) }) {
			continue
		}
		for _, path := range f.imports() {
			if slices.Contains(forbidden, path) {
				t.Errorf("%s: imports %s, but %s is pure", f.path, path, room(f.dir))
			}
		}
		for _, call := range impureCalls(f) {
			t.Errorf("%s, but %s is pure", call, room(f.dir))
		}
	}
}
