package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadHad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "got")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("02:00:00:00:00:01 10.0.0.1\n02:00:00:00:00:02 10.0.0.2\n02:00:00:00:00:01 10.0.0.3\n02:00:00:00:00:04 10.0")
	got, err := readHad(path)
	if err != nil || len(got) != 2 || got[0].Addr.String() != "10.0.0.3" || got[1].MAC.String() != "02:00:00:00:00:02" {
		t.Errorf("%v, %v: the later line of a machine counts, and one that is cut short does not", got, err)
	}
	write("02:00:00:00:00:01 nothing\n")
	if _, err := readHad(path); err == nil {
		t.Error("a line that is no address is taken")
	}
}
