package takeover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
)

// node is a JSON value with its line.
type node struct {
	line   int
	fields []member // of an object, in the order of the file
	list   []*node  // of an array
	scalar any      // else
	kind   byte     // { [ or 0
}

type member struct {
	name string
	val  *node
}

func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.name == name {
			return f.val
		}
	}
	return nil
}

func (n *node) text() string {
	if n == nil {
		return ""
	}
	s, _ := n.scalar.(string)
	return s
}

func (n *node) each() []*node {
	if n == nil {
		return nil
	}
	return n.list
}

// parseKea reads JSON as Kea has it: with comments of three kinds and commas before closing brackets.
// includes are the lines of <?include "FILE"?>.
func parseKea(data []byte) (root *node, includes map[int]string, err error) {
	plain, includes := withoutComments(data)
	var starts []int64
	for i, c := range plain {
		if c == '\n' {
			starts = append(starts, int64(i))
		}
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	line := func() int {
		at := dec.InputOffset()
		return sort.Search(len(starts), func(i int) bool { return starts[i] >= at }) + 1
	}
	root, err = readNode(dec, line, 0)
	if err != nil {
		return nil, includes, fmt.Errorf("line %d: %w", line(), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, includes, fmt.Errorf("line %d: something follows the end of the configuration", line())
	}
	return root, includes, nil
}

func readNode(dec *json.Decoder, line func() int, depth int) (*node, error) {
	if depth > maxNest {
		return nil, fmt.Errorf("values nest too deep")
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{line: line()}
	switch t {
	case json.Delim('{'):
		n.kind = '{'
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := readNode(dec, line, depth+1)
			if err != nil {
				return nil, err
			}
			n.fields = append(n.fields, member{fmt.Sprint(name), v})
		}
		_, err = dec.Token()
	case json.Delim('['):
		n.kind = '['
		for dec.More() {
			v, err := readNode(dec, line, depth+1)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, v)
		}
		_, err = dec.Token()
	default:
		n.scalar = t
	}
	return n, err
}

// withoutComments puts spaces in place of comments, includes and surplus commas, so that all else keeps its
// place.
func withoutComments(data []byte) ([]byte, map[int]string) {
	out := bytes.Clone(data)
	includes := map[int]string{}
	line, comma := 1, -1
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			} else {
				line++
			}
		}
	}
	until := func(i int, end string) int {
		if n := bytes.Index(data[i:], []byte(end)); n >= 0 {
			return i + n
		}
		return len(data)
	}
	for i := 0; i < len(data); i++ {
		c := data[i]
		next := byte(0)
		if i+1 < len(data) {
			next = data[i+1]
		}
		switch {
		case c == '"':
			comma = -1
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				} else if data[i] == '\n' {
					line++
				}
			}
		case c == '#', c == '/' && next == '/':
			end := until(i, "\n")
			blank(i, end)
			i = end - 1
		case c == '/' && next == '*':
			end := min(until(min(i+2, len(data)), "*/")+2, len(data))
			blank(i, end)
			i = end - 1
		case c == '<' && next == '?':
			end := min(until(i, "?>")+2, len(data))
			includes[line] = string(data[i:end])
			blank(i, end)
			i = end - 1
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
		case c == '\n':
			line++
		case c > ' ':
			comma = -1
		}
	}
	return out, includes
}
