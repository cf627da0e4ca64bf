package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	gc "runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/config"
	"surefoot/internal/heap"
)

const serveLong = `Serve the bootstrap to the machines of a network: ProxyDHCP beside whatever DHCP server there is,
TFTP, HTTP, and the status page.

  surefoot serve --interface eth1 --root /srv/boot   no site file: the first well-known bootstrap in
                                                     the root for each architecture, else a test one
  surefoot serve --config site.yaml --node boot1     the part of the site that runs on node boot1

Broadcast services start only on interfaces that are named. Without one, TFTP, HTTP and the
status page run on loopback, so that trying Surefoot can never capture a stranger's boot.

SIGHUP (surefoot reload) reads the configuration again; on any error the old one goes on.
SIGTERM drains: running transfers are finished. A second signal ends the process at once.`

// serveOptions are the flags that say what to serve; explain takes the same.
type serveOptions struct {
	config     string
	node       string
	interfaces []string
	root       string
	bios, uefi string
	status     string
	socket     string
}

func (o *serveOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.config, "config", "c", "", "site file (default "+config.DefaultPath+" if it is there; $SUREFOOT_CONFIG)")
	f.StringVar(&o.node, "node", "", "name of this node in the site file (default: the host name)")
	f.StringSliceVarP(&o.interfaces, "interface", "i", nil, "interface on which to answer broadcasts (may be repeated)")
	f.StringVar(&o.root, "root", "", "folder with the boot files (without a site file)")
	f.StringVar(&o.bios, "bios", "", "file for BIOS machines (without a site file)")
	f.StringVar(&o.uefi, "uefi", "", "file for UEFI x64 machines (without a site file)")
	f.StringVar(&o.status, "status", "", "address:port of the status page (default 127.0.0.1:8068)")
	f.StringVar(&o.socket, "socket", "", "unix socket of the API (default /run/surefoot/surefoot.sock)")
}

// options resolves which configuration is meant.
func (o *serveOptions) options(cmd *cobra.Command, env *Env) (app.Options, error) {
	path := o.config
	if path == "" {
		path = env.Getenv("SUREFOOT_CONFIG")
	}
	alone := o.root != "" || o.bios != "" || o.uefi != ""
	if path != "" && alone {
		return app.Options{}, usageError(cmd, errors.New("--root, --bios and --uefi are for serving without a site file, which --config names"))
	}
	if o.status != "" {
		if _, err := netip.ParseAddrPort(o.status); err != nil {
			return app.Options{}, usageError(cmd, fmt.Errorf("--status %q is not ADDRESS:PORT, as in 127.0.0.1:8068", o.status))
		}
	}
	if path == "" && !alone && len(o.interfaces) == 0 {
		if _, err := os.Stat(config.DefaultPath); err == nil {
			path = config.DefaultPath
		}
	}
	return app.Options{
		ConfigPath: path, Node: o.node, Interfaces: o.interfaces, Root: o.root,
		BIOSFile: o.bios, UEFIFile: o.uefi, Status: o.status, Socket: o.socket, Version: versionOf(),
	}, nil
}

func newServeCommand(env *Env) *cobra.Command {
	var o serveOptions
	var asJSON, debug bool
	cmd := &cobra.Command{
		Use:   "serve [--config FILE | --interface IF --root DIR]",
		Short: "serve bootstraps: ProxyDHCP, TFTP, HTTP and the status page",
		Long:  serveLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := o.options(cmd, env)
			if err != nil {
				return err
			}
			opts.StateDir = env.Getenv("STATE_DIRECTORY")
			opts.Notify = env.Getenv("NOTIFY_SOCKET")
			spareMemory(env)
			a, err := app.New(opts, newLogger(env, asJSON, debug))
			if err != nil {
				return err
			}
			paceMemory(env)
			for _, line := range a.Banner() {
				fmt.Fprintln(env.Err, line)
			}
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			return a.Run(cmd.Context(), hup)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "log as JSON lines")
	cmd.Flags().BoolVar(&debug, "debug", false, "log every packet")
	return cmd
}

// newLogger writes to stderr, without the time under systemd, which adds its own.
func newLogger(env *Env, asJSON, debug bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		o.Level = slog.LevelDebug
	}
	if env.Getenv("JOURNAL_STREAM") != "" {
		o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	if asJSON {
		return slog.New(slog.NewJSONHandler(env.Err, o))
	}
	return slog.New(slog.NewTextHandler(env.Err, o))
}

// spareMemory lets the garbage collector run twice as often as it does by itself, unless GOGC says
// something else: a server's heap is small and short-lived, and the time does not show.
func spareMemory(env *Env) {
	if env.Getenv("GOGC") == "" {
		gc.SetGCPercent(restPercent)
	}
}

const restPercent = 50

// paceMemory is spareMemory for a server that storms of machines ask: then it is collected less often. What a start
// leaves behind is no storm, so it begins after that.
func paceMemory(env *Env) {
	if env.Getenv("GOGC") == "" {
		heap.Pace{Rest: restPercent, Every: 4 * time.Second, Room: 64 << 20}.Keep()
	}
}
