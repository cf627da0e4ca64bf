package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/probe"
)

const probeBDMLong = `Do from here what machines that boot from a medium would do: a DISCOVER if the medium wants an address
by DHCP and --interface says where, then the download of its files from each of its servers in
order, with the content compared if the medium holds a hash. All servers are asked, not only the
first that delivers. Exit status 3 says that a machine would not boot, or that a server is dead.`

// bdmProbe is what it shows.
type bdmProbe struct {
	Image     string            `json:"image"`
	DHCP      *probe.Result     `json:"dhcp,omitempty"`
	Downloads []bdmDownload     `json:"downloads"`
	Boots     map[string]string `json:"boots"` // uefi, bios → the server that a machine boots from; "" for none
}

type bdmDownload struct {
	Half   string       `json:"half"` // uefi, bios
	Result probe.Result `json:"result"`
}

type probeBDMOptions struct {
	json    bool
	iface   string
	timeout time.Duration
}

func newProbeBDMCommand(env *Env) *cobra.Command {
	var o probeBDMOptions
	cmd := &cobra.Command{
		Use: "bdm FILE|DEVICE", Short: "do what a machine that boots from a medium would do", Long: probeBDMLong, Args: cobra.ExactArgs(1),
		Example: "  surefoot probe bdm boot.iso\n  sudo surefoot probe bdm boot.iso --interface eth1",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().StringVarP(&o.iface, "interface", "i", "", "interface on which to ask for an address first (takes none)")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "without a new packet (default: as the medium has it)")
	return cmd
}

func (o *probeBDMOptions) run(ctx context.Context, env *Env, path string) error {
	f, size, err := openMedium(path)
	if err != nil {
		return err
	}
	m, err := bdm.Open(f, size)
	_ = f.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s := &m.Settings
	out := bdmProbe{Image: s.ID.String(), Boots: map[string]string{}}
	bad := false
	if !s.Static.IsValid() && o.iface != "" {
		res := probe.DHCP(ctx, probe.DHCPOptions{Interface: o.iface, As: probe.ClientBDM, Broadcast: []bool{true, false}})
		if f := res.Fault; f != nil && f.Code == probe.LocalError && f.Err != nil {
			return &Error{Code: codeOf(f.Err), Err: f.Err, Hints: f.Hint}
		}
		out.DHCP, bad = &res, res.Fault != nil
	}
	for _, h := range []struct {
		half, file, hash string
		as               probe.Style
		boots            bool
	}{
		{"uefi", s.File, s.SHA256, probe.EDK2, len(m.UEFI) > 0},
		{"bios", s.FileBIOS, s.SHA256BIOS, probe.IPXE, len(m.BIOS) > 0},
	} {
		if !h.boots {
			continue
		}
		out.Boots[h.half] = ""
		for _, server := range s.Servers {
			t, err := probe.ParseTarget(server + h.file)
			if err != nil {
				return fmt.Errorf("%s%s: %w", server, h.file, err)
			}
			res := probe.Run(ctx, t, probe.Options{As: h.as, SHA256: h.hash, Timeout: o.patience(s)})
			if res.Trace = nil; res.Fault == nil && out.Boots[h.half] == "" {
				out.Boots[h.half] = server
			}
			bad = bad || res.Fault != nil
			out.Downloads = append(out.Downloads, bdmDownload{h.half, res})
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	if o.json {
		err = json.NewEncoder(env.Out).Encode(out)
	} else {
		out.print(env, m)
	}
	if err == nil && bad {
		err = &Error{Code: ExitProblems}
	}
	return err
}

// patience is how long one server may take.
func (o *probeBDMOptions) patience(s *bdm.Settings) time.Duration {
	if o.timeout > 0 {
		return o.timeout
	}
	return time.Duration(s.Tries*s.Timeout) * time.Second
}

func (p bdmProbe) print(env *Env, m *bdm.Image) {
	row := func(name, format string, args ...any) {
		wrapped(env.Out, fmt.Sprintf("  %-8s ", name), 11, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(env.Out, "image %s, built %s\n", p.Image, m.Settings.Built)
	switch d := p.DHCP; {
	case d == nil:
	case d.Fault != nil:
		row("dhcp", "FAILS: %s", d.Fault.Text)
	default:
		var from []string
		for _, offer := range d.Offers {
			if offer.Address != "" {
				from = append(from, offer.Address+" from "+offer.Server)
			}
		}
		row("dhcp", "offered %s", orNone(strings.Join(from, ", ")))
	}
	for _, d := range p.Downloads {
		r := d.Result
		if r.Fault == nil {
			row(d.half(), "%s: %d bytes in %s%s", r.Target, r.Size, millis(r.Response), comparedText(m, d.Half))
			continue
		}
		row(d.half(), "%s: FAILS (%s): %s", r.Target, r.Fault.Code, r.Fault.Text)
	}
	for _, half := range []string{"uefi", "bios"} {
		server, ok := p.Boots[half]
		switch {
		case !ok:
		case server == "":
			row("so", "%s machines would NOT boot from it", strings.ToUpper(half))
		default:
			row("so", "%s machines boot, from %s", strings.ToUpper(half), server)
		}
	}
}

func (d bdmDownload) half() string { return strings.ToUpper(d.Half) }

func comparedText(m *bdm.Image, half string) string {
	if half == "uefi" && m.Settings.SHA256 != "" || half == "bios" && m.Settings.SHA256BIOS != "" {
		return ", the right content"
	}
	return ""
}
