package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopPatience is how long a process may take to end after SIGTERM before it is killed.
const stopPatience = 5 * time.Second

// Process is a program that runs in a namespace of the lab. It dies with the lab's process.
type Process struct {
	Name string
	Log  string // path of the file that holds its stdout and stderr
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; read after done
}

// command is what to start.
type command struct {
	name string    // for messages
	path string    // program
	args []string  // without the program
	env  []string  // added to the environment
	out  io.Writer // stdout and stderr; nil: the log file
	log  string    // path of the log file
}

// start runs a command in the namespace.
func (p *place) start(c command) (*Process, error) {
	path, err := lookPath(c.path)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Dir = filepath.Dir(c.log)
	// Its own group, so that Ctrl-C at the terminal reaches the lab alone, which ends the parts
	// in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	cmd.Stdout, cmd.Stderr = c.out, c.out
	if c.out == nil {
		f, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("log of %s: %w", c.name, err)
		}
		defer f.Close() // the child has its own copy
		cmd.Stdout, cmd.Stderr = f, f
	}
	if err := p.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s in %s: %w", c.name, p.name, err)
	}
	proc := &Process{Name: c.name, Log: c.log, cmd: cmd, done: make(chan struct{})}
	go func() {
		proc.err = cmd.Wait()
		close(proc.done)
	}()
	return proc, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ExitCode waits for the end and returns the exit code, -1 if a signal ended it.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal; to a process that has ended, nothing happens.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s (pid %d): %w", s, p.Name, p.PID(), err)
	}
	return nil
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() error {
	err := p.Signal(syscall.SIGKILL)
	<-p.done
	return err
}

// Stop asks the process to end, waits, and kills it when it takes too long or ctx ends.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return p.Kill()
	}
}

// State waits for the end and says how it came: "exit status 1", "signal: killed".
func (p *Process) State() string {
	<-p.done
	return p.cmd.ProcessState.String()
}
