package conform

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// unblock opens a pipe for writing for a moment, which frees a server that hangs reading it.
func unblock(root string) {
	if fd, err := syscall.Open(filepath.Join(root, "fifo"), syscall.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		_ = syscall.Close(fd)
	}
}

// denied checks that none of the names is served. A refusal, or no answer, both pass.
func denied(names ...string) func(*attempt) {
	return func(a *attempt) {
		for _, name := range names {
			c := a.client()
			c.ask(rrq(name, "octet"))
			p, err := c.recv(a.target.wait)
			if err == nil && p.op != opERROR {
				a.failf("%.60q: %s", name, p)
			}
			if err != nil {
				a.seen("no answer to %.60q", name)
			} else {
				a.seen("%s", p)
			}
		}
	}
}

// served checks that each name brings the content.
func served(want []byte, names ...string) func(*attempt) {
	return func(a *attempt) {
		for _, name := range names {
			r, err := a.client().get(rrq(name, "octet"), habits{})
			if err != nil {
				a.failf("%q: %v", name, err)
			}
			a.same(r.content, want)
		}
	}
}

// nameChecks are about which names are served (F30, F32).
func nameChecks() []check {
	climb := "../../../../../../../../../../../.."
	return []check{
		{"name-missing", "RFC 1350 5", must, "a file that is not there is ERROR 1", func(a *attempt) {
			c := a.client()
			c.ask(rrq("missing", "octet"))
			a.seen("%s", c.refused(1))
		}},
		{"name-empty", "F32", must, "the empty name is refused", func(a *attempt) {
			c := a.client()
			c.ask(rrq("", "octet"))
			a.seen("%s", c.refused())
		}},
		{"name-directory", "F32", must, "directories are refused", func(a *attempt) {
			for _, name := range []string{"dir", "dir/", ".", "/"} {
				c := a.client()
				c.ask(rrq(name, "octet"))
				a.seen("%s", c.refused())
			}
		}},
		{"name-dots", "F32", must, "no name with .. leaves the root", func(a *attempt) {
			out := filepath.Base(filepath.Dir(a.outside())) + "/secret"
			denied(climb+"/etc/passwd", "/"+climb+"/etc/passwd", "dir/../../"+out, "../"+out, "dir/"+climb+"/etc/passwd", "../secret", "..")(a)
		}},
		{"name-backslashes", "F32", must, "nor does one with backslashes", denied(`..\..\..\..\..\..\..\etc\passwd`, `\..\..\..\..\..\..\etc\passwd`, `dir\..\..\secret`)},
		{"name-percent", "F32", must, "nor one with escapes", denied("..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%c0%af..%c0%afetc/passwd")},
		{"name-odd-dots", "F32", must, "nor one with dots that a single pass of cleaning would miss", denied("....//....//....//etc/passwd", "..././..././etc/passwd", "./.././../etc/passwd", "//../../etc/passwd")},
		{"name-absolute", "F32", must, "an absolute path is one below the root, or refused", denied("/etc/passwd", "//etc/passwd", "/proc/self/environ", "/dev/zero")},
		{"link-out", "F32", must, "a link that leads out of the root is refused", denied("link-out", "link-absolute", "link-up/secret", "link-loop")},
		{"link-in", "F32", info, "a link that stays within the root is followed", served(content(513), "link-in")},
		{"name-folder", "F30", must, "a file in a folder is served", served(content(700), "dir/inside")},
		{"name-slash", "F30", must, "a name with a leading slash is below the root (GRUB)", served(content(513), "/f513")},
		{"name-inner-dots", "F32", info, "dir/../name is the name, as it stays within the root", served(content(513), "dir/../f513", "/dir/../f513")},
		{"name-slashes", "F30", should, "two slashes, ./ and the like do not matter", served(content(700), "dir//inside", "./dir/inside", "//dir/inside", "/./dir/./inside")},
		{"name-backslash", "F30", should, `a Windows client's dir\inside and \f513 are served`, func(a *attempt) {
			served(content(700), `dir\inside`, `\dir\inside`)(a)
			served(content(513), `\f513`)(a)
		}},
		{"name-case", "F30", should, "a name in another case is served", func(a *attempt) {
			served(content(1900), "ARDBP32.BIN", "ardbp32.bin", "ARDBP32.bin")(a)
			served(content(901), "dir2/boot/mixed.EFI", `DIR2\BOOT\MIXED.EFI`)(a)
		}},
		{"name-space", "RFC 1350 5", must, "a name with a space is served", served(content(800), "with space")},
		{"name-utf-8", "RFC 1350 5", info, "a name in UTF-8 is served", served(content(902), "grün.bin")},
		{"name-255", "RFC 1350 5", should, "a name of 255 bytes is served", served(content(600), longName())},
		{"write-refused", "F32", must, "uploads are refused, and nothing is made or changed", func(a *attempt) {
			for _, words := range [][]string{nil, {"blksize", "1024", "tsize", "3"}} {
				for _, name := range []string{"upload", "f513", "dir/upload"} {
					c := a.client()
					c.ask(request(opWRQ, name, "octet", words...))
					p := c.refused()
					a.seen("%s", p)
					c.send(short(opDATA, 1, 'b', 'a', 'd'))
				}
			}
			time.Sleep(50 * time.Millisecond)
			if b, err := os.ReadFile(filepath.Join(a.target.root, "f513")); err != nil || !bytes.Equal(b, content(513)) {
				a.failf("a file was changed: %v", err)
			}
			for _, name := range []string{"upload", "dir/upload"} {
				if _, err := os.Stat(filepath.Join(a.target.root, name)); err == nil {
					a.failf("%s was made", name)
				}
			}
		}},
		{"file-replaced", "RFC 1350 2", must, "a file that was replaced is served anew; a transfer under way keeps the old one", func(a *attempt) {
			path := filepath.Join(a.target.root, "changing")
			a.put(path, content(3000))
			c := a.client()
			c.ask(rrq("changing", "octet"))
			c.data(1)
			a.put(path, content(4000))
			d := a.client()
			d.fetch(rrq("changing", "octet"), content(4000), habits{})
			for n := 1; n <= 6; n++ {
				c.a.same(c.data(uint16(n)).data, content(3000)[(n-1)*512:min(n*512, 3000)])
				c.ack(uint16(n))
			}
		}},
		{"file-new", "RFC 1350 2", must, "a file that was missing is served as soon as it is there", func(a *attempt) {
			path := filepath.Join(a.target.root, "new")
			_ = os.Remove(path)
			c := a.client()
			c.ask(rrq("new", "octet"))
			c.refused(1)
			a.put(path, content(1000))
			a.client().fetch(rrq("new", "octet"), content(1000), habits{})
		}},
	}
}

// outside is where the file lies that must not be served.
func (a *attempt) outside() string {
	to, err := os.Readlink(filepath.Join(a.target.root, "link-absolute"))
	if err != nil {
		a.cannot("%v", err)
	}
	return to
}

// put writes a file beside its place and renames it, as people who publish files should.
func (a *attempt) put(path string, b []byte) {
	err := os.WriteFile(path+".part", b, 0o644)
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		a.cannot("%v", err)
	}
}
