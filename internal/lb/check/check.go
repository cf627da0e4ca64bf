// Package check looks for what makes a load-balanced service fail although everything runs: an address that a
// server lacks, one that too many have, settings of the kernel that drop or divert packets, tables that fill. Each
// finding has its evidence and what to do. It changes nothing; what it sends are downloads and ARP questions.
//
// It runs on a balancer, a standby, or a backend, and finds out which. Downloads are the business of
// package probe.
package check

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/lb"
	"surefoot/internal/probe"
)

// Service is what is looked at.
type Service struct {
	Name      string
	Mode      lb.Mode
	Address   netip.AddrPort
	Interface string // where its packets come in on this node; "": that of the route to the first backend
	File      string // what is downloaded; "": nothing
	As        probe.Style
	Contains  string
	Backends  []Backend
	Clients   []netip.Prefix // the networks that the machines are in
}

// Backend is a server behind it.
type Backend struct {
	Name string
	Addr netip.AddrPort
}

// Code names a finding: a stable word. Those of downloads are the codes of package probe.
type Code string

// The codes of what is no download's. docs/lb-check.md explains each; a test holds the two together.
const (
	SecondMAC    Code = "second-mac"
	NobodyHas    Code = "nobody-has-address"
	NotOnLo      Code = "address-missing"
	ARPIgnore    Code = "arp-ignore"
	ARPAnnounce  Code = "arp-announce"
	ReversePath  Code = "rp-filter"
	VethXDP      Code = "veth-native-xdp"
	Checksums    Code = "checksum-errors"
	NoForwarding Code = "no-forwarding"
	Redirects    Code = "send-redirects"
	Expectations Code = "expectations-full"
	Conntrack    Code = "conntrack-full"
	NotLooked    Code = "not-looked"
)

// Codes lists them.
func Codes() []Code {
	return []Code{SecondMAC, NobodyHas, NotOnLo, ARPIgnore, ARPAnnounce, ReversePath, VethXDP, Checksums, NoForwarding, Redirects, Expectations, Conntrack, NotLooked}
}

// Finding is something that is wrong, or may become so.
type Finding struct {
	Code    Code     `json:"code"`
	Subject string   `json:"subject"` // a backend, or this machine
	Warning bool     `json:"warning,omitempty"`
	Text    string   `json:"text"` // the evidence
	Fix     []string `json:"fix,omitempty"`
}

// Good is something that was looked at and is right.
type Good struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Report is what came of it.
type Report struct {
	Service  string         `json:"service"`
	Address  netip.AddrPort `json:"address"`
	Mode     lb.Mode        `json:"mode"`
	Role     string         `json:"role"` // of this machine
	Good     []Good         `json:"good"`
	Findings []Finding      `json:"findings"`
}

// Bad reports whether anything but warnings was found.
func (r *Report) Bad() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Warning })
}

// What this machine is to the service.
const (
	Balancer = "balancer" // it has the address
	Standby  = "standby, or another machine of the segment"
	ABackend = "backend"
)

// here is what findings about this machine are about.
const here = "this machine"

// Run looks. timeout is how long a server may send nothing new.
func Run(ctx context.Context, s Service, timeout time.Duration) Report {
	c := &checking{service: s, host: look(), timeout: timeout}
	c.Service, c.Address, c.Mode = s.Name, s.Address, s.Mode
	c.Good, c.Findings = []Good{}, []Finding{}
	c.role()
	switch c.Role {
	case ABackend:
		c.backendHere()
	default:
		c.downloads(ctx)
		c.holders(ctx)
		c.kernel()
	}
	slices.SortStableFunc(c.Findings, func(a, b Finding) int { return cmp.Compare(weight(a), weight(b)) })
	return c.Report
}

func weight(f Finding) int {
	if f.Warning {
		return 1
	}
	return 0
}

type checking struct {
	Report
	service Service
	host    host
	timeout time.Duration
	macs    map[string]string // MAC → backend, as far as downloads saw them
}

func (c *checking) found(code Code, subject, text string, fix ...string) {
	c.Findings = append(c.Findings, Finding{Code: code, Subject: subject, Text: text, Fix: fix})
}

func (c *checking) warn(code Code, subject, text string, fix ...string) {
	c.Findings = append(c.Findings, Finding{Code: code, Subject: subject, Warning: true, Text: text, Fix: fix})
}

func (c *checking) good(subject, format string, args ...any) {
	c.Good = append(c.Good, Good{Subject: subject, Text: fmt.Sprintf(format, args...)})
}

// role finds out what this machine is.
func (c *checking) role() {
	c.Role = Standby
	if c.service.Interface == "" && len(c.service.Backends) > 0 {
		c.service.Interface = c.host.towards(c.service.Backends[0].Addr.Addr())
	}
	for _, b := range c.service.Backends {
		if c.host.has(b.Addr.Addr()) != "" {
			c.Role = ABackend
			return
		}
	}
	if iface := c.host.has(c.service.Address.Addr()); iface != "" && iface != loopback {
		c.Role = Balancer
	}
}
