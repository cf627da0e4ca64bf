package probe

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// listen opens a UDP socket that is not connected, since a server answers from another port than
// the one asked, and yet hears of ICMP errors (IP_RECVERR, ip(7)).
func listen(server netip.Addr) (*net.UDPConn, error) { return listenPort(server, 0) }

// listenPort does so on a port of this machine; 0: any.
func listenPort(server netip.Addr, port uint16) (*net.UDPConn, error) {
	network, level, opt := "udp4", unix.SOL_IP, unix.IP_RECVERR
	if server.Is6() {
		network, level, opt = "udp6", unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	conn, err := net.ListenUDP(network, &net.UDPAddr{Port: int(port)})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), level, opt, 1) })
	}
	return conn, nil
}
