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
					Name: "listen", Scalar: scalarEndpoint, Required: true, Example: "listen: 10.10.0.20:69",
					Doc: "The address that clients ask, and the port, 69 unless given. A node on which the address is not (yet) waits for it.",
				},
				{
					Name: "mode", Scalar: scalarChoice, Choice: []string{ModeRelay}, Default: "relay", Example: "mode: relay",
					Doc: "How packets travel. relay: the node ends the client's transfer and fetches from a backend; when that one stops in mid-transfer, another goes on. " +
						"nat and dsr are for later versions.",
				},
				{
					Name: "backends", Form: FormWords, Scalar: scalarBackend, Required: true, Example: "backends: [pvs1, pvs2*3]",
					Doc: "The servers and nodes behind the address, in order of preference; NAME*N gives one a weight, from 1 to 100.",
				},
				{
					Name: "scheduler", Scalar: scalarChoice, Choice: schedulers(), Default: "round-robin", Example: "scheduler: least-transfers",
					Doc: "Who is next: each in turn, each as its weight says, the one with the fewest transfers for its weight, or the one that a hash of the client's " +
						"address prefers (the same on every node; when a backend goes, only its own clients move).",
				},
				{
					Name: "persistence", Form: FormObject, Default: "(none)", Example: "persistence: {source_ip: 100s}",
					Doc: "Whether a client stays with its backend.",
					Keys: []Key{{
						Name: "source_ip", Scalar: scalarDuration, Default: "(not at all)", Example: "source_ip: 100s",
						Doc: "How long after its last download a client's address keeps its backend.",
					}},
				},
				{
					Name: "cache", Scalar: scalarCache, Default: "64MiB", Example: "cache: 64MiB",
					Doc: "Memory for contents that clients share, so that many machines that want the same file are one download from a backend. A longer file is fetched for " +
						"each client by itself. off: every file is.",
				},
				{
					Name: "fresh", Scalar: scalarDuration, Default: "10s", Example: "fresh: 10s",
					Doc: "How long a shared content is handed out without a question. Then a backend is asked for the file's size, and after six times as long it is fetched anew in any case.",
				},
				{
					Name: "sorry", Scalar: scalarText, Default: "(no server behind NAME answers, try again later)", Example: `sorry: "boot servers are down, call 4711"`,
					Doc: "What a client is told, on its screen if it has one, when no backend delivers.",
				},
			},
		}},
	}
}
