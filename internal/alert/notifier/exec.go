package notifier

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Program runs a program with the message as JSON on its standard input. There is no shell: what
// a name holds can never become a command.
type Program struct{ Argv []string }

// Name is the program's.
func (p Program) Name() string { return "exec " + filepath.Base(p.Argv[0]) }

// Tell runs the program; an exit status other than 0 is a failure.
func (p Program) Tell(ctx context.Context, m Message) error {
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Stdin = bytes.NewReader(m.document())
	cmd.WaitDelay = time.Second // for what the program left behind with our pipes
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w: %.200s", p.Argv[0], err, strings.TrimSpace(out.String()))
	}
	return nil
}
