package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// DefaultDir is where labs keep their state: gone after a restart of the machine, as the
// namespaces are.
const DefaultDir = "/run/surefoot-lab"

const stateFile = "lab.json"

// State is what a running lab tells other processes: `surefoot lab boot` finds it by this.
type State struct {
	ID     string      `json:"id"`
	Owner  Owner       `json:"owner"` // the process that built the lab and will take it down
	Dir    string      `json:"dir"`   // site file, sockets, logs
	Relay  bool        `json:"relay,omitempty"`
	Spaces []string    `json:"namespaces"` // in the order in which they were made
	Nodes  []NodeState `json:"nodes,omitempty"`
}

// NodeState is a node as others see it.
type NodeState struct {
	Name    string `json:"name"`
	Addr    string `json:"addr"`
	Space   string `json:"namespace"`
	Socket  string `json:"socket"` // unix socket of its API
	Log     string `json:"log"`
	Process Owner  `json:"process,omitzero"` // zero: not started
}

// space returns the name of a namespace of the lab; part is "sw", "dhcp", "n1", ...
func (s *State) space(part string) string { return "sf-" + s.ID + "-" + part }

// save writes the state so that a reader sees either the old or the new one.
func (s *State) save() error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("state of lab %s: %w", s.ID, err)
	}
	path := filepath.Join(s.Dir, stateFile)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("state of lab %s: %w", s.ID, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("state of lab %s: %w", s.ID, err)
	}
	return nil
}

// List reads the states of all labs under a folder ("" is DefaultDir), the newest last. Labs
// whose owner has died are among them.
func List(dir string) ([]State, error) {
	if dir == "" {
		dir = DefaultDir
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", stateFile))
	if err != nil {
		return nil, fmt.Errorf("labs under %s: %w", dir, err)
	}
	var out []State
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken down between the two calls
		}
		if err != nil {
			return nil, fmt.Errorf("state of a lab: %w", err)
		}
		var s State
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("state of a lab: %s: %w", p, err)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return int(int64(a.Owner.Start) - int64(b.Owner.Start)) })
	return out, nil
}
