package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong in a site file, where it is and what to write instead.
type Problem struct {
	File    string `json:"file,omitempty"` // where it is not the site file itself
	Line    int    `json:"line"`
	Column  int    `json:"column"` // in characters, the first is 1
	Path    string `json:"path"`   // as in boot[0].when.arch; "" for the file as a whole
	Message string `json:"message"`
	Instead string `json:"instead,omitempty"` // YAML that would be right in this place
	Remedy  string `json:"remedy,omitempty"`  // what to do, in words
	Excerpt string `json:"excerpt,omitempty"` // the lines around it, with a caret below the column
}

// maxProblems bounds what one report holds: a file of the wrong kind is wrong in every line.
const maxProblems = 100

// Errors is every problem of a site file, in the order of its lines.
type Errors struct {
	File     string
	Problems []Problem
	More     bool // the check ended there: there may be others
}

// Error prints all problems in the form that people and editors read.
func (e *Errors) Error() string {
	return fmt.Sprintf("%s in %s\n%s", e.Count(), e.File, strings.TrimRight(e.Text(), "\n"))
}

// Text is every problem as file:line:column: path: message, with excerpt and remedy, a blank line
// between two.
func (e *Errors) Text() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: ", cmp.Or(p.File, e.File), p.Line, p.Column)
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Message + "\n" + p.Excerpt)
		if p.Instead != "" {
			b.WriteString("       write instead: " + strings.ReplaceAll(p.Instead, "\n", "\n                      ") + "\n")
		}
		if p.Remedy != "" {
			b.WriteString("       remedy: " + p.Remedy + "\n")
		}
	}
	if e.More {
		b.WriteString("\nand perhaps more, which are told when these are mended\n")
	}
	return b.String()
}

// Count says how many problems there are.
func (e *Errors) Count() string {
	if e.More {
		return count(len(e.Problems), "problem") + " or more"
	}
	return count(len(e.Problems), "problem")
}

// Hint names the commands that explain the keys concerned, at most two.
func (e *Errors) Hint() []string {
	var out []string
	for _, p := range e.Problems {
		k, _ := Explain(p.Path)
		if p.File != "" {
			k, _ = Explain("networks.reservations_file")
		}
		if k == nil || len(out) == 2 {
			continue
		}
		h := "surefoot config explain " + k.Path
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// at is a place in the file: of a value, or of a key.
type at struct {
	line, col int
	path      string
}

// fault is what is wrong with a value, before it is known where the value stands.
type fault struct{ message, instead, remedy string }

func faultf(format string, args ...any) *fault { return &fault{message: fmt.Sprintf(format, args...)} }

func (f *fault) write(instead string) *fault { f.instead = instead; return f }

func (f *fault) do(format string, args ...any) *fault {
	f.remedy = fmt.Sprintf(format, args...)
	return f
}

// report notes a problem. What stands at one place with one text is one problem, since an alias
// brings the same value to several paths.
func (d *decoder) report(a at, f *fault) { d.reportIn(nil, a, f) }

// reportIn is the same of a file that the site file names.
func (d *decoder) reportIn(src *source, a at, f *fault) {
	p := Problem{Line: a.line, Column: a.col, Path: a.path, Message: f.message, Instead: f.instead, Remedy: f.remedy}
	if src != nil {
		p.File = src.name
	}
	if slices.ContainsFunc(d.problems, func(q Problem) bool {
		return q.File == p.File && q.Line == p.Line && q.Column == p.Column && q.Message == p.Message
	}) {
		return
	}
	if d.full() {
		return
	}
	d.problems = append(d.problems, p)
}

// full reports whether no more problems are collected: whoever asks has more to check and stops.
func (d *decoder) full() bool {
	if len(d.problems) < maxProblems {
		return false
	}
	d.more = true
	return true
}

// errors returns *Errors with everything reported, or nil. It is an error, not a *Errors, so that
// a nil stays a nil.
func (d *decoder) errors() error {
	if len(d.problems) == 0 {
		return nil
	}
	return &Errors{File: d.src.name, Problems: d.list(), More: d.more}
}

// list returns everything reported in the order of the lines, with excerpts.
func (d *decoder) list() []Problem {
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for i := range d.problems {
		p := &d.problems[i]
		p.Excerpt = d.sourceOf(p.File).excerpt(p.Line, p.Column)
	}
	return d.problems
}

// count prints a number with its word, as in "2 rules".
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// sourceOf finds a file by its name, "" is the site file.
func (d *decoder) sourceOf(name string) *source {
	for _, s := range d.others {
		if s.name == name {
			return s
		}
	}
	return d.src
}

// inLine says where something stands, for a problem that is told of another file or of the same.
func (d *decoder) inLine(there, here *source, line int) string {
	switch {
	case there == here:
		return fmt.Sprintf("in line %d", line)
	case there == nil:
		return fmt.Sprintf("in line %d of %s", line, d.src.name)
	}
	return fmt.Sprintf("in line %d of %s", line, there.name)
}
