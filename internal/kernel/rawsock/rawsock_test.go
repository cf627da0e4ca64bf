package rawsock

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/wire/frame"
)

// onThread runs f on a thread of its own, which ends with it: f may change its namespace and
// its capabilities.
func onThread(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("raw sockets need root")
		}
		t.Skip("raw sockets need root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f(t)
	}()
	<-done
}

// pair makes two ends of a cable in the current namespace.
func pair(t testing.TB) (a, b *net.Interface) {
	t.Helper()
	err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a"}, PeerName: "b"})
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	for _, name := range []string{"lo", "a", "b"} {
		l, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Error(err)
		}
	}
	up(t, "a", "b")
	a, errA := net.InterfaceByName("a")
	b, errB := net.InterfaceByName("b")
	if err := errors.Join(errA, errB); err != nil {
		t.Error(err)
	}
	return a, b
}

// up waits until the kernel has noticed the carrier of interfaces: what is sent before, it drops.
func up(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			l, err := netlink.LinkByName(name)
			if err == nil && l.Attrs().OperState == netlink.OperUp {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s does not come up: %v", name, err)
				break
			}
		}
	}
}

func datagram(dst boot.MAC, to, payload string) frame.Datagram {
	return frame.Datagram{
		SrcMAC: boot.MAC{2, 0, 0, 0, 0, 9}, DstMAC: dst, Payload: []byte(payload),
		Src: netip.MustParseAddrPort("10.0.0.9:68"), Dst: netip.MustParseAddrPort(to),
	}
}

// TestFilter: of all that arrives, only whole UDP datagrams to the port are read, and nothing
// that this end sends itself.
func TestFilter(t *testing.T) {
	onThread(t, func(t *testing.T) {
		a, b := pair(t)
		if t.Failed() {
			return
		}
		macA, macB := boot.MAC(a.HardwareAddr), boot.MAC(b.HardwareAddr)
		rx, err := ListenPacket("b", b.Index, macB, 67)
		if err != nil {
			t.Error(err)
			return
		}
		defer rx.Close()
		tx, err := ListenPacket("a", a.Index, macA, 67)
		if err != nil {
			t.Error(err)
			return
		}
		defer tx.Close()

		fragment := datagram(macB, "10.0.0.1:67", "fragment").Frame()
		fragment[20] = 0x20 // more fragments
		arp := datagram(macB, "10.0.0.1:67", "arp").Frame()
		arp[13] = 0x06
		tcp := datagram(macB, "10.0.0.1:67", "tcp").Frame()
		tcp[23] = 6
		foreign := datagram(boot.MAC{2, 7, 7, 7, 7, 7}, "10.0.0.1:67", "foreign").Frame()
		for _, f := range [][]byte{
			datagram(macB, "10.0.0.1:68", "other port").Frame(), fragment, arp, tcp, foreign,
			datagram(macB, "10.0.0.1:67", "unicast").Frame(),
			datagram(frame.Broadcast, "255.255.255.255:67", "broadcast").Frame(),
		} {
			if err := tx.Write(f); err != nil {
				t.Error(err)
			}
		}
		if err := rx.Write(datagram(macA, "10.0.0.1:67", "back").Frame()); err != nil {
			t.Error(err)
		}
		for _, want := range []string{"unicast", "broadcast"} {
			if got := read(t, rx); got != want {
				t.Errorf("read %q, want %q", got, want)
			}
		}
		if got := read(t, tx); got != "back" { // and not its own frames
			t.Errorf("read %q, want %q", got, "back")
		}
		if n := rx.Dropped(); n != 0 {
			t.Errorf("%d frames dropped", n)
		}
		if rx.Gone() {
			t.Error("an interface that is there counts as removed")
		}
	})
}

func read(t *testing.T, c *PacketConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Error(err)
	}
	b := make([]byte, MaxFrame)
	n, err := c.Read(b)
	if err != nil {
		t.Error(err)
		return ""
	}
	d, err := frame.Parse(b[:n])
	if err != nil {
		t.Error(err)
	}
	return string(d.Payload)
}

