package config

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// TableHeader is the first line of a new file of reservations.
const TableHeader = "mac,ip,name,boot\n"

// AddToTable returns a file of reservations with more lines at its end. Comments, order and columns stay as
// they are; a file that is empty gets its first line. What stands in them is checked by Check.
func AddToTable(data []byte, list []Placed) ([]byte, error) {
	head, end, err := headOf(data)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(data)
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		b.WriteString(end)
	}
	if head == nil {
		head = &tableHead{comma: ',', columns: strings.Split(strings.TrimSuffix(TableHeader, "\n"), ",")}
		if slices.ContainsFunc(list, func(r Placed) bool { return r.Addr6.IsValid() }) {
			head.columns = append(head.columns, "ip6")
		}
		if slices.ContainsFunc(list, func(r Placed) bool { return r.DUID != "" }) {
			head.columns = append(head.columns, "duid")
		}
		b.WriteString(strings.Join(head.columns, ",") + end)
	}
	for _, r := range list {
		cells := make([]string, len(head.columns))
		put := func(column, text string) error {
			i := slices.Index(head.columns, column)
			if i < 0 && text != "" {
				return fmt.Errorf("the file has no column %s for %s: add it to the first line", column, text)
			}
			if i >= 0 {
				cells[i] = quoteCell(text, head.comma)
			}
			return nil
		}
		mac := ""
		if r.DUID == "" {
			mac = r.MAC.String()
		}
		for _, c := range [...][2]string{
			{"mac", mac}, {"duid", r.DUID}, {"ip", addrCell(r.Addr)}, {"ip6", addrCell(r.Addr6)}, {"name", r.Name}, {"boot", r.Boot},
		} {
			if err := put(c[0], c[1]); err != nil {
				return nil, err
			}
		}
		b.WriteString(strings.Join(cells, string(head.comma)) + end)
	}
	return b.Bytes(), nil
}

func addrCell(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// DropFromTable returns a file of reservations without one of its machines, and how many lines it had of it.
func DropFromTable(data []byte, who Placed) ([]byte, int, error) {
	head, _, err := headOf(data)
	if err != nil || head == nil {
		return data, 0, err
	}
	column := "mac"
	if who.DUID != "" {
		column = "duid"
	}
	at := slices.Index(head.columns, column)
	var b bytes.Buffer
	n, seen := 0, false
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(strings.TrimPrefix(string(line), "\ufeff"), "\r\n")
		if !blankRow(text) && seen {
			cells, _, _ := splitRow(text, head.comma)
			if at >= 0 && at < len(cells) && is(who, strings.TrimSpace(cells[at].text)) {
				n++
				continue
			}
		}
		seen = seen || !blankRow(text)
		b.Write(line)
	}
	return b.Bytes(), n, nil
}

// is reports whether a cell names a machine.
func is(who Placed, text string) bool {
	if who.DUID != "" {
		id, f := parseDUID(&value{text: text})
		return f == nil && id == who.DUID
	}
	mac, err := boot.ParseMAC(foldMAC(text))
	return err == nil && mac == who.MAC
}

// headOf finds the first line of a file of reservations, nil if there is none, and how its lines end.
func headOf(data []byte) (*tableHead, string, error) {
	end := "\n"
	if bytes.Contains(data, []byte("\r\n")) {
		end = "\r\n"
	}
	d := &decoder{}
	src := &source{lines: tableLines(data)}
	for i, line := range src.lines {
		if blankRow(line) {
			continue
		}
		head, ok := d.tableHead(src, i+1, line)
		if !ok {
			return nil, end, fmt.Errorf("line %d does not name the columns: %s", i+1, d.problems[0].Message)
		}
		return head, end, nil
	}
	return nil, end, nil
}

func quoteCell(text string, comma byte) string {
	if strings.IndexByte(text, comma) >= 0 || strings.Contains(text, `"`) {
		return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}
