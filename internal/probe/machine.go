package probe

import (
	"io"
	"time"

	"surefoot/internal/wire/tftp"
)

// Habits are what a style comes down to over TFTP, for others who act as boot clients do: the load
// generator.
type Habits struct {
	SizeProbe  []tftp.Option             // a request of its own before the download; nil: none
	Options    []tftp.Option             // of the download
	AnyServer  bool                      // takes a reply from another address than it asked
	Resend     func(n int) time.Duration // the wait before a packet is sent again for the n-th time (n from 0)
	Tries      int                       // how often one packet is sent before the client gives up
	IgnoreICMP bool                      // does not notice that a port is closed
}

// Habits returns the style's habits (F25, and packets captured from each client).
func (s Style) Habits() Habits {
	h := habitsOf(s)
	return Habits{
		SizeProbe: h.sizeProbe, Options: h.options, AnyServer: h.anyServer,
		Resend: h.resend, Tries: h.tries, IgnoreICMP: h.deaf,
	}
}

// Receiver is the client's side of one TFTP read as a pure machine, for those who bring their own
// sockets and clock.
type Receiver struct{ r *receiver }

// NewReceiver begins a read of file with the options asked. The content goes to out, in order and
// each byte once. With sizeOnly it ends with ERROR 8 as soon as the server answers.
func NewReceiver(file string, asked []tftp.Option, sizeOnly bool, out io.Writer) Receiver {
	return Receiver{newReceiver(file, asked, sizeOnly, out)}
}

// Receive takes a packet of the server's and returns the one to send, nil if none, valid until the
// next one comes. After a fault the read is over; its packet is still to be sent.
func (m Receiver) Receive(b []byte) (send []byte, f *Fault) { return m.r.receive(b) }

// Last returns the packet to send again after silence; in the beginning that is the request.
func (m Receiver) Last() []byte { return m.r.last }

// Done reports whether the whole file came, or the size that was asked for.
func (m Receiver) Done() bool { return m.r.done }

// Block returns the number of the last block received in turn, without wrapping; 0: none yet.
func (m Receiver) Block() int64 { return m.r.block }

// OACK reports whether the server answered with options.
func (m Receiver) OACK() bool { return m.r.oack }

// Granted returns the options of the OACK.
func (m Receiver) Granted() []tftp.Option { return m.r.granted }

// Size returns the size that the server announced, -1 if it did not.
func (m Receiver) Size() int64 { return m.r.size }

// Duplicates counts what came more than once or out of turn.
func (m Receiver) Duplicates() int { return m.r.duplicates }

// Silence names the fault of a server that sends nothing new any more.
func (m Receiver) Silence() (Step, Code) {
	switch {
	case m.r.block > 1:
		return StepTransfer, Stalled
	case m.r.block == 1:
		return StepTransfer, NoSecondBlock
	case m.r.oack:
		return StepOptions, NoFirstBlock
	}
	return StepRequest, NoAnswer
}
