package leasedb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"surefoot/internal/lease"
)

// What can be read of a damaged file is found without SQLite: every record says for itself where
// it begins and whether it is whole (codec.go), wherever it lies in the file or in its log. Of
// several records of one address the one with the highest serial counts. One that was never
// acknowledged may be among them, and counts as well: so an address is taken rather than given twice.

// salvageFile is where the new file is made. It has this name only when it is whole.
const salvageFile = ".salvaged"

// salvage makes a new file of what can be read, and puts it into the place of the damaged one,
// which is kept aside. A crash at any moment leaves the damaged file or the new one.
func (d *DB) salvage(ctx context.Context, cause error) error {
	d.raw.Lock()
	defer d.raw.Unlock()
	found, damaged, err := scan(d.cfg.File, d.cfg.File+"-wal", d.cfg.File+heldLog)
	if err != nil {
		return fmt.Errorf("read the damaged lease file: %w", err)
	}
	made := d.cfg.File + salvageFile
	if err := write(ctx, made+".tmp", found); err != nil {
		return fmt.Errorf("make a new lease file of the damaged one: %w", err)
	}
	if err := os.Rename(made+".tmp", made); err != nil {
		return err
	}
	aside, err := d.file().SetAside(d.now().UTC().Format("20060102T150405"))
	if err != nil {
		return fmt.Errorf("keep the damaged lease file: %w", err)
	}
	if err := d.finishSalvage(); err != nil {
		return err
	}
	d.stats.salvages.Add(1)
	d.stats.salvaged.Add(uint64(len(found)))
	d.stats.damaged.Add(uint64(damaged))
	d.log.Error("the lease file was damaged: what could be read was carried over into a new one; addresses of records that could not be read may be given again while they are in use",
		"file", d.cfg.File, "aside", aside, "records", len(found), "damaged", damaged, "err", cause)
	return nil
}

// finishSalvage puts a new file that is whole into its place.
func (d *DB) finishSalvage() error {
	made := d.cfg.File + salvageFile
	if _, err := os.Stat(made); err != nil {
		return nil // there is none, or the disk will tell of itself
	}
	for _, tail := range []string{"-wal", "-shm"} { // they belong to the damaged one
		if err := os.Remove(d.cfg.File + tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the new lease file into its place: %w", err)
		}
	}
	if err := os.Rename(made, d.cfg.File); err != nil {
		return fmt.Errorf("put the new lease file into its place: %w", err)
	}
	return syncDir(d.cfg.File)
}

// scan finds the newest whole record of each address in files, and how many records are not whole.
func scan(paths ...string) (map[netip.Addr]lease.Record, int, error) {
	found, damaged, w := map[netip.Addr]lease.Record{}, 0, words{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		for {
			at := bytes.Index(b, []byte(magic))
			if at < 0 {
				break
			}
			b = b[at:]
			r, n, err := parseRecord(b, w)
			if err != nil {
				damaged++
				n = len(magic)
			} else if have, ok := found[r.Addr]; !ok || r.Serial >= have.Serial {
				found[r.Addr] = r
			}
			b = b[n:]
		}
	}
	return found, damaged, nil
}

// write makes a file of records and closes it in order: then it has no log beside it.
func write(ctx context.Context, path string, found map[netip.Addr]lease.Record) error {
	for _, tail := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	db, err := openWrite(ctx, path)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		_ = db.Close()
		return err
	}
	rows := make([]place, 0, len(found))
	for a, r := range found {
		rows = append(rows, place{a, r.Serial, appendRecord(nil, &r)})
	}
	if err = putAll(ctx, tx, rows); err != nil {
		_ = tx.Rollback()
	}
	if err == nil {
		err = tx.Commit()
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "PRAGMA journal_mode = DELETE") // nothing is left in the log
	}
	return errors.Join(err, db.Close())
}
