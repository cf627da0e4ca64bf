package web

import (
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// Status is what a node does and how it is. Fields are only ever added.
type Status struct {
	Node     string           `json:"node"`
	Site     string           `json:"site"`
	Version  string           `json:"version"`
	Started  time.Time        `json:"started"`
	Ready    bool             `json:"ready"`
	Draining bool             `json:"draining"`
	NotReady []string         `json:"not_ready,omitempty"` // who is not serving
	Config   ConfigStatus     `json:"config"`
	Files    *FilesStatus     `json:"files,omitempty"` // nil: there is no root
	Roles    []RoleStatus     `json:"roles"`
	Nodes    []NodeStatus     `json:"nodes"`
	Servers  []boot.Server    `json:"servers"`
	Rules    []RuleStatus     `json:"rules"`
	Networks []NetworkStatus  `json:"networks"`
	Warnings []Warning        `json:"warnings,omitempty"`
	Counters map[string]int64 `json:"counters,omitempty"` // since the start

	Pools  []PoolUsage `json:"pools,omitempty"`  // of the networks that get their addresses here
	Leases string      `json:"leases,omitempty"` // the file of the leases

	// Services are those of the load balancer that run here.
	Services []ServiceStatus `json:"services,omitempty"`

	// Health says what each server counts as, by this node's own downloads.
	Health []watch.ServerReport `json:"health,omitempty"`

	// Shared is the store that the nodes share; absent: they share none.
	Shared *store.Shared `json:"shared,omitempty"`
}

// ConfigStatus tells of the site file.
type ConfigStatus struct {
	Path        string    `json:"path"` // "" means the embedded defaults
	LoadedAt    time.Time `json:"loaded_at"`
	LastError   string    `json:"last_error,omitempty"` // of the last reload, if it was refused
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// FilesStatus tells which files are handed out.
type FilesStatus struct {
	Root    string `json:"root"`
	Version string `json:"version,omitempty"` // "" if the root has no versions
	Entries int    `json:"entries"`           // names of the site file, for files and templates
	Error   string `json:"error,omitempty"`   // why the version cannot be served
}

// RoleStatus tells of one role of this node.
type RoleStatus struct {
	Name   string   `json:"name"`
	State  string   `json:"state"` // starting, ready, draining, failed
	Listen []string `json:"listen"`
}

// NodeStatus tells of one node of the site, as the site file has it.
type NodeStatus struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	Self    bool     `json:"self"`
	Roles   []string `json:"roles"`
}

// RuleStatus tells of one rule.
type RuleStatus struct {
	Name string   `json:"name"`
	File string   `json:"file"`
	From []string `json:"from"`
}

// NetworkStatus tells of one network.
type NetworkStatus struct {
	Name    string `json:"name"`
	Subnet  string `json:"subnet"`
	Deliver string `json:"deliver"`
}

// Warning is something that works, but not as configured or not as well as it could.
type Warning struct {
	Code  string `json:"code"` // stable; docs/troubleshoot.md explains it
	Title string `json:"title"`
	Text  string `json:"text"`
	Fix   string `json:"fix"`
}

// ServiceStatus tells of one service of the load balancer.
type ServiceStatus struct {
	Name      string          `json:"name"`
	Where     string          `json:"where"` // what of an address it takes
	Mode      string          `json:"mode"`
	Scheduler string          `json:"scheduler"`
	By        string          `json:"by"`             // what carries packets: relay, nftables, BPF
	Role      string          `json:"role,omitempty"` // active or standby; "" of a relay
	Trouble   string          `json:"trouble,omitempty"`
	Backends  []BackendStatus `json:"backends"`
}

// BackendStatus tells of one backend of a service.
type BackendStatus struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Weight   int    `json:"weight"`
	State    string `json:"state"` // in words
	Good     bool   `json:"good"`  // it gets clients
	Share    int    `json:"share"` // of the requests, in percent
	Requests uint64 `json:"requests"`
	Retries  uint64 `json:"retries"`
	Bytes    uint64 `json:"bytes"`
}
