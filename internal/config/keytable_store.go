package config

func storeKey() Key {
	return Key{
		Name: "store", Form: FormObject, Default: "(each node has its own leases)", Example: `store: {etcd: {endpoints: ["10.10.0.11:2379", "10.10.0.12:2379", "10.10.0.13:2379"]}}`,
		Doc: "What several nodes share, so that all of them answer for the same addresses. docs/with/etcd.md goes through it step by step.",
		Keys: []Key{{
			Name: "etcd", Form: FormObject, Default: "(none)", Example: `etcd: {endpoints: ["10.10.0.11:2379", "10.10.0.12:2379", "10.10.0.13:2379"]}`,
			Doc: "An etcd cluster, of three members at best: with two, the loss of one is the loss of both. When it does not answer, each node goes on from addresses of its own.",
			Keys: []Key{
				{
					Name: "endpoints", Form: FormWords, Scalar: scalarText, Required: true, Example: `endpoints: ["10.10.0.11:2379", "10.10.0.12:2379", "10.10.0.13:2379"]`,
					Doc: "Its members, HOST:PORT in quotes. The first that answers is used.",
				},
				{Name: "ca_file", Scalar: scalarDir, Default: "(no encryption)", Example: "ca_file: /etc/surefoot/etcd-ca.crt", Doc: "The certificates, in PEM form, that may have signed those of the members. With it the connection is encrypted."},
				{Name: "cert_file", Scalar: scalarDir, Default: "(none)", Example: "cert_file: /etc/surefoot/etcd.crt", Doc: "The certificate by which a node shows who it is. It is read again for each connection."},
				{Name: "key_file", Scalar: scalarDir, Default: "(none)", Example: "key_file: /etc/surefoot/etcd.key", Doc: "Its key."},
				{Name: "user", Scalar: scalarText, Default: "(no login)", Example: "user: surefoot", Doc: "The name for the login, where etcd asks for one."},
				{Name: "password_file", Scalar: scalarDir, Default: "(no login)", Example: "password_file: /etc/surefoot/etcd-password", Doc: "The file with the password."},
				{Name: "prefix", Scalar: scalarText, Default: DefaultPrefix, Example: "prefix: surefoot", Doc: "What the names of all keys begin with; the name of the site follows it."},
				{
					Name: "block_size", Scalar: scalarCount, Default: "(5 % of a range, at least 16)", Example: "block_size: 64",
					Doc: "How many addresses a node takes for itself at a time, to give to new machines while the cluster does not answer. It has two such blocks of each network, and takes more as they are used.",
				},
			},
		}},
	}
}
