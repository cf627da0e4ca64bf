package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/files"
)

const fileShowLong = `Show what a machine gets that asks for a file of this name: the text, if it is made from a template,
else the file's path, size and hash. It is looked up as the node does, by TFTP and HTTP alike.

  surefoot file show ardbp32.bin
  surefoot file show pxelinux.cfg/01-52-54-00-12-34-56 --client 10.0.0.7
  surefoot file show menu.ipxe --mac 52:54:00:12:34:56 --arch uefi-x64 --firmware ipxe

The running node knows of a machine what its last boot told. Here only the site file is asked: --mac,
--arch and --firmware say the rest. Exit status 3 says that the machine would get an error.`

// fileShowJSON is what `file show --json` prints. Fields are only ever added.
type fileShowJSON struct {
	Name     string        `json:"name"` // as asked
	File     string        `json:"file"` // as it is called below the root
	Version  string        `json:"version,omitempty"`
	Template string        `json:"template,omitempty"`
	Size     int64         `json:"size"`
	SHA256   string        `json:"sha256"`
	Text     *string       `json:"text,omitempty"` // made from the template
	Client   *files.Client `json:"client,omitempty"`
}

type fileShowOptions struct {
	*fileOptions
	client, mac, arch, firmware, server string
}

func newFileShowCommand(o *fileOptions) *cobra.Command {
	s := &fileShowOptions{fileOptions: o}
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "what a machine gets that asks for this name",
		Long:  fileShowLong,
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return s.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&s.client, "client", "", "the machine's IP address")
	f.StringVar(&s.mac, "mac", "", "its MAC address")
	f.StringVar(&s.arch, "arch", "", "its architecture: "+joined(boot.ArchClasses()))
	f.StringVar(&s.firmware, "firmware", "", "its firmware: "+joined(boot.Firmwares()))
	f.StringVar(&s.server, "server", "", "the address that it asks (default: the node's)")
	return cmd
}

func (o *fileShowOptions) run(cmd *cobra.Command, name string) error {
	cfg, err := o.site(cmd)
	if err != nil {
		return err
	}
	asker, err := o.asker(cfg)
	if err != nil {
		return usageError(cmd, err)
	}
	var root *files.Root
	if cfg != nil {
		root, err = app.OpenRoot(cfg)
	} else {
		root, err = files.Open(o.root, files.Options{Fold: true})
	}
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFor(name, asker)
	if err != nil {
		return showError(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	out := fileShowJSON{
		Name: name, File: f.Name(), Version: f.Version(), Template: f.Template(), Size: f.Size(), SHA256: hex.EncodeToString(sum[:]),
	}
	if out.Template != "" {
		text, client := string(b), f.Client()
		out.Text, out.Client = &text, &client
	}
	if o.json {
		return o.printJSON(out)
	}
	return o.print(out, root.Dir())
}

// asker is the machine that the flags describe.
func (o *fileShowOptions) asker(cfg *config.Config) (files.Asker, error) {
	var a files.Asker
	var err error
	if o.client != "" {
		if a.IP, err = netip.ParseAddr(o.client); err != nil {
			return a, fmt.Errorf("--client: %q is not an address", o.client)
		}
	}
	if o.mac != "" {
		if a.MAC, err = boot.ParseMAC(o.mac); err != nil {
			return a, fmt.Errorf("--mac: %w", err)
		}
	}
	arch := ""
	if o.arch != "" {
		list, err := boot.ParseArchs(o.arch)
		if err != nil {
			return a, fmt.Errorf("--arch: %w", err)
		}
		arch = string(list[0].Class())
	}
	if o.firmware != "" {
		if a.Firmware, err = boot.ParseFirmware(o.firmware); err != nil {
			return a, fmt.Errorf("--firmware: %w", err)
		}
	}
	switch {
	case o.server != "":
		if a.Server, err = netip.ParseAddr(o.server); err != nil {
			return a, fmt.Errorf("--server: %q is not an address", o.server)
		}
	case cfg != nil:
		a.Server = cfg.Node.Addr
	}
	a.Who = func(ip netip.Addr, mac boot.MAC) files.Client {
		c := files.Client{Arch: arch}
		if cfg != nil {
			c = app.Describe(cfg, c, ip, mac)
		}
		return c
	}
	return a, nil
}

// showError gives what the machine would be refused for its exit code and a word.
func showError(err error) error {
	e := &Error{Code: ExitProblems, Err: err, Hints: hintsOf(err, nil), Machine: "not-handed-out"}
	switch {
	case errors.As(err, new(*files.NotFoundError)):
		e.Machine = string(boot.FileMissing)
	case errors.As(err, new(*files.TemplateError)):
		e.Machine = string(boot.TemplateFailed)
	case errors.Is(err, files.ErrOutside):
		e.Machine = string(boot.AccessDenied)
	case errors.Is(err, files.ErrNotAFile):
		e.Machine = string(boot.NotAFile)
	}
	return e
}

func (o *fileShowOptions) print(s fileShowJSON, root string) error {
	if s.Text != nil {
		var of []string
		for _, x := range []struct{ name, value string }{
			{"ip", s.Client.IP},
			{"mac", s.Client.MAC},
			{"name", s.Client.Name},
			{"network", s.Client.Network},
			{"arch", s.Client.Arch},
			{"firmware", s.Client.Firmware},
			{"server", s.Client.Server},
		} {
			if x.value != "" {
				of = append(of, x.name+" "+x.value)
			}
		}
		fmt.Fprint(o.env.Err, wrap(fmt.Sprintf("made from %s for %s", s.Template, orUnknown(strings.Join(of, ", "))), ""))
		_, err := io.WriteString(o.env.Out, *s.Text)
		return err
	}
	fmt.Fprintf(o.env.Out, "%s\n", plainName(s.Name))
	where := "built in, or below no root"
	if root != "" {
		where = root
	}
	o.row("file", "%s", plainName(s.File))
	o.row("below", "%s", where)
	if s.Version != "" {
		o.row("version", "%s", s.Version)
	}
	o.row("size", "%d bytes", s.Size)
	o.row("sha256", "%s", s.SHA256)
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "a machine of which nothing is known"
	}
	return s
}
