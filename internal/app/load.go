package app

import (
	"fmt"
	"log/slog"
	"net/netip"

	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/inbox"
	"surefoot/internal/kernel/link"
	"surefoot/internal/testboot"
)

// Options are what the command line says.
type Options struct {
	ConfigPath string   // the site file; "" means the embedded defaults
	Node       string   // "" means the host name
	Interfaces []string // broadcast services start on these and no others
	Root       string
	BIOSFile   string
	UEFIFile   string
	Status     string // overrides status.listen
	Socket     string // overrides status.socket
	Notify     string // the value of NOTIFY_SOCKET
	StateDir   string // the value of STATE_DIRECTORY
	Version    string
}

// logger is where a command that is no server says what it met with: nowhere, since its errors say it.
func (o Options) logger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// LoadConfig reads the site file, or makes the embedded defaults if there is none, without
// opening or starting anything.
func LoadConfig(o Options) (*config.Config, error) {
	cfg, err := loadConfig(o)
	if err != nil {
		return nil, err
	}
	if o.Status != "" {
		at, err := netip.ParseAddrPort(o.Status)
		if err != nil {
			return nil, fmt.Errorf("--status %q is not ADDRESS:PORT: %w", o.Status, err)
		}
		cfg.Status = at
	}
	if o.Socket != "" {
		cfg.Socket = o.Socket
	}
	return cfg, nil
}

func loadConfig(o Options) (*config.Config, error) {
	if o.ConfigPath != "" {
		return config.Load(o.ConfigPath, config.Options{Node: o.Node, Interfaces: o.Interfaces})
	}
	d := config.DefaultOptions{
		Node: o.Node, Interfaces: o.Interfaces, Root: o.Root,
		BIOSFile: o.BIOSFile, UEFIFile: o.UEFIFile,
		Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}),
	}
	if len(o.Interfaces) > 0 {
		l, err := link.ByName(o.Interfaces[0])
		if err != nil {
			return nil, err
		}
		if len(l.Addrs) == 0 {
			return nil, &noAddressError{name: l.Name}
		}
		d.Addr = l.Addrs[0].Addr()
	}
	return config.Default(d)
}

// noAddressError is an interface whose address machines were to be told, and which has none.
type noAddressError struct{ name string }

func (e *noAddressError) Error() string {
	return fmt.Sprintf("interface %s has no IPv4 address, and without a site file nothing else says where machines are to be sent", e.name)
}

// Hint says the two ways out.
func (e *noAddressError) Hint() []string {
	return []string{
		"give it one first: ip address add ADDRESS/LENGTH dev " + e.name,
		"or write a site file (surefoot config example) with the address of this node: then the interface's own may come later",
	}
}

// setup is a configuration with what was opened for it: the unit that a reload exchanges.
type setup struct {
	*config.Config
	files *files.Root
	inbox *inbox.Inbox // nil: no folder takes uploads
}

// newSetup opens the root of a configuration.
func newSetup(cfg *config.Config) (*setup, error) {
	root, err := OpenRoot(cfg)
	if err != nil {
		return nil, err
	}
	s := &setup{Config: cfg, files: root}
	if len(cfg.Uploads) > 0 && s.has(roleTFTP) {
		if s.inbox, err = inbox.Open(cfg.Root, folders(cfg.Uploads)); err != nil {
			_ = root.Close()
			return nil, err
		}
	}
	return s, nil
}

// folders are those of the site file in the inbox's own words.
func folders(list []config.Upload) []inbox.Folder {
	var out []inbox.Folder
	for _, u := range list {
		out = append(out, inbox.Folder{Name: u.Folder, Overwrite: u.Overwrite, MaxSize: u.MaxSize, MaxTotal: u.MaxTotal, From: u.From})
	}
	return out
}

// OpenRoot opens the files of a node as its roles see them.
func OpenRoot(cfg *config.Config) (*files.Root, error) {
	return files.Open(cfg.Root, files.Options{Fold: cfg.Fold, Builtin: testboot.Files(cfg.Node.Name), Entries: cfg.Files})
}
