package leasedb

import (
	"encoding/binary"
	"net/netip"
)

// version is that of the schema, in user_version.
const version = 1

// schema. Addresses are given in no order: a transaction that writes records to their places
// writes a page for each of them, 10 to 18 µs of the processor a record. So records go to the end
// of fresh first, many in a row, for 1 to 2 µs; in the background they are moved to their places,
// many thousands of them at a time in the order of addresses, so that those of one page come
// together (fold.go). Of two records of one address the higher serial counts, wherever it is; of
// two with the same serial the later one in fresh.
//
// An IPv4 address is its own row number, which is SQLite's fastest key. The body is all of a
// record (codec.go): SQLite has no questions about it.
const schema = `
CREATE TABLE fresh (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE lease (addr INTEGER PRIMARY KEY, serial INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE lease6 (addr BLOB PRIMARY KEY, serial INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

// maxRow is what a row of fresh has at the most: it stays in one page of 4096 bytes, so that each
// record lies in one piece and can be found without SQLite (salvage.go).
const maxRow = 4000

// markTried is when a process opened the file, or tried whether it can be written.
const markTried = "tried"

const (
	insert  = "INSERT INTO fresh (body) VALUES (?)"
	upsert  = "INSERT INTO lease (addr, serial, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET serial = excluded.serial, body = excluded.body WHERE excluded.serial >= serial"
	upsert6 = "INSERT INTO lease6 (addr, serial, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET serial = excluded.serial, body = excluded.body WHERE excluded.serial >= serial"
)

// key is an address as its table has it.
func key(a netip.Addr) any {
	if a.Is4() {
		four := a.As4()
		return int64(binary.BigEndian.Uint32(four[:]))
	}
	return a.AsSlice()
}
