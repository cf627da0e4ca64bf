package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What cannot be understood is wrong usage, said with a hint, and as JSON where that was asked for.
func TestUsageErrors(t *testing.T) {
	for _, c := range []struct{ args, message, hint string }{
		{"stroy", `unknown command "stroy" for "surefoot"`, "did you mean surefoot story?"},
		{"nosuch", `unknown command "nosuch" for "surefoot"`, "surefoot --help shows what it takes"},
		{"config chekc", `unknown command "chekc" for "surefoot config"`, "did you mean surefoot config check?"},
		{"lab kil", `unknown command "kil" for "surefoot lab"`, "did you mean surefoot lab kill?"},
		{"--nosuch", "unknown flag: --nosuch", "surefoot --help shows what it takes"},
		{"serve --status 300.0.0.1:1", `--status "300.0.0.1:1" is not ADDRESS:PORT, as in 127.0.0.1:8068`, "surefoot serve --help shows what it takes"},
		{"explain --config /dev/null --mac x --arch bios", `--mac: "x" is not a MAC address`, "surefoot explain --help shows what it takes"},
		{"story --limit many", "invalid argument", "surefoot story --help shows what it takes"},
		{"lab boot --firmware coreboot", "coreboot", "surefoot lab boot --help shows what it takes"},
	} {
		out, stderr, code := invoke(t, strings.Fields(c.args)...)
		if code != ExitUsage || out != "" {
			t.Errorf("%s: exit %d: %s", c.args, code, out)
		}
		contains(t, stderr, "surefoot: ", c.message, "\nhint: "+c.hint+"\n")

		out, stderr, code = invoke(t, append(strings.Fields(c.args), "--json")...)
		if strings.Contains(stderr+out, "unknown flag: --json") {
			continue // the command prints no data, and has no such flag
		}
		var doc struct {
			Error struct {
				Code, Message string
				Hint          []string
			}
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil || code != ExitUsage || stderr != "" || doc.Error.Code != "usage" ||
			!strings.Contains(doc.Error.Message, c.message) || !slices.Contains(doc.Error.Hint, c.hint) {
			t.Errorf("%s --json: exit %d, %v: %s%s", c.args, code, err, out, stderr)
		}
	}
}

// No command stands in its parent's list twice, which cobra takes without a word.
func TestCommandsOnce(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		seen := map[string]bool{}
		for _, sub := range c.Commands() {
			if seen[sub.Name()] {
				t.Errorf("%s is there twice", sub.CommandPath())
			}
			seen[sub.Name()] = true
			walk(sub)
		}
	}
	walk(newRootCommand(&Env{Getenv: func(string) string { return "" }}))
}
