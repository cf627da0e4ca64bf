package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/alert"
	"surefoot/internal/store"
	"surefoot/internal/web"
)

const alertLong = `Show what somebody has to be told, with what proves it and what to do about it; silence it while you
work on it. The site file says who is told (alerts.notify), and from where on something is an alert
(alerts.rules).`

func newAlertCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{Use: "alert", Short: "what somebody has to be told, and silences", Long: alertLong}
	cmd.AddCommand(newAlertListCommand(env), newAlertSilenceCommand(env), newAlertUnsilenceCommand(env))
	return cmd
}

func newAlertListCommand(env *Env) *cobra.Command {
	var socket, since string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "the alerts that are, the silences, and who is told",
		Long:  "List the alerts that are pending or firing, the silences, and how the notifiers fare. Exit status 3 if\nan alert fires that is not silenced.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var from time.Time
			if since != "" {
				var err error
				if from, err = parseWhen(since, time.Now()); err != nil {
					return usageError(cmd, fmt.Errorf("--since: %w", err))
				}
			}
			a, err := web.Dial(socket).Alerts(cmd.Context(), from)
			if err != nil {
				return daemonError(err)
			}
			if asJSON {
				enc := json.NewEncoder(env.Out)
				enc.SetIndent("", "  ")
				if err := enc.Encode(a); err != nil {
					return err
				}
			} else {
				printAlerts(env.Out, a, time.Now())
			}
			if slices.ContainsFunc(a.Alerts, func(x alert.Alert) bool { return x.State == alert.Firing && x.Silence == "" }) {
				return &Error{Code: ExitProblems}
			}
			return nil
		},
	}
	socketFlag(cmd, env, &socket)
	cmd.Flags().StringVar(&since, "since", "", "also those of the history, beginning then: 24h, 7d, or a time")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printAlerts(w io.Writer, a web.Alerts, now time.Time) {
	for _, p := range a.Past {
		fmt.Fprintf(w, "%s  %-8s  %-8s  %s\n", p.At.Local().Format(time.DateTime), p.State, p.Severity, p.Title)
	}
	if len(a.Past) > 0 {
		fmt.Fprintln(w)
	}
	if len(a.Alerts) == 0 {
		fmt.Fprintln(w, "no alert")
	}
	for _, x := range a.Alerts {
		state := string(x.State)
		if x.Silence != "" {
			state += ", silenced by " + x.Silence
		}
		fmt.Fprintf(w, "%s: %s\n", strings.ToUpper(string(x.Severity)), x.Title)
		fmt.Fprintf(w, "  %s since %s (%s)\n", state, x.Since.Local().Format(time.DateTime), x.Key)
		for _, e := range x.Evidence {
			fmt.Fprint(w, wrap(e, "    "))
		}
		fmt.Fprint(w, wrap("means: "+x.Meaning, "  "), wrap("to do: "+x.Fix, "  "))
	}
	if len(a.Silences) > 0 {
		fmt.Fprintln(w, "\nSILENCE  ENDS IN     FOR")
	}
	for _, s := range a.Silences {
		fmt.Fprintf(w, "%-7s  %-10s  %s", s.ID, spanWord(s.Until.Sub(now).Round(time.Minute)), matchText(s.Match))
		if s.Comment != "" || s.Who != "" {
			fmt.Fprintf(w, "  (%s)", strings.TrimSpace(s.Who+" "+s.Comment))
		}
		fmt.Fprintln(w)
	}
	if len(a.Notifiers) == 0 {
		fmt.Fprintln(w, "\nnobody is told: the site file names nobody under alerts.notify")
		return
	}
	fmt.Fprintln(w, "\nTOLD BY")
	for _, n := range a.Notifiers {
		fmt.Fprintf(w, "  %-40s  %d told, %d tries failed, %d lost\n", fit(n.Name, 40), n.Sent, n.Failed, n.Lost)
		if n.Error != "" {
			fmt.Fprint(w, wrap("last: "+n.Error, "    "))
		}
	}
}

func matchText(m map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name+"="+m[name])
	}
	return strings.Join(out, " ")
}

func newAlertSilenceCommand(env *Env) *cobra.Command {
	var socket, span, comment string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "silence LABEL=VALUE...",
		Short: "keep alerts from being told for a time",
		Long: `Keep alerts from being told for a time. They are listed all the same, and told when the silence ends
and they still are. All conditions must hold; * stands for anything.

  surefoot alert silence server=pvs1 --for 2h --comment "new disk"
  surefoot alert silence code=slow server='pvs*' --for 1d

The labels are code, server, test, file, network and from, as surefoot alert list shows them.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := parseSpan(span)
			if err != nil {
				return usageError(cmd, fmt.Errorf("--for %q is not a length of time, as in 2h or 1d", span))
			}
			s := store.Silence{Match: map[string]string{}, Until: time.Now().Add(d), Comment: comment, Who: userName()}
			for _, arg := range args {
				name, value, ok := strings.Cut(arg, "=")
				if !ok || name == "" {
					return usageError(cmd, fmt.Errorf("%q is not LABEL=VALUE", arg))
				}
				s.Match[name] = value
			}
			s, err = web.Dial(socket).Silence(cmd.Context(), s)
			if err != nil {
				return daemonError(err)
			}
			if asJSON {
				return json.NewEncoder(env.Out).Encode(s)
			}
			_, err = fmt.Fprintf(env.Out, "silence %s until %s: %s\n", s.ID, s.Until.Local().Format(time.DateTime), matchText(s.Match))
			return err
		},
	}
	socketFlag(cmd, env, &socket)
	f := cmd.Flags()
	f.StringVar(&span, "for", "2h", "how long: 30m, 2h, 1d")
	f.StringVar(&comment, "comment", "", "why, for the others")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// userName is who sits at the keyboard, "" if nobody knows.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func newAlertUnsilenceCommand(env *Env) *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "unsilence SILENCE",
		Short: "end a silence",
		Long:  "End a silence before its time. surefoot alert list shows the silences.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := web.Dial(socket).Unsilence(cmd.Context(), args[0]); err != nil {
				if strings.Contains(err.Error(), web.ErrNoSilence.Error()) {
					return &Error{Err: errors.New("there is no silence " + args[0]), Machine: "not-found", Hints: []string{"surefoot alert list shows them"}}
				}
				return daemonError(err)
			}
			if asJSON {
				return json.NewEncoder(env.Out).Encode(map[string]string{"ended": args[0]})
			}
			_, err := fmt.Fprintf(env.Out, "silence %s ended\n", args[0])
			return err
		},
	}
	socketFlag(cmd, env, &socket)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
