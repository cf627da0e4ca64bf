package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
)

const bdmWizardLong = `Ask what an image is to hold, one question a line, and build it. Each question shows its answer in
brackets, from the site file if there is one: Enter takes it. At the end the command that does the
same without questions is printed, and the last question is whether to build.`

func newBDMWizardCommand(b *bdmOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use: "wizard", Short: "build an image by answering questions", Long: bdmWizardLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := &wizard{bdmOptions: b, in: bufio.NewReader(b.env.In)}
			return w.run(cmd)
		},
	}
	return cmd
}

// wizard asks, and keeps what the answers come to as arguments of build.
type wizard struct {
	*bdmOptions
	in   *bufio.Reader
	args []string
}

var errNoAnswer = errors.New("the answers ended before the questions")

// ask asks until check is content. An empty line takes the answer in brackets.
func (w *wizard) ask(question, usual string, check func(string) error) (string, error) {
	for {
		fmt.Fprintf(w.env.Err, "%s [%s]: ", question, usual)
		line, err := w.in.ReadString('\n')
		if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
			fmt.Fprintln(w.env.Err)
			if errors.Is(err, io.EOF) {
				err = errNoAnswer
			}
			return "", err
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = usual
		}
		if err := check(answer); err != nil {
			fmt.Fprintf(w.env.Err, "  %v\n", err)
			continue
		}
		return answer, nil
	}
}

// flag adds an argument, unless the answer is what build does by itself.
func (w *wizard) flag(name, answer, usual string) {
	if answer != usual {
		w.args = append(w.args, "--"+name, answer)
	}
}

func (w *wizard) run(cmd *cobra.Command) error {
	cfg, err := w.site()
	if err != nil {
		return err
	}
	s, choice, err := newSettings(w.env, cfg, "", "", "")
	if err != nil {
		return err
	}
	if cfg != nil {
		fmt.Fprintf(w.env.Err, "Site %s: what stands in brackets is what its rules give machines of network %s.\n", choice.Site, choice.Network)
	}
	anything := func(string) error { return nil }
	format, err := w.ask("Format: iso, usb, partition, vhd or raw", "iso", func(a string) error { _, err := bdm.ParseFormat(a); return err })
	if err != nil {
		return err
	}
	servers := strings.Join(s.Servers, ",")
	answers := []struct {
		flag, question, usual, built string
		check                        func(string) error
	}{
		{"servers", "Servers in order, with commas", servers, servers, func(a string) error {
			if a == "" {
				return errors.New("at least one server is needed")
			}
			for part := range strings.SplitSeq(a, ",") {
				if _, err := mediaServer(strings.TrimSpace(part), cfg); err != nil {
					return err
				}
			}
			return nil
		}},
		{"file", "Bootstrap for UEFI machines (none: they do not boot from it)", orNone(s.File), orNone(s.File), anything},
		{"file-bios", "Bootstrap for BIOS machines (none: they do not boot from it)", orNone(s.FileBIOS), orNone(s.FileBIOS), anything},
		{"ip", "Address of the machine: dhcp, or ADDRESS/LENGTH,GATEWAY", "dhcp", "dhcp", func(a string) error { var x bdm.Settings; return parseOwnAddress(a, &x) }},
		{"vlan", "VLAN (0: none)", "0", "0", func(a string) error {
			var n int
			if _, err := fmt.Sscanf(a, "%d", &n); err != nil || n < 0 || n > 4094 || fmt.Sprint(n) != a {
				return fmt.Errorf("%q is not a VLAN number (0 to 4094)", a)
			}
			return nil
		}},
	}
	for _, q := range answers {
		if q.flag == "file-bios" && format == string(bdm.Partition) {
			continue // it boots UEFI machines only
		}
		a, err := w.ask(q.question, q.usual, q.check)
		if err != nil {
			return err
		}
		w.flag(q.flag, strings.ReplaceAll(a, ", ", ","), q.built)
	}
	force := false
	out, err := w.ask("File to write", "boot."+format, func(a string) error {
		st, err := os.Lstat(a)
		if err == nil && !st.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file", a)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := os.Lstat(out); err == nil {
		a, err := w.ask(out+" exists: overwrite it, yes or no", "no", yesOrNo)
		if err != nil {
			return err
		}
		if force = a == "yes"; !force {
			return &bdm.ExistsError{Path: out}
		}
	}
	return w.build(cmd, format, out, force)
}

func yesOrNo(a string) error {
	if a != "yes" && a != "no" {
		return errors.New("yes or no")
	}
	return nil
}

// build shows the command that the answers come to, and runs it.
func (w *wizard) build(cmd *cobra.Command, format, out string, force bool) error {
	args := append([]string{"-o", out}, w.args...)
	if !strings.HasSuffix(out, "."+format) {
		args = append(args, "--format", format)
	}
	if force {
		args = append(args, "--force")
	}
	if w.config != "" {
		args = append(args, "--config", w.config)
	}
	fmt.Fprintf(w.env.Err, "\n  surefoot bdm build %s\n\n", strings.Join(args, " "))
	answer, err := w.ask("Build it, yes or no", "yes", yesOrNo)
	if err != nil {
		return err
	}
	if answer == "no" {
		return &Error{Err: errors.New("not built: the answer was no"), Machine: "not-confirmed"}
	}
	build := newBDMBuildCommand(w.bdmOptions)
	if err := build.ParseFlags(without(args, "--config")); err != nil {
		return usageError(cmd, err)
	}
	return build.RunE(build, nil)
}

// without leaves out a flag and its value.
func without(args []string, flag string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] == flag {
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}
