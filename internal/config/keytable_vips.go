package config

func vipsKey() Key {
	return Key{
		Name: "vips", Form: FormNamed, Default: "(none)",
		Example: "vips:\n  boot: {address: 10.10.0.20/22, vrid: 51, nodes: {boot1: {}, boot2: {}}}",
		Doc: "Service addresses: one node at a time has each, and the next one takes it when that node dies or does not deliver, by VRRP " +
			"(RFC 9568), together with keepalived if you like. It needs the capability CAP_NET_ADMIN.",
		Keys: []Key{
			{
				Name: "address", Scalar: scalarServiceAddr, Required: true, Example: "address: 10.10.0.20/22",
				Doc: "The address, with the length of its subnet; without one the address alone (/32, of IPv6 /128). No other machine has it.",
			},
			{
				Name: "vrid", Scalar: scalarCount, Default: "(has to be written, unless ha is external)", Example: "vrid: 51",
				Doc: "The number of the group on its segment, from 1 to 255 (the virtual router ID). Nobody else there uses it, keepalived's groups included.",
			},
			{
				Name: "interface", Scalar: scalarIface, Default: "(the first that the node names)", Example: "interface: eth1",
				Doc: "The interface that has the address, and on which the nodes hear each other.",
			},
			{
				Name: "nodes", Form: FormNamed, Default: "(every node that hands out files, in the order of the file; where a service of lb has the address, every node with the role lb)",
				Example: "nodes:\n  boot1: {priority: 200}\n  boot2: {priority: 100, interface: ens3}",
				Doc:     "The nodes that may have the address, the first to have it in front.",
				Keys: []Key{
					{
						Name: "priority", Scalar: scalarCount, Default: "(200 for the first node, 10 less for each that follows)", Example: "priority: 200",
						Doc: "From 1 to 255: the highest gets the address. 255 is for a node whose own address it is, and is never lowered.",
					},
					{Name: "interface", Scalar: scalarIface, Default: "(that of the address)", Example: "interface: ens3", Doc: "The interface, where it is called otherwise on this node."},
				},
			},
			{
				Name: "advert", Scalar: scalarDuration, Default: "1s", Example: "advert: 100ms",
				Doc: "How often the node that has the address says so, from 10ms to 40s; with version 2 in whole seconds. Somebody else takes over after three of them and a bit.",
			},
			{
				Name: "preempt", Scalar: scalarBool, Default: "true", Example: "preempt: false",
				Doc: "Whether a node takes the address from one of a lower priority. Without it the address stays where it is until that node fails.",
			},
			{
				Name: "preempt_delay", Scalar: scalarDuration, Default: "0s", Example: "preempt_delay: 30s",
				Doc: "How long a node waits before it takes the address from one of a lower priority, so that one that has just started is ready.",
			},
			{
				Name: "peers", Form: FormWords, Scalar: scalarPeer, Default: peersMulticast, Example: "peers: unicast",
				Doc: "Who is told: multicast is everybody on the segment; unicast is each of the other nodes at its own address; addresses are others, such as a keepalived.",
			},
			{
				Name: "version", Scalar: scalarCount, Default: "3", Example: "version: 2",
				Doc: "The version of VRRP: 3, or 2 for programs that know no other (IPv4 only, without a password). keepalived's default is 2.",
			},
			{
				Name: "track", Scalar: scalarChoice, Choice: []string{string(TrackDelivers), string(TrackNone)}, Default: string(TrackDelivers), Example: "track: none",
				Doc: "What lowers a node's priority: delivers is that it does not hand out a file that a rule has from it, or is drained.",
			},
			{
				Name: "ha", Scalar: scalarChoice, Choice: []string{haVRRP, haExternal}, Default: haVRRP, Example: "ha: external",
				Doc: "Who moves the address: vrrp is Surefoot itself; external is keepalived, Pacemaker or the like, which put it on the interface and call surefoot lb role. " +
					"Then address, interface and nodes alone are written.",
			},
			{
				Name: "lower_by", Scalar: scalarCount, Default: "(100, or more where the priorities lie further apart)", Example: "lower_by: 150",
				Doc: "What is subtracted from the priority meanwhile. What is left is 1 at the least.",
			},
		},
	}
}

var (
	scalarServiceAddr = &Scalar{Name: "address/length", JSON: "string", Pattern: `^[0-9a-fA-F.:]+(/\d+)?$`}
	scalarPeer        = &Scalar{Name: "multicast, unicast, or an address", JSON: "string"}
)
