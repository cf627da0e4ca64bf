package files

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The order of entries and files, with names as the firmware of Windows clients has them (F30).
func TestEntries(t *testing.T) {
	dir := makeTree(t, "pvs/7.41/ARDBP32.BIN", "real", "menu/real.cfg", "menu/default", "Ünï/File")
	entries := []Entry{
		{Name: "ardbp32.bin", File: "pvs/7.41/ARDBP32.BIN"},
		{Name: "real", File: "pvs/7.41/ARDBP32.BIN"},
		{Name: "menu/*.cfg", File: "menu/default"},
		{Name: "menu/*", File: "real"},
		{Name: "Boot/Loader.efi", File: "pvs/7.41/ardbp32.bin"},
		{Name: "gone", File: "pvs/7.41/ARDBP33.BIN"},
		{Name: "round", File: "ardbp32.bin"},
		{Name: "any/?[0-9]", File: "ÜNÏ/FILE"},
		{Name: "test", File: "builtin"},
	}
	o := Options{Entries: entries, Builtin: map[string][]byte{"builtin": []byte("builtin")}}
	exact := open(t, dir, o)
	o.Fold = true
	fold := open(t, dir, o)
	const absent, pvs = "error: no such file", "pvs/7.41/ARDBP32.BIN"
	tests := []struct{ name, folded, unfolded string }{
		{"ardbp32.bin", pvs, pvs},
		{"/ardbp32.bin", pvs, pvs},
		{"ARDBP32.BIN", pvs, absent},
		{`\Ardbp32.Bin`, pvs, absent},
		{"./ardbp32.bin", pvs, pvs},
		{"x/../ardbp32.bin", pvs, pvs},
		{"real", pvs, pvs}, // the entry stands before the file
		{"REAL", pvs, absent},
		{"menu/real.cfg", "menu/real.cfg", "menu/real.cfg"}, // the file is the exception to the pattern
		{"menu/REAL.CFG", "menu/real.cfg", "real"},
		{"menu/other.cfg", "menu/default", "menu/default"},
		{"MENU/other.CFG", "menu/default", absent},
		{"menu/other", "real", "real"},
		{"menu/sub/other", absent, absent}, // a star does not reach beyond a slash
		{`boot\loader.EFI`, pvs, absent},
		{"Boot/Loader.efi", pvs, absent}, // what it stands for has other letters
		{"round", absent, absent},        // an entry does not lead to an entry
		{"any/x7", "Ünï/File", absent},
		{"any/xx", absent, absent},
		{"test", "builtin", "builtin"},
		{"../ardbp32.bin", "error: open", "error: open"},
		{"ardbp32.bin\x00", absent, absent},
	}
	for _, tt := range tests {
		for _, r := range []struct {
			*Root
			want string
		}{{fold, tt.folded}, {exact, tt.unfolded}} {
			if got := content(t, r.Root, tt.name); !strings.HasPrefix(got, r.want) {
				t.Errorf("fold %v: %q = %s, want %s", r.fold, tt.name, got, r.want)
			}
		}
	}
	_, err := fold.Open("GONE")
	var nf *NotFoundError
	if !errors.As(err, &nf) || nf.Name != "GONE" || nf.Target != "pvs/7.41/ARDBP33.BIN" || !slices.Contains(nf.Near, pvs) {
		t.Errorf("what the entry stands for is not there: %v, %+v", err, nf)
	}
	if _, err := fold.Open("ardpb32.bin"); !errors.As(err, &nf) || !slices.Contains(nf.Near, "ardbp32.bin") {
		t.Errorf("entries are not suggested: %v", err)
	}
	f, err := fold.Open("ARDBP32.BIN")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Name() != pvs || f.Version() != "" || f.Template() != "" {
		t.Errorf("it is called %s, version %q, template %q", f.Name(), f.Version(), f.Template())
	}
}
