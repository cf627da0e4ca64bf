package config

import (
	"fmt"
	"strings"
)

// Markdown is the reference of the site file, the generated part of docs/config.md.
func Markdown() string {
	var b strings.Builder
	for _, k := range Tree().Keys {
		markdownKey(&b, &k)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// markdownKey writes a section for a key of the top, with a table of every key below it.
func markdownKey(b *strings.Builder, k *Key) {
	fmt.Fprintf(b, "### `%s`\n\n%s\n\n- Value: %s\n- Default: %s\n", k.Path, cell(k.Doc), cell(k.Type()), defaultCell(k))
	if !strings.Contains(k.Example, "\n") {
		fmt.Fprintf(b, "- Example: `%s`\n", k.Example)
	}
	b.WriteByte('\n')
	if len(k.Keys) == 0 {
		return
	}
	b.WriteString("| key | value | default | meaning | example |\n|---|---|---|---|---|\n")
	k.Walk(func(c *Key) {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | `%s` |\n", c.Path, cell(c.Type()), defaultCell(c), cell(c.Doc), cell(c.Example))
	})
	b.WriteByte('\n')
}

func defaultCell(k *Key) string {
	text := k.DefaultText()
	if k.Default == "" || strings.HasPrefix(text, "(") {
		return cell(inWords(text))
	}
	return "`" + text + "`"
}

// cell makes a text fit into a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// KnownMarkdown is the table of what Default looks for in a root.
func KnownMarkdown() string {
	var b strings.Builder
	b.WriteString("| rule | for | files, the first that is there |\n|---|---|---|\n")
	for _, k := range Known() {
		who := "architecture " + k.Rule
		if len(k.When.Firmware) > 0 {
			who = "firmware " + string(k.When.Firmware[0]) + ", before the others"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", k.Rule, who, strings.Join(k.Names, "`, `"))
	}
	return b.String()
}
