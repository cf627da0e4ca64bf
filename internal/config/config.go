// Package config reads the site file: the one YAML file that describes a site and is the same on
// every node. It decodes strictly, reports every problem at once with its place and what to write
// instead, fills in the defaults and hands out plain typed values. The same table of keys
// (keytable.go) makes the reference, the JSON Schema and `surefoot config explain`.
//
// It is not where anything is decided about clients (package boot), and it opens no socket and
// looks at no network interface. The file format is YAML 1.2 without tags, merge keys and block
// text; JSON is read by the same decoder.
package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// DefaultPath is where the site file is looked for when nobody names another.
const DefaultPath = "/etc/surefoot/surefoot.yaml"

// Config is a valid site file as one node sees it, with every default filled in.
type Config struct {
	Path         string    // of the site file, "" if there was none
	Site         boot.Site // Site.Self is the node
	Root         string    // directory of the boot files, "" for the built-in ones only
	Fold         bool      // find a file whose name differs in case or slashes
	Files        []files.Entry
	Node         Node   // the one that runs here
	Nodes        []Node // all of them, in the order of the file
	TFTP         netip.AddrPort
	HTTP         netip.AddrPort
	Status       netip.AddrPort // status page, metrics and health
	Socket       string         // unix socket of the API
	Probe        ProbeFor       // whom /probe asks
	MaxTransfers int            // TFTP transfers at the same time
	Serving      Serving        // how TFTP serves them
	Uploads      []Upload       // folders below the root that take files by TFTP
	DHCP         DHCP           // the DHCP server, if there is one
	Store        Store          // what the nodes share, if they do
	Tables       []Table        // files of reservations
	DNS          DNS            // the DNS server, if there is one
	Balances     []Balance      // the services of the load balancer
	LBPeersKey   string         // the file with the key by which balancers know each other; "": they exchange nothing
	DrainTimeout time.Duration  // how long running transfers may take to end after a stop

	Offer         TFTPOffer      // which TFTP options are granted ...
	NetworkOffers []NetworkOffer // ... and to the clients of these networks instead; the first counts
	State         string         // directory of what survives a restart
	Watch         Watch          // the monitor
	VIPs          []VIP          // service addresses that move between nodes
	History       History        // what is remembered
	Alerts        Alerts         // what somebody is told
}

// Serving is how the TFTP server serves many clients.
type Serving struct {
	PerClient, PerNetwork int           // transfers at the same time of one client address, of one network
	Queue                 int           // requests that wait for a place; 0: none
	QueueTime             time.Duration // how long one waits
	Ports                 Ports         // where transfers are served from
	BusyPoll              time.Duration // how long to look for the next packet before sleeping
}

// Upload is a folder below the root that takes files by TFTP.
type Upload struct {
	Folder    string
	Overwrite bool
	MaxSize   int64          // bytes of one file
	MaxTotal  int64          // bytes of all files in it; 0: no limit but the disk's
	From      []netip.Prefix // who may; none: everybody
}

// Ports are those that TFTP transfers are served from. The zero value is any port.
type Ports struct {
	Low, High uint16
	Single    bool // the request port itself
}

// Table is a file of reservations of a network.
type Table struct {
	Network, File string
	MACs          []boot.MAC // of the machines in it
	DUIDs         []string
}

// Node is one machine that runs Surefoot.
type Node struct {
	Name       string
	Addr       netip.Addr // the one that clients are told
	Addr6      netip.Addr // and over IPv6; the zero value: it serves nobody there
	Interfaces []string   // where ProxyDHCP and DHCP listen
	Roles      []string   // any of RoleProxyDHCP, RoleDHCP, RoleDHCP6, RoleTFTP, RoleHTTP, RoleDNS, RoleLB
}

// The roles that a node may have.
const (
	RoleProxyDHCP = "proxydhcp"
	RoleDHCP      = "dhcp"
	RoleDHCP6     = "dhcp6"
	RoleTFTP      = "tftp"
	RoleHTTP      = "http"
	RoleDNS       = "dns"
	RoleLB        = "lb"
)

