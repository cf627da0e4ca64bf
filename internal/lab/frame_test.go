package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// datagram builds an Ethernet frame with a UDP datagram.
func datagram(src, dst string, payload []byte) Frame {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	b := make([]byte, 14+20+8)
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], s.Addr().AsSlice())
	copy(ip[16:], d.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[20:], s.Port())
	binary.BigEndian.PutUint16(ip[22:], d.Port())
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(payload)))
	return Frame{At: time.Unix(1, 5000), Bytes: append(b, payload...)}
}

// bootp builds a BOOTP message with options.
func bootp(op byte, yiaddr string, options ...byte) []byte {
	p := make([]byte, 240)
	p[0] = op
	copy(p[16:], netip.MustParseAddr(yiaddr).AsSlice())
	binary.BigEndian.PutUint32(p[236:], 0x63825363)
	return append(p, options...)
}

func TestFrameKinds(t *testing.T) {
	const server, all = "10.77.0.11:67", "255.255.255.255:68"
	for _, c := range []struct {
		name       string
		f          Frame
		udp, offer bool
		read       bool
	}{
		{"an offer of a ProxyDHCP server", datagram(server, all, bootp(2, "0.0.0.0", 60, 1, 'P', 0, 53, 1, 2, 255)), true, true, false},
		{"an offer with an address", datagram(server, all, bootp(2, "10.77.0.100", 53, 1, 2, 255)), true, false, false},
		{"an acknowledgement", datagram(server, all, bootp(2, "0.0.0.0", 53, 1, 5, 255)), true, false, false},
		{"a client's message", datagram("0.0.0.0:68", "255.255.255.255:67", bootp(1, "0.0.0.0", 53, 1, 2, 255)), true, false, false},
		{"options cut off", datagram(server, all, bootp(2, "0.0.0.0", 60, 200, 1)), true, false, false},
		{"a read request", datagram("10.77.0.100:1024", "10.77.0.11:69", []byte("\x00\x01f\x00octet\x00")), true, false, true},
		{"a write request", datagram("10.77.0.100:1024", "10.77.0.11:69", []byte("\x00\x02f\x00octet\x00")), true, false, false},
		{"not IPv4", Frame{Bytes: make([]byte, 60)}, false, false, false},
		{"cut within its header", Frame{Bytes: datagram(server, all, nil).Bytes[:40]}, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, ok := c.f.UDP()
			if ok != c.udp || u.IsProxyOffer() != c.offer || u.IsReadRequest() != c.read {
				t.Errorf("UDP %v, offer %v, read request %v", ok, u.IsProxyOffer(), u.IsReadRequest())
			}
		})
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(datagram("10.77.0.11:67", "255.255.255.255:68", bootp(2, "0.0.0.0", 53, 1, 2, 255)).Bytes)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, ok := Frame{Bytes: b}.UDP()
		if ok && len(u.Payload) > len(b) {
			t.Errorf("%d bytes of payload in a frame of %d", len(u.Payload), len(b))
		}
		_ = u.IsProxyOffer() || u.IsReadRequest() // neither may panic
	})
}

// tcpdump is the oracle for the capture file.
func TestPcapIsReadByTcpdump(t *testing.T) {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "a.pcap")
	w, err := newPcap(file)
	if err != nil {
		t.Fatal(err)
	}
	w.write(datagram("10.77.0.100:1024", "10.77.0.11:69", []byte("\x00\x01file\x00octet\x00")))
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "-n", "-tt", "-r", file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("1.000005 IP 10.77.0.100.1024 > 10.77.0.11.69")) || !bytes.Contains(out, []byte(`RRQ "file" octet`)) {
		t.Errorf("tcpdump: %v\n%s", err, out)
	}
}
