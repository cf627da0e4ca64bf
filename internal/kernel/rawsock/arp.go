package rawsock

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
)

// ARPConn reads the ARP replies that come to this host on one interface, and writes frames. The kernel's
// ARP table has no part in it.
type ARPConn struct{ *PacketConn }

// ListenARP opens a socket. A missing capability is a *PermissionError.
func ListenARP(name string, index int, mac boot.MAC) (*ARPConn, error) {
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_HOST, SkipTrue: 3},
		bpf.LoadAbsolute{Off: 20, Size: 2}, // the operation
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 2, SkipTrue: 1},
		bpf.RetConstant{Val: 64},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return nil, fmt.Errorf("assemble packet filter: %w", err)
	}
	ifi := &net.Interface{Index: index, Name: name, HardwareAddr: mac.HardwareAddr()}
	c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: filter})
	if err != nil {
		return nil, explain("open a packet socket for ARP on "+name, err)
	}
	rc, err := c.SyscallConn()
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("set up the packet socket for ARP on %s: %w", name, err)
	}
	return &ARPConn{&PacketConn{name: name, c: c, rc: rc}}, nil
}

// Rebind is PacketConn.Rebind.
func (a *ARPConn) Rebind(index int) error {
	err := a.control(func(fd int) error {
		arp := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ARP >> 8, unix.ETH_P_ARP & 0xff}) // network byte order (packet(7))
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index, Protocol: arp})
	})
	if err != nil {
		return fmt.Errorf("bind the packet socket for ARP of %s again: %w", a.name, err)
	}
	return nil
}
