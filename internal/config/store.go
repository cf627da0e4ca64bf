package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Store is where the nodes keep what they share. The zero value: they share nothing.
type Store struct{ Etcd Etcd }

// Etcd is an etcd cluster, none without endpoints.
type Etcd struct {
	Endpoints                 []string // HOST:PORT
	CAFile, CertFile, KeyFile string
	User, PasswordFile        string
	Prefix                    string
	BlockSize                 int // 0: by the size of each pool
}

// DefaultPrefix is what the names of all keys in etcd begin with.
const DefaultPrefix = "surefoot"

// Shared reports whether the nodes share a store.
func (s Store) Shared() bool { return len(s.Etcd.Endpoints) > 0 }

// TLS reports whether the connection is encrypted.
func (e Etcd) TLS() bool { return e.CAFile != "" || e.CertFile != "" }

// leastRest is how long an address rests where nodes share a store: their clocks differ.
const leastRest = time.Minute

type fileStore struct {
	at
	written                bool
	endpoints              []parsed[string]
	ca, cert, key          *parsed[string]
	user, password, prefix *parsed[string]
	blockSize              *parsed[int]
}

func (d *decoder) store(o object) fileStore {
	s, ok := o.section("store")
	if !ok {
		return fileStore{}
	}
	e, ok := s.section("etcd")
	if !ok {
		return fileStore{}
	}
	return fileStore{
		at: e.at, written: true,
		endpoints: words(e, "endpoints", parseMember),
		ca:        one(e, "ca_file", parsePath), cert: one(e, "cert_file", parsePath), key: one(e, "key_file", parsePath),
		user: one(e, "user", parseText), password: one(e, "password_file", parsePath),
		prefix: one(e, "prefix", parsePrefix), blockSize: one(e, "block_size", parseCount(1, 1<<16)),
	}
}

// checkStore looks at the section by itself, and at what the networks say that does not go with it.
func (d *decoder) checkStore(f *file) {
	s := f.store
	if !s.written {
		return
	}
	if (s.cert == nil) != (s.key == nil) {
		d.report(s.at, faultf("a certificate needs its key, and a key its certificate").write("cert_file: /etc/surefoot/etcd.crt, key_file: /etc/surefoot/etcd.key"))
	}
	if (s.user == nil) != (s.password == nil) {
		d.report(s.at, faultf("a login needs both user and password_file").write("user: surefoot, password_file: /etc/surefoot/etcd-password"))
	}
	checkRest := func(p *parsed[time.Duration]) {
		if p != nil && p.v < leastRest {
			d.report(p.at, faultf("%s is too short where nodes share a store: their clocks may differ by more, and an address would be two machines'", durationText(p.v)).write("rest: 1m"))
		}
	}
	checkRest(f.dhcp.rest)
	for i := range f.networks {
		n := &f.networks[i]
		checkRest(n.dhcp.rest)
		for _, split := range [][]fileSplit{n.dhcp.split, n.dhcp6.split} {
			if len(split) == 0 {
				continue
			}
			d.report(split[0].at, faultf("a range is split between nodes that share no store, and these share one (store.etcd, line %d)", s.line).
				do("leave split out: each node takes blocks of the range by itself; or leave out store.etcd"))
		}
	}
}

func (f fileStore) resolve() Store {
	if !f.written {
		return Store{}
	}
	return Store{Etcd{
		Endpoints: plainList(f.endpoints), CAFile: f.ca.or(""), CertFile: f.cert.or(""), KeyFile: f.key.or(""),
		User: f.user.or(""), PasswordFile: f.password.or(""), Prefix: f.prefix.or(DefaultPrefix), BlockSize: f.blockSize.or(0),
	}}
}

var memberRegexp = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?$`)

// parseMember takes the address of a member of an etcd cluster; its port is 2379 where none is written.
func parseMember(v *value) (string, *fault) {
	s, f := parseText(v)
	if f != nil {
		return "", f
	}
	if host, ok := strings.CutPrefix(s, "https://"); ok {
		return "", faultf("%s is more than HOST:PORT", quote(s)).write(quote(host)).do("the connection is encrypted when ca_file is written")
	}
	if host, ok := strings.CutPrefix(s, "http://"); ok {
		return "", faultf("%s is more than HOST:PORT", quote(s)).write(quote(host))
	}
	if !memberRegexp.MatchString(s) {
		return "", faultf("%s is not HOST or HOST:PORT", quote(s)).write(`"10.10.0.11:2379"`)
	}
	if i := strings.LastIndexByte(s, ':'); i < 0 || strings.HasSuffix(s, "]") {
		s += ":2379"
	} else if n, err := strconv.Atoi(s[i+1:]); err != nil || n < 1 || n > 65535 {
		return "", faultf("%s has no port from 1 to 65535", quote(s)).write(quote(s[:i] + ":2379"))
	}
	return s, nil
}

var prefixRegexp = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)

func parsePrefix(v *value) (string, *fault) {
	s, f := parseText(v)
	s = strings.Trim(s, "/")
	if f == nil && !prefixRegexp.MatchString(s) {
		f = faultf("%s is not letters, digits, and . _ - / between them", quote(s)).write(DefaultPrefix)
	}
	return s, f
}

func (c *Config) writeStore(line func(string, ...any)) {
	e := c.Store.Etcd
	if !c.Store.Shared() {
		return
	}
	line("\nstore:")
	line("  etcd:")
	var list []string
	for _, m := range e.Endpoints {
		list = append(list, quoted(m))
	}
	line("    endpoints: [%s]", strings.Join(list, ", "))
	for _, k := range []struct{ name, v string }{
		{"ca_file", e.CAFile}, {"cert_file", e.CertFile}, {"key_file", e.KeyFile}, {"user", e.User}, {"password_file", e.PasswordFile}, {"prefix", e.Prefix},
	} {
		if k.v != "" {
			line("    %s: %s", k.name, plain(k.v))
		}
	}
	if e.BlockSize > 0 {
		line("    block_size: %d", e.BlockSize)
	}
}
