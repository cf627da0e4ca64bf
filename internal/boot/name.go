package boot

import (
	"fmt"
	"strconv"
	"strings"
)

// Name is a DNS name that stands for the servers of one file: what a client that resolves names
// is told instead of an address.
type Name struct {
	Name    string   `json:"name"`           // below the zone, or with a dot at the end a zone of its own
	Rule    string   `json:"rule,omitempty"` // the rule that it was made from
	File    string   `json:"file"`           // what a server has to hand out to be named
	From    []string `json:"from"`           // names of servers, in order of preference
	Order   Order    `json:"order"`
	Answers int      `json:"answers,omitempty"` // how many servers an answer names; 0: all
}

// Absolute reports whether the name is a zone of its own.
func (n Name) Absolute() bool { return strings.HasSuffix(n.Name, ".") }

// Order is in which order an answer names the servers.
type Order string

const (
	// OrderRotate begins with the next server each time.
	OrderRotate Order = "rotate"
	// OrderSticky begins with the same server for the same subnet of clients, for as long as that
	// server lives.
	OrderSticky Order = "sticky"
	// OrderFirst keeps the order of the site file.
	OrderFirst Order = "first"
)

// Orders lists them in the order in which help texts name them.
func Orders() []Order { return []Order{OrderRotate, OrderSticky, OrderFirst} }

// ParseAnswers reads how many servers an answer names: "all", "one" or a number.
func ParseAnswers(s string) (int, error) {
	switch s {
	case "all":
		return 0, nil
	case "one":
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("%q is not all, one, or a number from 1 to 1000", s)
	}
	return n, nil
}

// AnswersText is what ParseAnswers reads.
func AnswersText(n int) string {
	switch n {
	case 0:
		return "all"
	case 1:
		return "one"
	}
	return strconv.Itoa(n)
}

// NameOf finds the DNS name whose servers are those of a rule: the one that was made from it, else
// one for the same file from the same servers.
func (s *Site) NameOf(rule string) (Name, bool) {
	var r Rule
	for _, x := range s.Rules {
		if x.Name == rule {
			r = x
		}
	}
	for _, n := range s.Names {
		if n.Rule == rule {
			return n, true
		}
	}
	for _, n := range s.Names {
		if n.File == r.File && strings.Join(n.From, " ") == strings.Join(r.From, " ") {
			return n, true
		}
	}
	return Name{}, false
}
