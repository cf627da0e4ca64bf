package efi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/tftp"
)

const mangled = 1000 // damaged inputs a part

func TestParts(t *testing.T) {
	p := newParts(t)
	r := rand.New(rand.NewPCG(1, 2))

	t.Run("sha256", func(t *testing.T) {
		for n := range 260 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if got, want := p.ask("sha256", b), fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
				t.Errorf("%d bytes: %s, want %s", n, got, want)
			}
		}
	})

	t.Run("settings", func(t *testing.T) {
		const least = "surefoot-bdm 1\nid 0123\nversion 1.2\nfile snponly.efi\n"
		const plain = "id=0123 version=1.2 site=- file=snponly.efi sha256=0 static=0 ip=0.0.0.0 mask=0.0.0.0 gateway=0.0.0.0 dns=0 vlan=0 tries=2 timeout=2 wait=5"
		for _, c := range []struct{ text, want string }{
			{least + "server tftp://10.0.0.1/\n", plain + " server=10.0.0.1,69,snponly.efi"},
			{least + "# a remark\n\nserver tftp://10.0.0.1\nfuture thing\n", plain + " server=10.0.0.1,69,snponly.efi"},
			{least + "server tftp://a.b:6969/x/y/\nserver http://[::1]/\nserver http://10.0.0.2\nserver http://b:8080/p\n", plain +
				" server=a.b,6969,x/y/snponly.efi server=?,0,? server=10.0.0.2,80,/snponly.efi server=b,8080,/p/snponly.efi"},
			{
				least + "server tftp://x/\nip static 10.0.0.9/20 10.0.0.254\ndns 1.2.3.4\ndns 1.2.3.5\nvlan 4094\ntries 9\ntimeout 1\nwait 0\nsite hq\nbuilt 2026-01-01\nfile-bios a\nsha256 " + strings.Repeat("aB", 32) + "\n",
				"id=0123 version=1.2 site=hq file=snponly.efi sha256=1 static=1 ip=10.0.0.9 mask=255.255.240.0 gateway=10.0.0.254 dns=2 vlan=4094 tries=9 timeout=1 wait=0 server=x,69,snponly.efi",
			},
			{least, "refused"},
			{least + "server tftp://x/\nvlan 4095\n", "refused"},
			{least + "server tftp://x/\ntries 0\n", "refused"},
			{least + "server tftp://x/\ntimeout 4294967298\n", "refused"},
			{least + "server tftp://x/\nip static 10.0.0.9\n", "refused"},
			{least + "server tftp://x/\nip static 10.0.0.9/33\n", "refused"},
			{least + "server tftp://x/\nsha256 12\n", "refused"},
			{least + "server\n", "refused"},
			{least + strings.Repeat("server tftp://x/\n", 17), "refused"},
		} {
			if got := p.ask("settings", sealed(c.text)); got != c.want {
				t.Errorf("%s\ngot:  %s\nwant: %s", c.text, got, c.want)
			}
		}
		whole := least + "server tftp://10.0.0.1/\nip static 10.0.0.9/20 10.0.0.254\ndns 1.2.3.4\nvlan 4\nsha256 " + strings.Repeat("ab", 32) + "\n"
		for range mangled {
			p.ask("settings", sealed(string(damage(r, []byte(whole)))))
			if got := p.ask("settings", damage(r, sealed(whole)[:300])); got != "refused" && !strings.HasPrefix(got, "id=0123 version=1.2 site=-") {
				t.Errorf("damaged settings are taken: %s", got)
			}
		}
	})

	t.Run("dhcp", func(t *testing.T) {
		full := offer(t)
		text := p.ask("frame", inUDP(full))
		ack := p.ask("ack", full)
		d, err := dhcp4.Decode(full)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range d.Options {
			if o.Code != 52 && !strings.Contains(text+" ", fmt.Sprintf(" %d=%x ", o.Code, o.Data)) {
				t.Errorf("option %s is not seen in: %s", o.Code, text)
			}
		}
		raw, err := hex.DecodeString(ack)
		if err != nil {
			t.Fatal(err)
		}
		a, err := dhcp4.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if a.Type() != dhcp4.ACK || a.YIAddr != d.YIAddr || a.SIAddr.String() != "10.0.0.9" || a.SName != "10.0.0.9" || a.File != "boot/x.efi" ||
			a.Text(66) != "10.0.0.9" || a.Text(67) != "boot/x.efi" || a.XID != d.XID {
			t.Errorf("what the bootstrap finds: %+v", a)
		}
		for _, o := range d.Options {
			got, there := a.Get(o.Code)
			switch o.Code {
			case 53, 66, 67:
			case 43, 52, 150:
				if there {
					t.Errorf("option %s names other servers, and is left", o.Code)
				}
			default:
				if string(got) != string(o.Data) {
					t.Errorf("option %s is %x, want %x", o.Code, got, o.Data)
				}
			}
		}
		for range mangled {
			b := damage(r, full)
			p.ask("frame", inUDP(b))
			p.ask("frame", damage(r, inUDP(full)))
			p.ask("ack", b)
		}
	})

	t.Run("dns", func(t *testing.T) {
		reply := []byte("\x12\x34\x85\x80\x00\x01\x00\x03\x00\x00\x00\x00\x04boot\x02hq\x00\x00\x01\x00\x01" +
			"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x09\x00\x07\x04real\xc0\x11" + "\xc0\x23\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04\x0a\x00\x00\x07" +
			"\xc0\x23\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04\x0a\x00\x00\x08")
		if got := p.ask("dns", reply); got != "10.0.0.7 10.0.0.8 " {
			t.Errorf("addresses %s, want 10.0.0.7 and 10.0.0.8", got)
		}
		many := append([]byte(nil), reply[:len(reply)-32]...) // one name, and more addresses than there is room for
		many[7] = 101
		many = append(many, []byte(strings.Repeat("\xc0\x23\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04\x0a\x00\x00\x08", 60))...)
		if got := p.ask("dns", many); strings.Count(got, "10.0.0.8 ") != 8 {
			t.Errorf("of many addresses: %s", got)
		}
		for range mangled {
			p.ask("dns", damage(r, reply))
		}
	})

	t.Run("oack", func(t *testing.T) {
		oack := func(o ...tftp.Option) []byte { return tftp.AppendOACK(nil, o) }
		for _, c := range []struct {
			packet []byte
			want   string
		}{
			{oack(tftp.Option{Name: "tsize", Value: "70000"}, tftp.Option{Name: "BLKSIZE", Value: "1468"}, tftp.Option{Name: "windowsize", Value: "4"}), "block=1468 window=4 size=70000"},
			{oack(tftp.Option{Name: "x-surefoot-bdm", Value: "seen"}), "block=512 window=1 size=0"},
			{oack(tftp.Option{Name: "blksize", Value: "1469"}), "refused"},
			{oack(tftp.Option{Name: "blksize", Value: "7"}), "refused"},
			{oack(tftp.Option{Name: "windowsize", Value: "0"}), "refused"},
			{oack(tftp.Option{Name: "windowsize", Value: "5"}), "refused"},
			{oack(tftp.Option{Name: "tsize", Value: "536870913"}), "refused"},
		} {
			if got := p.ask("oack", c.packet); got != c.want {
				t.Errorf("%q: %s, want %s", c.packet, got, c.want)
			}
		}
		for range mangled {
			p.ask("oack", damage(r, oack(tftp.Option{Name: "tsize", Value: "70000"}, tftp.Option{Name: "blksize", Value: "1468"})))
		}
	})
}

