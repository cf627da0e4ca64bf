package probe

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"surefoot/internal/wire/tftp"
)

// receiver is the client's side of one TFTP read as a pure machine: packets in, packets out. It
// has no socket and no clock; the driver sends what it returns, and sends last again when
// nothing came for a while.
type receiver struct {
	asked     []tftp.Option
	sizeOnly  bool      // EDK2's size probe: end with ERROR 8 as soon as the size is known
	out       io.Writer // takes the content
	blockSize int
	window    int

	last       []byte // the packet to send again after silence
	ack        [4]byte
	size       int64 // announced by tsize; -1: not known
	granted    []tftp.Option
	oack       bool
	block      int64 // the last block received in turn, counted from 1 without wrapping
	unacked    int   // blocks since the last ACK
	gap        bool  // the gap at hand has been complained of already
	again      bool  // the server has begun to send blocks that came already
	duplicates int
	done       bool
}

func newReceiver(file string, asked []tftp.Option, sizeOnly bool, out io.Writer) *receiver {
	r := &receiver{asked: asked, sizeOnly: sizeOnly, out: out, blockSize: tftp.DefaultBlockSize, window: 1, size: -1}
	r.last = tftp.AppendRequest(nil, tftp.Request{Op: tftp.OpRRQ, File: file, Mode: "octet", Options: asked})
	return r
}

// receive takes a packet of the server's and returns the one to send, nil if none, valid until the
// next one comes.
func (r *receiver) receive(b []byte) (send []byte, f *Fault) {
	p, err := tftp.ParsePacket(b)
	if err != nil {
		return r.refuse(tftp.ErrIllegal, "not a TFTP packet", fmt.Sprintf("the server sent %s", describe(b)))
	}
	switch p.Op {
	case tftp.OpERROR:
		return nil, r.serverError(p)
	case tftp.OpOACK:
		return r.receiveOACK(p)
	case tftp.OpDATA:
		return r.receiveData(p)
	}
	return r.refuse(tftp.ErrIllegal, "unexpected ACK", "the server sent an ACK to a client that reads")
}

func (r *receiver) receiveOACK(p tftp.Packet) ([]byte, *Fault) {
	if r.block > 0 { // late copy: RFC 2347 knows it before the first block only
		r.duplicates++
		return nil, nil
	}
	if r.oack {
		r.duplicates++
		return r.last, nil
	}
	for _, o := range p.Options {
		if why := r.grant(o); why != "" {
			return r.refuse(tftp.ErrNegotiation, why, fmt.Sprintf("the server granted %s: %s", tftp.FormatOptions(p.Options), why))
		}
	}
	r.oack, r.granted = true, p.Options
	if r.sizeOnly {
		return r.abort(), nil
	}
	r.last = tftp.AppendACK(nil, 0)
	return r.last, nil
}

// abort ends the size probe in EDK2's own words.
func (r *receiver) abort() []byte {
	r.done = true
	return tftp.AppendError(nil, tftp.ErrNegotiation, "User aborted the transfer")
}

// grant takes one option of an OACK, or says what is wrong with it.
func (r *receiver) grant(o tftp.Option) string {
	asked, ok := tftp.Lookup(r.asked, o.Name)
	if !ok {
		return fmt.Sprintf("%s was not asked for", quote(o.Name))
	}
	limit, _ := strconv.ParseInt(asked, 10, 64)
	v, err := strconv.ParseInt(o.Value, 10, 64)
	if err != nil || v < 0 {
		return fmt.Sprintf("%s=%s is not a number", o.Name, quote(o.Value))
	}
	switch strings.ToLower(o.Name) {
	case tftp.OptTsize:
		r.size = v
	case tftp.OptBlockSize:
		if v < tftp.MinBlockSize || v > limit {
			return fmt.Sprintf("blksize %d is not between 8 and the %d asked for", v, limit)
		}
		r.blockSize = int(v)
	case tftp.OptTimeout:
		if v != limit { // RFC 2349: the server takes it as it is, or leaves it out
			return fmt.Sprintf("timeout %d is not the %d asked for", v, limit)
		}
	case tftp.OptWindowSize:
		if v < 1 || v > limit {
			return fmt.Sprintf("windowsize %d is not between 1 and the %d asked for", v, limit)
		}
		r.window = int(v)
	}
	return ""
}

func (r *receiver) receiveData(p tftp.Packet) ([]byte, *Fault) {
	if r.sizeOnly { // a server without options sends the file at once: end it all the same
		return r.abort(), nil
	}
	if len(p.Data) > r.blockSize {
		return r.refuse(tftp.ErrIllegal, "block too long", fmt.Sprintf("block %d has %d bytes, %d were agreed", p.Block, len(p.Data), r.blockSize))
	}
	if p.Block != uint16(r.block+1) { // numbers wrap to 0 after 65535
		r.duplicates++
		ahead := p.Block - uint16(r.block+1)
		switch {
		case int(ahead) < r.window && !r.gap: // RFC 7440 section 4: name the last block before the gap, once
			r.gap, r.unacked = true, 0
			return r.lastACK(), nil
		case p.Block == uint16(r.block) && (r.unacked == 0 || r.again): // our ACK was lost
			r.again, r.unacked = false, 0
			return r.lastACK(), nil
		}
		// The whole window comes again, which began earlier for the server than here: its end is
		// acknowledged, or both sides would wait.
		behind := uint16(r.block) - p.Block
		r.again = r.again || behind > 0 && int(behind) < r.window
		return nil, nil
	}
	r.block++
	r.unacked++
	r.gap, r.again = false, false
	_, _ = r.out.Write(p.Data)
	r.done = len(p.Data) < r.blockSize
	if r.unacked < r.window && !r.done {
		r.last = tftp.AppendACK(r.ack[:0], p.Block)
		return nil, nil
	}
	r.unacked = 0
	return r.lastACK(), nil
}

func (r *receiver) lastACK() []byte {
	r.last = tftp.AppendACK(r.ack[:0], uint16(r.block))
	return r.last
}

// refuse ends the transfer with an ERROR to the server and a fault for the user.
func (r *receiver) refuse(code tftp.ErrorCode, say, evidence string) ([]byte, *Fault) {
	step := StepTransfer
	if r.block == 0 {
		step = StepOptions
	}
	return tftp.AppendError(nil, code, say), &Fault{
		Step: step, Code: BadAnswer, Text: evidence,
		Hint: []string{"boot firmware gives up at such an answer; another style (--as plain) shows whether it is the options"},
	}
}

func (r *receiver) serverError(p tftp.Packet) *Fault {
	f := &Fault{Step: StepRequest, Code: ServerError, Text: fmt.Sprintf("the server answered ERROR %s: %s", p.Code, quote(p.Message))}
	if r.block > 0 {
		f.Step = StepTransfer
		f.Text += fmt.Sprintf(" after block %d", r.block)
	}
	switch p.Code {
	case tftp.ErrNotFound:
		f.Hint = []string{"the name is looked up below the server's root; many servers tell upper from lower case, and / from \\"}
	case tftp.ErrAccess:
		f.Hint = []string{"may the server's user read the file, and enter each directory above it?"}
	case tftp.ErrNegotiation:
		f.Hint = []string{"the server refuses the options that this client asks for; --as plain asks for none"}
	}
	return f
}
