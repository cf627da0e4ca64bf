package storm

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/wire/tftp"
)

// idleClients is how many clients of the case "idle" begin, acknowledge what begins the transfer, and fall silent.
const idleClients = 10_000

// benchIdle prints what a server holds for clients that wait: its own memory, and apart from it the
// kernel's, in which the clients' sockets are as well.
func (s *site) benchIdle(bin string) {
	fmt.Printf("\nidle      %d clients that fell silent after their first ACK    wanted: < 20 KiB each\n", idleClients)
	fmt.Printf("  %-14s %9s %11s %10s %9s %22s\n", "server", "running", "RSS before", "RSS after", "KiB each", "kernel KiB each socket")
	for _, srv := range benchServers(bin) {
		if !srv.idle {
			continue
		}
		args := srv.args(s.dir)
		if err := isServer(srv.name, args[0]); err != nil {
			fmt.Printf("  %-14s %v\n", srv.name, err)
			continue
		}
		cmd := s.command("taskset", append([]string{"-c", "0"}, args...)...)
		if err := cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		s.up(netip.MustParseAddrPort("127.0.0.1:69"))
		before, slab := memory("/proc/%d/status", cmd.Process.Pid, "VmRSS:"), memory("/proc/meminfo", 0, "Slab:")
		running := 0
		s.within(func() {
			var fds []int
			running, fds = s.fallSilent(netip.MustParseAddrPort("127.0.0.1:69"))
			after := memory("/proc/%d/status", cmd.Process.Pid, "VmRSS:")
			kernel := memory("/proc/meminfo", 0, "Slab:") - slab
			fmt.Printf("  %-14s %9d %7.1f MiB %6.1f MiB %9.2f %22.2f\n", srv.name, running, before/1024, after/1024,
				(after-before)/float64(max(running, 1)), kernel/float64(2*idleClients))
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
		})
		end(cmd)
	}
}

// fallSilent begins the transfers, ten from each address, and returns how many got what follows
// their first ACK.
func (s *site) fallSilent(server netip.AddrPort) (running int, fds []int) {
	ask := tftp.AppendRequest(nil, tftp.Request{Op: tftp.OpRRQ, File: "1m", Mode: "octet", Options: []tftp.Option{{Name: tftp.OptBlockSize, Value: "1456"}}})
	buf := make([]byte, 2000)
	// What was begun first is given up after 25 s: until then all of them have to run.
	for late := time.Now().Add(20 * time.Second); len(fds) < idleClients && time.Now().Before(late); {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			s.t.Error(err)
			break
		}
		i := len(fds)
		fds = append(fds, fd)
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 500_000})
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 9, byte(i / 2560), byte(i / 10)}}); err != nil {
			s.t.Error(err)
			break
		}
		if sendTo(fd, ask, server) == nil && acknowledged(fd, buf) {
			running++
		}
	}
	return running, fds
}

// acknowledged answers an OACK, and reports whether data came then.
func acknowledged(fd int, buf []byte) bool {
	for range 10 {
		n, sa, err := unix.Recvfrom(fd, buf, 0)
		from, ok := sa.(*unix.SockaddrInet4)
		if err != nil || !ok {
			return false
		}
		switch op, _ := tftp.PeekOp(buf[:n]); op {
		case tftp.OpDATA:
			return true
		case tftp.OpOACK:
			_ = sendTo(fd, tftp.AppendACK(nil, 0), netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port)))
		default:
			return false
		}
	}
	return false
}

// memory reads a line of kB from a file of /proc.
func memory(file string, pid int, name string) float64 {
	if strings.Contains(file, "%d") {
		file = fmt.Sprintf(file, pid)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut("\n"+string(b), "\n"+name)
	var kb float64
	if _, err := fmt.Sscan(line, &kb); err != nil {
		return 0
	}
	return kb
}
