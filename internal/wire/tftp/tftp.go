// Package tftp turns TFTP packets into values and values into packets: RFC 1350 (the protocol),
// 2347 (options), 2348 (blksize), 2349 (timeout, tsize) and 7440 (windowsize).
//
// It holds no socket, no clock and no state of a transfer: see serve/tftp for the server and
// probe for the client.
package tftp

import (
	"errors"
	"fmt"
)

// Op is an opcode: the first 16 bits of every packet, all of which count (RFC 1350 section 5).
type Op uint16

// The opcodes of RFC 1350 and 2347.
const (
	OpRRQ   Op = 1
	OpWRQ   Op = 2
	OpDATA  Op = 3
	OpACK   Op = 4
	OpERROR Op = 5
	OpOACK  Op = 6
)

// String names the opcode, as in "RRQ" or "opcode 513".
func (o Op) String() string {
	switch o {
	case OpRRQ:
		return "RRQ"
	case OpWRQ:
		return "WRQ"
	case OpDATA:
		return "DATA"
	case OpACK:
		return "ACK"
	case OpERROR:
		return "ERROR"
	case OpOACK:
		return "OACK"
	}
	return fmt.Sprintf("opcode %d", uint16(o))
}

// ErrorCode is the code of an ERROR packet.
type ErrorCode uint16

// The codes of RFC 1350, and code 8 of RFC 2347.
const (
	ErrUndefined   ErrorCode = 0 // the text says what is wrong
	ErrNotFound    ErrorCode = 1
	ErrAccess      ErrorCode = 2
	ErrDiskFull    ErrorCode = 3
	ErrIllegal     ErrorCode = 4
	ErrUnknownTID  ErrorCode = 5
	ErrExists      ErrorCode = 6
	ErrNoUser      ErrorCode = 7
	ErrNegotiation ErrorCode = 8 // the options do not suit; EDK2 ends its size probe with it
)

// String names the code in words, as in "file not found (1)".
func (c ErrorCode) String() string {
	names := [...]string{
		"undefined", "file not found", "access violation", "disk full", "illegal operation",
		"unknown transfer ID", "file exists", "no such user", "option negotiation",
	}
	if int(c) < len(names) {
		return fmt.Sprintf("%s (%d)", names[c], uint16(c))
	}
	return fmt.Sprintf("error %d", uint16(c))
}

// Sizes of packets.
const (
	DefaultPort      = 69
	DefaultBlockSize = 512
	MinBlockSize     = 8     // RFC 2348
	MaxBlockSize     = 65464 // RFC 2348
	MaxWindowSize    = 65535 // RFC 7440
	HeaderSize       = 4     // of DATA and ACK
)

var (
	// ErrMalformed is a packet too short for its opcode, or one whose strings do not end.
	ErrMalformed = errors.New("malformed packet")
	// ErrOpcode is a packet of a kind that the parser was not asked for.
	ErrOpcode = errors.New("unexpected opcode")
)

// PeekOp returns the opcode of a packet; ok is false when there are no 16 bits to read.
func PeekOp(b []byte) (op Op, ok bool) {
	if len(b) < 2 {
		return 0, false
	}
	return Op(uint16(b[0])<<8 | uint16(b[1])), true
}
