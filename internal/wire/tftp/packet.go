package tftp

import (
	"bytes"
	"fmt"
)

// Packet is any packet of a transfer under way: DATA, ACK, ERROR or OACK. Which fields mean
// something depends on Op.
type Packet struct {
	Op      Op
	Block   uint16    // DATA, ACK
	Data    []byte    // DATA: part of the buffer that was parsed
	Code    ErrorCode // ERROR
	Message string    // ERROR
	Options []Option  // OACK
}

// ParsePacket reads a packet of a transfer. An ACK may be longer than 4 bytes (the bootmgr of
// Windows appends its window, F25), and the text of an ERROR may lack its NUL. The error wraps
// ErrOpcode for a request or an unknown opcode, ErrMalformed for what cannot be read.
func ParsePacket(b []byte) (Packet, error) {
	op, ok := PeekOp(b)
	if !ok {
		return Packet{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	switch op {
	case OpOACK:
		opts, clean := parseOptions(b[2:])
		if !clean {
			return Packet{}, fmt.Errorf("%w: the options of an OACK do not end", ErrMalformed)
		}
		return Packet{Op: op, Options: opts}, nil
	case OpDATA, OpACK, OpERROR:
	default:
		return Packet{}, fmt.Errorf("%w: %s in a transfer", ErrOpcode, op)
	}
	if len(b) < HeaderSize {
		return Packet{}, fmt.Errorf("%w: %s of %d bytes", ErrMalformed, op, len(b))
	}
	p := Packet{Op: op}
	n := uint16(b[2])<<8 | uint16(b[3])
	switch op {
	case OpDATA:
		p.Block, p.Data = n, b[HeaderSize:]
	case OpACK:
		p.Block = n
	case OpERROR:
		text, _, _ := bytes.Cut(b[HeaderSize:], []byte{0})
		p.Code, p.Message = ErrorCode(n), string(text)
	}
	return p, nil
}

// AppendDataHeader appends the header of a DATA packet; the content of the block follows it.
func AppendDataHeader(b []byte, block uint16) []byte {
	return append(b, 0, byte(OpDATA), byte(block>>8), byte(block))
}

// AppendData appends a DATA packet.
func AppendData(b []byte, block uint16, data []byte) []byte {
	return append(AppendDataHeader(b, block), data...)
}

// AppendACK appends an ACK.
func AppendACK(b []byte, block uint16) []byte {
	return append(b, 0, byte(OpACK), byte(block>>8), byte(block))
}

// AppendOACK appends an OACK with the options in the order given.
func AppendOACK(b []byte, opts []Option) []byte {
	return appendOptions(append(b, 0, byte(OpOACK)), opts)
}

// AppendError appends an ERROR. A NUL in the text ends it.
func AppendError(b []byte, code ErrorCode, message string) []byte {
	return appendString(append(b, 0, byte(OpERROR), byte(code>>8), byte(code)), message)
}
