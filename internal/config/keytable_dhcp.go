package config

func dhcpKey() Key {
	return Key{
		Name: "dhcp", Form: FormObject, Default: "(as below, where a network has deliver: dhcp)", Example: "dhcp: {lease: 8h, dns: [10.10.0.5, 10.10.0.6]}",
		Doc: "The nodes' DHCP server, for networks that have deliver: dhcp: what holds for all of them. A network's own section dhcp comes before it.",
		Keys: append([]Key{{
			Name: "leases", Scalar: scalarDir, Default: "(leases.db in the directory state)", Example: "leases: /var/lib/surefoot/leases.db",
			Doc: "The file of the leases. A lease is in it, on the disk, before the machine hears of it.",
		}}, dhcpSettingKeys()...),
	}
}

// networkDHCPKey is the section of one network.
func networkDHCPKey() Key {
	k := Key{
		Name: "dhcp", Form: FormObject, Default: "(none: only machines with a reservation get an address)", Example: "dhcp: {range: 10.10.1.0-10.10.3.250, router: 10.10.0.1, lease: 8h}",
		Doc: "What machines of this network get, where it has deliver: dhcp.",
		Keys: []Key{
			{
				Name: "range", Form: FormWords, Scalar: scalarRange, Default: "(none: reservations only)", Example: "range: 10.10.1.0-10.10.3.250",
				Doc: "The addresses to give out, FIRST-LAST, one range or several.",
			},
			{
				Name: "exclude", Form: FormWords, Scalar: scalarRange, Default: "(none)", Example: "exclude: [10.10.2.1, 10.10.2.100-10.10.2.120]",
				Doc: "Addresses within the ranges that are never given out.",
			},
			{
				Name: "router", Form: FormWords, Scalar: scalarAddr, Default: "(none)", Example: "router: 10.10.0.1",
				Doc: "The default router, or several in order of preference.",
			},
			{
				Name: "routes", Form: FormWords, Scalar: scalarRoute, Default: "(none)", Example: "routes: [10.0.0.0/8 via 10.10.0.2]",
				Doc: "Other routes than the default one, for machines that ask for them (options 121 and 249). The default route is in the list by itself.",
			},
			{
				Name: "wire", Scalar: scalarName, Default: "(each network has its own)", Example: "wire: hall2",
				Doc: "A name that networks share whose machines are on one wire: one segment, one VLAN. When one of the networks has no address left, the next gives one, " +
					"and a machine that has a reservation in any of them gets that.",
			},
			{
				Name: "split", Form: FormObjects, Default: "(none)", Example: "split: [{node: boot1, range: 10.10.1.0-10.10.2.124}, {node: boot2, range: 10.10.2.125-10.10.3.250}]",
				Doc: "Parts of the ranges that are one node's own, for two sites, or two nodes, that share no store: each gives out its own part only, and both answer at once.",
				Keys: []Key{
					{Name: "node", Scalar: scalarName, Required: true, Example: "node: boot1", Doc: "The node, by its name."},
					{Name: "range", Scalar: scalarRange, Required: true, Example: "range: 10.10.1.0-10.10.2.124", Doc: "Its part, FIRST-LAST."},
				},
			},
		},
	}
	for _, s := range dhcpSettingKeys() {
		s.Default = "(as in the section dhcp)"
		k.Keys = append(k.Keys, s)
	}
	return k
}

