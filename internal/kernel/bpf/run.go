package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Verdict is what becomes of a frame.
type Verdict string

// Verdicts of both programs.
const (
	Passed  Verdict = "pass" // to the kernel
	Dropped Verdict = "drop"
	Sent    Verdict = "send" // out of the interface that it came in by
)

// Try shows a frame to a program, without a network (BPF_PROG_TEST_RUN), and says what becomes of it.
func (p *Path) Try(way Way, frame []byte) (Verdict, []byte, error) {
	out := make([]byte, len(frame)+256)
	opts := &ebpf.RunOptions{Data: frame, DataOut: out}
	code, err := p.Program(way).Run(opts)
	if err != nil {
		return "", nil, fmt.Errorf("try a frame: %w", err)
	}
	return verdict(way, code), opts.DataOut, nil
}

func verdict(way Way, code uint32) Verdict {
	if way == TCX {
		switch int32(code) {
		case 7: // TCX_REDIRECT
			return Sent
		case 2:
			return Dropped
		case -1, 0: // the test run says TC_ACT_UNSPEC or OK
			return Passed
		}
	} else {
		switch code {
		case 3:
			return Sent
		case 1:
			return Dropped
		case 2:
			return Passed
		}
	}
	return Verdict(fmt.Sprintf("code %d", code))
}
