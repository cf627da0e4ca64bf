package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lab"
)

func floodScenarios() []scenario { return []scenario{{"flood", flood}} }

const (
	floodPerPort = 200_000
	floodHTTP    = 5_000 // connections
	floodRate    = 60_000
	rssLimit     = 256 << 20

	// The flood's senders are 10.77.0.200 to .249, which no machine gets.
	firstSource, sources = 200, 50
)

// Half of the packets to each port are nobody's request and must get no answer; the other half
// are real requests with some bytes changed, which may get one. The node lives, its memory is
// bounded, and a machine boots.
func flood(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	for _, fw := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		s.boot(lab.Machine{Firmware: fw}) // to have real requests of each kind
	}
	n := s.Node("n1")
	before := memory(t, n)
	rnd := rand.New(rand.NewPCG(2, 11))
	hose := s.hose(rnd, n)
	ports := []uint16{67, 4011, 69}
	requests := map[uint16][][]byte{}
	for _, port := range ports {
		if requests[port] = s.requests(port); len(requests[port]) == 0 {
			t.Fatalf("no real request to port %d was seen", port)
		}
	}
	for _, port := range ports {
		samples := requests[port]
		answers := s.answersWhile(n, func() {
			hose.send(t, port, floodPerPort/2, func() []byte { return junk(rnd, port, samples) })
		})
		if len(answers) > 0 {
			t.Errorf("port %d: %d answers to junk, the first from %v to %v: %q", port, len(answers), answers[0].Src, answers[0].Dst, clip(answers[0].Payload))
		}
		answers = s.answersWhile(n, func() {
			hose.send(t, port, floodPerPort/2, func() []byte { return changed(rnd, samples) })
		})
		if !n.Process().Running() {
			t.Fatalf("port %d: the node ended: %s", port, n.Process().State())
		}
		t.Logf("port %d: %d packets, no answer to junk, %d to changed requests; memory %s", port, floodPerPort, len(answers), memory(t, n))
	}
	s.keepOnly(func(lab.UDP) bool { return false })
	s.floodHTTP(rnd, n)
	s.keepOnly(nil)
	after := memory(t, n)
	t.Logf("memory %s before, %s after", before, after)
	if after.peak > rssLimit {
		t.Errorf("the node took %s, want at most %d MB", after, rssLimit>>20)
	}
	for _, fw := range []lab.Firmware{lab.IPXE, lab.UEFI, lab.BIOS} {
		s.boot(lab.Machine{Firmware: fw, RetryAfter: time.Second})
	}
	if out, _, code := s.run("status", "--socket", n.Socket); code != 0 {
		t.Errorf("status: exit code %d: %s", code, out)
	}
}

// requests returns what machines have sent to a port so far.
func (s *stage) requests(port uint16) [][]byte {
	var out [][]byte
	for _, u := range s.datagrams(func(u lab.UDP) bool { return u.Dst.Port() == port && u.Src.Addr() != lab.NodeAddr(0) }) {
		out = append(out, u.Payload)
	}
	return out
}

// answersWhile returns the node's datagrams that pass while f runs and shortly after.
func (s *stage) answersWhile(n *lab.Node, f func()) []lab.UDP {
	s.keepOnly(func(u lab.UDP) bool { return u.Src.Addr().String() == n.Addr })
	defer s.keepOnly(nil)
	f()
	time.Sleep(200 * time.Millisecond) // for answers on their way: the absence of one has no event
	return s.datagrams(func(lab.UDP) bool { return true })
}

// keepOnly forgets all frames and keeps from now on only those that match, and records none of
// them; nil keeps and records every frame again.
func (s *stage) keepOnly(filter func(lab.UDP) bool) {
	s.mu.Lock()
	s.frames, s.filter = nil, filter
	s.mu.Unlock()
	s.capture.Record(filter == nil)
}

// junk returns a payload that is no request: of random bytes, or a real request broken in a way
// that nobody may take for one.
func junk(rnd *rand.Rand, port uint16, samples [][]byte) []byte {
	b := make([]byte, rnd.IntN(600))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	if port == 69 {
		if len(b) > 1 && b[0] == 0 && (b[1] == 1 || b[1] == 2) {
			b[0] = 1 // would be a request
		}
		if rnd.IntN(2) == 0 { // DATA, ACK, ERROR, OACK, or an opcode that nobody knows
			b = append([]byte{0, byte(3 + rnd.IntN(5))}, b...)
		}
		return b
	}
	if rnd.IntN(4) == 0 {
		return b
	}
	p := bytes.Clone(samples[rnd.IntN(len(samples))])
	switch rnd.IntN(4) {
	case 0:
		p[0] = 2 // a reply
	case 1:
		p[236] ^= 0xff // the cookie
	case 2:
		p = p[:rnd.IntN(240)]
	case 3:
		p = bytes.ReplaceAll(p, []byte("PXEClient"), []byte("PXEclient"))
	}
	return p
}

// changed returns a real request with some bytes changed, cut or added.
func changed(rnd *rand.Rand, samples [][]byte) []byte {
	p := bytes.Clone(samples[rnd.IntN(len(samples))])
	for range 1 + rnd.IntN(8) {
		switch i := rnd.IntN(len(p)); rnd.IntN(8) {
		case 0:
			p = p[:i+1]
		case 1:
			p = append(p, p[:i]...)
		default:
			p[i] = byte(rnd.Uint32())
		}
		if len(p) > 1400 {
			p = p[:1400]
		}
	}
	return p
}

