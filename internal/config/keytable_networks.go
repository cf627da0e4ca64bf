package config

import "surefoot/internal/boot"

func networksKey() Key {
	return Key{
		Name: "networks", Form: FormNamed, Default: "(one, called default, that takes every client by proxy)",
		Doc: "The networks that clients are in, each under its name, and how they are answered there. " +
			"A client is looked up by its relay, else its own address, else the interface that heard it.",
		Example: "networks:\n  vdi: {subnet: 10.10.0.0/22, deliver: proxy}",
		Keys: []Key{
			{
				Name: "subnet", Scalar: scalarSubnet, Default: "(every client that no other network takes)", Example: "subnet: 10.10.0.0/22",
				Doc: "The addresses of the network. One network may do without.",
			},
			{
				Name: "subnet6", Scalar: scalarSubnet6, Default: "(none: its machines do not boot over IPv6)", Example: "subnet6: fd00:10:10::/64",
				Doc: "The IPv6 addresses of the network. A network with a subnet6 alone has no IPv4 side.",
			},
			{
				Name: "deliver", Scalar: scalarDeliver, Default: "proxy", Example: "deliver: proxy",
				Doc: "How clients hear of their file: proxy answers as ProxyDHCP, beside whatever DHCP server gives them " +
					"their address; dhcp gives them the address too, with all that they need to boot; dns leaves it to that DHCP server, which names a DNS name of the section dns and the file (surefoot explain shows both); vip:NAME answers as proxy does, and names the service address NAME of vips as the only server; none stays silent.",
			},
			{
				Name: "bios", Scalar: scalarChoice, Choice: []string{string(boot.BIOSDirect), string(boot.BIOSDiscover)}, Default: "(direct with one node that runs proxydhcp, discover with several)", Example: "bios: discover",
				Doc: "The form of the offer to legacy PXE ROMs: direct names server and file at once; discover lists the nodes, " +
					"and the ROM asks each on port 4011 until one answers. That takes a moment longer and survives the death of a node after its offer.",
			},
			{
				Name: "reservations", Form: FormObjects, Default: "(none)", Example: `reservations: [{mac: "52:54:00:12:34:56", name: pc-90, boot: uefi}]`,
				Doc: "Single machines that are bound to a rule or to an address.",
				Keys: []Key{
					{Name: "mac", Scalar: scalarMAC, Default: "(none: duid says who)", Example: `mac: "52:54:00:12:34:56"`, Doc: "The machine. Always in quotes: some YAML readers take the bare form for a number."},
					{Name: "duid", Scalar: scalarText, Default: "(none: mac says who)", Example: `duid: "00030001525400123456"`, Doc: "The machine by what it calls itself over DHCPv6, in hexadecimal, where its MAC address cannot be known (docs/dhcp6.md). Instead of mac, and with ip6 and name alone."},
					{Name: "name", Scalar: scalarName, Default: "(the MAC address)", Example: "name: pc-90", Doc: "What the machine is called in stories."},
					{Name: "ip", Scalar: scalarAddr, Default: "(one of the range)", Example: "ip: 10.10.0.90", Doc: "The address that it always gets, in the network's subnet, within its ranges or outside of them. Where deliver is dhcp."},
					{Name: "ip6", Scalar: scalarAddr6, Default: "(one of the range)", Example: "ip6: fd00:10:10::90", Doc: "The IPv6 address that it always gets. Where the network has a section dhcp6."},
					{Name: "boot", Scalar: scalarName, Default: "(the first rule that matches)", Example: "boot: uefi", Doc: "The rule that holds for it, by its name, whatever the rule's conditions say."},
				},
			},
			{
				Name: "reservations_file", Scalar: scalarDir, Default: "(none)", Example: "reservations_file: /etc/surefoot/vdi.csv",
				Doc: "A file of more reservations, thousands of them: CSV whose first line names the columns, of mac, duid, ip, ip6, name and boot. Of mac and duid each line has one; the rest may be left out. " +
					"Empty lines and lines that begin with # are left alone. It is read with the site file, at start, reload and config check, under the same checks.",
			},
			networkTFTPKey(), networkDHCPKey(), networkDHCP6Key(),
		},
	}
}

