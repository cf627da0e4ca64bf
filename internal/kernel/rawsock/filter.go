package rawsock

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// udpTo is a filter that passes unfragmented IPv4 UDP datagrams to any of some ports. Frames for
// other hosts, which an interface in promiscuous mode or with foreign VLAN tags delivers, pass only
// where foreign is true.
func udpTo(foreign bool, ports []uint16) []bpf.Instruction {
	const (
		etherType, ipv4  = 12, 0x0800
		fragment, offset = 20, 0x3fff // more fragments, or not the first
		protocol, udp    = 23, 17
		ip, udpDst       = 14, 16 // the port's place, counted from the end of the IP header less 14
	)
	other := uint32(unix.PACKET_OTHERHOST)
	if foreign {
		other = unix.PACKET_OUTGOING
	}
	p := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: other},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING},
		bpf.LoadAbsolute{Off: etherType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: ipv4},
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: udp},
		bpf.LoadAbsolute{Off: fragment, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: offset},
		bpf.LoadMemShift{Off: ip},
		bpf.LoadIndirect{Off: udpDst, Size: 2},
	}
	refuse := len(p) + len(ports) // the tests so far jump there
	for i, x := range p {
		if j, ok := x.(bpf.JumpIf); ok {
			j.SkipTrue = uint8(refuse - i - 1)
			p[i] = j
		}
	}
	for i, port := range ports {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: uint8(len(ports) - i)})
	}
	return append(p, bpf.RetConstant{Val: 0}, bpf.RetConstant{Val: MaxFrame})
}
