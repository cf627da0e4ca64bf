package check

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/proc"
	"surefoot/internal/lb"
)

// Direct server return: each fault of a backend, of the segment and of a backend's own settings, produced for real.
func TestDirectServerReturn(t *testing.T) {
	f := newFarm(t)
	f.want("all is well", f.check("lb", lb.DSR))
	if r := f.check("lb", lb.DSR); r.Role != Balancer || len(r.Good) < 4 {
		t.Errorf("%+v", r)
	}
	if r := f.check("lb2", lb.DSR); r.Role != Standby || len(r.Findings) != 0 {
		t.Errorf("from the standby: %+v", r)
	}
	f.want("as a backend", f.check("s1", lb.DSR))

	f.ip("s1", "addr del "+service+"/32 dev lo")
	f.want("the address is missing", f.check("lb", lb.DSR), []string{"service-not-taken", "s1", "ip address add 10.9.2.20/32 dev lo"})
	f.want("seen there", f.check("s1", lb.DSR), []string{"address-missing", here, "on no interface", "backend-setup"})
	f.ip("s1", "addr add "+service+"/32 dev eth0")
	f.want("it is on the card", f.check("s1", lb.DSR), []string{"address-missing", here, "is on eth0"})
	f.ip("s1", "addr del "+service+"/32 dev eth0")
	f.ip("s1", "addr add "+service+"/32 dev lo")

	f.sysctl("s2", "net.ipv4.conf.all.arp_ignore=0", "net.ipv4.conf.all.arp_announce=0")
	f.want("arp_ignore is forgotten", f.check("lb", lb.DSR), []string{"answers-arp", "s2", "arp_ignore=1"})
	f.want("the same from the standby", f.check("lb2", lb.DSR), []string{"answers-arp", "s2", "arp_ignore=1"})
	f.want("seen there", f.check("s2", lb.DSR),
		[]string{"arp-ignore", here, "arp_ignore is 0", "backend-setup"}, []string{"arp-announce", here, "arp_announce is 0"})
	f.sysctl("s2", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")

	f.nft("s3", "table ip t { chain in { type filter hook prerouting priority -150; ip daddr "+service+" ip daddr set "+addrOf("s3").String()+"; }; }")
	f.want("answers from the real address", f.check("lb", lb.DSR), []string{"wrong-address", "s3", "EDK2", "PXELINUX"})
	f.nft("s3", "")

	f.write("s3", "another one")
	f.want("another file", f.check("lb", lb.DSR), []string{"other-content", "s3", "2 of 3 servers"})
	f.write("s3", strings.Repeat("the bootstrap, ", 1000))

	f.ip("lb2", "addr add "+service+"/32 dev eth0")
	f.want("two balancers have it", f.check("lb", lb.DSR), []string{"second-mac", service, "besides this machine"})
	f.ip("lb2", "addr del "+service+"/32 dev eth0")
	f.ip("lb", "addr del "+service+"/32 dev eth0")
	f.want("nobody has it", f.check("lb", lb.DSR), []string{"nobody-has-address", service, "surefoot vip list"})
	f.ip("lb", "addr add "+service+"/32 dev eth0")

	f.within("lb", func() { nativeXDP(t, "eth0", true) })
	f.want("native XDP on a veth", f.check("lb", lb.DSR), []string{"veth-native-xdp", here, "plane: tcx", "tx off"})
	f.within("lb", func() { nativeXDP(t, "eth0", false) })

	badChecksum(f, "lb", "s1")
	f.want("checksums are lost", f.check("s1", lb.DSR), []string{"checksum-errors", here, "1 datagrams were dropped", "UdpInCsumErrors"})
}

// A backend with a second way out drops what comes in where it would not go out.
func TestReversePath(t *testing.T) {
	f := newFarm(t)
	f.ip("s1", "link add away type veth peer name nowhere")
	f.ip("s1", "addr add 10.9.3.9/24 dev away")
	f.ip("s1", "link set away up")
	f.ip("s1", "link set nowhere up")
	f.sysctl("s1", "net.ipv4.conf.eth0.rp_filter=1")
	f.ip("lb", "route add 10.9.4.0/24 dev eth0")
	f.within("lb", func() { // a client of 10.9.3.0/24, whose packet is dropped
		if c, err := net.Dial("tcp4", addrOf("s1").String()+":69"); err == nil { // so that its MAC is known
			_ = c.Close()
		}
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 9, 3, 1)}, &net.UDPAddr{IP: addrOf("s1").AsSlice(), Port: 69})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte("x"))
	})
	f.want("the way back is another", f.check("s1", lb.DSR), []string{"rp-filter", here, "10.9.3.0/24", "by away", "rp_filter=2", "IPReversePathFilter"})
	f.within("s1", func() {
		if n, _ := proc.Counter("TcpExt", "IPReversePathFilter"); n == 0 {
			t.Error("the kernel dropped nothing: the test shows nothing")
		}
	})
	f.sysctl("lb", "net.ipv4.conf.eth0.rp_filter=1", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
	f.want("on the balancer", f.check("lb", lb.NAT), []string{"rp-filter", here, "10.9.3.0/24", "by away"})
	f.want("which a relay minds as well", f.check("lb", lb.Relay), []string{"rp-filter", here})
	f.want("and direct return does not", f.check("lb", lb.DSR))
}

