package nft

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Listing is what stands in a table, by name; what sets hold is left out.
type Listing struct {
	Chains   []string
	Hooks    []string // those of the chains that the kernel enters by itself
	Sets     []string
	Counters map[string]Counter
	Helpers  []string
	Rules    int
}

// Counter is how often something was seen.
type Counter struct{ Packets, Bytes uint64 }

// List reads a table; ok is false if there is none.
func List(ctx context.Context, family, table string) (l Listing, ok bool, err error) {
	out, err := run(ctx, "", "-j", "-t", "list", "table", family, table)
	if IsGone(err) {
		return Listing{}, false, nil
	}
	if err != nil {
		return Listing{}, false, err
	}
	if len(out) == 0 { // a table that another process owns is not shown
		return Listing{}, false, nil
	}
	l, err = parseListing(out)
	return l, err == nil, err
}

func parseListing(text []byte) (Listing, error) {
	var doc struct {
		NFTables []struct {
			Chain *struct {
				Name string `json:"name"`
				Hook string `json:"hook"`
			} `json:"chain"`
			Set *struct {
				Name string `json:"name"`
			} `json:"set"`
			Counter *struct {
				Name    string `json:"name"`
				Packets uint64 `json:"packets"`
				Bytes   uint64 `json:"bytes"`
			} `json:"counter"`
			Helper *struct {
				Name string `json:"name"`
			} `json:"ct helper"`
			Rule *struct{} `json:"rule"`
		} `json:"nftables"`
	}
	l := Listing{Counters: map[string]Counter{}}
	if err := json.Unmarshal(text, &doc); err != nil {
		return l, fmt.Errorf("read what nft lists: %w", err)
	}
	for _, x := range doc.NFTables {
		switch {
		case x.Chain != nil && x.Chain.Hook != "":
			l.Hooks = append(l.Hooks, x.Chain.Name)
		case x.Chain != nil:
			l.Chains = append(l.Chains, x.Chain.Name)
		case x.Set != nil:
			l.Sets = append(l.Sets, x.Set.Name)
		case x.Counter != nil:
			l.Counters[x.Counter.Name] = Counter{x.Counter.Packets, x.Counter.Bytes}
		case x.Helper != nil:
			l.Helpers = append(l.Helpers, x.Helper.Name)
		case x.Rule != nil:
			l.Rules++
		}
	}
	slices.Sort(l.Chains)
	slices.Sort(l.Sets)
	return l, nil
}

// Held reports whether a set has an address, and for how long still.
func Held(ctx context.Context, family, table, set string, a netip.Addr) (left time.Duration, ok bool, err error) {
	out, err := run(ctx, "", "get", "element", family, table, set, "{ "+a.String()+" }") // with -j versions before 1.0.7 say the same
	if IsGone(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	left, ok = expires(string(out))
	return left, ok, nil
}

// expires reads the time that an element has left.
func expires(text string) (time.Duration, bool) {
	_, text, ok := strings.Cut(text, "expires ")
	if !ok {
		return 0, false
	}
	text, _, _ = strings.Cut(text, " ")
	var d time.Duration
	if days, rest, has := strings.Cut(text, "d"); has { // which Go has no word for
		n, err := strconv.Atoi(days)
		if err != nil {
			return 0, false
		}
		d, text = time.Duration(n)*24*time.Hour, rest
	}
	if text == "" {
		return d, true
	}
	rest, err := time.ParseDuration(text)
	return d + rest, err == nil
}

// Quote is a text as a string of nft: of names of interfaces.
func Quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, "") + `"` }
