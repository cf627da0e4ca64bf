package bpf

import (
	"bytes"
	"testing"
)

// FuzzFrame shows both programs whatever there is. What goes out differs in its MACs alone, and only what is for
// a service, on this node's MAC, goes out at all; both programs agree.
func FuzzFrame(f *testing.F) {
	for _, c := range verdicts {
		f.Add(c.frame(f))
	}
	p := open(f)
	both(f, p, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 14 || len(b) > 3000 {
			return
		}
		var said [2]Verdict
		for i, way := range ways() {
			v, out, err := p.Try(way, b)
			if err != nil {
				if way == TCX {
					return // the test run makes no such packet
				}
				t.Fatal(err)
			}
			said[i] = v
			for n := range vips { // what one program remembers is not to lead the other
				_ = p.Forget(Client{vips[n].As16(), clients[n].As16()})
			}
			switch v {
			case Sent:
				if [6]byte(b[:6]) != own {
					t.Errorf("%s: sent on what is for somebody else", way)
				}
				if len(out) != len(b) || !bytes.Equal(out[12:], b[12:]) || [6]byte(out[6:12]) != own || out[5] < 0x31 || out[5] > 0x33 || !bytes.Equal(out[:5], own[:5]) {
					t.Errorf("%s: went out as %x", way, out)
				}
				four, six := vips[0].As4(), vips[1].As16()
				if !bytes.Contains(b[14:], four[:]) && !bytes.Contains(b[14:], six[:]) {
					t.Errorf("%s: sent on what is for no service", way)
				}
			case Passed, Dropped:
				if !bytes.Equal(out, b) {
					t.Errorf("%s: changed what it does not send", way)
				}
			default:
				t.Errorf("%s: %s", way, v)
			}
		}
		if said[0] != said[1] {
			t.Errorf("xdp: %s, tcx: %s", said[0], said[1])
		}
	})
}
