package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"surefoot/internal/boot"
)

// Bounds of a file of reservations.
const (
	maxTable     = 8 << 20 // bytes: some 100,000 lines
	maxTableRows = 100_000
)

// tableColumns are the columns of a file of reservations, in the order in which they are written.
var tableColumns = []string{"mac", "ip", "name", "boot", "ip6", "duid"}

// ReadTable reads a file of reservations, at most as much as is accepted and one byte more.
func ReadTable(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("it is no file")
	}
	return readAtMost(f, maxTable+1)
}

// tables adds to the networks the reservations that stand in files of their own.
func (d *decoder) tables(f *file, read func(string) ([]byte, error)) {
	first := map[string]*fileNetwork{}
	for i := range f.networks {
		n := &f.networks[i]
		p := n.reservationsFile
		if p == nil {
			continue
		}
		if other := first[p.v]; other != nil {
			d.report(p.at, faultf("network %s reads %s already, in line %d", other.name, p.v, other.reservationsFile.line).do("give each network a file of its own"))
			continue
		}
		first[p.v] = n
		if read == nil {
			n.reservationsKnown = false
			continue
		}
		data, err := read(p.v)
		if err != nil {
			n.reservationsKnown = false
			d.report(p.at, unread(p.v, n.name, err))
			continue
		}
		before := len(d.problems)
		t := d.table(p.v, data)
		n.reservations = append(n.reservations, t...)
		n.reservationsKnown = n.reservationsKnown && len(d.problems) == before
	}
}

// unread says why a file of reservations could not be read.
func unread(path, network string, err error) *fault {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	f := faultf("the reservations in %s cannot be read: %v", path, err)
	if errors.Is(err, fs.ErrNotExist) {
		return f.do("make it, with the first line mac,ip,name,boot; surefoot reservation add MAC --network %s makes it too", network)
	}
	return f.do("look at its owner and mode: the service reads it")
}

// table reads the lines of a file of reservations, and reports what is wrong with them.
func (d *decoder) table(name string, data []byte) []fileReservation {
	src := &source{name: name}
	d.others = append(d.others, src)
	bad := func(line, col int, column string, f *fault) { d.reportIn(src, at{line, col, column}, f) }
	switch {
	case len(data) > maxTable:
		bad(1, 1, "", faultf("the file is larger than %d MiB", maxTable>>20).do("is it a file of reservations? Its first line is mac,ip,name,boot"))
		return nil
	case strings.HasPrefix(string(data), "\xff\xfe"), strings.HasPrefix(string(data), "\xfe\xff"):
		bad(1, 1, "", faultf("the file is written in UTF-16").do("save it as UTF-8 (in Excel: CSV UTF-8)"))
		return nil
	}
	src.lines = tableLines(data)
	var head *tableHead
	var out []fileReservation
	for i, line := range src.lines {
		if d.full() {
			break
		}
		if blankRow(line) {
			continue
		}
		if col, f := badText(line); f != nil {
			bad(i+1, col, "", f)
			continue
		}
		if head == nil {
			var ok bool
			if head, ok = d.tableHead(src, i+1, line); !ok {
				return out
			}
			continue
		}
		if len(out) == maxTableRows {
			bad(i+1, 1, "", faultf("there are more than %d reservations", maxTableRows).do("a network of machines that boot is never so large"))
			break
		}
		if r, ok := d.tableRow(src, head, i+1, line); ok {
			out = append(out, r)
		}
	}
	if head == nil {
		bad(1, 1, "", faultf("the file has no first line that names its columns").write("mac,ip,name,boot"))
	}
	return out
}

// tableLines are the lines without their ends; a byte order mark, which Excel writes, is no part of them.
func tableLines(data []byte) []string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return strings.Split(text, "\n")
}

