package config

import "surefoot/internal/boot"

func keyTable() []Key {
	return []Key{
		{
			Name: "site", Scalar: scalarName, Default: "default", Example: "site: hq",
			Doc: "The name of the site, for status pages and logs.",
		},
		{
			Name: "root", Scalar: scalarDir, Default: "(none: only the built-in test bootstrap)", Example: "root: /srv/boot",
			Doc: "The directory with the boot files, on every node. Nothing outside of it is ever handed out.",
		},
		nodesKey(), serversKey(), bootKey(), networksKey(), filesKey(), tftpKey(), httpKey(), dhcpKey(), storeKey(), dnsKey(), lbKey(), vipsKey(), statusKey(), historyKey(), alertsKey(), watchKey(), stateKey(),
		{
			Name: "drain_timeout", Scalar: scalarDuration, Default: "30s", Example: "drain_timeout: 30s",
			Doc: "How long transfers that are running may go on when a node is stopped. 0s ends them at once.",
		},
	}
}

func nodesKey() Key {
	return Key{
		Name: "nodes", Form: FormNamed, Required: true,
		Doc: "The machines that run Surefoot, each under its name. The file is the same on all of them: " +
			"--node NAME, or else the host name, says which one this is.",
		Example: "nodes:\n  boot1: {address: 10.10.0.11, interfaces: [eth1]}\n  boot2: {address: 10.10.0.12, interfaces: [eth1]}",
		Keys: []Key{
			{
				Name: "address", Scalar: scalarAddr, Required: true, Example: "address: 10.10.0.11",
				Doc: "The node's own address, the one that clients are sent to.",
			},
			{
				Name: "address6", Scalar: scalarAddr6, Example: "address6: fd00:10:10::11", Default: "(none: the node hands out nothing over IPv6)",
				Doc: "Its own IPv6 address, the one that clients that boot over IPv6 are sent to. TFTP and HTTP then listen on IPv6 as well, on the same ports.",
			},
			{
				Name: "interfaces", Form: FormWords, Scalar: scalarIface, Example: "interfaces: [eth1]",
				Default: "(none: no ProxyDHCP and no DHCP; `surefoot serve --interface` names them as well)",
				Doc:     "The interfaces on which the node answers broadcasts. Nothing is answered on an interface that is not named.",
			},
			{
				Name: "roles", Form: FormWords, Scalar: scalarChoice, Choice: []string{RoleProxyDHCP, RoleDHCP, RoleDHCP6, RoleTFTP, RoleHTTP, RoleDNS, RoleLB},
				Default: "(tftp and http; proxydhcp and dhcp too where a network is delivered so, dhcp6 where one has a section dhcp6, dns where the file has a section dns, and lb where it has services to balance)", Example: "roles: [tftp, http]",
				Doc: "What the node does. Without proxydhcp it only hands out files.",
			},
		},
	}
}

func serversKey() Key {
	return Key{
		Name: "servers", Form: FormNamed, Default: "(the nodes only)",
		Doc: "Servers other than the nodes that hand out boot files, each under its name: any TFTP or HTTP server. " +
			"A node is a server by itself and is not repeated here.",
		Example: "servers:\n  pvs1: {tftp: 10.10.0.21}\n  pvs2: {tftp: 10.10.0.22, http: 10.10.0.22:8080}",
		Keys: []Key{
			{
				Name: "tftp", Scalar: scalarEndpoint, Example: "tftp: 10.10.0.21", Default: "(the server speaks no TFTP)",
				Doc: "Where it answers TFTP. The port is 69 unless given; few boot ROMs can use another.",
			},
			{
				Name: "http", Scalar: scalarEndpoint, Example: "http: 10.10.0.22:8080", Default: "(the server speaks no HTTP)",
				Doc: "Where it answers HTTP. The port is 80 unless given.",
			},
			{
				Name: "tftp6", Scalar: scalarPoint6, Example: "tftp6: fd00:10:10::21", Default: "(not for clients that boot over IPv6)",
				Doc: "Where it answers TFTP over IPv6.",
			},
			{
				Name: "http6", Scalar: scalarPoint6, Example: `http6: "[fd00:10:10::21]:8080"`, Default: "(not for clients that boot over IPv6)",
				Doc: "Where it answers HTTP over IPv6. An address with a port needs quotes.",
			},
		},
	}
}

