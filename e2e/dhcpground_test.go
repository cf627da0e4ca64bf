package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

var (
	everybody        = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// ground is a wire with machines on it. All are behind one socket; each has its own hardware address.
type ground struct {
	sock   *os.File
	record *recorder

	mu       sync.Mutex // guards machines
	machines map[[6]byte]*dhcpMachine
}

// ground opens an interface of the machines' part.
func (n *dhcpNet) ground(dev string, record *recorder) *ground {
	n.t.Helper()
	g := &ground{record: record, machines: map[[6]byte]*dhcpMachine{}}
	err := n.inside("pc").do(func() error {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		proto := binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff}) // what comes, not what leaves
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		g.sock = os.NewFile(uintptr(fd), dev)
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: ifi.Index}))
	})
	if err != nil {
		n.t.Fatalf("%s: %v", dev, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.read()
	}()
	n.t.Cleanup(func() {
		_ = g.sock.Close()
		<-done
	})
	return g
}

// machine adds one.
func (g *ground) machine(mac net.HardwareAddr, p dhcpPolicy) *dhcpMachine {
	m := &dhcpMachine{g: g, mac: mac, policy: p, in: make(chan heardReply, 32)}
	g.mu.Lock()
	g.machines[[6]byte(mac)] = m
	g.mu.Unlock()
	return m
}

func (g *ground) read() {
	raw, err := g.sock.SyscallConn()
	if err != nil {
		return // closed
	}
	buf, control := make([]byte, 4096), make([]byte, 128)
	for {
		var size, extra int
		var failed error
		if err := raw.Read(func(fd uintptr) bool {
			size, extra, _, _, failed = unix.Recvmsg(int(fd), buf, control, 0)
			return !errors.Is(failed, unix.EAGAIN)
		}); err != nil || failed != nil {
			return // closed
		}
		g.hear(buf[:size], stamp(control[:extra]))
	}
}

// stamp is when the kernel saw the frame: this program may be slow.
func stamp(control []byte) time.Time {
	list, _ := unix.ParseSocketControlMessage(control)
	for _, m := range list {
		if m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// hear hands a reply to its machine, if a card with the machine's hardware address took the frame.
func (g *ground) hear(b []byte, at time.Time) {
	if len(b) < 14+20+8 {
		return
	}
	size := 14 + int(b[14]&15)*4
	if b[14+9] != unix.IPPROTO_UDP || len(b) < size+8 || binary.BigEndian.Uint16(b[size+2:]) != 68 {
		return
	}
	p, err := dhcpv4.FromBytes(b[size+8:])
	if err != nil || p.OpCode != dhcpv4.OpcodeBootReply || len(p.ClientHWAddr) != 6 {
		return
	}
	g.mu.Lock()
	m := g.machines[[6]byte(p.ClientHWAddr)]
	g.mu.Unlock()
	if m == nil || !bytes.Equal(b[:6], m.mac) && !bytes.Equal(b[:6], everybody) {
		return
	}
	select {
	case m.in <- heardReply{at, bytes.Clone(b[6:12]), p}:
	default: // it has more answers than it reads
	}
}

// send writes a machine's packet as a frame.
func (g *ground) send(from, to net.HardwareAddr, src, dst netip.Addr, p *dhcpv4.DHCPv4) {
	payload := p.ToBytes()
	b := make([]byte, 14+20+8, 14+20+8+len(payload))
	copy(b, to)
	copy(b[6:], from)
	binary.BigEndian.PutUint16(b[12:], unix.ETH_P_IP)
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], src.AsSlice())
	copy(ip[16:], dst.AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(ip[20:], 68)
	binary.BigEndian.PutUint16(ip[22:], 67) // UDP checksum 0: none
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(payload)))
	_, _ = g.sock.Write(append(b, payload...)) // what does not leave is lost, as on a real wire
}

// recorder is the machines' own view over all servers: whose an address is, and until when.
type recorder struct {
	mu     sync.Mutex // guards all below
	holds  map[netip.Addr]hold
	of     map[[6]byte]netip.Addr
	grants int
	faults []string
}

type hold struct {
	mac    [6]byte
	server netip.Addr
	since  time.Time
	until  time.Time
}

func newRecorder() *recorder {
	return &recorder{holds: map[netip.Addr]hold{}, of: map[[6]byte]netip.Addr{}}
}

// got notes an ACK to a request that was sent at some time. A machine has one address: with another one
// it gives up the former.
func (r *recorder) got(mac net.HardwareAddr, a, server netip.Addr, sent, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := [6]byte(mac)
	r.grants++
	r.check(k, a, server, "given")
	if was := r.of[k]; was != a && r.holds[was].mac == k {
		delete(r.holds, was)
	}
	r.of[k], r.holds[a] = a, hold{k, server, sent, until}
}

// offered notes an OFFER: nobody is offered what another has.
func (r *recorder) offered(mac net.HardwareAddr, a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check([6]byte(mac), a, netip.Addr{}, "offered")
}

func (r *recorder) check(k [6]byte, a, server netip.Addr, what string) {
	if h, ok := r.holds[a]; ok && h.mac != k && time.Now().Before(h.until) {
		r.faults = append(r.faults, fmt.Sprintf("%s was %s to %s by %v, while %s has it since %s until %s from %v",
			a, what, net.HardwareAddr(k[:]), server, net.HardwareAddr(h.mac[:]), h.since.Format(clock), h.until.Format(clock), h.server))
	}
}

const clock = "15:04:05.000"

// ended notes that a machine does not use its address any more.
func (r *recorder) ended(mac net.HardwareAddr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := [6]byte(mac)
	if a := r.of[k]; r.holds[a].mac == k {
		delete(r.holds, a)
	}
	delete(r.of, k)
}
