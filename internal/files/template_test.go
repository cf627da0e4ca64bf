package files

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

var testMAC = boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}

// rendered opens a name whose template is the text, for a client.
func rendered(t testing.TB, text, name string, a Asker) (string, error) {
	t.Helper()
	dir := makeTree(t)
	write(t, dir, "cfg/t.tmpl", text)
	r := open(t, dir, Options{Fold: true, Entries: []Entry{{Name: "pxelinux.cfg/*", Template: "CFG/t.tmpl"}}})
	f, err := r.OpenFor(name, a)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()+1))
	if err != nil || int64(len(b)) != f.Size() {
		t.Fatalf("%d bytes of %d, %v", len(b), f.Size(), err)
	}
	if f.Template() != "cfg/t.tmpl" || f.Name() != strings.TrimLeft(name, "/") || !f.ModTime().IsZero() {
		t.Errorf("%q from %q, of %v", f.Name(), f.Template(), f.ModTime())
	}
	return string(b), nil
}

func TestTemplate(t *testing.T) {
	var asked []boot.MAC
	who := func(ip netip.Addr, mac boot.MAC) Client {
		asked = append(asked, mac)
		c := Client{Node: "n1", Site: "hq", IP: "wrong", File: "wrong"}
		if ip == netip.MustParseAddr("10.0.0.7") {
			c.MAC, c.Name, c.Firmware = "52:54:00:00:00:07", "pc-7", "pxe"
		}
		if !mac.IsZero() {
			c.MAC, c.Name = mac.String(), "by-mac"
		}
		return c
	}
	all := `{{.IP}}|{{.MAC}}|{{.Name}}|{{.Network}}|{{.Arch}}|{{.Firmware}}|{{.Server}}|{{.Node}}|{{.Site}}|{{.File}}`
	known, stranger := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8")
	server := netip.MustParseAddr("10.0.0.1")
	named := "pxelinux.cfg/01-52-54-00-12-34-56"
	for _, c := range []struct {
		text, name string
		a          Asker
		want       string
	}{
		{all, named, Asker{IP: known, Server: server, Who: who}, "10.0.0.7|52:54:00:00:00:07|pc-7|||pxe|10.0.0.1|n1|hq|" + named},
		{all, "/" + named, Asker{IP: stranger, Who: who, Firmware: boot.FirmwareIPXE}, "10.0.0.8|52:54:00:12:34:56|by-mac|||ipxe||n1|hq|" + named},
		{all, "pxelinux.cfg/0A000008", Asker{IP: stranger, Who: who}, "10.0.0.8|||||||n1|hq|pxelinux.cfg/0A000008"},
		{all, named, Asker{IP: known, MAC: boot.MAC{2, 0, 0, 0, 0, 9}, Who: who}, "10.0.0.7|02:00:00:00:00:09|by-mac|||pxe||n1|hq|" + named},
		{all, named, Asker{}, "|52:54:00:12:34:56||||||||" + named},
		{`{{hexdash .MAC}} {{upper .MAC}} {{lower "AbC"}} {{.Name | default "nobody"}} {{print 1 " " .MAC}}`, named, Asker{}, "52-54-00-12-34-56 52:54:00:12:34:56 abc nobody 1 52:54:00:12:34:56"},
		{`{{if eq .MAC "52:54:00:12:34:56"}}yes{{else}}no{{end}}{{with .Name}}{{.}}{{else}}none{{end}}{{slice .MAC 0 8}}`, named, Asker{}, "yesnone52:54:00"},
		{`{{define "a"}}<{{.}}>{{end}}{{template "a" .MAC}}{{template "a" $.File}}`, "pxelinux.cfg/x", Asker{}, "<><pxelinux.cfg/x>"},
		{"", named, Asker{}, ""},
		{"no action\n", named, Asker{}, "no action\n"},
	} {
		if got, err := rendered(t, c.text, c.name, c.a); err != nil || got != c.want {
			t.Errorf("%s for %+v:\n got %s, %v\nwant %s", c.text, c.a.IP, got, err, c.want)
		}
	}
	if len(asked) != 5 || asked[1].IsZero() == false || asked[2] != testMAC {
		t.Errorf("asked for %v", asked)
	}
}