func tftpKey() Key {
	return Key{
		Name: "tftp", Form: FormObject, Default: "(as below)", Example: "tftp: {listen: 0.0.0.0:69, fold_names: true, max_transfers: 4096}",
		Doc: "The nodes' TFTP server.",
		Keys: append([]Key{
			{
				Name: "listen", Scalar: scalarListen, Default: "0.0.0.0:69", Example: "listen: 0.0.0.0:69",
				Doc: "Where it listens. Without a port it is 69. A node whose address is a loopback address and that names no interface listens on 127.0.0.1.",
			},
			{
				Name: "fold_names", Scalar: scalarBool, Default: "true", Example: "fold_names: false",
				Doc: "Find a file whose name differs in upper and lower case, in backslashes or in leading slashes. The exact name always comes first.",
			},
			{
				Name: "max_transfers", Scalar: scalarCount, Default: "4096", Example: "max_transfers: 4096",
				Doc: "How many transfers may run at the same time, from 1 to 60000. A request beyond waits in the queue.",
			},
			{
				Name: "max_per_client", Scalar: scalarCount, Default: "(an eighth of max_transfers, at least 16)", Example: "max_per_client: 512",
				Doc: "How many of them one client address may have. Behind a balancer or a NAT with its own address all its clients are one.",
			},
			{
				Name: "max_per_network", Scalar: scalarCount, Default: "(max_transfers)", Example: "max_per_network: 2048",
				Doc: "How many of them each network of this file may have, so that a storm in one leaves room for the others.",
			},
			{
				Name: "queue", Scalar: scalarCount, Default: "4096", Example: "queue: 4096",
				Doc: "How many requests may wait for a place. Client addresses take turns. A request beyond is refused as \"server busy\" at once; 0 refuses all.",
			},
			{
				Name: "queue_time", Scalar: scalarDuration, Default: "8s", Example: "queue_time: 8s",
				Doc: "How long a request waits before it is refused as \"server busy\". Firmware itself gives up after 10 s and more: a refusal before that lets it go on to the next server.",
			},
			{
				Name: "ports", Scalar: scalarText, Default: "any", Example: "ports: 50000-50999",
				Doc: "The ports that transfers are served from: any, as RFC 1350 has it; a range, for firewalls; or single, the request port itself, for " +
					"what lets only one port through: NAT that knows nothing of TFTP, Kubernetes services.",
			},
			{
				Name: "busy_poll", Scalar: scalarDuration, Default: "0s", Example: "busy_poll: 50us",
				Doc: "How long to look for a client's next packet before sleeping, up to 1ms. It makes a few clients in lock-step several times faster, " +
					"and keeps the cores that serve busy while transfers run. 0s is off.",
			},
			uploadsKey(),
		}, tftpOfferKeys()...),
	}
}

func httpKey() Key {
	return Key{
		Name: "http", Form: FormObject, Default: "(as below)", Example: "http: {listen: 0.0.0.0:8067}",
		Doc: "The nodes' HTTP server for boot files and iPXE scripts.",
		Keys: []Key{{
			Name: "listen", Scalar: scalarListen, Default: "0.0.0.0:8067", Example: "listen: 0.0.0.0:8067",
			Doc: "Where it listens. Without a port it is 8067.",
		}},
	}
}

func statusKey() Key {
	return Key{
		Name: "status", Form: FormObject, Default: "(as below)", Example: "status: {listen: 127.0.0.1:8068}",
		Doc: "The status page, metrics, health checks and the API of a node.",
		Keys: []Key{
			{
				Name: "listen", Scalar: scalarListen, Default: "127.0.0.1:8068", Example: "listen: 127.0.0.1:8068",
				Doc: "Where the status page, /metrics, /ready and /health are. They have no password: keep them on loopback or on a network of your own.",
			},
			{
				Name: "socket", Scalar: scalarDir, Default: DefaultSocket, Example: "socket: " + DefaultSocket,
				Doc: "The unix socket through which the commands talk to the node.",
			},
			probeKey(),
		},
	}
}

var scalarDeliver = &Scalar{Name: "one of: proxy, dhcp, dns, none, vip:NAME", JSON: "string", Pattern: `^(proxy|dhcp|dns|none|vip:.+)$`}
