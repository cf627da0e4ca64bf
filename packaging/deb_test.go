package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// buildDeb runs `make deb` and returns the package.
func buildDeb(t *testing.T) string {
	t.Helper()
	need(t, "dpkg-deb")
	cmd := exec.Command("make", "deb")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	debs, err := filepath.Glob("../dist/surefoot_*.deb")
	if err != nil || len(debs) != 1 {
		t.Fatalf("make deb left %q in dist, want one package (%v)", debs, err)
	}
	return debs[0]
}

func TestDeb(t *testing.T) {
	deb := buildDeb(t)
	first, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("contents", func(t *testing.T) {
		list := command(t, "dpkg-deb", "-c", deb)
		for _, want := range []string{
			`-rwxr-xr-x root/root .* \./usr/bin/surefoot`,
			`-rw-r--r-- root/root .* \./lib/systemd/system/surefoot\.service`,
			`-rw-r--r-- root/root .* \./etc/surefoot/surefoot\.yaml`,
			`-rw-r--r-- root/root .* \./usr/share/doc/surefoot/copyright`,
			`-rw-r--r-- root/root .* \./usr/share/surefoot/prometheus/surefoot\.rules\.yml`,
			`-rw-r--r-- root/root .* \./usr/share/surefoot/grafana/surefoot\.json`,
			`-rw-r--r-- root/root .* \./usr/share/doc/surefoot/docs/operate\.md`,
		} {
			if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(list) {
				t.Errorf("no entry like %s in\n%s", want, list)
			}
		}
		if m := regexp.MustCompile(`(?m)^.*\.go$`).FindString(list); m != "" {
			t.Errorf("source in the package: %s", m)
		}
	})

	t.Run("control", func(t *testing.T) {
		info := command(t, "dpkg-deb", "-I", deb)
		for _, want := range []string{"Package: surefoot", "Architecture: ", "Section: net", "conffiles", "postinst", "prerm", "postrm"} {
			if !strings.Contains(info, want) {
				t.Errorf("dpkg-deb -I lacks %q:\n%s", want, info)
			}
		}
		if got := command(t, "dpkg-deb", "-I", deb, "conffiles"); got != "/etc/surefoot/surefoot.yaml" {
			t.Errorf("conffiles are %q, want the site file alone", got)
		}
	})

	t.Run("reproducible", func(t *testing.T) {
		second, err := os.ReadFile(buildDeb(t))
		if err != nil {
			t.Fatal(err)
		}
		if string(first) != string(second) {
			t.Error("two builds of the same tree differ")
		}
	})

	t.Run("install and remove", func(t *testing.T) { installAndRemove(t, deb) })
}

// installAndRemove runs dpkg with a root of its own: the machine's packages stay as they are.
// The maintainer scripts run too, without a systemd to talk to.
func installAndRemove(t *testing.T, deb string) {
	needRoot(t)
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/updates", "var/lib/dpkg/info", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg", file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dpkg := func(args ...string) string {
		t.Helper()
		return command(t, "dpkg", append([]string{
			"--root=" + root, "--force-not-root", "--force-script-chrootless", "--force-depends", "--log=/dev/null",
		}, args...)...)
	}
	dpkg("-i", deb)
	installed := filepath.Join(root, "usr/bin/surefoot")
	if out := command(t, installed, "version"); !strings.HasPrefix(out, "surefoot ") {
		t.Errorf("the installed binary says %q", out)
	}
	site := filepath.Join(root, "etc/surefoot/surefoot.yaml")
	if out, err := exec.Command(installed, "config", "check", site).CombinedOutput(); err != nil {
		t.Errorf("surefoot config check of the shipped site file: %v\n%s", err, out)
	}
	edited := []byte("site: mine\n")
	if err := os.WriteFile(site, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg("-i", "--force-confold", deb) // an upgrade keeps what was edited
	if got, err := os.ReadFile(site); err != nil || string(got) != string(edited) {
		t.Errorf("an upgrade wrote over the site file: %q, %v", got, err)
	}
	dpkg("-r", "surefoot")
	if _, err := os.Stat(installed); !os.IsNotExist(err) {
		t.Errorf("after dpkg -r the binary is still there (%v)", err)
	}
	if _, err := os.Stat(site); err != nil {
		t.Errorf("dpkg -r removed the site file: %v", err)
	}
	dpkg("--purge", "surefoot")
	if _, err := os.Stat(site); !os.IsNotExist(err) {
		t.Errorf("after a purge the site file is still there (%v)", err)
	}
}
