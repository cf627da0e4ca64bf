package config

func filesKey() Key {
	return Key{
		Name: "files", Form: FormObjects, Default: "(none: files are found by what they are called)",
		Doc: "Names for files that are called otherwise, and for texts that are made for each client, by TFTP and HTTP alike. " +
			"The order: an entry for one name stands before a file of that name; a file that is there is the exception to a pattern; " +
			"of the entries of one kind the first that matches counts. An entry stands for what is really there, never for another entry.",
		Example: "files:\n  - {name: ardbp32.bin, file: pvs/7.41/ARDBP32.BIN}\n  - {name: \"pxelinux.cfg/*\", template: pxelinux.cfg.tmpl}",
		Keys: []Key{
			{
				Name: "name", Scalar: scalarPattern, Required: true, Example: `name: "pxelinux.cfg/*"`,
				Doc: "What clients ask for: one name, or a pattern, in which * stands for any letters but /, ? for one of them and [a-z] for one of these. " +
					"In any case and with either slash, as tftp.fold_names says.",
			},
			{
				Name: "file", Scalar: scalarBelow, Default: "(a template is named)", Example: "file: pvs/7.41/ARDBP32.BIN",
				Doc: "The file that they get, by its path below the root.",
			},
			{
				Name: "template", Scalar: scalarBelow, Default: "(a file is named)", Example: "template: pxelinux.cfg.tmpl",
				Doc: "The template below the root from which a text is made for each client (Go's text/template, without loops and recursion; " +
					"at most 64 KiB, and 1 MiB of text). docs/files.md lists what it may say of the client.",
			},
		},
	}
}
