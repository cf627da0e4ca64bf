package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// Names of what belongs to a service. Names of the site file hold no slash, so that none of these meet.
func pickChain(service string) string               { return "s/" + service }
func backendChain(service, backend string) string   { return "b/" + service + "/" + backend }
func requestCounter(service, backend string) string { return "c/" + service + "/" + backend }
func retryCounter(service, backend string) string   { return "r/" + service + "/" + backend }
func trafficCounter(service, backend string) string { return "d/" + service + "/" + backend }
func keepSet(s *lb.Service, backend string) string {
	// A set whose timeout changes is another set: the kernel does not change it.
	return fmt.Sprintf("k/%s/%s/%d", s.Name, backend, int(s.Persist/time.Second))
}

// maxKept is how many clients a backend's set remembers. One more gets a backend, and is not remembered.
const maxKept = 65535

// script collects the commands of one transaction. What is wanted is added where it is missing, chains
// are emptied and filled anew, and what nobody wants any more goes.
type script struct {
	family, table          string
	have                   nft.Listing
	objects, chains, rules strings.Builder
	keep                   map[string]bool // names that stay, with what they are in front
}

func newScript(family, table string, have nft.Listing) *script {
	return &script{family: family, table: table, have: have, keep: map[string]bool{}}
}

func (s *script) name(what string) string { return s.family + " " + s.table + " " + what }

func (s *script) counter(name string) {
	s.keep["counter "+name] = true
	if _, there := s.have.Counters[name]; !there {
		fmt.Fprintf(&s.objects, "add counter %s\n", s.name(name))
	}
}

func (s *script) helper(name, l3 string) {
	s.keep["ct helper "+name] = true
	if !slices.Contains(s.have.Helpers, name) {
		fmt.Fprintf(&s.objects, "add ct helper %s { type \"tftp\" protocol udp; l3proto %s; }\n", s.name(name), l3)
	}
}

// set remembers clients. One that stands there keeps whom it has.
func (s *script) set(name string, six bool, timeout time.Duration) {
	s.keep["set "+name] = true
	if slices.Contains(s.have.Sets, name) {
		return
	}
	kind := "ipv4_addr"
	if six {
		kind = "ipv6_addr"
	}
	fmt.Fprintf(&s.objects, "add set %s { type %s; flags dynamic,timeout; timeout %ds; size %d; }\n", s.name(name), kind, int(timeout/time.Second), maxKept)
}

// forget empties a set that stands there.
func (s *script) forget(name string) {
	if slices.Contains(s.have.Sets, name) && s.keep["set "+name] {
		fmt.Fprintf(&s.rules, "flush set %s\n", s.name(name))
	}
}

// chain is one that rules lead to; hook, if not empty, is where the kernel enters it by itself.
func (s *script) chain(name, hook string) {
	s.keep["chain "+name] = true
	if !slices.Contains(s.have.Chains, name) && !slices.Contains(s.have.Hooks, name) {
		if hook != "" {
			hook = " { " + hook + " }"
		}
		fmt.Fprintf(&s.chains, "add chain %s%s\n", s.name(name), hook)
		return
	}
	fmt.Fprintf(&s.chains, "flush chain %s\n", s.name(name))
}

func (s *script) rule(chain, format string, args ...any) {
	fmt.Fprintf(&s.rules, "add rule %s %s\n", s.name(chain), fmt.Sprintf(format, args...))
}

// text is the transaction.
func (s *script) text() string {
	var old strings.Builder
	for _, c := range slices.Concat(s.have.Hooks, s.have.Chains) {
		if !s.keep["chain "+c] {
			fmt.Fprintf(&old, "flush chain %s\n", s.name(c))
		}
	}
	var gone strings.Builder
	drop := func(what string, names []string) {
		for _, n := range names {
			if !s.keep[what+" "+n] {
				fmt.Fprintf(&gone, "delete %s %s\n", what, s.name(n))
			}
		}
	}
	drop("chain", slices.Concat(s.have.Hooks, s.have.Chains))
	drop("set", s.have.Sets)
	counters := make([]string, 0, len(s.have.Counters))
	for n := range s.have.Counters {
		counters = append(counters, n)
	}
	slices.Sort(counters)
	drop("counter", counters)
	drop("ct helper", s.have.Helpers)
	return "add table " + s.family + " " + s.table + "\n" + s.objects.String() + s.chains.String() + old.String() + s.rules.String() + gone.String()
}

// to is the match of an address as the destination.
func to(a netip.Addr) string { return ip(a) + " daddr " + a.String() }

func ip(a netip.Addr) string {
	if a.Is6() {
		return "ip6"
	}
	return "ip"
}

// dports are the matches of a service's ports, one for each protocol; one that is empty: every packet.
func dports(s *lb.Service) []string {
	if len(s.Ports) == 0 {
		return []string{""}
	}
	var out []string
	for _, protocol := range []string{"udp", "tcp"} {
		var numbers []string
		for _, p := range s.Ports {
			if p.Protocol == protocol {
				numbers = append(numbers, fmt.Sprint(p.Number))
			}
		}
		switch len(numbers) {
		case 0:
		case 1:
			out = append(out, " "+protocol+" dport "+numbers[0])
		default:
			out = append(out, " "+protocol+" dport { "+strings.Join(numbers, ", ")+" }")
		}
	}
	return out
}
