package rawsock

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
)

// ListenAnswers is ListenPacket for somebody who asked from a port: besides the datagrams to that port, the
// ICMP messages that something cannot be reached are read (RFC 792 type 3), whoever they are for. The
// kernel's opinion of their addresses has no part in it: what comes from an address that this host has, as
// from a server behind a service address, the kernel drops.
func ListenAnswers(name string, index int, mac boot.MAC, port uint16) (*PacketConn, error) {
	const (
		etherType, ipv4  = 12, 0x0800
		fragment, offset = 20, 0x3fff // more fragments, or not the first
		protocol         = 23
		ip               = 14
	)
	return listenPacket(name, index, mac, []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_HOST, SkipTrue: 12},
		bpf.LoadAbsolute{Off: etherType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: ipv4, SkipTrue: 10},
		bpf.LoadAbsolute{Off: fragment, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: offset, SkipTrue: 8},
		bpf.LoadMemShift{Off: ip},
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMP, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_UDP, SkipTrue: 4},
		bpf.LoadIndirect{Off: ip + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: 3, SkipFalse: 2},
		bpf.LoadIndirect{Off: ip, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 3, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: MaxFrame},
	})
}
