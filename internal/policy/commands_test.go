package policy

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"surefoot/internal/cli"
)

// help runs `surefoot WORDS --help` and returns what it says. The flag stands before all others,
// so that one without a value does not take it for one: nothing but help ever runs here.
func help(t *testing.T, words ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") })
	if at < 0 {
		at = len(words)
	}
	code = cli.Main(t.Context(), slices.Insert(slices.Clone(words), at, "--help"), cli.Env{
		In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" },
	})
	return out.String(), errs.String(), code
}

var subcommandRE = regexp.MustCompile(`(?m)^  ([a-z][a-z0-9-]*) +\S`)

// commands returns every command, as its words without "surefoot".
func commands(t *testing.T) [][]string {
	t.Helper()
	var out [][]string
	var visit func(words []string)
	visit = func(words []string) {
		text, stderr, code := help(t, words...)
		if code != cli.ExitOK {
			t.Fatalf("surefoot %s --help: exit %d: %s", strings.Join(words, " "), code, stderr)
		}
		out = append(out, words)
		_, list, _ := strings.Cut(text, "Available Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for _, m := range subcommandRE.FindAllStringSubmatch(list, -1) {
			if m[1] != "help" && m[1] != "completion" {
				visit(append(slices.Clone(words), m[1]))
			}
		}
	}
	visit(nil)
	return out
}

func TestHelpSaysTheExitStatus(t *testing.T) {
	all := commands(t)
	if len(all) < 12 {
		t.Errorf("only %d commands found", len(all))
	}
	for _, words := range all {
		text, _, _ := help(t, words...)
		if len(words) > 0 && !strings.Contains(text, "EXIT STATUS") {
			t.Errorf("surefoot %s --help: no EXIT STATUS", strings.Join(words, " "))
		}
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 120 {
				t.Errorf("surefoot %s --help: a line of %d characters: %s", strings.Join(words, " "), n, line)
			}
		}
		if strings.Contains(text, "under construction") {
			t.Errorf("surefoot %s: under construction", strings.Join(words, " "))
		}
	}
}

func TestEveryCommandIsInTheReadmeOrCLIDoc(t *testing.T) {
	text := readTree(t, "docs/cli.md")
	for _, words := range commands(t) {
		if name := strings.Join(append([]string{"surefoot"}, words...), " "); !strings.Contains(text, name) {
			t.Errorf("docs/cli.md does not mention `%s`", name)
		}
	}
}

// shown returns the commands that a document shows: lines of shell blocks, and code in the text
// that begins with "surefoot ".
func shown(text string) []string {
	var out []string
	add := func(line string) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		line = strings.TrimPrefix(line, "sudo ")
		line = strings.TrimPrefix(line, "bin/")
		if strings.HasPrefix(line, "surefoot ") {
			out = append(out, line)
		}
	}
	for _, m := range fenceRE.FindAllStringSubmatch(text, -1) {
		if m[1] == "sh" || m[1] == "console" {
			for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", " ")) {
				add(line)
			}
		}
	}
	for _, m := range codeRE.FindAllStringSubmatch(fenceRE.ReplaceAllString(text, ""), -1) {
		add(m[1])
	}
	return out
}

// TestShownCommandsExist parses every command that a document shows, with its flags.
func TestShownCommandsExist(t *testing.T) {
	n := 0
	for doc, text := range markdown(t) {
		for _, line := range shown(text) {
			n++
			if why := refuseCommand(t, line); why != "" {
				t.Errorf("%s: `%s`: %s", doc, line, why)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d commands found in the documents: the search is wrong", n)
	}
}

// refuseCommand says what is wrong with a command line, or "".
func refuseCommand(t *testing.T, line string) string {
	t.Helper()
	words := shellWords(line)[1:]
	if strings.Contains(line, "…") || strings.Contains(line, "...") {
		words = words[:0:0] // an abbreviation: only its command is looked at
		for _, w := range shellWords(line)[1:] {
			if strings.HasPrefix(w, "-") || strings.Contains(w, ".") || strings.Contains(w, "…") {
				break
			}
			words = append(words, w)
		}
	}
	text, stderr, code := help(t, words...)
	if strings.Contains(stderr, "flag needs an argument") {
		return "" // a flag that is only spoken of
	}
	if code != cli.ExitOK {
		return stderr
	}
	// A command that has verbs takes no other word, unless its usage says so: surefoot probe takes an
	// address, which does not look like a verb.
	var path []string
	for _, w := range words {
		if strings.HasPrefix(w, "-") {
			break
		}
		path = append(path, w)
	}
	usage, _, _ := strings.Cut(text[strings.Index(text, "Usage:")+len("Usage:"):], "\n\n")
	used := strings.Fields(usage)
	depth := 0
	for depth < len(path) && depth+1 < len(used) && used[depth+1] == path[depth] {
		depth++
	}
	takes := depth < len(path) && depth+1 < len(used) && !strings.HasPrefix(used[depth+1], "[") && strings.ContainsAny(path[depth], "/.")
	if depth < len(path) && !takes && strings.Contains(text, "Available Commands:") {
		return "no such command: " + path[depth]
	}
	return ""
}

// shellWords splits a simple command line, up to a comment, pipe or redirection.
func shellWords(line string) []string {
	var out []string
	var word strings.Builder
	quote, inWord := rune(0), false
	flush := func() {
		if inWord {
			out = append(out, word.String())
			word.Reset()
			inWord = false
		}
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			flush()
		case strings.ContainsRune("|>&;", r), r == '#' && !inWord:
			flush()
			return out
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	flush()
	return out
}

func TestShellWords(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		if got := shellWords(line); !slices.Equal(got, want) {
			t.Errorf("shellWords(%q) = %q, want %q", line, got, want)
		}
	}
	f(`surefoot story --json | jq .`, "surefoot", "story", "--json")
	f(`surefoot probe tftp://h/F --contains "two words" # why`, "surefoot", "probe", "tftp://h/F", "--contains", "two words")
	f(`surefoot status`, "surefoot", "status")
}
