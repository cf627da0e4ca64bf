package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder that is missing is a warning where the root is on this machine, and no fault of the file.
func TestUploadFolderMissing(t *testing.T) {
	root := t.TempDir()
	site := func(root string) []byte {
		return fmt.Appendf(nil, "root: %s\nnodes: {n1: {address: 10.0.0.1, interfaces: [eth1]}}\nboot: [{name: a, file: a}]\n"+
			"tftp: {uploads: [{folder: in/}]}\n", root)
	}
	got := Warnings("f", site(root))
	if len(got) != 1 || got[0].Line != 4 || got[0].Path != "tftp.uploads[0].folder" || !strings.Contains(got[0].Message, "no such folder") ||
		!strings.Contains(got[0].Remedy, "ReadWritePaths=-"+root+"/in") {
		t.Errorf("%+v", got)
	}
	if _, err := Check("f", site(root), nil); err != nil {
		t.Error(err)
	}
	if got := Warnings("f", site("/no/such/root")); len(got) > 0 {
		t.Errorf("the root is elsewhere: %+v", got)
	}
	if err := os.Mkdir(filepath.Join(root, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Warnings("f", site(root)); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}
