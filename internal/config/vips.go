package config

import (
	"net/netip"
	"strconv"
	"time"
)

// VIP is a service address that moves between nodes.
type VIP struct {
	Name         string
	Address      netip.Prefix
	VRID         int
	Version      int
	Advert       time.Duration
	Preempt      bool
	PreemptDelay time.Duration
	Multicast    bool
	Peers        []netip.Addr // named ones; without Multicast the nodes' own addresses besides
	Unicast      bool         // the other nodes are peers
	Track        Track
	LowerBy      int
	External     bool      // somebody else moves it; nothing of VRRP holds then
	Nodes        []VIPNode // in the order of the file
}

// VIPNode is a node that may have the address.
type VIPNode struct {
	Name      string
	Priority  int
	Interface string // "": the first of the node
}

// Track is what lowers a node's priority.
type Track string

// What may be tracked.
const (
	TrackDelivers Track = "delivers" // the node does not hand out what it should
	TrackNone     Track = "none"
)

// Who moves a service address.
const (
	haVRRP     = "vrrp"
	haExternal = "external" // keepalived, Pacemaker; they say it by surefoot lb role
)

// The values that stand in when the file names none.
const (
	DefaultAdvert     = time.Second
	defaultPriority   = 200
	leastLowerBy      = 100
	peersMulticast    = "multicast"
	peersUnicast      = "unicast"
	maxVIPs           = 200
	longestAdvert     = 40 * time.Second // of version 3: 12 bits of centiseconds (RFC 9568 section 5.2.7)
	advertStep        = 10 * time.Millisecond
	longestPreemption = time.Hour
)

type fileVIP struct {
	at
	name         string
	address      *parsed[netip.Prefix]
	vrid         *parsed[int]
	iface        *parsed[string]
	version      *parsed[int]
	advert       *parsed[time.Duration]
	preempt      *parsed[bool]
	preemptDelay *parsed[time.Duration]
	peers        []parsed[string]
	track        *parsed[Track]
	lowerBy      *parsed[int]
	ha           *parsed[string]
	nodes        []fileVIPNode
	nodesKnown   bool
	bad          bool
}

type fileVIPNode struct {
	at
	name     string
	priority *parsed[int]
	iface    *parsed[string]
}

func (d *decoder) vips(o object) (list []fileVIP) {
	o.named("vips", func(name string, v object) {
		x := fileVIP{
			at: v.at, name: name,
			address: one(v, "address", parseServiceAddr), vrid: one(v, "vrid", parseRange(1, 255, 51)),
			iface: one(v, "interface", parseInterface), version: one(v, "version", parseRange(2, 3, 3)),
			advert: one(v, "advert", parseAdvert), preempt: one(v, "preempt", parseBool), preemptDelay: one(v, "preempt_delay", parseDuration),
			peers: words(v, "peers", parsePeer), track: one(v, "track", parseChoice(TrackDelivers, TrackNone)),
			lowerBy: one(v, "lower_by", parseRange(1, 254, leastLowerBy)), ha: one(v, "ha", parseChoice(haVRRP, haExternal)),
		}
		x.nodesKnown = v.named("nodes", func(name string, n object) {
			x.nodes = append(x.nodes, fileVIPNode{
				at: n.at, name: name, priority: one(n, "priority", parseRange(1, 255, 100)), iface: one(n, "interface", parseInterface),
			})
		})
		x.bad = v.unsure()
		list = append(list, x)
	})
	return list
}

// parseServiceAddr takes an address with the length of its subnet; without one it is the address alone.
func parseServiceAddr(v *value) (netip.Prefix, *fault) {
	if a, err := netip.ParseAddr(v.text); err == nil {
		v = &value{kind: v.kind, text: v.text + "/" + strconv.Itoa(a.BitLen())}
	}
	p, err := netip.ParsePrefix(v.text)
	switch {
	case err != nil:
		return p, faultf("%s is not an address with the length of its subnet", quote(v.text)).write("10.10.0.20/22")
	case p.Addr().Is4In6(), p.Addr().IsUnspecified(), p.Addr().IsMulticast(), p.Addr().IsLoopback(), p.Addr().IsLinkLocalUnicast():
		return p, faultf("%s cannot be a service address", p.Addr()).do("take a free address of the clients' network")
	case p.Bits() < p.Addr().BitLen()-1 && p.Addr() == p.Masked().Addr():
		return p, faultf("%s is a subnet, and an address in it is wanted", p).write(p.Addr().Next().String() + "/" + strconv.Itoa(p.Bits()))
	}
	return p, nil
}

func parseAdvert(v *value) (time.Duration, *fault) {
	t, f := parseDuration(v)
	switch {
	case f != nil && v.kind == kindNumber:
		return 0, f
	case f != nil, t < advertStep, t > longestAdvert, t%advertStep != 0:
		return 0, faultf("%s is not between 10ms and 40s, in steps of 10ms", quote(v.text)).write("1s")
	}
	return t, nil
}

func parsePeer(v *value) (string, *fault) {
	if v.text == peersMulticast || v.text == peersUnicast {
		return v.text, nil
	}
	a, err := netip.ParseAddr(v.text)
	if err != nil || a.IsMulticast() || a.IsUnspecified() {
		return "", faultf("%s is neither multicast, unicast, nor the address of a peer", quote(v.text)).write(peersMulticast)
	}
	return a.String(), nil
}