// dhcpSettingKeys are the keys that both sections have.
func dhcpSettingKeys() []Key {
	return []Key{
		{Name: "lease", Scalar: scalarSpan, Default: "8h", Example: "lease: 8h", Doc: "For how long an address is given, from 2m to 365d, to a machine that asks for no time of its own."},
		{Name: "min_lease", Scalar: scalarSpan, Default: "2m", Example: "min_lease: 2m", Doc: "The shortest time that a machine may ask for."},
		{Name: "max_lease", Scalar: scalarSpan, Default: "(lease)", Example: "max_lease: 1d", Doc: "The longest time that a machine may ask for."},
		{
			Name: "offer_time", Scalar: scalarDuration, Default: "1m", Example: "offer_time: 1m",
			Doc: "How long an address that was offered is kept for the machine's request, from 5s to 10m. Some boot ROMs take half a minute.",
		},
		{
			Name: "decline_time", Scalar: scalarSpan, Default: "1h", Example: "decline_time: 1h",
			Doc: "How long an address is left alone that a machine declined, or that was found to be in use.",
		},
		{
			Name: "rest", Scalar: scalarSpan, Default: "1m", Example: "rest: 1m",
			Doc: "How long an address whose lease has run out is kept before another machine gets it. Where nodes share a store it covers the difference of their clocks: at least 1m.",
		},
		{
			Name: "authoritative", Scalar: scalarBool, Default: "false", Example: "authoritative: true",
			Doc: "Whether the nodes are the only DHCP servers of the network, so that a machine with an address that nobody here knows is told to give it up. Without it the nodes are silent.",
		},
		{
			Name: "nak_pxe", Scalar: scalarBool, Default: "false", Example: "nak_pxe: true",
			Doc: "Whether boot ROMs are refused too. Many go on to the disk then; when they hear nothing they begin again and get an address.",
		},
		{
			Name: "conflict_check", Scalar: scalarBool, Default: "true", Example: "conflict_check: false",
			Doc: "Whether an address that is new to a machine is looked for on the network while it is offered. It delays nobody.",
		},
		{
			Name: "conflict_wait", Scalar: scalarDuration, Default: "0s", Example: "conflict_wait: 500ms",
			Doc: "How long such an address is not offered yet, from 0s to 3s, so that somebody who has it can say so first. At 0s who answers later than the offer still keeps it: " +
				"the machine's request is refused then, and it begins anew.",
		},
		{
			Name: "identity", Scalar: scalarChoice, Choice: []string{string(IdentityHardware), string(IdentityClientID)}, Default: string(IdentityHardware), Example: "identity: hardware",
			Doc: "By what a machine is known again: hardware is its hardware address, the same in the boot ROM, in iPXE and in the system; client-id is option 61, " +
				"which each of them sends in another form, so that one machine has several addresses.",
		},
		{
			Name: "broadcast", Scalar: scalarChoice, Choice: []string{string(BroadcastAsked), string(BroadcastAlways)}, Default: string(BroadcastAsked), Example: "broadcast: always",
			Doc: "Whether answers go to everybody only when a machine asks for it by its broadcast flag, or always, for machines that cannot take what is sent to them alone.",
		},
		{
			Name: "option_66", Scalar: scalarChoice, Choice: []string{string(ListFirst), string(ListAll)}, Default: string(ListFirst), Example: "option_66: all",
			Doc: "What option 66 holds where a rule has several servers: the first that hands the file out, or all of them with semicolons between, " +
				"which few programs understand. Options 150 and 43, and option 11 for the bootstrap of Citrix Provisioning, always list all.",
		},
		{Name: "dns", Form: FormWords, Scalar: scalarAddr, Default: "(none)", Example: "dns: [10.10.0.5, 10.10.0.6]", Doc: "The DNS servers that machines are told."},
		{Name: "ntp", Form: FormWords, Scalar: scalarAddr, Default: "(none)", Example: "ntp: [10.10.0.5]", Doc: "The time servers that machines are told."},
		{Name: "domain", Scalar: scalarText, Default: "(none)", Example: "domain: hq.example.net", Doc: "The domain name that machines are told."},
		{Name: "mtu", Scalar: scalarCount, Default: "(none)", Example: "mtu: 9000", Doc: "The largest packet that machines may send, from 576 to 65535, for those that ask (option 26). Every switch and server on their way has to pass it."},
		dhcpOptionsKey("(none)"),
	}
}

// dhcpOptionsKey are options that a section gives besides.
func dhcpOptionsKey(otherwise string) Key {
	return Key{
		Name: "options", Form: FormObjects, Default: otherwise, Example: `options: [{option: 42, value: "10.10.0.5"}]`,
		Doc: "Other DHCP options. What a rule says comes before what its network says, and that before the section dhcp.",
		Keys: []Key{
			{Name: "option", Scalar: scalarOption, Required: true, Example: "option: 42", Doc: "Its number, or its name as surefoot prints it."},
			{
				Name: "value", Scalar: scalarText, Required: true, Example: `value: "10.10.0.5, 10.10.0.6"`,
				Doc: "Its value, in quotes: addresses and numbers with commas between, text as it is, routes as 10.0.0.0/8 via 10.10.0.1, anything as hex:0102ff.",
			},
			{Name: "always", Scalar: scalarBool, Default: "false", Example: "always: true", Doc: "Whether machines get it that do not ask for it."},
		},
	}
}
