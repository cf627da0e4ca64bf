package dhcp4

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
	"surefoot/internal/wire/pxe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// captures are boots of real firmware, by name.
func captures(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range []string{"testdata/captures", "../proxydhcp/testdata/captures"} {
		files, err := filepath.Glob(dir + "/*.pcap")
		if err != nil || len(files) == 0 {
			t.Fatalf("captures in %s: %v, %v", dir, files, err)
		}
		for _, f := range files {
			out[strings.TrimSuffix(filepath.Base(f), ".pcap")] = f
		}
	}
	return out
}

// serverPackets reads what clients sent to port 67 from a capture, as bytes.
func serverPackets(t testing.TB, file string) (out [][]byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, _, err := r.ReadPacketData()
		if err != nil {
			break
		}
		d, err := frame.Parse(b)
		if err == nil && d.Dst.Port() == wire.ServerPort && d.Src.Port() == wire.ClientPort {
			out = append(out, d.Payload)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no client packets", file)
	}
	return out
}

// TestCaptures lets the role answer every client packet of real boots. A REQUEST takes the last offer, as the
// machine would have.
func TestCaptures(t *testing.T) {
	for name, file := range captures(t) {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t, nil)
			var b strings.Builder
			var offered netip.Addr
			for i, raw := range serverPackets(t, file) {
				p, err := wire.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				if p.Type() == wire.Request && p.Addr(wire.ServerID).IsValid() {
					p.SetAddr(wire.ServerID, addr("10.77.0.2"))
					p.SetAddr(wire.RequestedAddress, offered)
				}
				fmt.Fprintf(&b, "== packet %d\n%s", i+1, pxe.Summary(p))
				o, reply := k.hear(p, nil)
				fmt.Fprintf(&b, "-- %s", o.Reason)
				if reply == nil {
					b.WriteString("\n\n")
					continue
				}
				if reply.Type() == wire.Offer {
					offered = reply.YIAddr
				}
				limit := p.MaxSize() - frame.Overhead
				raw, err := reply.Encode(limit)
				if err != nil {
					t.Errorf("packet %d: %v", i+1, err)
				}
				fmt.Fprintf(&b, ", %s\n%s", o.Route, pxe.Summary(reply))
				for options := raw[240:]; len(options) > 0; options = options[min(len(options), 32):] {
					fmt.Fprintf(&b, "    %s\n", hex.EncodeToString(options[:min(len(options), 32)]))
				}
				b.WriteString("\n")
			}
			golden(t, name, b.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", file, got)
	}
}

// TestWhatFirmwareMakesOfIt lets EDK2's own rules judge the offers (F1, F2): alone, and with a stranger's
// proxy beside us. A boot must never depend on a port 4011 that nobody serves (finding 4).
func TestWhatFirmwareMakesOfIt(t *testing.T) {
	stranger := func() *wire.Packet { // a proxy with option 43
		p := &wire.Packet{Op: wire.OpReply, SIAddr: addr("10.77.0.66"), File: "evil.efi"}
		p.SetType(wire.Offer)
		p.SetText(wire.VendorClass, pxe.PXEClient)
		p.SetText(wire.VendorSpecific, takeBootFile)
		return p
	}
	for _, arch := range []boot.Arch{boot.ArchBIOS, boot.ArchX64} {
		for _, service := range []bool{true, false} {
			k := newDesk(t, func(cfg *Config, _ []lease.Pool) { cfg.BootService = service })
			_, offer := k.hear(rom(clientMAC, arch, 1), nil)
			class := pxe.ClassOfOffer(offer)
			want := pxe.OfferDHCPOnly
			if service {
				want = pxe.OfferPXE10
			}
			if class != want {
				t.Errorf("%s, 4011 served %t: the offer is %s, want %s", arch, service, class, want)
			}
			if c := pxe.ChooseOffer([]*wire.Packet{offer}); c.Address != 0 || c.Boot != 0 || pxe.BootFile(offer) == "" || !offer.SIAddr.IsValid() {
				t.Errorf("%s, 4011 served %t: alone it comes to %+v", arch, service, c)
			}
			c := pxe.ChooseOffer([]*wire.Packet{stranger(), offer})
			if ours := c.Boot == 1; c.Address != 1 || ours != service {
				t.Errorf("%s, 4011 served %t: with a stranger's proxy it comes to %+v", arch, service, c)
			}
		}
	}
}