// NAT: the kernel's settings, and the table of expectations, which whoever asks without an answer fills.
func TestNAT(t *testing.T) {
	f := newFarm(t)
	f.sysctl("lb", "net.ipv4.ip_forward=0", "net.ipv4.conf.all.send_redirects=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
	f.want("as the kernel comes", f.check("lb", lb.NAT),
		[]string{"no-forwarding", here, "sysctl -w net.ipv4.ip_forward=1"}, []string{"send-redirects", here, "all.send_redirects is 1", "eth0.send_redirects=0"})
	f.sysctl("lb", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
	f.want("set", f.check("lb", lb.NAT))

	var most int
	f.within("lb", func() { most = proc.Number("net.netfilter.nf_conntrack_expect_max") })
	if most == 0 || most > 20_000 {
		t.Skipf("the kernel has room for %d expectations", most)
	}
	f.nft("lb", `table ip lb {
  ct helper h { type "tftp" protocol udp; }
  chain o { type filter hook output priority -150; udp dport 69 ct helper set "h"; }
}`)
	ask := func(n int, from byte) {
		f.within("lb", func() {
			for i := range n {
				c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 9, 2, 11), Port: 0}, &net.UDPAddr{IP: net.IPv4(10, 9, 3, 2+from), Port: 69})
				if err != nil {
					t.Error(i, err)
					return
				}
				_, _ = c.Write([]byte("\x00\x01f\x00octet\x00"))
				_ = c.Close()
			}
		})
	}
	for from := byte(0); from < 60; from++ { // sockets get some thousand ports; a server at a time
		ask(most*13/20/60+1, from)
	}
	f.want("two thirds of the expectations", f.check("lb", lb.NAT), []string{"expectations-full", here, fmt.Sprint("of ", most), "nf_conntrack_expect_max"})
	if r := f.check("lb", lb.NAT); r.Bad() {
		t.Errorf("two thirds are a warning: %+v", r.Findings)
	}
	for from := byte(60); from < 90; from++ {
		ask(most/2/30, from)
	}
	if r := f.check("lb", lb.NAT); !r.Bad() {
		t.Errorf("a full table is no warning: %+v", r)
	}
}

// Every code is explained.
func TestCodesAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../../docs/lb-check.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Codes() {
		if !strings.Contains(string(b), "| `"+string(c)+"` |") {
			t.Errorf("docs/lb-check.md does not explain %s", c)
		}
	}
}

// nativeXDP hangs a program that passes everything on an interface, in its driver; or takes it off.
func nativeXDP(t *testing.T, name string, on bool) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Error(err)
		return
	}
	fd := -1
	if on {
		program := []byte{0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0} // r0 = XDP_PASS; exit
		licence := []byte("GPL\x00")
		attr := struct {
			kind, count      uint32
			program, licence uint64
			rest             [96]byte
		}{kind: unix.BPF_PROG_TYPE_XDP, count: 2, program: uint64(uintptr(unsafe.Pointer(&program[0]))), licence: uint64(uintptr(unsafe.Pointer(&licence[0])))}
		n, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		if errno != 0 {
			t.Error("load a program:", errno)
			return
		}
		fd = int(n)
		defer unix.Close(fd)
	}
	const driver = 1 << 2 // XDP_FLAGS_DRV_MODE
	if err := netlink.LinkSetXdpFdWithFlags(l, fd, driver); err != nil {
		t.Error(err)
	}
}

// badChecksum sends a datagram whose checksum is wrong, as a balancer does before whom nobody finished it.
func badChecksum(f *farm, from, to string) {
	f.within(from, func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP)
		if err != nil {
			f.t.Error(err)
			return
		}
		defer unix.Close(fd)
		datagram := []byte{0x10, 0, 0, 69, 0, 12, 0xba, 0xad, 'x', 'x', 'x', 'x'}
		if err := unix.Sendto(fd, datagram, 0, &unix.SockaddrInet4{Addr: addrOf(to).As4()}); err != nil {
			f.t.Error(err)
		}
	})
}
