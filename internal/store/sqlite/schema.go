package sqlite

// version is that of the schema, in user_version.
const version = 1

// pageSize is SQLite's default. Rows are small: larger pages would make more of a commit.
const pageSize = 4096

// schema. Times are Unix milliseconds, durations microseconds.
//
// Single measurements lie in the order of time: 10,000 tests write to the end of the table, and
// not to 10,000 places, and what is too old is one range at its beginning. Buckets lie by series,
// as they are asked for; the last five minutes of every test are in them soon after, so that
// questions read single measurements for the last minutes only.
const schema = `
CREATE TABLE series (id INTEGER PRIMARY KEY, test TEXT NOT NULL, server TEXT NOT NULL, file TEXT NOT NULL, UNIQUE (test, server, file)) STRICT;
CREATE TABLE raw (at INTEGER NOT NULL, series INTEGER NOT NULL, response INTEGER, first INTEGER, bytes INTEGER NOT NULL, resent INTEGER NOT NULL, cause TEXT, text TEXT,
	PRIMARY KEY (at, series)) STRICT, WITHOUT ROWID;
CREATE TABLE five (series INTEGER NOT NULL, at INTEGER NOT NULL, runs INTEGER NOT NULL, good INTEGER NOT NULL, sum INTEGER NOT NULL, min INTEGER, max INTEGER, first INTEGER NOT NULL,
	bytes INTEGER NOT NULL, resent INTEGER NOT NULL, cause TEXT, times BLOB NOT NULL, PRIMARY KEY (series, at)) STRICT, WITHOUT ROWID;
CREATE TABLE hour (series INTEGER NOT NULL, at INTEGER NOT NULL, runs INTEGER NOT NULL, good INTEGER NOT NULL, sum INTEGER NOT NULL, min INTEGER, max INTEGER, first INTEGER NOT NULL,
	bytes INTEGER NOT NULL, resent INTEGER NOT NULL, cause TEXT, times BLOB NOT NULL, PRIMARY KEY (series, at)) STRICT, WITHOUT ROWID;
CREATE TABLE diagnosis (at INTEGER NOT NULL, series INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (at, series)) STRICT;
CREATE TABLE change (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, server TEXT NOT NULL, test TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX change_at ON change (at);
CREATE TABLE story (id TEXT PRIMARY KEY, updated INTEGER NOT NULL, started INTEGER NOT NULL, machine TEXT NOT NULL, name TEXT NOT NULL, ip TEXT NOT NULL, state TEXT NOT NULL,
	body BLOB NOT NULL) STRICT;
CREATE INDEX story_updated ON story (updated);
CREATE INDEX story_machine ON story (machine, updated);
CREATE TABLE alert (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL, code TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL, body TEXT) STRICT;
CREATE INDEX alert_at ON alert (at);
CREATE TABLE silence (id TEXT PRIMARY KEY, until INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

// later is what came after the first schema, and is made where it is missing. An older Surefoot does
// not miss it, so the version stays.
const later = `
CREATE TABLE IF NOT EXISTS content (series INTEGER PRIMARY KEY, at INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT;
`

// Marks: how far the background work has come, and whether the file was closed in order.
const (
	markFive = "five" // measurements before it are in buckets of five minutes
	markHour = "hour" // and these in buckets of an hour
	markOpen = "open" // 1 while a process writes
)
