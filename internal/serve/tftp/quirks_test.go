package tftp

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// captured are the read requests of a capture, each with its time.
func captured(t *testing.T, name string) (requests []wire.Request, at []time.Time) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/captures", name))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		udp, ok := gopacket.NewPacket(data, r.LinkType(), gopacket.NoCopy).Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok || udp.DstPort != 69 {
			continue
		}
		req, err := wire.ParseRequest(udp.Payload)
		if err != nil {
			t.Fatal(err)
		}
		requests, at = append(requests, req), append(at, info.Timestamp)
	}
	if len(requests) == 0 {
		t.Fatalf("%s: no request", name)
	}
	return requests, at
}

// Each request that real firmware sent is recognised for what it is.
func TestQuirksOfCaptures(t *testing.T) {
	want := map[string][]string{ // of the requests in order; the last name holds for the rest
		"ovmf-pxe4-proxy1.pcap":               {"edk2-size-probe", "edk2"},
		"ovmf-pxe6.pcap":                      {"edk2-size-probe", "edk2"},
		"bios-pxelinux.0.pcap":                {"ipxe", "pxelinux"}, // the ROM is iPXE
		"ipxe-tftp-closed-port-realtime.pcap": {"ipxe"},
		"sb-shim-grub-pxe.pcap":               {"edk2-size-probe", "edk2", "edk2", "edk2", "edk2", "edk2", ""}, // GRUB has none
	}
	for file, names := range want {
		requests, _ := captured(t, file)
		for i, r := range requests {
			got := strings.Join(mannersFor(r).names, " ")
			if w := names[min(i, len(names)-1)]; got != w {
				t.Errorf("%s, request %d, %q %s: %q, want %q", file, i, r.File, wire.FormatOptions(r.Options), got, w)
			}
		}
	}
}

// The time-outs that the table has are those of the capture.
func TestQuirkIPXEOwnTimeout(t *testing.T) {
	r, at := captured(t, "ipxe-tftp-closed-port-realtime.pcap")
	m := mannersFor(r[0])
	for i, want := 1, m.own; i < len(at); i, want = i+1, 2*want {
		if wait := at[i].Sub(at[i-1]); (wait - want).Abs() > want/10 {
			t.Errorf("repetition %d after %s, want %s", i, wait, want)
		}
	}
	if !m.grows || newRTO(0, m).first > m.own/2 {
		t.Errorf("%+v: first wait %s", m, newRTO(0, m).first)
	}
}

func request(pairs ...string) wire.Request {
	r := wire.Request{Op: wire.OpRRQ, File: "f", Mode: "octet"}
	for i := 0; i < len(pairs); i += 2 {
		r.Options = append(r.Options, wire.Option{Name: pairs[i], Value: pairs[i+1]})
	}
	return r
}

// Requests that were reported, not captured.
func TestQuirksOfReports(t *testing.T) {
	f := func(want string, r wire.Request) {
		t.Helper()
		if got := strings.Join(mannersFor(r).names, " "); got != want {
			t.Errorf("%s: %q, want %q", wire.FormatOptions(r.Options), got, want)
		}
	}
	f("edk2-size-probe", request("tsize", "0", "blksize", "1468")) // fbtftp#51
	f("raspberry-pi", request("tsize", "0", "blksize", "1024"))    // rpi-eeprom#74
	f("raspberry-pi", request("tsize", "0"))                       // firmware#1041
	f("msftwindow", request("tsize", "0", "blksize", "1456", "msftwindow", "31416"))
	f("", request())                                                // shim, old ROMs
	f("", request("timeout", "5", "tsize", "0", "blksize", "1468")) // U-Boot: its time-out is an option
	f("", request("blksize", "1024", "tsize", "0"))                 // GRUB
	f("", request("tsize", "0", "blksize", "1468", "timeout", "3")) // somebody else
	f("", request("blksize", "512", "timeout", "6"))
}

