package bpf

import (
	"net/netip"
	"testing"
)

const ms = 1_000_000

// What is remembered of a client decides, until it is too old or its backend is gone.
func TestClients(t *testing.T) {
	p := open(t)
	key := Client{vips[0].As16(), clients[0].As16()}
	ack := request(false)
	ack.dport, ack.payload = 40000, []byte{0, 4, 0, 1}
	ask := request(false)
	asked := func(ago, port uint64) func() Kept {
		return func() Kept {
			return Kept{Seen: Clock() - ago*ms, Asked: Clock() - ago*ms, ID: 8, Port: uint16(port<<8 | port>>8), Backend: 1}
		}
	}
	kept := func(ago uint64, id uint32, place uint8) func() Kept {
		return func() Kept { return Kept{Seen: Clock() - ago*ms, ID: id, Backend: place} }
	}
	for _, c := range []struct {
		name    string
		kept    func() Kept
		frame   frame
		service func(*Service)
		want    int // backend
		retry   uint64
		fresh   uint64
	}{
		{"nobody knows it", nil, ask, nil, 0, 0, 1},
		{"it has one", kept(0, 8, 1), ask, nil, 1, 0, 0},
		{"it has one, and the port of its transfer is not among those named", kept(0, 8, 1), ack, only(17, 69), 1, 0, 0},
		{"it has been silent for too long", kept(101_000, 8, 1), ask, nil, 0, 0, 1},
		{"its backend is dead", kept(0, 8, 1), ack, func(s *Service) { s.Backend[1].Flags = 0 }, 0, 0, 1},
		{"its backend is drained", kept(0, 8, 1), ask, func(s *Service) { s.Backend[1].Flags = Drained }, 1, 0, 0},
		{"another backend has the place", kept(0, 80, 1), ack, nil, 0, 0, 1},
		{"the place is no more", kept(0, 8, 60), ack, nil, 0, 0, 1},
		{"it repeats its request", asked(1000, 2070), ask, nil, 0, 1, 0},
		{"it repeats its request, too soon", asked(0, 2070), ask, nil, 1, 0, 0},
		{"it repeats its request, long after", asked(61_000, 2070), ask, nil, 1, 0, 0},
		{"it asks again from another port", asked(1000, 2071), ask, nil, 1, 0, 0},
		{"it goes on", asked(1000, 2070), ack, nil, 1, 0, 0},
		{"it repeats its request to nobody else", asked(1000, 2070), ask, func(s *Service) {
			s.Backend[0].Flags, s.Backend[2].Flags = 0, 0
			for i := range s.Slot {
				s.Slot[i] = 1
			}
		}, 1, 1, 0},
		{"it repeats its request again: who is next in turn", func() Kept { k := asked(1000, 2070)(); k.Tries = 1; return k }, ask, nil, 2, 1, 0},
	} {
		for _, way := range ways() {
			t.Run(c.name+"/"+string(way), func(t *testing.T) {
				both(t, p, c.service)
				if c.kept != nil {
					if err := p.Set(key, c.kept()); err != nil {
						t.Fatal(err)
					}
				}
				v, out, _ := try(t, p, way, c.frame.bytes(t))
				if v != Sent || [6]byte(out[:6]) != back[c.want] {
					t.Fatalf("%s to %x, want %x", v, out[:6], back[c.want])
				}
				n, err := p.Count(uint32(c.want))
				asks := uint64(0)
				if c.frame.dport == 69 {
					asks = 1
				}
				if want := (Count{1, uint64(len(out)), asks, c.retry, c.fresh}); err != nil || n != want {
					t.Errorf("counted %+v, want %+v, %v", n, want, err)
				}
				k, ok := p.Kept(key)
				if !ok || int(k.Backend) != c.want || k.ID != uint32(c.want+7) {
					t.Errorf("remembered %+v", k)
				}
				if (k.Asked != 0) != (asks == 1) {
					t.Errorf("the request is remembered: %v", k.Asked != 0)
				}
			})
		}
	}
}

// By turn each new client gets the next slot, and keeps what it got.
func TestTurns(t *testing.T) {
	for _, way := range ways() {
		p := open(t)
		both(t, p, func(s *Service) {
			s.By, s.Slots = ByTurn, 3
			s.Slot[0], s.Slot[1], s.Slot[2] = 2, 0, 2
		})
		var got []byte
		for i := range byte(6) {
			f := request(false)
			a := f.from.As4()
			a[3] = i
			f.from = netip.AddrFrom4(a)
			for range 2 {
				_, out, _ := try(t, p, way, f.bytes(t))
				got = append(got, out[5])
			}
		}
		if want := "\x33\x33\x31\x31\x33\x33\x33\x33\x31\x31\x33\x33"; string(got) != want {
			t.Errorf("%s: %x, want %x", way, got, want)
		}
	}
}