func blankRow(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

func badText(line string) (int, *fault) {
	col := 0
	for i, r := range line {
		col++
		switch {
		case r == utf8.RuneError && (!utf8.FullRuneInString(line[i:]) || line[i] != 0xef):
			return col, faultf("byte 0x%02x is not UTF-8", line[i]).do("save the file as UTF-8")
		case r != '\t' && unicode.IsControl(r):
			return col, faultf("control character U+%04X", r).do("delete it: is this a text file?")
		}
	}
	return 0, nil
}

// tableHead says what the columns of a file are.
type tableHead struct {
	comma   byte
	columns []string
}

func (d *decoder) tableHead(src *source, n int, line string) (*tableHead, bool) {
	h := &tableHead{comma: ','}
	if !strings.Contains(line, ",") && strings.Contains(line, ";") {
		h.comma = ';' // Excel, where the comma is the decimal one
	}
	cells, f, col := splitRow(line, h.comma)
	if f != nil {
		d.reportIn(src, at{n, col, ""}, f)
		return h, false
	}
	ok := true
	for _, c := range cells {
		name := strings.ToLower(strings.TrimSpace(c.text))
		if s := synonyms[name]; !slices.Contains(tableColumns, name) && slices.Contains(tableColumns, s) {
			name = s
		}
		if name != "" && !slices.Contains(tableColumns, name) {
			f := faultf("there is no column %s", quote(c.text)).do("the columns are mac, duid, ip, ip6, name and boot, in any order; leave the others out")
			if _, err := boot.ParseMAC(c.text); err == nil {
				f = faultf("the first line has to name the columns").write("mac,ip,name,boot").do("write it before this one")
			}
			d.reportIn(src, at{n, c.col, ""}, f)
			ok = false
			break
		}
		if name != "" && slices.Contains(h.columns, name) {
			d.reportIn(src, at{n, c.col, name}, faultf("the column %s is here twice", name).do("leave one of them out"))
			ok = false
		}
		h.columns = append(h.columns, name)
	}
	if ok && !slices.Contains(h.columns, "mac") && !slices.Contains(h.columns, "duid") {
		d.reportIn(src, at{n, 1, ""}, faultf("the column mac is missing").write("mac,ip,name,boot"))
		ok = false
	}
	return h, ok
}

// tableRow reads one line.
func (d *decoder) tableRow(src *source, h *tableHead, n int, line string) (fileReservation, bool) {
	r := fileReservation{at: at{n, 1, ""}, src: src}
	cells, f, col := splitRow(line, h.comma)
	if f != nil {
		d.reportIn(src, at{n, col, ""}, f)
		return r, false
	}
	if len(cells) > len(h.columns) {
		d.reportIn(src, at{n, cells[len(h.columns)].col, ""}, faultf("this line has %s, and the first line names %d", count(len(cells), "column"), len(h.columns)).do("quote a value that has a %c in it", h.comma))
		return r, false
	}
	for i, c := range cells {
		text := strings.TrimSpace(c.text)
		if text == "" {
			continue
		}
		v := &value{kind: kindText, text: text, quoted: true}
		where := at{n, c.col, h.columns[i]}
		switch h.columns[i] {
		case "mac":
			v.text = foldMAC(text)
			r.mac = cellOf(d, src, where, v, parseMAC)
		case "duid":
			r.duid = cellOf(d, src, where, v, parseDUID)
		case "ip6":
			r.ip6 = cellOf(d, src, where, v, parseAddr6)
		case "ip":
			r.ip = cellOf(d, src, where, v, parseAddr)
		case "name":
			r.name = cellOf(d, src, where, v, parseName)
		case "boot":
			r.boot = cellOf(d, src, where, v, parseName)
		}
	}
	said := func(column string) bool {
		i := slices.Index(h.columns, column)
		return i >= 0 && i < len(cells) && strings.TrimSpace(cells[i].text) != ""
	}
	if !said("mac") && !said("duid") {
		d.reportIn(src, at{n, 1, "mac"}, faultf("the line has no MAC address").do("write one, or delete the line"))
	}
	return r, true
}

func cellOf[T any](d *decoder, src *source, where at, v *value, parse func(*value) (T, *fault)) *parsed[T] {
	x, f := parse(v)
	if f == nil {
		return &parsed[T]{x, where}
	}
	f.instead = strings.Trim(f.instead, `"`) // it is no YAML here
	d.reportIn(src, where, f)
	return nil
}

// foldMAC writes a MAC address of twelve digits alone as all others are written.
func foldMAC(s string) string {
	if hexMAC.MatchString(s) {
		return strings.Trim(suggestMAC(s), `"`)
	}
	return s
}

// rowCell is a value of a line, and its column.
type rowCell struct {
	text string
	col  int
}

// splitRow takes a line apart, as RFC 4180 has it but for line breaks within quotes.
func splitRow(line string, comma byte) (cells []rowCell, f *fault, col int) {
	column := func(i int) int { return utf8.RuneCountInString(line[:i]) + 1 }
	for i := 0; ; {
		for i < len(line) && line[i] == ' ' {
			i++
		}
		c := rowCell{col: column(i)}
		if i < len(line) && line[i] == '"' {
			var b strings.Builder
			for i++; ; i++ {
				if i >= len(line) {
					return nil, faultf("the quote \" is never closed").do("end the value with \""), c.col
				}
				if line[i] == '"' {
					if i+1 >= len(line) || line[i+1] != '"' {
						break
					}
					i++
				}
				b.WriteByte(line[i])
			}
			c.text = b.String()
			i++
			for i < len(line) && line[i] == ' ' {
				i++
			}
			if i < len(line) && line[i] != comma {
				return nil, faultf("something stands behind the closing quote").do("write the whole value within the quotes"), column(i)
			}
		} else {
			end := strings.IndexByte(line[i:], comma)
			if end < 0 {
				end = len(line) - i
			}
			c.text = strings.TrimRight(line[i:i+end], " \t")
			i += end
		}
		cells = append(cells, c)
		if i >= len(line) {
			return cells, nil, 0
		}
		i++
	}
}
