package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/inbox"
	"surefoot/internal/kernel/pages"
	"surefoot/internal/serve/tftp"
)

const tftpLong = `Serve the files of one directory by TFTP, with no site file and nothing else: for a balancer's
backend, or to hand somebody a file. Uploads are refused but to the folders of --upload.

  surefoot tftp --root /srv/boot --listen 10.0.0.5:69
  surefoot tftp --root . --listen 127.0.0.1:6969       as an ordinary user

Each finished transfer is one line on stdout, with --json one JSON object. Ctrl-C lets running
transfers finish first. At the end, and on SIGUSR1, a summary on stderr says what was done, what
failed and who made the most work; with --socket PATH, surefoot tftp status --socket PATH shows
the same while it runs.`

type tftpOptions struct {
	root, listen string
	socket       string
	noFold       bool
	json         bool
	limits       tftp.Limits
	noQueue      bool
	ports        string
	uploads      []string
	uploadMax    string
	poll         time.Duration
}

func newTFTPCommand(env *Env) *cobra.Command {
	var o tftpOptions
	cmd := &cobra.Command{
		Use:   "tftp --root DIR --listen ADDR:PORT",
		Short: "serve one directory by TFTP, without a site file",
		Long:  tftpLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runTFTP(cmd, env, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.root, "root", "", "folder with the files")
	f.StringVar(&o.listen, "listen", ":69", "address:port; no address means every IPv4 address of this machine")
	f.BoolVar(&o.noFold, "no-fold", false, "only exact names: no other case, no backslashes")
	f.IntVar(&o.limits.Transfers, "max-transfers", 0, "transfers at the same time (default 4096)")
	f.IntVar(&o.limits.PerClient, "max-per-client", 0, "of one client address (default an eighth of them)")
	f.DurationVar(&o.limits.QueueTime, "queue-time", 0, "how long a request waits for a place before it is refused (default 8s)")
	f.BoolVar(&o.noQueue, "no-queue", false, "refuse at once what finds no place")
	f.StringVar(&o.ports, "ports", "any", "ports of transfers: any, LOW-HIGH, or single (the one of requests)")
	f.StringArrayVar(&o.uploads, "upload", nil, "folder below the root that takes uploads: FOLDER or FOLDER:overwrite")
	f.StringVar(&o.uploadMax, "upload-max", "100MiB", "how large an uploaded file may be")
	f.DurationVar(&o.poll, "busy-poll", 0, "look so long for a packet before sleeping, as in 50us: faster, and takes a core")
	f.StringVar(&o.socket, "socket", "", "unix socket at which surefoot tftp status finds this server (default: none)")
	f.BoolVar(&o.json, "json", false, "print finished transfers as JSON lines")
	cmd.AddCommand(newTFTPStatusCommand(env))
	return cmd
}

func runTFTP(cmd *cobra.Command, env *Env, o tftpOptions) error {
	spareMemory(env)
	if o.root == "" {
		return usageError(cmd, errors.New("--root is missing: name the folder with the files"))
	}
	listen := o.listen
	if strings.HasPrefix(listen, ":") {
		listen = "0.0.0.0" + listen
	}
	at, err := netip.ParseAddrPort(listen)
	if err != nil {
		return usageError(cmd, fmt.Errorf("--listen %q is not ADDRESS:PORT, as in 10.0.0.5:69 or :69", o.listen))
	}
	ports, err := config.ParsePorts(o.ports)
	if err != nil {
		return usageError(cmd, fmt.Errorf("--ports: %w", err))
	}
	if o.noQueue {
		o.limits.Queue = -1
	}
	root, err := files.Open(o.root, files.Options{Fold: !o.noFold})
	if err != nil {
		return err
	}
	defer root.Close()
	box, err := o.inbox(cmd)
	if err != nil {
		return err
	}
	printer := &transferPrinter{env: env, json: o.json}
	alone := newAlone(env, o)
	s, err := tftp.New(
		tftp.Config{Listen: at, Files: root, Limits: o.limits, Ports: tftp.Ports(ports), BusyPoll: o.poll, Uploads: box},
		tftp.Deps{
			Emit: func(ev boot.Event) { alone.journal.Emit(ev); printer.emit(ev) }, Log: newLogger(env, o.json, false),
		},
	)
	if err != nil {
		return err
	}
	if err := s.Listen(cmd.Context()); err != nil {
		return err
	}
	return alone.run(cmd.Context(), s, func() {
		_, _ = pages.ReleaseStart() // without it everything works as well
		fmt.Fprintf(env.Err, "surefoot: serving %s by TFTP at %s (Ctrl-C ends it)\n", o.root, s.Addr())
	})
}

// inbox opens the folders that take uploads; nil if none does.
func (o *tftpOptions) inbox(cmd *cobra.Command) (*inbox.Inbox, error) {
	if len(o.uploads) == 0 {
		return nil, nil
	}
	most, ok := config.ParseSize(o.uploadMax)
	if !ok {
		return nil, usageError(cmd, fmt.Errorf("--upload-max %q is not a size with its unit, as in 100MiB", o.uploadMax))
	}
	var folders []inbox.Folder
	for _, u := range o.uploads {
		name, mode, _ := strings.Cut(u, ":")
		if mode != "" && mode != "create" && mode != "overwrite" {
			return nil, usageError(cmd, fmt.Errorf("--upload %q: the mode is create or overwrite", u))
		}
		if name == "" {
			return nil, usageError(cmd, fmt.Errorf("--upload %q names no folder: . is the root itself", u))
		}
		folders = append(folders, inbox.Folder{Name: name, Overwrite: mode == "overwrite", MaxSize: most})
	}
	box, err := inbox.Open(o.root, folders)
	if err != nil {
		return nil, err
	}
	if bad := box.Troubles(); len(bad) > 0 {
		return nil, bad[0]
	}
	return box, nil
}

// transferPrinter writes one line to stdout for each transfer that ended.
type transferPrinter struct {
	env  *Env
	json bool
	mu   sync.Mutex // guards the output
}

func (p *transferPrinter) emit(ev boot.Event) {
	if ev.Kind != boot.TransferEnd {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		_ = json.NewEncoder(p.env.Out).Encode(ev)
		return
	}
	fmt.Fprintln(p.env.Out, transferLine(ev))
}

// transferLine says in words how a transfer ended, as in
// `10:04:05 10.0.0.7:2070 "ARDBP32.BIN" delivered completely: 300000 bytes in 12ms`.
func transferLine(ev boot.Event) string {
	line := fmt.Sprintf("%s %s %q %s", ev.Time.Format(time.TimeOnly), ev.Peer, ev.File, ev.Reason.Text())
	if ev.Reason == boot.Done || ev.Reason == boot.Received {
		line += fmt.Sprintf(": %d bytes in %s", ev.Bytes, ev.Dur.Round(100*time.Microsecond))
	}
	if ev.Detail != "" && ev.Reason != boot.TsizeProbe {
		line += ": " + ev.Detail
	}
	if ev.Retransmits > 0 {
		line += fmt.Sprintf(" (%d blocks sent again)", ev.Retransmits)
	}
	return line
}
