package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodSite = "site: hq\nnodes:\n  boot1: {address: 10.10.0.11, interfaces: [eth1]}\nboot:\n  - {name: test, file: surefoot-test}\n"

// runConfig runs `surefoot config ARGS`, with a file as $SUREFOOT_CONFIG.
func runConfig(t *testing.T, file, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{In: strings.NewReader(stdin), Out: &out, Err: &errs, Getenv: func(k string) string {
		if k == "SUREFOOT_CONFIG" {
			return file
		}
		return ""
	}}
	code = Main(context.Background(), append([]string{"config"}, args...), env)
	return code, out.String(), errs.String()
}

func siteFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCommands(t *testing.T) {
	good := siteFile(t, goodSite)
	bad := siteFile(t, strings.Replace(goodSite, "address", "adress", 1)+"bdm: {}\n")
	for _, tc := range []struct {
		name   string
		file   string
		stdin  string
		args   []string
		code   int
		stdout string // a part of it
		stderr string
	}{
		{"good by environment", good, "", []string{"check"}, ExitOK, good + ": ok (site hq: 1 node, 1 rule, 1 network)\n", ""},
		{"good by argument", bad, "", []string{"check", good}, ExitOK, ": ok (", ""},
		{"good by flag", bad, "", []string{"check", "--config", good}, ExitOK, ": ok (", ""},
		{"good by standard input", bad, goodSite, []string{"check", "-"}, ExitOK, "stdin: ok (", ""},
		{"good for a node", good, "", []string{"check", "--node", "boot1"}, ExitOK, ": ok (", ""},
		{"good with an interface from outside", "", strings.Replace(goodSite, ", interfaces: [eth1]", "", 1), []string{"check", "-i", "eth1", "-"}, ExitOK, ": ok (", ""},
		{"not for this node", good, "", []string{"check", "--node", "boot2"}, ExitProblems, `there is no node "boot2"`, ""},
		{"bad", bad, "", []string{"check"}, ExitProblems, "did you mean address", ""},
		{"bad tells all", bad, "", []string{"check"}, ExitProblems, "2 problems in " + bad + "\n", ""},
		{"not there", "/nowhere/site.yaml", "", []string{"check"}, ExitFailed, "", "surefoot: read site file /nowhere/site.yaml: no such file or directory\nhint: surefoot config example"},
		{"noun alone shows", good, "", nil, ExitOK, goodSite, ""},
		{"show", good, "", []string{"show"}, ExitOK, goodSite, ""},
		{"effective", good, "", []string{"show", "--effective"}, ExitOK, "drain_timeout: 30s\n", ""},
		{"effective where no node is this machine", "", strings.Replace(goodSite, "boot:", "  boot2: {address: 10.10.0.12, interfaces: [eth1]}\nboot:", 1), []string{"show", "--effective", "--config", "-"}, ExitOK, "# stdin as node boot1 reads it\n", "as node boot1; --node NAME for another\n"},
		{"effective as a node that is not there", good, "", []string{"show", "--effective", "--node", "boot7"}, ExitFailed, "", `there is no node "boot7"`},
		{"effective of a bad one", bad, "", []string{"show", "--effective"}, ExitFailed, "", "2 problems in " + bad},
		{"example", "", "", []string{"example"}, ExitOK, "site: hq\n", ""},
		{"schema", "", "", []string{"schema"}, ExitOK, "draft/2020-12", ""},
		{"explain", "", "", []string{"explain", "boot.when.arch"}, ExitOK, "boot[].when.arch\n  type ", ""},
		{"explain nothing", "", "", []string{"explain"}, ExitOK, "drain_timeout", ""},
		{"explain a wrong path", "", "", []string{"explain", "boot.arch"}, ExitFailed, "", "hint: surefoot config explain boot[].when.arch"},
		{"wrong verb", good, "", []string{"chekc"}, ExitUsage, "", "hint: did you mean surefoot config check?\nhint: surefoot config --help"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := runConfig(t, tc.file, tc.stdin, tc.args...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(stdout, tc.stdout) || tc.stdout == "" && stdout != "" {
				t.Errorf("stdout %q lacks %q", stdout, tc.stdout)
			}
			if !strings.Contains(stderr, tc.stderr) || tc.stderr == "" && stderr != "" {
				t.Errorf("stderr %q lacks %q", stderr, tc.stderr)
			}
		})
	}
}

// What `show --effective` prints is a site file that `check` accepts.
func TestConfigEffectiveChecks(t *testing.T) {
	_, effective, _ := runConfig(t, siteFile(t, goodSite), "", "show", "--effective")
	if code, stdout, stderr := runConfig(t, "", effective, "check", "-"); code != ExitOK {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

func TestConfigCheckJSON(t *testing.T) {
	_, stdout, _ := runConfig(t, "", "site: hq\nnodes: {}\nboots: []\n", "check", "--json", "-")
	var got struct {
		File     string
		OK       bool
		Problems []struct {
			Line, Column          int
			Path, Message, Remedy string
			Instead               string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.OK || got.File != "stdin" || len(got.Problems) != 2 {
		t.Fatalf("got %+v", got)
	}
	if p := got.Problems[0]; p.Line != 2 || p.Column != 1 || p.Path != "nodes" || p.Instead == "" {
		t.Errorf("got %+v", p)
	}
	_, stdout, _ = runConfig(t, "", goodSite, "check", "--json", "-")
	if want := `{"file":"stdin","ok":true,"summary":{"site":"hq","nodes":1,"servers":0,"rules":1,"networks":1},"problems":[]}` + "\n"; stdout != want {
		t.Errorf("got %s, want %s", stdout, want)
	}
}
