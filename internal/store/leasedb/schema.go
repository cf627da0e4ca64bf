package leasedb

import (
	"encoding/binary"
	"net/netip"
)

// version is that of the schema, in user_version.
const version = 1

// pageSize: addresses are given in no order, so each record of a batch lies on a page of its own,
// and a whole page goes into the log for it. Pages of 1024 bytes take a third less time than
// SQLite's default of 4096.
const pageSize = 1024

// schema. An IPv4 address is its own row number, which is SQLite's fastest key. The serial stands
// beside the record so that an older one never replaces a newer one; the rest of the record is in
// the body alone (codec.go): SQLite has no questions about it.
const schema = `
CREATE TABLE lease (addr INTEGER PRIMARY KEY, serial INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE lease6 (addr BLOB PRIMARY KEY, serial INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

// markOpen is 1 while a process writes: it says at the next start whether the file was closed in order.
const markOpen = "open"

const (
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