// hose sends datagrams as raw frames, from many addresses of the subnet.
type hose struct {
	sock *os.File
	rnd  *rand.Rand
	to   netip.Addr
	mac  net.HardwareAddr
}

func (s *stage) hose(rnd *rand.Rand, n *lab.Node) *hose {
	s.t.Helper()
	sock, err := s.PacketSocket("dhcp", "eth0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { sock.Close() })
	h := &hose{sock: sock, rnd: rnd, to: netip.MustParseAddr(n.Addr)}
	mac := func(part string) net.HardwareAddr {
		var a net.HardwareAddr
		err := s.Inside(part, func() error {
			ifi, err := net.InterfaceByName("eth0")
			if err == nil {
				a = ifi.HardwareAddr
			}
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
		return a
	}
	h.mac = mac(n.Name)
	// The node can reach every sender without asking for its hardware address: otherwise an
	// answer would never pass, and nobody would see that there was one.
	var neighbours strings.Builder
	for i := firstSource; i < firstSource+sources; i++ {
		fmt.Fprintf(&neighbours, "neigh replace 10.77.0.%d lladdr %s dev eth0 nud permanent\n", i, mac("dhcp"))
	}
	ip := exec.CommandContext(s.ctx, "ip", "-n", n.Space, "-batch", "-")
	ip.Stdin = strings.NewReader(neighbours.String())
	if out, err := ip.CombinedOutput(); err != nil {
		s.t.Fatalf("neighbours of node %s: %v: %s", n.Name, err, out)
	}
	return h
}

// send sends n payloads to a port of the node, at a rate that the node can read.
func (h *hose) send(t *testing.T, port uint16, n int, payload func() []byte) {
	t.Helper()
	start := time.Now()
	for i := range n {
		f := h.frame(port, payload())
		if _, err := h.sock.Write(f); err != nil && !strings.Contains(err.Error(), "no buffer space") {
			t.Fatal(err)
		}
		if i%500 == 0 {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / floodRate)))
		}
	}
}

func (h *hose) frame(port uint16, payload []byte) []byte {
	b := make([]byte, 14+20+8, 14+20+8+len(payload))
	copy(b, h.mac)
	copy(b[6:], []byte{2, 0, 0, 0, 0, byte(h.rnd.Uint32())})
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	src := netip.AddrFrom4([4]byte{10, 77, 0, byte(firstSource + h.rnd.IntN(sources))})
	copy(ip[12:], src.AsSlice())
	copy(ip[16:], h.to.AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	from := uint16(1024 + h.rnd.IntN(60000))
	if port == 67 {
		from = 68
	}
	binary.BigEndian.PutUint16(ip[20:], from)
	binary.BigEndian.PutUint16(ip[22:], port) // UDP checksum 0: none
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(payload)))
	return append(b, payload...)
}

// floodHTTP sends to the node's HTTP port what is not HTTP, or nearly HTTP.
func (s *stage) floodHTTP(rnd *rand.Rand, n *lab.Node) {
	s.t.Helper()
	// A script for no machine is a script that says so: that is an answer, and right.
	const script = "GET /boot.ipxe?mac="
	texts := []string{
		"GET /" + strings.Repeat("../", 50) + "etc/shadow HTTP/1.1\r\nHost: x\r\n\r\n",
		script + strings.Repeat("f", 3000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nRange: bytes=-1--2,99999999999999999999-\r\nHost: x\r\n\r\n",
		"PUT /boot.ipxe HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
		"GET /%00%ff%2e%2e%2f HTTP/1.0\r\n\r\n",
	}
	refused := 0
	for i := range floodHTTP {
		var c net.Conn
		err := s.Inside("dhcp", func() (err error) {
			c, err = net.DialTimeout("tcp4", n.Addr+":8067", 3*time.Second)
			return err
		})
		if err != nil {
			s.t.Fatalf("HTTP connection %d: %v", i, err)
		}
		b := make([]byte, rnd.IntN(2000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		if rnd.IntN(2) == 0 {
			b = []byte(texts[rnd.IntN(len(texts))])
		}
		_, _ = c.Write(b)
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		answer := make([]byte, 512)
		k, _ := c.Read(answer)
		if k > 0 && bytes.HasPrefix(answer[:k], []byte("HTTP/1.1 200")) && !bytes.HasPrefix(b, []byte(script)) {
			s.t.Errorf("HTTP: %q was answered with %q", clip(b), clip(answer[:k]))
		} else if k > 0 {
			refused++
		}
		c.Close()
	}
	s.t.Logf("HTTP: %d connections, %d refused in words", floodHTTP, refused)
}

func clip(b []byte) []byte { return b[:min(len(b), 80)] }

// usage is a process's memory.
type usage struct{ now, peak int64 }

func (u usage) String() string { return fmt.Sprintf("%d MB (peak %d MB)", u.now>>20, u.peak>>20) }

// memory reads how much of the machine's memory a node takes (proc(5): VmRSS, VmHWM).
func memory(t *testing.T, n *lab.Node) usage {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Process().PID()))
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(b), name+":")
		f := strings.Fields(rest)
		if len(f) == 0 {
			t.Fatalf("no %s in the status of process %d", name, n.Process().PID())
		}
		kb, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return kb << 10
	}
	return usage{field("VmRSS"), field("VmHWM")}
}
