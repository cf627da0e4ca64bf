package lbpeer

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

var key = []byte("thirty-two bytes that both nodes know")

// full is the largest message.
func full() *Message {
	m := &Message{From: 1, To: 2, Seq: 3, Node: strings.Repeat("n", MaxNode), Service: netip.MustParseAddr("fd02::20"), Round: 9}
	m.Views = []View{{Service: netip.MustParseAddr("10.2.0.20"), Active: true}}
	for i := range MaxBackends {
		m.Views[0].Backends = append(m.Views[0].Backends, Backend{ID: uint32(i), Alive: i%2 == 0, Drained: i%3 == 0})
	}
	for i := range MaxClients {
		m.Clients = append(m.Clients, Client{netip.MustParseAddr(fmt.Sprintf("10.1.0.%d", i)), 7, uint32(i)})
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	for _, m := range []*Message{{From: 1}, {From: 5, To: 6, Node: "lb1", Views: []View{{}}}, full()} {
		b := Encode(m, key)
		if len(b) > 1472 {
			t.Errorf("%d bytes do not fit into a frame", len(b))
		}
		got, err := Decode(b, key)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, %v, want %+v", got, err, m)
		}
		if _, err := Decode(b, []byte("another")); !errors.Is(err, ErrKey) {
			t.Errorf("with another key: %v", err)
		}
		for i := range b {
			x := append([]byte{}, b...)
			x[i] ^= 4
			if _, err := Decode(x, key); err == nil {
				t.Errorf("byte %d was changed, and nobody noticed", i)
			}
			if _, err := Decode(b[:i], key); err == nil {
				t.Errorf("%d bytes of %d were read", i, len(b))
			}
		}
	}
}

// FuzzDecode reads what somebody with the key might send.
func FuzzDecode(f *testing.F) {
	f.Add(Encode(full(), key))
	f.Add(Encode(&Message{From: 1}, key))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= len(magic)+tagSize {
			b = append(b[:len(b)-tagSize:len(b)-tagSize], tag(b[:len(b)-tagSize], key)...)
		}
		m, err := Decode(b, key)
		if err != nil {
			return
		}
		again, err := Decode(Encode(m, key), key)
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
