package e2e

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
)

// A machine whose medium names a VLAN is on that one alone.
func bdmVLAN(t *testing.T, b *bench) {
	const id = 77
	s := b.raise(t, quiet(2))
	s.web("n2", n2+":80", map[string][]byte{boot.TestBootstrapX64: append(bootstrap("n2"), make([]byte, 100_000)...)})
	for _, scheme := range []string{"tftp", "http"} {
		m := s.insert(asking(scheme+"://"+n2+"/").with("vlan 77"), plainOVMF(), false)
		tagged := s.translate(t, id)
		m.report("n2", n2)
		if tagged.Load() == 0 {
			t.Error("no frame had the tag")
		}
		if strings.Contains(m.text(), "E-") {
			t.Errorf("something failed:\n%s", m.lines())
		}
		m.end()
	}
}

// translate is a switch whose port to the machine is on a VLAN that the lab does not see: it takes the tag
// off what the machine sends and puts it on what is for the machine. The kernel of the test need not
// know VLANs. It returns how many frames the machine sent so.
func (s *stage) translate(t *testing.T, id uint16) *atomic.Int32 {
	t.Helper()
	open := func(dev string) *os.File {
		f, err := s.PacketSocket("sw", dev)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	machine, network := open("tapguest"), open("br0")
	raw, err := machine.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	tagged := &atomic.Int32{}
	go func() {
		buf, control := make([]byte, 4096), make([]byte, 256)
		for {
			var n, k int
			var from unix.Sockaddr
			var failed error
			err := raw.Read(func(fd uintptr) bool {
				n, k, _, from, failed = unix.Recvmsg(int(fd), buf, control, 0)
				return !errors.Is(failed, unix.EAGAIN)
			})
			if err != nil || failed != nil {
				return // closed
			}
			frame, at := buf[:n], from.(*unix.SockaddrLinklayer)
			tag, has := tagOf(control[:k])
			switch {
			case n < 14 || binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_8021Q:
			case at.Pkttype == unix.PACKET_OUTGOING && !has:
				_, _ = machine.Write(slices.Concat(frame[:12], []byte{0x81, 0, byte(id >> 8), byte(id)}, frame[12:]))
			case at.Pkttype != unix.PACKET_OUTGOING && has && tag == id:
				tagged.Add(1)
				_, _ = network.Write(frame)
			}
		}
	}()
	return tagged
}

// tagOf is the VLAN of a frame, which the kernel keeps apart from its bytes (packet(7), PACKET_AUXDATA).
func tagOf(control []byte) (id uint16, has bool) {
	const valid, size = 0x10, 20 // TP_STATUS_VLAN_VALID; struct tpacket_auxdata
	list, _ := unix.ParseSocketControlMessage(control)
	for _, m := range list {
		if m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= size {
			return binary.NativeEndian.Uint16(m.Data[16:]) & 0xfff, binary.NativeEndian.Uint32(m.Data)&valid != 0
		}
	}
	return 0, false
}
