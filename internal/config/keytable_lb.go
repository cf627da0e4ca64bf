package config

func lbKey() Key {
	return Key{
		Name: "lb", Form: FormObject, Default: "(no load balancer)", Example: "lb: {services: {boot: {listen: 10.10.0.20, mode: relay, backends: [pvs1, pvs2]}}}",
		Doc: "The load balancer: addresses behind which several TFTP servers stand.",
		Keys: []Key{{
			Name: "services", Form: FormNamed, Default: "(none)",
			Example: "services:\n  boot: {listen: 10.10.0.20, mode: relay, backends: [pvs1, pvs2]}",
			Doc: "The services, each under its name. The nodes with the role lb serve them all; a node whose tftp role would take the service's port as well " +
				"listens for that at its own address only.",
			Keys: []Key{
				{
					Name: "listen", Scalar: scalarEndpoint, Default: "(the address of vip)", Example: "listen: 10.10.0.20:69",
					Doc: "For mode relay: the address that clients ask, and the port, 69 unless given. A node on which the address is not (yet) waits for it.",
				},
				{
					Name: "vip", Scalar: scalarVIP, Default: "(that of listen)", Example: "vip: boot",
					Doc: "The address that clients ask: the name of a service address of vips, which the nodes with the role lb then keep unless it names others; or an address " +
						"that something else keeps on the node. All modes but relay need it; with relay it stands in the place of listen.",
				},
				{
					Name: "mode", Scalar: scalarChoice, Choice: modes(), Default: "relay", Example: "mode: nat",
					Doc: "How packets travel. relay: the node ends the client's transfer and fetches from a backend; when that one stops in mid-transfer, another goes on. " +
						"dsr: requests are handed on as they are, to the backend's MAC address, and the backend, which has the service's address too, answers the client directly. " +
						"nat: the backend's address is written over the service's and the client's is kept; the backends' route to the clients leads through the node. " +
						"snat: the node's address is written over the client's as well: backends need no change, and see the node instead of clients. docs/nat.md compares them.",
				},
				{
					Name: "backends", Form: FormWords, Scalar: scalarBackend, Required: true, Example: "backends: [pvs1, pvs2*3]",
					Doc: "The servers and nodes behind the address, in order of preference; NAME*N gives one a weight, from 1 to 100.",
				},
				{
					Name: "scheduler", Scalar: scalarChoice, Choice: schedulers(), Default: "round-robin", Example: "scheduler: least-transfers",
					Doc: "Who is next: each in turn, each as its weight says, the one with the fewest transfers for its weight (relay only), or the one that a hash of the client's " +
						"address prefers (the same on every node; when a backend goes, only its own clients move): by comparing, or by a table (maglev).",
				},
				{
					Name: "persistence", Form: FormObject, Default: "(none)", Example: "persistence: {source_ip: 100s}",
					Doc: "Whether a client stays with its backend.",
					Keys: []Key{{
						Name: "source_ip", Scalar: scalarDuration, Default: "(not at all; with dsr and a scheduler by turn 100s)", Example: "source_ip: 100s",
						Doc: "How long after its last download (with dsr: its last packet) a client's address keeps its backend.",
					}},
				},
				{
					Name: "interface", Scalar: scalarIface, Default: "(that of the service address, else the first that the node names)", Example: "interface: eth1",
					Doc: "For dsr, nat and snat: where the clients' packets come in. With dsr the backends are there, too.",
				},
				{
					Name: "plane", Scalar: scalarChoice, Choice: planes(), Default: "auto", Example: "plane: nft",
					Doc: "For dsr: what hands packets on. auto takes the first that the kernel and the interface let it have: xdp and tcx are BPF, nft is nftables.",
				},
				{
					Name: "ports", Form: FormWords, Scalar: scalarPort, Default: "(udp/69; with dsr every packet to the address)", Example: "ports: [udp/69, tcp/80]",
					Doc: "For dsr, nat and snat: what of the address goes to the backends. Transfers follow their request on udp/69 whatever ports they use.",
				},
				{
					Name: "drain", Scalar: scalarDuration, Default: "5m", Example: "drain: 5m",
					Doc: "For dsr, nat and snat: how long a backend that is drained keeps the clients that it has; then they go to others as well.",
				},
				{
					Name: "forwarding", Scalar: scalarChoice, Choice: []string{ForwardingTell, ForwardingSet}, Default: ForwardingTell, Example: "forwarding: set",
					Doc: "For nat and snat, what is done when the kernel does not forward packets, or would tell machines of shorter ways: tell warns of it with the remedy; set turns " +
						"net.ipv4.ip_forward on, send_redirects off, and makes the kernel's table of expected transfers large enough. It is left so.",
				},
				{
					Name: "cache", Scalar: scalarCache, Default: "64MiB", Example: "cache: 64MiB",
					Doc: "For relay: memory for contents that clients share, so that many machines that want the same file are one download from a backend. A longer file is fetched for " +
						"each client by itself. off: every file is.",
				},
				{
					Name: "fresh", Scalar: scalarDuration, Default: "10s", Example: "fresh: 10s",
					Doc: "For relay: how long a shared content is handed out without a question. Then a backend is asked for the file's size, and after six times as long it is fetched anew in any case.",
				},
				{
					Name: "sorry", Scalar: scalarText, Default: "(no server behind NAME answers, try again later)", Example: `sorry: "boot servers are down, call 4711"`,
					Doc: "For relay: what a client is told, on its screen if it has one, when no backend delivers.",
				},
			},
		}, {
			Name: "peers", Form: FormObject, Default: "(they exchange nothing)", Example: "peers: {key_file: /etc/surefoot/lb.key}",
			Doc: "For dsr: the nodes with the role lb tell each other, from their own addresses by UDP port 8069, which backends each sees alive and which clients have another " +
				"backend than a hash of their address says, so that the one that takes over goes on with their transfers.",
			Keys: []Key{{
				Name: "key_file", Scalar: scalarDir, Required: true, Example: "key_file: /etc/surefoot/lb.key",
				Doc: "A file with at least 16 bytes, the same on all of them, by which they know each other, as `head -c 32 /dev/urandom | base64` makes one.",
			}},
		}},
	}
}
