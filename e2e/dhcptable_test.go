package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// dhcpDoc shows the tables of dhcp-matrix and dhcp-peers.
const dhcpDoc = "../docs/dhcp-cluster.md"

// dhcpTable is the table in Markdown.
func dhcpTable(policies []dhcpPolicy, rows []dhcpRow) string {
	var b strings.Builder
	b.WriteString("| servers | situation |")
	for _, p := range policies {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(policies)) + "\n")
	for _, r := range rows {
		b.WriteString(r.head())
		for i := range r.cells {
			fmt.Fprintf(&b, " %s |", &r.cells[i])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r dhcpRow) head() string { return fmt.Sprintf("| %s | %s |", r.where, r.name) }

// document puts a table into the document, if E2E_UPDATE is set and nothing failed; else the document
// must have its rows. The times are those of one run on one machine.
func document(t *testing.T, name, table string, rows []dhcpRow) {
	t.Helper()
	t.Log("\n" + table)
	text, err := os.ReadFile(dhcpDoc)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+": written by `E2E_UPDATE=1 make e2e E2E="+name+"`, do not edit -->\n", "<!-- end of "+name+" -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	was, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the lines between which the table stands", dhcpDoc)
	}
	if os.Getenv("E2E_UPDATE") != "" && !t.Failed() {
		if err := os.WriteFile(dhcpDoc, []byte(head+begin+"\n"+table+"\n"+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, r := range rows {
		if !strings.Contains(was, r.head()) {
			t.Errorf("%s has no row %q (E2E_UPDATE=1 writes it)", dhcpDoc, r.head())
		}
	}
}
