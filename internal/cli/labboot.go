package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// bootPatience is how long a PC may take to its bootstrap, by the wall clock.
const bootPatience = 90 * time.Second

// bootOptions say which PC boots.
type bootOptions struct {
	firmware string
	mac      string
	realTime bool
}

func (o *bootOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.firmware, "firmware", string(lab.BIOS), "the PC's firmware: bios, ipxe, uefi or http")
	f.StringVar(&o.mac, "mac", "", "its MAC address (default: one that tells the firmware)")
	f.BoolVar(&o.realTime, "real-time", false, "let the PC's waiting times pass as they would (otherwise they are skipped)")
}

func (o *bootOptions) machine(number byte) (lab.Machine, error) {
	fw, err := lab.ParseFirmware(o.firmware)
	if err != nil {
		return lab.Machine{}, err
	}
	m := lab.Machine{Firmware: fw, MAC: lab.MAC(fw, number), RealTime: o.realTime}
	if o.mac != "" {
		if m.MAC, err = boot.ParseMAC(o.mac); err != nil {
			return lab.Machine{}, err
		}
	}
	return m, nil
}

// bootOne boots a PC, shows its console, and then tells its story as the node that delivered the
// bootstrap saw it.
func bootOne(ctx context.Context, env *Env, l *lab.Lab, m lab.Machine) error {
	out := env.Out
	say(out, "A PC is switched on: %s, MAC %s. What its screen says:", m.Firmware, m.MAC)
	say(out, "")
	m.Lines = func(since time.Duration, line string) { say(out, "  pc %6.2f | %s", since.Seconds(), line) }
	deadline, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	vm, err := l.Boot(deadline, m)
	if err != nil {
		return labError(err)
	}
	report, err := vm.AwaitReport(deadline)
	if err == nil {
		vm.AwaitLastWords(ctx)
	}
	if err := errors.Join(err, vm.Stop()); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		stories(ctx, out, l, m.MAC, "")
		return &Error{Machine: "boot-failed", Err: fmt.Errorf("the PC did not boot: %w", err)}
	}
	if !report.OK {
		return &Error{Machine: "boot-failed", Err: fmt.Errorf("the bootstrap reports: %s", report.Line)}
	}
	node := report.Fields["node"]
	say(out, "")
	clock := "its waiting times were skipped"
	if m.RealTime {
		clock = "in real time"
	}
	say(out, "The PC runs its bootstrap, delivered by node %s, %.1f s after it was switched on (%s).", node, report.At.Seconds(), clock)
	say(out, "")
	stories(ctx, out, l, m.MAC, node)
	return nil
}

// stories prints what the nodes saw of a machine, by the command that everybody has for it: of
// one node, or of all that live.
func stories(ctx context.Context, out io.Writer, l *lab.Lab, mac boot.MAC, only string) {
	exe, err := os.Executable()
	if err != nil {
		return
	}
	for _, n := range l.Nodes {
		if only != "" && n.Name != only || !n.Process.Alive() {
			continue
		}
		say(out, "What node %s saw (%s):", n.Name, labCommand(fmt.Sprintf("story %s --socket %s", mac, n.Socket)))
		cmd := exec.CommandContext(ctx, exe, "story", mac.String(), "--socket", n.Socket)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			say(out, "  no story: %v", err)
		}
		say(out, "")
	}
}