// The values that stand in when the file names none.
const (
	DefaultTFTPPort     = 69
	DefaultHTTPPort     = 8067 // of our boot files; 80 is often taken
	DefaultStatusPort   = 8068
	DefaultSocket       = "/run/surefoot/surefoot.sock"
	DefaultMaxTransfers = 4096
	DefaultQueue        = 4096
	DefaultQueueTime    = 8 * time.Second
	DefaultDrainTimeout = 30 * time.Second
	DefaultState        = "/var/lib/surefoot"
)

// Options say what the file does not: which of its nodes this is.
type Options struct {
	Node       string   // "" looks for the host name, and takes the only node of a file that has one
	Interfaces []string // instead of those in the file
	AnyNode    bool     // take the first node if none of them is this machine

	// Read reads the files that the site file names (reservations_file). Nil: they are left alone, and
	// what stands in them is not there. Load reads the disk.
	Read func(path string) ([]byte, error)
}

// Load reads the site file at path. Errors are *Errors (the file is wrong) or *ReadError (there is
// no reading it).
func Load(path string, o Options) (*Config, error) {
	data, err := Read(path)
	if err != nil {
		return nil, err
	}
	if o.Read == nil {
		o.Read = ReadTable
	}
	return Parse(path, data, o)
}

// Read returns the bytes of a site file, at most as many as Parse accepts and one more.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, &ReadError{Path: path, Err: fmt.Errorf("it is a directory")}
	}
	data, err := readAtMost(f, maxSize+1)
	if err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	return data, nil
}

// Parse reads a site file from memory; name stands for it in messages. The error is *Errors.
func Parse(name string, data []byte, o Options) (*Config, error) {
	d, f := decode(name, data)
	if f == nil {
		return nil, d.errors()
	}
	d.tables(f, o.Read)
	d.check(f)
	self := d.selectNode(f, o)
	if self != nil {
		d.checkNode(f, self, o.Interfaces)
	}
	if err := d.errors(); err != nil {
		return nil, err
	}
	return resolve(f, name, self.name, o), nil
}

// Summary counts what a site file describes.
type Summary struct {
	Site     string `json:"site"`
	Nodes    int    `json:"nodes"`
	Servers  int    `json:"servers"`
	Rules    int    `json:"rules"`
	Networks int    `json:"networks"`
}

// Check reads a site file as every node of it would, so that it can be checked on a machine that
// is none of them. Interfaces are those that every node is started with, nil if none. The error
// is *Errors.
func Check(name string, data []byte, interfaces []string) (Summary, error) {
	return CheckWith(name, data, Options{Interfaces: interfaces})
}

// CheckWith is Check with the files that the site file names, where o.Read says how to read them.
func CheckWith(name string, data []byte, o Options) (Summary, error) {
	interfaces := o.Interfaces
	d, f := decode(name, data)
	if f == nil {
		return Summary{}, d.errors()
	}
	d.tables(f, o.Read)
	d.check(f)
	for i := range f.nodes {
		d.checkNode(f, &f.nodes[i], interfaces)
	}
	if err := d.errors(); err != nil {
		return Summary{}, err
	}
	return resolve(f, name, f.nodes[0].name, Options{}).Summary(), nil
}

// Summary counts what the site has.
func (c *Config) Summary() Summary {
	s := Summary{Site: c.Site.Name, Nodes: len(c.Nodes), Rules: len(c.Site.Rules), Networks: len(c.Site.Networks)}
	for _, srv := range c.Site.Servers {
		if !srv.Node {
			s.Servers++
		}
	}
	return s
}

// String says it in words.
func (s Summary) String() string {
	text := fmt.Sprintf("site %s: %s, %s, %s", s.Site, count(s.Nodes, "node"), count(s.Rules, "rule"), count(s.Networks, "network"))
	if s.Servers > 0 {
		text += ", " + count(s.Servers, "other server")
	}
	return text
}

// ReadError says that the site file could not be read at all.
type ReadError struct {
	Path string
	Err  error
}

func (e *ReadError) Error() string {
	err := e.Err
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	return fmt.Sprintf("read site file %s: %v", e.Path, err)
}

func (e *ReadError) Unwrap() error { return e.Err }

// Hint says how to come by a site file, or do without.
func (e *ReadError) Hint() []string {
	if os.IsNotExist(e.Err) {
		return []string{
			"surefoot config example > " + e.Path + "   writes one to start from",
			"surefoot serve --interface eth1 --root /srv/boot   needs no site file",
		}
	}
	return nil
}