func bootKey() Key {
	return Key{
		Name: "boot", Form: FormObjects, Required: true,
		Doc: "The rules: which machine gets which file, from which servers. The first that matches wins. " +
			"`surefoot explain --mac MAC --arch ARCH` shows which one that is, and why not the others.",
		Example: "boot:\n  - {name: bios, when: {arch: bios}, file: undionly.kpxe}\n  - {name: uefi, when: {arch: uefi-x64}, file: snponly.efi}",
		Keys: []Key{
			{Name: "name", Scalar: scalarName, Required: true, Example: "name: pvs-bios", Doc: "What logs, stories and reservations call the rule."},
			whenKey(),
			{
				Name: "file", Scalar: scalarFile, Required: true, Example: "file: ARDBP32.BIN",
				Doc: "The boot file, as it is called on the servers: below the root, with no way out of it by .. parts. " + boot.TestBootstrap + " is the built-in test bootstrap: it says on " +
					"screen and serial console who delivered it, and exists for bios and uefi-x64.",
			},
			{
				Name: "from", Form: FormWords, Scalar: scalarName, Example: "from: [pvs1, pvs2]",
				Default: "(every node with the role tftp or http, in the order of the file)",
				Doc:     "The servers and nodes that have the file, in order of preference. A node that answers puts itself first.",
			},
			{
				Name: "ipxe", Scalar: scalarChoice, Choice: []string{string(boot.IPXEScript), string(boot.IPXEFile)}, Default: "script", Example: "ipxe: script",
				Doc: "What iPXE clients are told: a script, made for each client, that tries every server in turn, or the file itself.",
			},
			{
				Name: "contains", Scalar: scalarText, Default: "(not checked)", Example: `contains: "Provisioning Services bootstrap"`,
				Doc: "A text that the right file holds, so that probes can tell it from a wrong one.",
			},
			{
				Name: "sha256", Scalar: scalarSHA256, Default: "(not checked)",
				Example: "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
				Doc:     "The SHA-256 of the right file, as sha256sum prints it.",
			},
			{
				Name: "root_path", Scalar: scalarText, Default: "(none)", Example: `root_path: "pvs:[pvs.hq.example.net]:17:6910"`,
				Doc: "Option 17 for these machines, in networks with deliver: dhcp. The UEFI bootstrap of Citrix Provisioning finds its servers by it.",
			},
			dhcpOptionsKey("(none)"),
		},
	}
}

func whenKey() Key {
	var archs, firmwares []string
	for _, a := range boot.ArchClasses() {
		archs = append(archs, string(a))
	}
	for _, f := range boot.Firmwares() {
		firmwares = append(firmwares, string(f))
	}
	return Key{
		Name: "when", Form: FormObject, Default: "(every machine)", Example: "when: {arch: uefi-x64, network: vdi}",
		Doc: "Which machines the rule is for: all conditions given must hold, and of a list any one value.",
		Keys: []Key{
			{
				Name: "arch", Form: FormWords, Scalar: scalarArch, Choice: archs, Default: "(every architecture)", Example: "arch: [bios, uefi-x64]",
				Doc: "The client's architecture (DHCP option 93). A name stands for each number that such machines send, HTTP boot included.",
			},
			{
				Name: "firmware", Form: FormWords, Scalar: scalarChoice, Choice: firmwares, Default: "(every firmware)", Example: "firmware: ipxe",
				Doc: "The family of the program that asks.",
			},
			{
				Name: "mac", Form: FormWords, Scalar: scalarMACStart, Default: "(every address)", Example: `mac: ["52:54:00", "00:50:56:aa:bb:cc"]`,
				Doc: "The client's MAC address, or its first pairs for all cards of one maker. Always in quotes.",
			},
			{
				Name: "network", Form: FormWords, Scalar: scalarName, Default: "(every network)", Example: "network: [vdi]",
				Doc: "The network, by its name under networks, that the client is in.",
			},
			{
				Name: "user_class", Form: FormWords, Scalar: scalarText, Default: "(every class)", Example: "user_class: iPXE",
				Doc: "The client's user class (DHCP option 77), whole.",
			},
			{
				Name: "vendor_class", Form: FormWords, Scalar: scalarText, Default: "(every class)", Example: `vendor_class: "PXEClient:Arch:00007"`,
				Doc: "The beginning of the client's vendor class (DHCP option 60).",
			},
		},
	}
}
