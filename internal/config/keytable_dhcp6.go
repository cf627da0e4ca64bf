package config

func networkDHCP6Key() Key {
	return Key{
		Name: "dhcp6", Form: FormObject, Default: "(none: the nodes answer no DHCPv6 there)", Example: "dhcp6: {range: fd00:10:10::1000-fd00:10:10::1fff}",
		Doc: "What machines of this network get by DHCPv6, whatever deliver says of IPv4. An empty section, dhcp6: {}, gives no addresses but those of reservations, " +
			"and tells machines that have one from elsewhere what to boot. The routers of the network have to announce M or O (docs/dhcp6.md).",
		Keys: []Key{
			{
				Name: "range", Form: FormWords, Scalar: scalarRange6, Default: "(none: reservations only)", Example: `range: "fd00:10:10::1000-fd00:10:10::1fff"`,
				Doc: "The addresses to give out, FIRST-LAST, one range or several, together at most a million. Several go into quotes: within brackets, YAML readers take parts of an IPv6 address for keys. A machine's place in it comes from its identity.",
			},
			{
				Name: "exclude", Form: FormWords, Scalar: scalarRange6, Default: "(none)", Example: `exclude: "fd00:10:10::1100-fd00:10:10::11ff"`,
				Doc: "Addresses within the ranges that are never given out.",
			},
			{
				Name: "split", Form: FormObjects, Default: "(none)", Example: "split: [{node: boot1, range: fd00:10:10::1000-fd00:10:10::17ff}, {node: boot2, range: fd00:10:10::1800-fd00:10:10::1fff}]",
				Doc: "Parts of the ranges that are one node's own, for nodes that share no store: each gives out its own part only, and all answer at once.",
				Keys: []Key{
					{Name: "node", Scalar: scalarName, Required: true, Example: "node: boot1", Doc: "The node, by its name."},
					{Name: "range", Scalar: scalarRange6, Required: true, Example: "range: fd00:10:10::1000-fd00:10:10::17ff", Doc: "Its part, FIRST-LAST."},
				},
			},
			{Name: "lease", Scalar: scalarSpan, Default: "8h", Example: "lease: 8h", Doc: "For how long an address is given, from 2m to 365d."},
			{
				Name: "preference", Scalar: scalarCount, Default: "0", Example: "preference: 0",
				Doc: "From 0 to 255. Clients take the server with the highest, and one that says 255 without waiting for others. The same on all nodes.",
			},
			{
				Name: "rapid_commit", Scalar: scalarBool, Default: "true", Example: "rapid_commit: false",
				Doc: "Whether a machine that asks for it gets its address in answer to its first message. Nodes that share no store give it one each, of which it uses one.",
			},
			{Name: "dns", Form: FormWords, Scalar: scalarAddr6, Default: "(none)", Example: `dns: "fd00:10:10::5"`, Doc: "The DNS servers that machines are told."},
			{Name: "ntp", Form: FormWords, Scalar: scalarAddr6, Default: "(none)", Example: `ntp: "fd00:10:10::5"`, Doc: "The time servers that machines are told."},
			{Name: "search", Form: FormWords, Scalar: scalarText, Default: "(none)", Example: "search: hq.example.net", Doc: "The domains in which machines look for names."},
		},
	}
}
