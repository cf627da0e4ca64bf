package config

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds how deep values nest. A site file needs five levels.
const maxDepth = 32

// maxKeyWork bounds the keys of the maps in block style: the parser's time grows with their
// square. It is the sum over all maps of half the square of their number of keys, so one map may
// have 7,000.
const maxKeyWork = 25_000_000

// parse turns the source into a syntax tree, or reports why it cannot and returns nil. The tokens
// are looked at before the parser sees them: it works by recursion, and on some of the YAML that
// no site file needs in quadratic time.
//
// A fault of the YAML reader is a problem of the file like others: a reload must not end a server.
func (d *decoder) parse() (root ast.Node) {
	defer func() {
		if fault := recover(); fault != nil {
			d.report(at{line: 1, col: 1}, faultf("the YAML reader failed on this file: %v", fault).do("please report it, with the file"))
			root = nil
		}
	}()
	tokens := lexer.Tokenize(d.src.text)
	before := len(d.problems)
	d.refuse(tokens)
	if len(d.problems) > before {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntaxError(err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.report(place(doc.Start, ""), faultf("a second document begins here: a site file is one").do("delete the --- line, or put this into a file of its own"))
			return nil
		}
		body = doc.Body
	}
	return body
}

// refuse reports YAML that has no place in a site file.
func (d *decoder) refuse(tokens token.Tokens) {
	flow, block, work := 0, []level(nil), 0
	for _, t := range tokens {
		if d.full() {
			return
		}
		switch t.Type {
		case token.TagType:
			d.report(place(t, ""), faultf("the tag %s: a site file has none", quote(t.Value)).do("delete it; quotes make a text of a number"))
		case token.DirectiveType:
			d.report(place(t, ""), faultf("a line that begins with %% is a YAML directive, and a site file has none").do("delete the line, or quote the value"))
		case token.MergeKeyType:
			d.report(place(t, ""), faultf("the merge key << is not part of YAML 1.2").do("write out the keys"))
		case token.MappingKeyType:
			d.report(place(t, ""), faultf("a ? at the beginning says that a complex key follows").do("write key: value, or quote the value"))
		case token.LiteralType, token.FoldedType:
			d.report(place(t, ""), faultf("text in several lines").do("every value of a site file is one line: quote it"))
		case token.AnchorType:
			if t.Next != nil && t.Next.Next != nil && t.Next.Next.Type == token.AnchorType {
				d.report(place(t, ""), faultf("an anchor right after an anchor").do("delete one of the two"))
			}
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType:
			block = nest(block, t.Position.Column)
		case token.MappingValueType:
			if flow == 0 && t.Prev != nil {
				block = nest(block, t.Prev.Position.Column)
				work += block[len(block)-1].entries
			}
		}
		if work > maxKeyWork {
			d.report(place(t.Prev, ""), faultf("this map has too many keys").do("is it a site file? An example: surefoot config example"))
			return
		}
		if flow+len(block) > maxDepth {
			d.report(place(t, ""), faultf("values nest more than %d deep here", maxDepth).do("is it a site file? An example: surefoot config example"))
			return
		}
	}
}

// level is an open map or list in block style.
type level struct {
	col     int // in which its entries begin
	entries int
}

// nest goes to the level whose entries begin in a column, and counts one there.
func nest(block []level, col int) []level {
	for len(block) > 0 && block[len(block)-1].col > col {
		block = block[:len(block)-1]
	}
	if len(block) == 0 || block[len(block)-1].col < col {
		block = append(block, level{col: col})
	}
	block[len(block)-1].entries++
	return block
}

// place is where a token stands.
func place(t *token.Token, path string) at {
	if t == nil || t.Position == nil {
		return at{line: 1, col: 1, path: path}
	}
	return at{line: t.Position.Line, col: max(1, t.Position.Column), path: path}
}

// syntaxTexts puts the parser's words into those of the person who wrote the file: what is wrong
// and what to do. Words that are not listed pass as they are.
var syntaxTexts = []struct{ says, message, remedy string }{
	{"mapping value is not allowed in this context", "a second `key: value` inside a value", "quote the value if the colon belongs to it; else begin a new line, indented like its neighbours"},
	{"value is not allowed in this context", "this does not continue what stands before it", "compare the indentation and the closing brackets with the lines above"},
	{"',' or ']' must be specified", "the list opened by [ goes on here without , or ]", "close it with ]"},
	{"',' or '}' must be specified", "the map opened by { goes on here without , or }", "close it with }"},
	{"sequence end token ']' not found", "the list opened by [ is never closed", "close it with ]"},
	{"mapping end token '}' not found", "the map opened by { is never closed", "close it with }"},
	{"could not find end character of single-quoted text", "the quote ' is never closed", "end the text with '"},
	{"could not find end character of double-quoted text", "the quote \" is never closed", "end the text with \""},
	{"unknown escape character", "a backslash in double quotes begins an escape, and this is none", `use single quotes, as in 'boot\x64\file.efi'`},
	{"is a reserved character", "a value cannot begin with this character", "quote the value"},
	{"found character '\\t'", "a tab where YAML wants spaces", "replace every tab by spaces"},
	{"block sequence entries are not allowed", "a list cannot begin behind its key", "put the first - on the next line, or write [a, b]"},
	{"could not find map value", "a key without a value", "write key: value"},
	{"unexpected directive", "a value cannot begin with %", "quote the value"},
	{"unexpected key name", "no space after the colon of this key", "write key: value"},
	{"could not find multi-line content", "text in several lines", "every value of a site file is one line: quote it"},
}

// syntaxError reports what the parser said.
func (d *decoder) syntaxError(err error) {
	var ye yaml.Error
	if !errors.As(err, &ye) {
		d.report(at{line: 1, col: 1}, faultf("not YAML: %v", err))
		return
	}
	says := ye.GetMessage()
	f := faultf("not YAML: %s", says)
	for _, t := range syntaxTexts {
		if strings.Contains(says, t.says) {
			f = faultf("not YAML: %s", t.message).do("%s", t.remedy)
			break
		}
	}
	d.report(place(ye.GetToken(), ""), f)
}
