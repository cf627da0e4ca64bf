package e2e

import (
	"encoding/hex"
	"strings"
	"testing"

	"surefoot/internal/lab"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/tftp"
)

// fromMedium returns the DHCP messages that the machine sent, in order, by a codec that is not the program's.
func (s *stage) fromMedium(t *testing.T) (sent []*dhcp4.Packet) {
	t.Helper()
	for _, u := range s.datagrams(func(u lab.UDP) bool { return u.Dst.Port() == 67 && u.Src.Addr().IsUnspecified() }) {
		p, err := dhcp4.Decode(u.Payload)
		if err != nil {
			t.Errorf("a message that is not DHCP: %v\n%s", err, hex.Dump(u.Payload))
			continue
		}
		if mac, ok := p.MAC(); !ok || mac.String() != mediumMAC {
			continue
		}
		if len(u.Payload) < 300 {
			t.Errorf("%s: %d bytes, want 300 at least", p.Type(), len(u.Payload))
		}
		sent = append(sent, p)
	}
	return sent
}

// checkDiscovers looks at what the machine asked for an address.
func (s *stage) checkDiscovers(t *testing.T) {
	t.Helper()
	seen := map[dhcp4.MessageType]int{}
	for _, p := range s.fromMedium(t) {
		seen[p.Type()]++
		for code, want := range map[dhcp4.Code]string{
			60: "PXEClient:Arch:00007:UNDI:003000",
			77: "Surefoot-BDM id=" + mediumID + " v=" + mediumVersion,
			93: "\x00\x07",
			94: "\x01\x03\x00",
			// In the order of SMBIOS, in which the first three parts are little endian.
			97: "\x00\x00\x07\xf0\x50\xb0\x1a\x00\x40\x80\x00\x52\x54\x00\x77\x09\x01",
		} {
			if got, _ := p.Get(code); string(got) != want {
				t.Errorf("%s: option %s is %q, want %q", p.Type(), code, got, want)
			}
		}
		if got, ok := p.Get(61); ok {
			t.Errorf("%s: option 61 is %x: the lease of the PXE ROM would not be found", p.Type(), got)
		}
	}
	if seen[dhcp4.Discover] == 0 || seen[dhcp4.Request] == 0 {
		t.Errorf("messages seen: %v", seen)
	}
}

// checkReadRequests looks at what the machine asked a server for.
func (s *stage) checkReadRequests(t *testing.T, file, server string) {
	t.Helper()
	asked := s.datagrams(func(u lab.UDP) bool { return u.IsReadRequest() && u.Dst.Addr().String() == server })
	if len(asked) == 0 {
		t.Errorf("%s was not asked for anything", server)
	}
	for _, u := range asked {
		r, err := tftp.ParseRequest(u.Payload)
		if err != nil {
			t.Errorf("%v\n%s", err, hex.Dump(u.Payload))
			continue
		}
		got := r.File + " " + strings.ToLower(r.Mode) + " " + tftp.FormatOptions(r.Options)
		if want := file + " octet tsize=0 blksize=1468 windowsize=4 x-surefoot-bdm=" + mediumID + "/" + mediumVersion; got != want {
			t.Errorf("read request: %s\nwant:         %s", got, want)
		}
	}
}