// F27: no first wait is longer than a second, nor than half of the client's own where that is known,
// and none of those that follow unless the client's grow as well.
func TestWaitsOfQuirks(t *testing.T) {
	cases := []manners{{}}
	for _, q := range quirks() {
		cases = append(cases, manners{own: q.own, grows: q.grows})
	}
	for _, m := range cases {
		for _, timeout := range []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second, 255 * time.Second} {
			own := m.own
			if timeout > 0 {
				own = timeout
			}
			r := newRTO(timeout, m)
			check := func(what string, grows bool) {
				t.Helper()
				if r.now > time.Second || own > 0 && r.now > own/2 && !grows || r.now < minRTO {
					t.Errorf("%+v, timeout %s: %s %s", m, timeout, what, r.now)
				}
			}
			check("first wait", false)
			for range 10 {
				r.double()
				check("later wait", m.grows && timeout == 0)
			}
			r.measure(2 * time.Millisecond)
			r.settle()
			check("wait on a near way", false)
			if r.now != minRTO {
				t.Errorf("%+v: %s on a way of 2 ms", m, r.now)
			}
			for range 20 {
				r.measure(400 * time.Millisecond)
			}
			if r.settle(); r.now < 400*time.Millisecond || r.now > time.Second {
				t.Errorf("%+v: %s on a way of 400 ms", m, r.now)
			}
		}
	}
}

// A Raspberry Pi's look at a file is no failure, at any block; the same words of another client are.
func TestEarlyTerminate(t *testing.T) {
	f := func(r wire.Request, want boot.Reason) {
		t.Helper()
		p, granted := wire.Negotiate(r.Options, wire.Limits{}, 5000)
		s := newSender(5000, p, len(granted) > 0, true)
		s.mind(mannersFor(r))
		s.step(epoch, input{kind: begin})
		s.step(epoch, acked(0))
		s.step(epoch, acked(1))
		do := s.step(epoch, input{kind: clientError, code: wire.ErrUndefined, text: "Early terminate"})
		if do.end != want {
			t.Errorf("%s: %s, want %s", wire.FormatOptions(r.Options), do.end, want)
		}
	}
	f(request("tsize", "0", "blksize", "1024"), boot.TsizeProbe)
	f(request("blksize", "1024", "tsize", "0"), boot.ClientError)
}

// Every quirk has its proof, and those that are captures are there.
func TestQuirksHaveEvidence(t *testing.T) {
	var names []string
	page, err := os.ReadFile("../../../docs/tftp.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range quirks() {
		if !bytes.Contains(page, []byte("| `"+q.name+"` |")) {
			t.Errorf("docs/tftp.md does not know %s", q.name)
		}
		if q.name == "" || q.does == "" || q.so == "" || q.is == nil || slices.Contains(names, q.name) {
			t.Errorf("%q: name, what it does, what follows and how it is known are needed, once", q.name)
		}
		names = append(names, q.name)
		if !regexp.MustCompile(`\bF\d+|#\d+`).MatchString(q.evidence) {
			t.Errorf("%s: no fact and no thread in %q", q.name, q.evidence)
		}
		for _, file := range regexp.MustCompile(`[\w.-]+\.pcap`).FindAllString(q.evidence, -1) {
			if _, err := os.Stat(filepath.Join("testdata/captures", file)); err != nil {
				t.Errorf("%s: %v", q.name, err)
			}
		}
	}
}

func TestOffers(t *testing.T) {
	o := offers{
		general:  Offer{WindowSize: 8},
		networks: []NetworkOffer{{"old", netip.MustParsePrefix("10.1.0.0/16"), Offer{Refuse: []string{"windowsize", "tsize"}, BlockSize: 1428}}},
	}
	f := func(client string, asked wire.Request, granted, withheld string) {
		t.Helper()
		offer, whose := o.to(netip.MustParseAddr(client))
		_, got := wire.Negotiate(asked.Options, offer.limits(), 5000)
		if g, w := wire.FormatOptions(got), offer.withheld(whose, asked.Options, got); g != granted || w != withheld {
			t.Errorf("%s: granted %q, withheld %q; want %q, %q", client, g, w, granted, withheld)
		}
	}
	all := request("BLKSIZE", "1468", "tsize", "0", "WindowSize", "16")
	f("10.2.0.1", all, "BLKSIZE=1468 tsize=5000 WindowSize=8", "windowsize at most 8 (site file)")
	f("10.1.0.1", all, "BLKSIZE=1428", "blksize at most 1428, tsize refused, windowsize refused (site file, network old)")
	f("10.1.0.1", request("blksize", "512"), "blksize=512", "")
	f("10.1.0.1", request("tsize", "0"), "", "tsize refused (site file, network old)")
	o = offers{}
	f("10.1.0.1", request("windowsize", "1000"), "windowsize=64", "")
}
