package config

import "surefoot/internal/alert/notifier"

func historyKey() Key {
	return Key{
		Name: "history", Form: FormObject, Default: "(kept where systemd gives a state directory, else nowhere)",
		Example: "history: {file: /var/lib/surefoot/history.db, keep: 30d}",
		Doc: "What a node remembers of its own past: measurements, changes, alerts, boot stories. Losing it stops nothing. " +
			"Without a file name it is history.db in the directory that systemd names in $STATE_DIRECTORY.",
		Keys: []Key{
			{
				Name: "file", Scalar: scalarHistory, Default: "($STATE_DIRECTORY/history.db, if systemd gives one)", Example: "file: /var/lib/surefoot/history.db",
				Doc: "The SQLite file, on a disk of the node's own (not on NFS). none keeps no history.",
			},
			{
				Name: "keep", Scalar: scalarSpan, Default: "30d", Example: "keep: 30d",
				Doc: "How long buckets of an hour, changes, alerts and stories are kept, from 1h to 10 years. Nothing else is kept for longer.",
			},
			{
				Name: "keep_five_minutes", Scalar: scalarSpan, Default: "14d (keep, if that is less)", Example: "keep_five_minutes: 14d",
				Doc: "How long buckets of five minutes are kept. Not longer than keep.",
			},
			{
				Name: "keep_measurements", Scalar: scalarSpan, Default: "2d (keep_five_minutes, if that is less)", Example: "keep_measurements: 2d",
				Doc: "How long single measurements are kept, by far the most of the file. Not longer than keep_five_minutes.",
			},
			{
				Name: "max_size", Scalar: scalarSize, Default: "500MiB", Example: "max_size: 500MiB",
				Doc: "How large the file may become. When it is full, less is kept than asked for, single measurements first.",
			},
		},
	}
}

func alertsKey() Key {
	after := func(def, doc string) Key {
		return Key{Name: "after", Scalar: scalarSpan, Default: def, Example: "after: " + def, Doc: doc}
	}
	count := func(name, def, doc string) Key {
		return Key{Name: name, Scalar: scalarCount, Default: def, Example: name + ": " + def, Doc: doc}
	}
	rule := func(name, example, doc string, keys ...Key) Key {
		return Key{Name: name, Form: FormObject, Default: "(see its keys)", Example: name + ": " + example, Doc: doc, Keys: keys}
	}
	within := func(def string) Key {
		return Key{Name: "within", Scalar: scalarSpan, Default: def, Example: "within: " + def, Doc: "The time that is looked at."}
	}
	rules := Key{
		Name: "rules", Form: FormObject, Default: "(see its keys)", Example: "rules: {slow: {percent: 100}, repeat: 8h}",
		Doc: "The thresholds. docs/alerts.md explains each rule.",
		Keys: []Key{
			{Name: "repeat", Scalar: scalarSpan, Default: "4h", Example: "repeat: 4h", Doc: "How often an alert that goes on is told again."},
			{Name: "resolve_after", Scalar: scalarSpan, Default: "1m", Example: "resolve_after: 1m", Doc: "How long a trouble must be over before its end is told."},
			rule("down", "{after: 30s}", "server-down and all-servers-down.", after("0s", "How long, above what the monitor itself waits for.")),
			rule("slow", "{percent: 100}", "slow: against what the test itself learned to be normal.",
				after("2m", "How long it must be slow."),
				count("deviations", "6", "So many deviations (MAD) above the learned median."),
				count("percent", "50", "And so many percent above it, at the least."),
				count("samples", "24", "So many medians of five minutes must be known before it says anything.")),
			rule("flapping", "{changes: 6, within: 30m}", "flapping: a server that goes up and down.",
				count("changes", "6", "So many changes between up and down."), within("30m")),
			rule("content", "{after: 10m}", "content-differs: not the same file on all servers.", after("10m", "How long they may differ, while files are published one by one.")),
			rule("nobody", "{probes: 3}", "nobody-answers and deaf: the DISCOVERs of watch.discover.", count("probes", "3", "So many in a row.")),
			rule("boots", "{share: 20, least: 3, within: 15m}", "boots-fail: machines that do not boot.",
				count("share", "20", "Percent of the machines that fail."), count("least", "3", "And so many machines, at the least."), within("15m")),
		},
	}
	token := Key{Name: "token_file", Scalar: scalarDir, Default: "(no token)", Example: "token_file: /etc/surefoot/token", Doc: "A file with a bearer token for the URL."}
	mail := Key{
		Name: "smtp", Form: FormObject, Default: "(no e-mail)", Example: "smtp: {server: \"mail.example.net:587\", from: surefoot@example.net, to: [ops@example.net]}",
		Doc: "An e-mail for each moment in which something begins or ends.",
		Keys: []Key{
			{Name: "server", Scalar: scalarText, Required: true, Example: `server: "mail.example.net:587"`, Doc: "Host and port."},
			{Name: "from", Scalar: scalarText, Required: true, Example: "from: surefoot@example.net", Doc: "The sender."},
			{Name: "to", Form: FormWords, Scalar: scalarText, Required: true, Example: "to: [ops@example.net]", Doc: "Who gets it."},
			{Name: "user", Scalar: scalarText, Default: "(no login)", Example: "user: surefoot", Doc: "The name for the login."},
			{Name: "password_file", Scalar: scalarDir, Default: "(no login)", Example: "password_file: /etc/surefoot/smtp", Doc: "The file with the password."},
			{Name: "tls", Scalar: scalarChoice, Choice: []string{notifier.StartTLS, notifier.TLSAtOnce, notifier.NoTLS}, Default: "starttls", Example: "tls: starttls", Doc: "How the connection is kept private. none sends no password, except to this machine."},
		},
	}
	return Key{
		Name: "alerts", Form: FormObject, Default: "(the rules with their defaults; nobody is told)",
		Example: "alerts:\n  notify:\n    - {webhook: \"https://chat.example.net/hook\"}",
		Doc:     "What somebody has to be told, and how. `surefoot alert list` shows what is, whether anybody is told or not.",
		Keys: []Key{
			rules,
			{
				Name: "notify", Form: FormObjects, Default: "(nobody)", Example: "notify:\n  - {webhook: \"https://chat.example.net/hook\"}\n  - {syslog: \"udp://10.10.0.5:514\"}",
				Doc: "Who is told, each by one of these ways.",
				Keys: []Key{
					{Name: "webhook", Scalar: scalarURL, Default: "(none)", Example: `webhook: "https://chat.example.net/hook"`, Doc: "A URL that JSON is posted to."},
					{Name: "alertmanager", Scalar: scalarURL, Default: "(none)", Example: `alertmanager: "http://10.10.0.5:9093"`, Doc: "The address of a Prometheus Alertmanager (API v2)."},
					token, mail,
					{Name: "syslog", Scalar: scalarURL, Default: "(none)", Example: `syslog: "udp://10.10.0.5:514"`, Doc: "udp://HOST:PORT, tcp://HOST:PORT or unix:///dev/log: a message for each alert (RFC 5424)."},
					{Name: "exec", Form: FormWords, Scalar: scalarText, Default: "(none)", Example: "exec: [/usr/local/bin/page, boot]", Doc: "A program and its arguments; it gets the alerts as JSON on its standard input. No shell reads it."},
				},
			},
		},
	}
}
