package config

import (
	"bytes"
	"fmt"
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
		b.WriteString(strings.TrimSuffix(TableHeader, "\n") + end)
		head = &tableHead{comma: ',', columns: tableColumns}
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
		ip := ""
		if r.Addr.IsValid() {
			ip = r.Addr.String()
		}
		for _, c := range [...][2]string{{"mac", r.MAC.String()}, {"ip", ip}, {"name", r.Name}, {"boot", r.Boot}} {
			if err := put(c[0], c[1]); err != nil {
				return nil, err
			}
		}
		b.WriteString(strings.Join(cells, string(head.comma)) + end)
	}
	return b.Bytes(), nil
}

// DropFromTable returns a file of reservations without some of its machines, and how many it had of them.
func DropFromTable(data []byte, macs ...boot.MAC) ([]byte, int, error) {
	head, _, err := headOf(data)
	if err != nil || head == nil {
		return data, 0, err
	}
	at := slices.Index(head.columns, "mac")
	var b bytes.Buffer
	n, seen := 0, false
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(strings.TrimPrefix(string(line), "\ufeff"), "\r\n")
		if !blankRow(text) && seen {
			cells, _, _ := splitRow(text, head.comma)
			if at < len(cells) {
				if mac, err := boot.ParseMAC(foldMAC(strings.TrimSpace(cells[at].text))); err == nil && slices.Contains(macs, mac) {
					n++
					continue
				}
			}
		}
		seen = seen || !blankRow(text)
		b.Write(line)
	}
	return b.Bytes(), n, nil
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
