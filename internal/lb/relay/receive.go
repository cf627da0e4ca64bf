package relay

import (
	"fmt"
	"strconv"
	"strings"

	wire "surefoot/internal/wire/tftp"
)

// What the relay asks of a backend: blocks that fit into any Ethernet frame, in windows.
const (
	blockSize  = 1428
	windowSize = 16
)

// receiver is the relay's side of one download from a backend, as a pure machine: packets in, packets
// out. It has no socket and no clock.
type receiver struct {
	asked     []wire.Option
	blockSize int
	window    int
	size      int64 // announced by tsize; -1: not known

	last    []byte // the packet to send again after silence
	ack     [4]byte
	oack    bool
	block   int64 // the last block received in turn, counted from 1 without wrapping
	unacked int   // blocks since the last ACK
	gap     bool  // the gap at hand has been complained of already
	again   bool  // the backend has begun to send blocks that came already
	done    bool
}

// newReceiver begins a download. netascii goes without tsize: to know it takes reading the whole file,
// and tftpd-hpa refuses such a request. plain asks for nothing at all.
func newReceiver(file, mode string, plain bool) *receiver {
	r := &receiver{blockSize: wire.DefaultBlockSize, window: 1, size: -1}
	if !plain {
		r.asked = []wire.Option{
			{Name: wire.OptTsize, Value: "0"},
			{Name: wire.OptBlockSize, Value: strconv.Itoa(blockSize)},
			{Name: wire.OptWindowSize, Value: strconv.Itoa(windowSize)},
		}
		if mode != "octet" {
			r.asked = r.asked[1:]
		}
	}
	r.last = wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: file, Mode: mode, Options: r.asked})
	return r
}

// said is an ERROR of a backend.
type said struct {
	code wire.ErrorCode
	text string
}

func (e *said) Error() string { return fmt.Sprintf("it answered ERROR %s: %.100q", e.code, e.text) }

// receive takes a packet of the backend. send is the packet to answer with, nil if none, good until
// the next one; data is the content of the next block, nil if none is new.
func (r *receiver) receive(b []byte) (send, data []byte, err error) {
	p, err := wire.ParsePacket(b)
	if err != nil {
		return nil, nil, fmt.Errorf("it sent what is no TFTP packet")
	}
	switch p.Op {
	case wire.OpERROR:
		return nil, nil, &said{p.Code, p.Message}
	case wire.OpOACK:
		return r.receiveOACK(p)
	case wire.OpDATA:
		return r.receiveData(p)
	}
	return nil, nil, fmt.Errorf("it sent an %s to a client that reads", p.Op)
}

func (r *receiver) receiveOACK(p wire.Packet) (send, data []byte, err error) {
	if r.block > 0 { // a late copy: RFC 2347 knows it before the first block only
		return nil, nil, nil
	}
	if r.oack {
		return r.last, nil, nil
	}
	for _, o := range p.Options {
		if err := r.grant(o); err != nil {
			return nil, nil, err
		}
	}
	r.oack = true
	r.last = wire.AppendACK(r.ack[:0], 0)
	return r.last, nil, nil
}

// grant takes one option of an OACK.
func (r *receiver) grant(o wire.Option) error {
	asked, ok := wire.Lookup(r.asked, o.Name)
	v, err := strconv.ParseInt(o.Value, 10, 64)
	limit, _ := strconv.ParseInt(asked, 10, 64)
	bad := !ok || err != nil || v < 0
	switch strings.ToLower(o.Name) {
	case wire.OptTsize:
		r.size = v
	case wire.OptBlockSize:
		bad = bad || v < wire.MinBlockSize || v > limit
		r.blockSize = int(v)
	case wire.OptWindowSize:
		bad = bad || v < 1 || v > limit
		r.window = int(v)
	}
	if bad {
		return fmt.Errorf("it granted %.20q=%.20q where %q was asked", o.Name, o.Value, wire.FormatOptions(r.asked))
	}
	return nil
}

func (r *receiver) receiveData(p wire.Packet) (send, data []byte, err error) {
	if len(p.Data) > r.blockSize {
		return nil, nil, fmt.Errorf("block %d has %d bytes, %d were agreed", p.Block, len(p.Data), r.blockSize)
	}
	if p.Block != uint16(r.block+1) { // numbers wrap to 0 after 65535
		return r.outOfTurn(p.Block), nil, nil
	}
	r.block++
	r.unacked++
	r.gap, r.again = false, false
	r.done = len(p.Data) < r.blockSize
	r.last = wire.AppendACK(r.ack[:0], uint16(r.block))
	if r.unacked < r.window && !r.done {
		return nil, p.Data, nil
	}
	r.unacked = 0
	return r.last, p.Data, nil
}

// outOfTurn answers a block that is not the next one, where it has to be answered.
func (r *receiver) outOfTurn(block uint16) []byte {
	if r.block == 0 && !r.oack {
		return nil
	}
	ahead, behind := block-uint16(r.block+1), uint16(r.block)-block
	switch {
	case int(ahead) < r.window && !r.gap: // RFC 7440 section 4: name the last block before the gap, once
		r.gap, r.unacked = true, 0
		return r.last
	case behind == 0 && (r.unacked == 0 || r.again): // our ACK was lost
		r.again, r.unacked = false, 0
		return r.last
	}
	// The whole window comes again, which began earlier for the backend than here: its end is
	// acknowledged, or both sides would wait.
	r.again = r.again || behind > 0 && int(behind) < r.window
	return nil
}
