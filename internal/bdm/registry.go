package bdm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The site remembers what it built: a file for each image, by its id, in a folder of the state
// directory. Losing it stops nothing: what a medium holds can be read from it (Open).

// Entry is what is remembered of an image.
type Entry struct {
	Settings Settings  `json:"settings"`
	Form     string    `json:"form"`
	Path     string    `json:"path"`    // where it was written then
	Changed  time.Time `json:"changed"` // built, or given other settings
}

func entriesDir(state string) string { return filepath.Join(state, "media") }

// Remember keeps an entry in a state directory, instead of the one before of the same image.
func Remember(state string, e Entry) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("remember image %s: %w", e.Settings.ID, err)
	}
	dir := entriesDir(state)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("remember image %s: %w", e.Settings.ID, err)
	}
	return Save(filepath.Join(dir, e.Settings.ID.String()+".json"), append(b, '\n'), true)
}

// maxEntry bounds what is read of an entry.
const maxEntry = 1 << 20

// Entries returns what is remembered, by id. What cannot be read is told in the error, beside the
// others.
func Entries(state string) (map[string]Entry, error) {
	out := map[string]Entry{}
	dir := entriesDir(state)
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("read what was built: %w", err)
	}
	var errs []error
	for _, f := range list {
		id, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || strings.HasPrefix(id, ".") {
			continue
		}
		e, err := readEntry(filepath.Join(dir, f.Name()))
		if err == nil && e.Settings.ID.String() != id {
			err = fmt.Errorf("%s is of another image, %s", f.Name(), e.Settings.ID)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[id] = e
	}
	return out, errors.Join(errs...)
}

func readEntry(path string) (e Entry, err error) {
	if st, err := os.Stat(path); err != nil || st.Size() > maxEntry {
		return e, fmt.Errorf("%s: %d bytes are no entry of an image", path, maxEntry)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}
