package dhcp4

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"surefoot/internal/wire/frame"
)

// tshark returns what it makes of packets, as text.
func tshark(t *testing.T, packets ...[]byte) string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("tshark is missing: scripts/setup test")
		}
		t.Skip("tshark is missing")
	}
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		d := frame.Datagram{
			DstMAC: frame.Broadcast, Payload: p,
			Src: netip.MustParseAddrPort("10.0.0.1:67"), Dst: netip.MustParseAddrPort("10.0.0.2:68"),
		}
		b := d.Frame()
		ci := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(b), Length: len(b)}
		if err := w.WritePacket(ci, b); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "packets.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-n", "-V", "-o", "udp.check_checksum:TRUE", "-r", name)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	return string(out)
}

// TestTshark: an independent reader finds in our replies what we think that we wrote.
func TestTshark(t *testing.T) {
	var w Writer
	w.Reset(asked(t, Option{RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1', 5, 4, 10, 9, 0, 0, 11, 4, 10, 9, 0, 1}}))
	w.Limit = 1472
	w.YIAddr, w.SIAddr = netip.MustParseAddr("10.77.0.100"), netip.MustParseAddr("10.77.0.2")
	w.SName, w.File = "boot1", "nbp.0"
	w.PutType(ACK)
	w.PutAddr(ServerID, netip.MustParseAddr("10.0.0.1"))
	want := []string{
		"Bootp flags: 0x8000, Broadcast flag (Broadcast)", "Your (client) IP address: 10.77.0.100", "Next server IP address: 10.77.0.2",
		"Relay agent IP address: 10.77.9.1", "Client MAC address: 52:54:00:00:00:01", "Server host name: boot1", "Boot file name: nbp.0",
		"Option: (53) DHCP Message Type (ACK)", "Option: (54) DHCP Server Identifier (10.0.0.1)",
	}
	for _, c := range tsharkCases {
		b, err := ParseValue(c.code, c.text)
		if err != nil {
			t.Fatal(err)
		}
		w.Put(c.code, b)
		want = append(want, c.want...)
	}
	want = append(
		want, "Agent Circuit ID: 65746831", "Link selection: 10.9.0.0", "Server ID Override: 10.9.0.1", "Option: (255) End",
	)
	b, err := w.Append(nil)
	if err != nil || len(w.Dropped()) > 0 {
		t.Fatal(err, w.Dropped())
	}
	says(t, tshark(t, b), want...)
}

// TestTsharkOverload: it finds the options that are in the fields too.
func TestTsharkOverload(t *testing.T) {
	var w Writer
	w.Reset(asked(t))
	w.PutType(Offer)
	w.PutText(DomainName, strings.Repeat("d", 245))
	w.PutText(RootPath, "/"+strings.Repeat("r", 110))
	w.PutText(WPAD, "http://wpad.example.net/"+strings.Repeat("w", 30))
	b, err := w.Append(nil)
	if file, sname := w.Overloaded(); err != nil || !file || !sname {
		t.Fatal(err, file, sname)
	}
	says(
		t, tshark(t, b), "Option: (53) DHCP Message Type (Offer)", "Option: (52) Option Overload",
		"Boot file and server host names hold options", "Root Path: /rrrr", "Private/Proxy autodiscovery: http://wpad.example.net/w", "Domain Name [truncated]: dddd",
	)
}

// says checks that a text has lines that contain some others, and none that speaks of a fault.
func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(text, s) {
			t.Errorf("tshark does not say %q", s)
		}
	}
	for _, s := range []string{"Malformed", "Expert Info (Warn", "Expert Info (Err", "[incorrect", "Unknown"} {
		if strings.Contains(text, s) {
			t.Errorf("tshark says %q", s)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

var tsharkCases = []struct {
	code Code
	text string
	want []string
}{
	{SubnetMask, "255.255.0.0", []string{"(1) Subnet Mask (255.255.0.0)"}},
	{TimeOffset, "-3600", []string{"(2) Time Offset", "Time Offset: (-3600s) -1 hour"}},
	{Router, "10.0.0.1, 10.0.0.2", []string{"(3) Router", "Router: 10.0.0.1", "Router: 10.0.0.2"}},
	{TimeServer, "10.0.0.3", []string{"(4) Time Server", "Time Server: 10.0.0.3"}},
	{DNSServer, "10.0.0.4", []string{"(6) Domain Name Server", "Domain Name Server: 10.0.0.4"}},
	{LogServer, "10.0.0.5", []string{"(7) Log Server", "Log Server: 10.0.0.5"}},
	{RLPServer, "10.0.0.6", []string{"(11) Resource Location Server", "Resource Location Server: 10.0.0.6"}},
	{HostName, "pc-1", []string{"(12) Host Name", "Host Name: pc-1"}},
	{BootFileSize, "7", []string{"(13) Boot File Size", "Boot File Size: 7"}},
	{DomainName, "example.net", []string{"(15) Domain Name", "Domain Name: example.net"}},
	{RootPath, "/srv", []string{"(17) Root Path", "Root Path: /srv"}},
	{InterfaceMTU, "1400", []string{"(26) Interface MTU", "Interface MTU: 1400"}},
	{BroadcastAddress, "10.0.255.255", []string{"(28) Broadcast Address (10.0.255.255)"}},
	{StaticRoutes, "10.1.0.1 10.0.0.1", []string{"(33) Static Route", "Destination IP Address: 10.1.0.1", "Destination Router: 10.0.0.1"}},
	{NTPServers, "10.0.0.7", []string{"(42) Network Time Protocol Servers", "Network Time Protocol Server: 10.0.0.7"}},
	{VendorSpecific, "06 01 08", []string{"(43) Vendor-Specific Information (PXEClient)", "Bootstrap override: Set"}},
	{NetBIOSNameServers, "10.0.0.8", []string{"(44) NetBIOS over TCP/IP Name Server", "Name Server: 10.0.0.8"}},
	{NetBIOSNodeType, "8", []string{"(46) NetBIOS over TCP/IP Node Type", "H-node (8)"}},
	{LeaseTime, "3600", []string{"(51) IP Address Lease Time", "(3600s) 1 hour"}},
	{Message, "hello", []string{"(56) Message", "Message: hello"}},
	{RenewalTime, "1800", []string{"(58) Renewal Time Value", "(1800s) 30 minutes"}},
	{RebindingTime, "3150", []string{"(59) Rebinding Time Value", "(3150s)"}},
	{VendorClass, "PXEClient", []string{"(60) Vendor class identifier", "Vendor class identifier: PXEClient"}},
	{TFTPServerName, "10.0.0.9", []string{"(66) TFTP Server Name", "TFTP Server Name: 10.0.0.9"}},
	{BootFileName, "nbp.0", []string{"(67) Bootfile name", "Bootfile name: nbp.0"}},
	{PCode, "EST5EDT", []string{"(100) PCode", "TZ PCode: EST5EDT"}},
	{TCode, "Europe/Berlin", []string{"(101) TCode", "TZ TCode: Europe/Berlin"}},
	{AutoConfigure, "1", []string{"(116) DHCP Auto-Configuration", "AutoConfigure (1)"}},
	{DomainSearch, "lab.example.net, example.net", []string{"(119) Domain Search", "FQDN: lab.example.net", "FQDN: example.net"}},
	{ClasslessRoutes, "10.2.0.0/16 via 10.0.0.1, default via 10.0.0.2", []string{"(121) Classless Static Route", "10.2.0.0/16-10.0.0.1", "default-10.0.0.2"}},
	{VendorIdentifying, "00 00 01 37 03 01 01 07", []string{"(125) V-I Vendor-specific Information", "Enterprise: Microsoft (311)"}},
	{TFTPServers, "10.0.0.10", []string{"(150) TFTP Server Address", "TFTP Server Address: 10.0.0.10"}},
	{PXELinuxMagic, "f1 00 74 7e", []string{"(208) PXELINUX Magic", "Value: f100747e"}},
	{PXELinuxConfig, "cfg", []string{"(209) PXE Configuration file", "PXELINUX configuration file: cfg"}},
	{PXELinuxPrefix, "/pre", []string{"(210) PXE Path Prefix", "PXELINUX path prefix: /pre"}},
	{PXELinuxReboot, "30", []string{"(211) Reboot Time", "Value: 0000001e"}},
	{MicrosoftRoutes, "10.3.0.0/16 via 10.0.0.1", []string{"(249) Private/Classless Static Route (Microsoft)", "10.3.0.0/16-10.0.0.1"}},
	{WPAD, "http://w/", []string{"(252) Private/Proxy autodiscovery", "Private/Proxy autodiscovery: http://w/"}},
}