// A template that is wrong says where, and one that would not end, or would fill the memory, is
// refused at once.
func TestTemplateFaults(t *testing.T) {
	doubling := `{{define "a0"}}x{{end}}`
	for i := range 60 {
		n := string(rune('0'+i/10)) + string(rune('0'+i%10))
		m := string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))
		if i == 0 {
			doubling = `{{define "a00"}}{{end}}`
		}
		doubling += `{{define "a` + m + `"}}{{template "a` + n + `"}}{{template "a` + n + `"}}{{end}}`
	}
	grow := `{{$x := "` + strings.Repeat("x", 1000) + `"}}`
	for range 40 {
		grow += `{{$x = print $x $x}}`
	}
	for _, c := range []struct{ name, text, want string }{
		{"syntax", "a\nb{{if}}", "cfg/t.tmpl:2: missing value for if"},
		{"field", "a\n\n{{.Mac}}", "cfg/t.tmpl:3:2: there is no .Mac; there are .IP, .MAC, .Name"},
		{"field of a field", "{{.MAC.X}}", "there is no .MAC.X"},
		{"field of the whole", "{{$.Foo}}", "there is no .Foo"},
		{"field of a chain", "{{(print .).Foo}}", "there is no .Foo"},
		{"function", `{{printf "%999999d" 1}}`, "the function printf is not available; there are lower, upper, hexdash"},
		{"function in a branch", `{{if false}}{{html .MAC}}{{end}}`, "the function html is not available"},
		{"function in parentheses", `{{upper (js .MAC)}}`, "the function js is not available"},
		{"function in a pipe", `{{.MAC | urlquery}}`, "the function urlquery is not available"},
		{"no such function", `{{env "HOME"}}`, `cfg/t.tmpl:1: function "env" not defined`},
		{"loop", "{{range 1000000000}}{{end}}", "cfg/t.tmpl:1:8: range is not available: a template has no loops"},
		{"loop in else", "{{if .MAC}}{{else}}{{range .IP}}{{end}}{{end}}", "range is not available"},
		{"loop within", `{{define "a"}}{{range 9}}{{end}}{{end}}{{template "a"}}`, "range is not available"},
		{"recursion", `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, "uses itself"},
		{"recursion by two", `{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}`, "uses itself"},
		{"recursion of the whole", `{{template "cfg/t.tmpl"}}`, "uses itself"},
		{"doubling", doubling + `{{template "a60"}}`, "it takes more than 10000 steps"},
		{"many steps", strings.Repeat("{{1}}", 11000), "it takes more than 10000 steps"},
		{"growing", grow, "a value is longer than 65536 bytes"},
		{"long", `{{define "a"}}` + strings.Repeat("{{print .}}", 100) + `{{end}}{{template "a" "` + strings.Repeat("y", 30000) + `"}}`, "the text is longer than 1048576 bytes"},
		{"large", strings.Repeat("x", 64<<10+1), "a template has at most 65536 bytes"},
		{"at work", "a{{slice .MAC 9 3}}", `cfg/t.tmpl:1:3: executing "cfg/t.tmpl" at <slice .MAC 9 3>: error calling slice`},
		{"undefined", `{{template "nosuch"}}`, `template "nosuch" not defined`},
		{"nil data", `{{define "a"}}{{.MAC}}{{end}}{{template "a"}}`, "cfg/t.tmpl:1:"},
	} {
		start := time.Now()
		_, err := rendered(t, c.text, "pxelinux.cfg/x", Asker{})
		var te *TemplateError
		if !errors.As(err, &te) || te.Template != "cfg/t.tmpl" || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cfg/t.tmpl:") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", c.name, took)
		}
	}
}

func TestTemplateIsNotThere(t *testing.T) {
	r := open(t, makeTree(t, "real"), Options{Entries: []Entry{{Name: "a", Template: "a.tmpl"}}})
	_, err := r.Open("a")
	var nf *NotFoundError
	if !errors.As(err, &nf) || nf.Target != "a.tmpl" || !strings.Contains(err.Error(), `"a" stands for "a.tmpl", which is not there`) || r.Has("a") {
		t.Errorf("%v", err)
	}
}

func TestMACIn(t *testing.T) {
	for name, want := range map[string]boot.MAC{
		"pxelinux.cfg/01-52-54-00-12-34-56":  testMAC,
		"01-52-54-00-12-34-56":               testMAC,
		"grub.cfg-01-52-54-00-12-34-56":      testMAC,
		"host-52-54-00-12-34-56.ipxe":        testMAC,
		"host/52:54:00:12:34:56":             testMAC,
		"HOST-52-54-00-AB-34-56":             {0x52, 0x54, 0, 0xab, 0x34, 0x56},
		"pxelinux.cfg/01-52-54-00-12-34":     {}, // five pairs, or an address of a group
		"pxelinux.cfg/0A0B0C0D":              {},
		"pxelinux.cfg/default":               {},
		"52-54-00-12-34-56-78":               {},
		"b8945908-d6a6-41a9-611d-74a6ab80b8": {},
		"525400123456":                       {},
		"52-54:00-12-34-56":                  {},
		"":                                   {},
	} {
		if got := macIn(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
