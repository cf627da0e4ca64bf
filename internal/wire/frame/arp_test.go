package frame

import (
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"surefoot/internal/boot"
)

func TestARP(t *testing.T) {
	own, him := boot.MAC{2, 0, 0, 0, 0, 1}, boot.MAC{2, 0, 0, 0, 0, 2}
	target := netip.MustParseAddr("10.77.0.9")
	probe := AppendProbe(nil, own, target)
	p := gopacket.NewPacket(probe, layers.LayerTypeEthernet, gopacket.Default)
	arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP)
	if !ok || arp.Operation != layers.ARPRequest || netip.AddrFrom4([4]byte(arp.SourceProtAddress)) != netip.IPv4Unspecified() ||
		netip.AddrFrom4([4]byte(arp.DstProtAddress)) != target || boot.MAC(arp.SourceHwAddress) != own {
		t.Errorf("gopacket reads %+v", arp)
	}
	want := ARP{Op: ARPReply, SenderMAC: him, TargetMAC: own, Sender: target, Target: netip.IPv4Unspecified()}
	frame := want.Append(nil, own)
	if got, err := ParseARP(frame); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for n := range frame {
		if _, err := ParseARP(frame[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken for a packet", n, len(frame))
		}
	}
}
