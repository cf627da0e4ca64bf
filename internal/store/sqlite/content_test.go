package sqlite

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"surefoot/internal/store"
	"surefoot/internal/store/storetest"
)

// TestContents: the last content of each test is there for the next process, with the time when it
// was first seen, and what that process measures itself is not. A file of before, without the
// table, is as good.
func TestContents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.db")
	at := func(i int) time.Time { return storetest.Start().Add(time.Duration(i) * time.Second) }
	measure := func(d *DB, test string, i int, content string, good bool) {
		d.Measure(store.Measurement{Test: test, Server: "pvs1", File: "a.0", At: at(i), Available: good, Content: content})
	}
	d, _, stop := start(t, Config{File: file}, nil)
	if got, err := d.LoadContents(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("of a new file: %v, %v", got, err)
	}
	for i, content := range []string{"aa", "aa", "bb", "bb", ""} {
		measure(d, "t1", i, content, true)
	}
	measure(d, "t1", 5, "part", false) // half a file is no other file
	measure(d, "t2", 0, "cc", true)
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()

	d, _, stop = start(t, Config{File: file}, nil)
	measure(d, "t1", 9, "dd", true)
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []store.Content{
		{Test: "t1", Server: "pvs1", File: "a.0", SHA256: "bb", At: at(2)},
		{Test: "t2", Server: "pvs1", File: "a.0", SHA256: "cc", At: at(0)},
	}
	if got, err := d.LoadContents(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, %v, want\n%+v", got, err, want)
	}
	stop()

	db, err := (&DB{cfg: Config{File: file, MaxSize: 1 << 30}, log: d.log, now: time.Now}).openOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE content"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	d, log, _ := start(t, Config{File: file}, nil)
	if got, err := d.LoadContents(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("of a file of before: %v, %v\n%s", got, err, log)
	}
}