// TestForms: what the families are told, in the fields that they read.
func TestForms(t *testing.T) {
	client := func(fw boot.Firmware, arch boot.Arch) boot.Client {
		c := boot.Client{MAC: clientMAC, Arch: arch, Firmware: fw, UUID: boot.UUID{1}}
		c.IPXE = boot.IPXEFeatures{Known: fw == boot.FirmwareIPXE, HTTP: true}
		if fw == boot.FirmwareRPi {
			c.MAC = boot.MAC{0xdc, 0xa6, 0x32, 0, 0, 1}
		}
		return c
	}
	script := "http://10.77.0.2:8067/boot.ipxe?mac=52:54:00:00:00:01&arch=7&uuid=00000001-0000-0000-0000-000000000000"
	for _, c := range []struct {
		c                    boot.Client
		class, file, opt67   string
		siaddr, sname, opt66 string
		opt43, opt175        string
	}{
		{client(boot.FirmwarePXE, boot.ArchBIOS), "PXEClient", "nbp.0", "nbp.0\x00", "10.77.0.2", "10.77.0.2", "10.77.0.2", takeBootFile, ""},
		{client(boot.FirmwareEDK2, boot.ArchX64), "PXEClient", "efi/nbp.efi", "efi/nbp.efi\x00", "10.77.0.2", "10.77.0.2", "10.77.0.2", takeBootFile, ""},
		{client(boot.FirmwareUEFIHTTP, boot.ArchX64HTTP), "HTTPClient", "", "http://10.77.0.2:8067/efi/nbp.efi\x00", "10.77.0.2", "", "", "", ""},
		{client(boot.FirmwareIPXE, boot.ArchX64), "", script, script + "\x00", "10.77.0.2", "", "", "", noPXEDHCP},
		{client(boot.FirmwareRPi, boot.ArchBIOS), "PXEClient", "nbp.0", "nbp.0\x00", "10.77.0.2", "10.77.0.2", "10.77.0.2", string(pxe.RaspberryMenu().Bytes()), ""},
	} {
		p := pxe.DiscoverOf(c.c)
		_, offer := newDesk(t, nil).hear(p, nil)
		get := func(code wire.Code) string { b, _ := offer.Get(code); return string(b) }
		for what, is := range map[string][2]string{
			"option 60": {get(wire.VendorClass), c.class}, "file": {offer.File, c.file}, "option 67": {get(wire.BootFileName), c.opt67},
			"siaddr": {offer.SIAddr.String(), c.siaddr}, "sname": {offer.SName, c.sname}, "option 66": {get(wire.TFTPServerName), c.opt66},
			"option 43": {get(wire.VendorSpecific), c.opt43}, "option 175": {get(wire.IPXE), c.opt175},
		} {
			if is[0] != is[1] {
				t.Errorf("%s, %s: %s is %q, want %q", c.c.Firmware, c.c.Arch, what, is[0], is[1])
			}
		}
	}
}

// TestManyServers: option 66 names one server, or all where the scope says so; 150 and 11 name all.
func TestManyServers(t *testing.T) {
	for mode, want := range map[ListMode]string{ListFirst: "10.77.0.2", ListAll: "10.77.0.2;10.77.0.3;10.77.0.21"} {
		k := newDesk(t, func(cfg *Config, _ []lease.Pool) { cfg.Scopes[0].Option66 = mode })
		p := rom(clientMAC, boot.ArchBIOS, 1)
		p.Set(wire.ParameterList, []byte{66, 150, 11})
		_, offer := k.hear(p, nil)
		if got := offer.Text(wire.TFTPServerName); got != want {
			t.Errorf("option 66 is %q, want %q", got, want)
		}
		for _, code := range []wire.Code{wire.TFTPServers, wire.RLPServer} {
			if b, _ := offer.Get(code); hex.EncodeToString(b) != "0a4d0002"+"0a4d0003"+"0a4d0015" {
				t.Errorf("%s is %x", code, b)
			}
		}
	}
}

// TestDeadServer: a server that is known to be down leaves every field.
func TestDeadServer(t *testing.T) {
	k := newDesk(t, nil)
	k.d.down = func(server, _ string, _ boot.Protocol) bool { return server == "boot1" }
	p := rom(clientMAC, boot.ArchBIOS, 1)
	p.Set(wire.ParameterList, []byte{66, 150})
	_, offer := k.hear(p, nil)
	if offer.SIAddr != addr("10.77.0.3") || offer.SName != "10.77.0.3" || offer.Text(wire.TFTPServerName) != "10.77.0.3" {
		t.Errorf("%s", pxe.Summary(offer))
	}
}

// TestDiscoverStyle: the list of nodes in option 43, where the network asks for it and port 4011 is served.
func TestDiscoverStyle(t *testing.T) {
	k := newDesk(t, func(cfg *Config, _ []lease.Pool) { cfg.Site.Networks[0].BIOS = boot.BIOSDiscover })
	_, offer := k.hear(rom(clientMAC, boot.ArchBIOS, 1), nil)
	b, _ := offer.Get(wire.VendorSpecific)
	v, err := pxe.ParseVendor(b)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := v.Get(pxe.SubServers)
	list, err := pxe.ParseServers(data)
	if err != nil || len(list) != 1 || len(list[0].Addrs) != 2 || list[0].Addrs[0] != addr("10.77.0.2") {
		t.Errorf("servers(8): %v, %v", list, err)
	}
}
