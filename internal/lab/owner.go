package lab

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Owner names a process so that another one, which was given the same number later, is not
// mistaken for it.
type Owner struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // start time in clock ticks after the machine's start (proc(5), field 22)
}

// ownerOf describes a running process.
func ownerOf(pid int) (Owner, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Owner{}, fmt.Errorf("process %d: %w", pid, err)
	}
	// Field 2 is the program's name in parentheses and may itself hold blanks and parentheses.
	i := bytes.LastIndexByte(b, ')')
	fields := bytes.Fields(b[i+1:])
	const start = 22 - 3 // the first field here is number 3
	if i < 0 || len(fields) <= start {
		return Owner{}, fmt.Errorf("process %d: cannot read its stat line", pid)
	}
	if fields[0][0] == 'Z' {
		return Owner{}, fmt.Errorf("process %d has ended", pid)
	}
	t, err := strconv.ParseUint(string(fields[start]), 10, 64)
	if err != nil {
		return Owner{}, fmt.Errorf("process %d: start time: %w", pid, err)
	}
	return Owner{PID: pid, Start: t}, nil
}

// Alive reports whether that very process still runs.
func (o Owner) Alive() bool {
	now, err := ownerOf(o.PID)
	return err == nil && now == o
}