// TestIPv4: a packet leaves with a source port that another socket holds.
func TestIPv4(t *testing.T) {
	onThread(t, func(t *testing.T) {
		pair(t)
		holder, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 67})
		if err != nil {
			t.Error(err)
			return
		}
		defer holder.Close()
		receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 67})
		if err != nil {
			t.Error(err)
			return
		}
		defer receiver.Close()
		c, err := DialIPv4()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		d := datagram(boot.MAC{}, "127.0.0.2:67", "to a relay")
		d.Src = netip.MustParseAddrPort("127.0.0.1:67")
		if err := c.Write(d.IP()); err != nil {
			t.Error(err)
			return
		}
		_ = receiver.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 100)
		n, from, err := receiver.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != "to a relay" || from.String() != "127.0.0.1:67" {
			t.Errorf("received %q from %s, %v", b[:n], from, err)
		}
		if err := c.Write([]byte("short")); err == nil {
			t.Error("a packet without a header is sent")
		}
	})
}

// TestNoCapability: without CAP_NET_RAW the error names it and says how to get it.
func TestNoCapability(t *testing.T) {
	onThread(t, func(t *testing.T) {
		a, _ := pair(t)
		if t.Failed() {
			return
		}
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData // none
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			t.Error(err)
			return
		}
		_, errPacket := ListenPacket("a", a.Index, boot.MAC(a.HardwareAddr), 67)
		_, errIP := DialIPv4()
		for what, err := range map[string]error{"open a packet socket on a": errPacket, "open a raw ipv4 socket": errIP} {
			var p *PermissionError
			if !errors.As(err, &p) || !errors.Is(err, unix.EPERM) {
				t.Errorf("%s: %v, want a PermissionError", what, err)
				continue
			}
			if want := what + ": needs CAP_NET_RAW: operation not permitted"; err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
			if h := strings.Join(p.Hint(), "\n"); !strings.Contains(h, "setcap cap_net_raw,cap_net_bind_service+ep") || !strings.Contains(h, "AmbientCapabilities=") {
				t.Errorf("hints %q", h)
			}
		}
	})
}

// TestListenForeign: frames to another machine's MAC address arrive without promiscuous mode.
func TestListenForeign(t *testing.T) {
	onThread(t, func(t *testing.T) {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a0"}, PeerName: "b0"}); err != nil {
			t.Fatal(err)
		}
		var macs []boot.MAC
		for _, name := range []string{"a0", "b0"} {
			l, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkSetUp(l)
			}
			if err != nil {
				t.Error(err)
				return
			}
			macs = append(macs, boot.MAC(l.Attrs().HardwareAddr))
		}
		a, _ := netlink.LinkByName("a0")
		b, _ := netlink.LinkByName("b0")
		as := boot.MAC{2, 'S', 'F', 0, 0, 1}
		in, err := ListenForeign("a0", a.Attrs().Index, macs[0], 68, as)
		if err != nil {
			t.Error(err)
			return
		}
		defer in.Close()
		out, err := ListenPacket("b0", b.Attrs().Index, macs[1], 68)
		if err != nil {
			t.Error(err)
			return
		}
		defer out.Close()
		if a, _ = netlink.LinkByName("a0"); a.Attrs().Promisc != 0 && a.Attrs().RawFlags&unix.IFF_PROMISC != 0 {
			t.Error("a0 is in promiscuous mode")
		}
		err = out.Write(frame.Datagram{
			SrcMAC: macs[1], DstMAC: as, Payload: []byte("offer"),
			Src: netip.MustParseAddrPort("10.0.0.1:67"), Dst: netip.MustParseAddrPort("10.0.0.9:68"),
		}.Frame())
		if err == nil {
			err = in.SetReadDeadline(time.Now().Add(5 * time.Second))
		}
		if err != nil {
			t.Error(err)
			return
		}
		buf := make([]byte, MaxFrame)
		if n, err := in.Read(buf); err != nil {
			t.Error(err)
		} else if d, err := frame.Parse(buf[:n]); err != nil || string(d.Payload) != "offer" || d.DstMAC != as {
			t.Errorf("%+v %v", d, err)
		}
	})
}
