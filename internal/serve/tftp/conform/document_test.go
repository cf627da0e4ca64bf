package conform

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const introduction = `# Conformance of the TFTP server

<!-- Written by the suite itself, see "Run it" below. Do not edit. -->

A suite of %d named checks asks a TFTP server what the RFCs and known boot clients ask of it. It is
independent of the server: a scripted client builds and reads its packets by hand. Each check has
its clause (RFC 1350, 1123 section 4.2.3, 2347, 2348, 2349, 7440), the number of a known fault
(VU#417980), or the number of a fact about boot firmware (F24 and later).

- **must**: a MUST of an RFC, or what loses or leaks data when broken
- **should**: a SHOULD, or what boot clients in the field rely on
- **info**: either way is right

The tests of Surefoot fail if it fails a must or a should that is not known and listed below.

## Run it

` + "```sh" + `
go test -v ./internal/serve/tftp/conform -run TestConformance            # our server, with the table
go test -v ./internal/serve/tftp/conform -run TestConformance -target 192.0.2.10:69 -root DIR
go test -v ./internal/serve/tftp/conform -run TestConformance -check '^window-' -long
go test -v ./internal/serve/tftp/conform -run TestWeather -seed 5 -check window-64
` + "```" + `

- ` + "`-target`" + ` checks any server. DIR is the directory that it serves, empty or used for
  nothing else: the suite writes its files there. Checks that need the server's other addresses or
  forged packets are skipped unless it runs on this machine.
- ` + "`-check`" + ` takes a regular expression of names, ` + "`-long`" + ` adds the checks that take up to a minute.
- This page is written by ` + "`unshare -n sh -c 'ip link set lo up; ip addr add 198.51.100.1 dev lo; go test ./internal/serve/tftp/conform -run TestPeers -update'`" + `,
  as root with the servers below installed (` + "`scripts/setup test`" + `).

How far the suite can be trusted is tested, too: a plain reference server passes every check, and
with each of %d faults built into it, one at a time, the check that is meant for it fails.

The same downloads go through a proxy that loses, repeats and reorders 3 %% of the packets each way,
in the profiles of %d kinds of clients with 50 seeds; a failure names its seed, and the seed
brings the same losses again.

Our own clients (` + "`surefoot probe`" + `, ` + "`surefoot storm`" + `) are held to the same clauses: their receiver steps
through named conversations (internal/probe, TestClauses), and they download from the reference
server in such weather and with such faults (TestOurClients).

`

// document writes docs/conformance.md.
func document(columns []column) string {
	var b strings.Builder
	number := 0
	for _, g := range suite() {
		number += len(g.checks)
	}
	b.WriteString(opening(number))
	summary(&b, columns)
	at := 0
	for _, g := range suite() {
		fmt.Fprintf(&b, "\n## %s\n\n| # | check | clause | level | a server that passes |", g.title)
		for _, c := range columns {
			name, _, _ := strings.Cut(c.name, " ")
			fmt.Fprintf(&b, " %s |", name)
		}
		b.WriteString("\n|---|---|---|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
		for range g.checks {
			b.WriteString(row(columns[0].verdicts[at]))
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", c.verdicts[at].outcome)
			}
			b.WriteString("\n")
			at++
		}
	}
	b.WriteString("\n## What was seen where a server failed\n")
	for _, c := range columns {
		var lines []string
		for _, v := range c.verdicts {
			if v.outcome == failed {
				lines = append(lines, fmt.Sprintf("- %d %s (%s): %s\n", v.number, v.check.name, v.check.level, plain(v.seen)))
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n%s", c.name, strings.Join(lines, ""))
		}
	}
	return b.String()
}

// opening is the introduction of a suite of so many checks.
func opening(checks int) string {
	distinct := map[fault]bool{}
	for _, f := range faults() {
		distinct[f.fault] = true
	}
	return fmt.Sprintf(introduction, checks, len(distinct), len(profiles))
}

// summary counts each server's outcomes by level.
func summary(b *strings.Builder, columns []column) {
	b.WriteString("## Compared\n\n| server | must | should | info | passed |\n|---|---|---|---|---|\n")
	for _, c := range columns {
		fmt.Fprintf(b, "| %s |", c.name)
		all := 0
		for _, l := range []level{must, should, info} {
			n := map[outcome]int{}
			for _, v := range c.verdicts {
				if v.check.level == l {
					n[v.outcome]++
				}
			}
			all += n[passed]
			fmt.Fprintf(b, " %d pass, %d fail, %d lack, %d skip |", n[passed], n[failed], n[lacked], n[absent])
		}
		fmt.Fprintf(b, " %d |\n", all)
	}
	b.WriteString("\n\"lack\" is a check of an option that the server does not offer; \"skip\" one that the machine could\nnot ask, such as a client program that is not installed.\n")
}

// row is what a check's row says about the check.
func row(v verdict) string {
	c := v.check
	return fmt.Sprintf("| %d | %s | %s | %s | %s |", v.number, c.name, c.clause, c.level, plain(c.says))
}

var markRE = regexp.MustCompile(`[|<>*\[\]]`)

// plain makes a text fit for a table of Markdown.
func plain(s string) string {
	return markRE.ReplaceAllStringFunc(strings.Join(strings.Fields(s), " "), func(c string) string { return `\` + c })
}

// TestDocument checks that docs/conformance.md knows these checks and no others.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile(conformanceDoc)
	if err != nil {
		t.Fatal(err)
	}
	text, number := string(b), 0
	var lacks []string
	for _, g := range suite() {
		for _, c := range g.checks {
			number++
			if want := row(verdict{number: number, check: c}); !strings.Contains(text, want) {
				lacks = append(lacks, want)
			}
		}
	}
	if !strings.HasPrefix(text, opening(number)) {
		t.Error("docs/conformance.md has another introduction")
	}
	if len(lacks) > 0 {
		t.Errorf("docs/conformance.md lacks %d checks, the first: %s", len(lacks), lacks[0])
	}
	if rows := len(regexp.MustCompile(`(?m)^\| \d+ \|`).FindAllString(text, -1)); rows != number {
		t.Errorf("docs/conformance.md has %d checks of %d", rows, number)
	}
	if t.Failed() {
		t.Log("write it anew: the page itself says how")
	}
}

// TestSuite checks the suite's own table.
func TestSuite(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range suite() {
		for _, c := range g.checks {
			if seen[c.name] {
				t.Errorf("two checks are named %s", c.name)
			}
			seen[c.name] = true
			if c.name == "" || c.clause == "" || c.says == "" || c.run == nil || c.level != must && c.level != should && c.level != info {
				t.Errorf("%s: name, clause, level, what it says and what it does are needed", c.name)
			}
		}
	}
}
