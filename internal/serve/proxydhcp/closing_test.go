package proxydhcp

import (
	"bytes"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// TestClosing: a reply is never larger than the client takes (576 bytes here). Option 67 goes
// first, if the field file says the same, then option 82.
func TestClosing(t *testing.T) {
	short, long := strings.Repeat("f", 100), strings.Repeat("f", 200)
	for name, c := range map[string]struct {
		file           string
		info           int // bytes of option 82 in the request, 0 for none
		option67, echo bool
	}{
		"both fit":                       {file: short, info: 50, option67: true, echo: true},
		"not relayed":                    {file: short, option67: true},
		"one of both fits":               {file: short, info: 200, echo: true},
		"the file is in the option only": {file: long, info: 100, option67: true},
		"neither":                        {file: long, info: 255, option67: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := site(func(s *boot.Site) { s.Rules[2].File = c.file })
			req := request(func(*Heard) {}).Packet
			req.Del(dhcp4.MaxMessageSize)
			if c.info > 0 {
				req.Set(dhcp4.RelayAgentInfo, bytes.Repeat([]byte{7}, c.info))
			}
			answer := Decide(discover(func(*Heard) {}), s, nil).Decision.Answer
			p := EncodeBoot(edk2(), answer, nodeAt(s, testLink().Addrs[0].Addr()), req)
			b, err := p.Encode(576 - frame.Overhead)
			if err != nil {
				t.Fatalf("the reply: %v", err)
			}
			again, err := dhcp4.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			_, option67 := again.Get(dhcp4.BootFileName)
			info, echo := again.Get(dhcp4.RelayAgentInfo)
			if option67 != c.option67 || echo != c.echo {
				t.Errorf("option 67 %v, option 82 %v, want %v and %v", option67, echo, c.option67, c.echo)
			}
			if echo && len(info) != c.info {
				t.Errorf("option 82 of %d bytes, want the %d that came", len(info), c.info)
			}
		})
	}
}
