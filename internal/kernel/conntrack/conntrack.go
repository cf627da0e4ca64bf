// Package conntrack takes entries out of the kernel's connection tracking by netlink, and tells how full
// its table of expected connections is. It adds nothing to either.
package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Pair is an address that clients ask, and the one that their requests were translated to.
type Pair struct{ Asked, Backend netip.Addr }

type filter struct {
	pairs map[Pair]bool
	proto uint8
}

// MatchConntrackFlow takes requests that a pair's backend got.
func (f filter) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	asked, ok := netip.AddrFromSlice(flow.Forward.DstIP)
	backend, also := netip.AddrFromSlice(flow.Reverse.SrcIP)
	return ok && also && flow.Forward.Protocol == f.proto && f.pairs[Pair{asked.Unmap(), backend.Unmap()}]
}

// Evict forgets the UDP requests that were translated to backends which are dead: a client that asks
// again from the same port would go there again, since only the first packet of an entry is asked
// where it is to go. With an entry go the transfers that it lets expect. Transfers under way are
// entries of their own and stay.
func Evict(pairs []Pair) (int, error) {
	if len(pairs) == 0 {
		return 0, nil
	}
	f := filter{pairs: map[Pair]bool{}, proto: unix.IPPROTO_UDP}
	families := map[netlink.InetFamily]bool{}
	for _, p := range pairs {
		f.pairs[p] = true
		if p.Asked.Is4() {
			families[unix.AF_INET] = true
		} else {
			families[unix.AF_INET6] = true
		}
	}
	total := 0
	for family := range families {
		n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, f)
		total += int(n)
		if err != nil && !errors.Is(err, unix.ENOENT) { // it ended by itself meanwhile
			return total, fmt.Errorf("evict connection tracking entries: %w", err)
		}
	}
	return total, nil
}

const (
	subsysExpect = 2 // NFNL_SUBSYS_CTNETLINK_EXP
	msgExpGet    = 1 // IPCTNL_MSG_EXP_GET
)

// Expected counts the connections that the kernel expects in this network namespace: each request of a
// transfer that was not answered yet is one.
func Expected() (int, error) {
	req := nl.NewNetlinkRequest(subsysExpect<<8|msgExpGet, unix.NLM_F_DUMP)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	msgs, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		return 0, fmt.Errorf("count expected connections: %w", err)
	}
	return len(msgs), nil
}

const maxPath = "/proc/sys/net/netfilter/nf_conntrack_expect_max"

// MaxExpected is how many may be expected; one more, and a request is lost.
func MaxExpected() (int, error) {
	text, err := os.ReadFile(maxPath)
	if err != nil {
		return 0, fmt.Errorf("read how many connections may be expected: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// SetMaxExpected raises it. The number is the whole machine's, and may be set outside of network namespaces only.
func SetMaxExpected(n int) error {
	if err := os.WriteFile(maxPath, []byte(strconv.Itoa(n)), 0o644); err != nil {
		return fmt.Errorf("set net.netfilter.nf_conntrack_expect_max to %d: %w", n, err)
	}
	return nil
}
