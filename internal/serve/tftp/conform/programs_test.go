package conform

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// programChecks let real clients download. They are skipped where a program is not installed.
func programChecks() []check {
	client := func(name, what string, files []string, args func(host, port, file, out string) []string) check {
		return check{what, "oracle", must, name + " downloads", func(a *attempt) {
			path, err := exec.LookPath(name)
			if err != nil {
				a.cannot("no %s on this machine", name)
			}
			dir, err := os.MkdirTemp("", "conform-"+name)
			if err != nil {
				a.cannot("%v", err)
			}
			defer os.RemoveAll(dir)
			out := filepath.Join(dir, "out")
			host, port := a.target.addr.Addr().String(), strconv.Itoa(int(a.target.addr.Port()))
			for _, file := range files {
				_ = os.Remove(out)
				text, err := exec.Command(path, args(host, port, file, out)...).CombinedOutput()
				if err != nil {
					a.failf("%s: %v: %.200s", file, err, text)
				}
				want, err := os.ReadFile(filepath.Join(a.target.root, file))
				if err != nil {
					a.cannot("%v", err)
				}
				got, err := os.ReadFile(out)
				if err != nil && !(errors.Is(err, os.ErrNotExist) && len(want) == 0) {
					a.failf("%s: %v: %.200s", file, err, text)
				}
				a.same(got, want)
			}
			a.seen("%d files", len(files))
		}}
	}
	sizes := []string{"f1", "f511", "f512", "f513", "f1456", "f300001"}
	return []check{
		client("curl", "curl", sizes, func(host, port, file, out string) []string {
			return []string{"-sS", "-m", "20", "-o", out, "tftp://" + host + ":" + port + "/" + file}
		}),
		client("curl", "curl-blksize", sizes, func(host, port, file, out string) []string {
			return []string{"-sS", "-m", "20", "--tftp-blksize", "1456", "-o", out, fmt.Sprintf("tftp://%s:%s/%s", host, port, file)}
		}),
		client("curl", "curl-no-options", append([]string{"f0"}, sizes...), func(host, port, file, out string) []string {
			return []string{"-sS", "-m", "20", "--tftp-no-options", "-o", out, fmt.Sprintf("tftp://%s:%s/%s", host, port, file)}
		}),
		client("tftp", "tftp-hpa", append([]string{"f0"}, sizes...), func(host, port, file, out string) []string {
			return []string{"-m", "binary", host, port, "-c", "get", file, out}
		}),
		client("tftp", "tftp-hpa-ascii", []string{"lf.txt", "menu.txt", "cut.txt", "cutcr.txt"}, func(host, port, file, out string) []string {
			return []string{"-m", "ascii", host, port, "-c", "get", file, out}
		}),
		client("atftp", "atftp", append([]string{"f0"}, sizes...), func(host, port, file, out string) []string {
			return []string{"-g", "-r", file, "-l", out, host, port}
		}),
		client("atftp", "atftp-window", sizes, func(host, port, file, out string) []string {
			return []string{
				"--option", "windowsize 8", "--option", "blksize 1456", "--option", "tsize", "--option", "timeout 2",
				"-g", "-r", file, "-l", out, host, port,
			}
		}),
		client("busybox", "busybox", append([]string{"f0"}, sizes...), func(host, port, file, out string) []string {
			return []string{"tftp", "-g", "-r", file, "-l", out, host, port}
		}),
		client("busybox", "busybox-blksize", append([]string{"f0"}, sizes...), func(host, port, file, out string) []string {
			return []string{"tftp", "-g", "-b", "1456", "-r", file, "-l", out, host, port}
		}),
	}
}