// sealed is the settings' text form.
func sealed(lines string) []byte {
	text := lines + fmt.Sprintf("crc %08x\n", crc32.ChecksumIEEE([]byte(lines)))
	return []byte(text + strings.Repeat("\n", max(0, 4096-len(text))))
}

// offer is a DHCP message whose options go on in the fields file and sname.
func offer(t *testing.T) []byte {
	t.Helper()
	p := &dhcp4.Packet{Op: 2, HType: 1, HLen: 6, XID: 0x01020304, YIAddr: netip.MustParseAddr("10.0.0.20")}
	p.SetType(dhcp4.Offer)
	for _, c := range []dhcp4.Code{1, 3, 6, 54} {
		p.SetAddr(c, netip.AddrFrom4([4]byte{10, 0, 0, byte(c)}))
	}
	p.SetText(66, "other.example")
	p.SetText(67, "other.efi")
	p.Set(43, []byte{6, 1, 8, 255})
	p.SetAddr(150, netip.MustParseAddr("10.9.9.9"))
	p.SetText(15, "hq.example")
	b, err := p.Encode(1472)
	if err != nil {
		t.Fatal(err)
	}
	// Overloaded by hand: options 12 and 28 are in the other fields (RFC 2132 section 9.3).
	end := len(b) - 1
	for b[end] != 255 {
		end--
	}
	b = append(b[:end], 52, 1, 3, 255)
	copy(b[108:], "\x0c\x05named\xff")
	copy(b[44:], "\x1c\x04\x0a\x00\x00\xff\xff")
	return append(b, make([]byte, max(0, 300-len(b)))...)
}

// inUDP puts a message into a packet to port 68.
func inUDP(message []byte) []byte {
	b := make([]byte, 28, 28+len(message))
	b[0], b[9] = 0x45, 17
	binary.BigEndian.PutUint16(b[2:], uint16(28+len(message)))
	binary.BigEndian.PutUint16(b[22:], 68)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(message)))
	return append(b, message...)
}
