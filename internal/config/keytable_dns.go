package config

import (
	"surefoot/internal/boot"
)

func dnsKey() Key {
	var orders []string
	for _, o := range boot.Orders() {
		orders = append(orders, string(o))
	}
	return Key{
		Name: "dns", Form: FormObject, Default: "(no DNS server)", Example: "dns: {zone: boot.hq.example.net}",
		Doc: "The nodes' DNS server: names for the boot files, which stand for those servers only that hand the file out. " +
			"Every rule is a name by itself: the rule uefi is uefi.boot.hq.example.net. It answers for its zones and for nothing else.",
		Keys: []Key{
			{
				Name: "zone", Form: FormWords, Scalar: scalarZone, Required: true, Example: "zone: boot.hq.example.net",
				Doc: "The zone, or several with the same names in each: a part of your domain that your DNS servers delegate or forward to the nodes.",
			},
			{
				Name: "listen", Scalar: scalarListen, Default: "(port 53 of the node's own address)", Example: "listen: 0.0.0.0:53",
				Doc: "Where it listens, by UDP and TCP. The node's own address leaves 127.0.0.53 to systemd-resolved.",
			},
			{
				Name: "ttl", Scalar: scalarDuration, Default: "10s", Example: "ttl: 10s",
				Doc: "How long resolvers may keep an answer, from 0s to 5m. A server that dies is in answers of theirs for so long after this node has noticed it; config check warns of more than watch.every times watch.down_after.",
			},
			{
				Name: "ns", Form: FormWords, Scalar: scalarName, Default: "(every node with the role dns)", Example: "ns: [boot1, boot2]",
				Doc: "The name servers of the zone: nodes, or names with a dot at the end.",
			},
			{
				Name: "contact", Scalar: scalarText, Default: "(hostmaster in the zone)", Example: "contact: hostmaster@example.net",
				Doc: "The mail address in the zone's SOA record.",
			},
			{
				Name: "rate_limit", Scalar: scalarCount, Default: "1000", Example: "rate_limit: 1000",
				Doc: "How many answers by UDP a second each network (/24, or /56 of IPv6) may have, so that nobody's forged queries make the node flood others. " +
					"Of those beyond, one in two is told to come back by TCP. 0 is no limit.",
			},
			{
				Name: "names", Form: FormNamed, Default: "(one for each rule)",
				Doc: "Names besides those of the rules, or other servers or another order for a rule's name. A name below the zone, or with a dot at the end and in " +
					"quotes a zone of its own, as in \"imageserver1.hq.example.net.\".",
				Example: "names:\n  tftp: {file: ARDBP32.BIN, from: [pvs1, pvs2], order: sticky}",
				Keys: []Key{
					{
						Name: "file", Scalar: scalarFile, Default: "(that of the rule of this name)", Example: "file: ARDBP32.BIN",
						Doc: "What a server has to hand out to be in the answer.",
					},
					{
						Name: "from", Form: FormWords, Scalar: scalarName, Example: "from: [pvs1, pvs2]",
						Default: "(those of the rule of this name, else of the first rule for the file, else every node that hands out files)",
						Doc:     "The servers, in order of preference.",
					},
					{
						Name: "order", Scalar: scalarChoice, Choice: orders, Default: "rotate", Example: "order: sticky",
						Doc: "The order within an answer: rotate begins with the next server each time; sticky begins with the same server for the same subnet of clients " +
							"while it lives; first keeps the order of from.",
					},
					{
						Name: "answers", Scalar: scalarAnswers, Default: "all", Example: "answers: one",
						Doc: "How many servers an answer names: all, one, or a number. Many resolvers shuffle an answer's addresses: where the order matters, say one.",
					},
				},
			},
		},
	}
}
