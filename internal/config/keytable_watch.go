package config

import "surefoot/internal/probe"

func watchKey() Key {
	var styles []string
	for _, s := range probe.Styles() {
		styles = append(styles, string(s))
	}
	return Key{
		Name: "watch", Form: FormObject, Default: "(on where a rule names another server than the node itself)",
		Example: "watch: {every: 10s, timeout: 2s, down_after: 3, up_after: 2}",
		Doc: "The monitor: every node downloads every file of every rule from each of its servers, as a machine would, and leaves out of its " +
			"answers who does not deliver. docs/watch.md tells how. Writing the section switches it on.",
		Keys: []Key{
			{
				Name: "enabled", Scalar: scalarBool, Default: "(true where the section is written, or a rule names another server than the node)", Example: "enabled: false",
				Doc: "Whether this is done. Drains work without it.",
			},
			{
				Name: "every", Scalar: scalarDuration, Default: "10s", Example: "every: 10s",
				Doc: "The time from one download of a test to the next; half of that while results do not agree with what the server counts as. 0s switches the monitor off.",
			},
			{
				Name: "timeout", Scalar: scalarDuration, Default: "2s (half of every, if that is less)", Example: "timeout: 2s",
				Doc: "How long a download may go without a new packet before it counts as bad. Shorter than every.",
			},
			{
				Name: "down_after", Scalar: scalarCount, Default: "3", Example: "down_after: 3",
				Doc: "Bad downloads in a row, after which a server is left out of answers for that file.",
			},
			{
				Name: "up_after", Scalar: scalarCount, Default: "2", Example: "up_after: 2",
				Doc: "Good downloads in a row, after which it is named again.",
			},
			{
				Name: "slow_start", Scalar: scalarDuration, Default: "30s", Example: "slow_start: 30s",
				Doc: "How long a server that came up takes to get its whole share again, where shares are given (balancers; ordered lists have none). 0s: at once.",
			},
			{
				Name: "diagnosis", Form: FormObject, Default: "(see inside)", Example: "diagnosis: {normal: 10, abnormal: 1}",
				Doc: "Which runs are kept whole: with every packet, the timing of the blocks, the name's address and the route.",
				Keys: []Key{
					{Name: "normal", Scalar: scalarCount, Default: "10", Example: "normal: 10", Doc: "Every n-th good run. 0: none."},
					{Name: "abnormal", Scalar: scalarCount, Default: "1", Example: "abnormal: 1", Doc: "Of bad runs in a row, the first and then every n-th. 0: none."},
				},
			},
			discoverKey(),
			{
				Name: "tests", Form: FormObjects, Default: "(those of the rules alone)",
				Example: "tests:\n  - {name: vip, url: \"tftp://10.10.0.20/ARDBP32.BIN\", as: pxelinux}",
				Doc:     "Downloads that are watched besides those of the rules: a service address, a name in DNS, a file that no rule names. They tell, and steer nothing.",
				Keys: []Key{
					{Name: "name", Scalar: scalarName, Required: true, Example: "name: vip", Doc: "What the test is called."},
					{
						Name: "url", Scalar: scalarText, Required: true, Example: `url: "tftp://10.10.0.20/ARDBP32.BIN"`,
						Doc: "What is downloaded: tftp://HOST[:PORT]/FILE or http://HOST[:PORT]/FILE.",
					},
					{Name: "as", Scalar: scalarChoice, Choice: styles, Default: "edk2", Example: "as: pxelinux", Doc: "The kind of client whose habits it follows."},
					{Name: "every", Scalar: scalarDuration, Default: "(that of watch)", Example: "every: 1m", Doc: "The time from one download to the next."},
					{Name: "contains", Scalar: scalarText, Default: "(not checked)", Example: `contains: "Provisioning Services bootstrap"`, Doc: "A text that the right file holds."},
					{
						Name: "sha256", Scalar: scalarSHA256, Default: "(not checked)",
						Example: "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Doc: "The SHA-256 of the right file.",
					},
				},
			},
		},
	}
}

func stateKey() Key {
	return Key{
		Name: "state", Scalar: scalarDir, Default: DefaultState, Example: "state: /var/lib/surefoot",
		Doc: "The directory of what survives a restart: drains. If it is not there or cannot be written to, they end with the process, and status says so.",
	}
}
