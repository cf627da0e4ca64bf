package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Bounds of templates. A template is the administrator's own, but what it is rendered from comes
// from strangers, and one that takes long or fills the memory would take the node with it. Loops
// and recursion are refused, so the steps can be counted before anything runs.
const (
	maxTemplate = 64 << 10 // bytes of a template
	maxText     = 1 << 20  // bytes of what is made from it
	maxSteps    = 10_000   // parts that are worked on for one text
	maxValue    = 64 << 10 // bytes of what a function returns
)

// TemplateError says that a file cannot be made from its template, and where in it the fault is.
type TemplateError struct {
	Template string // its path below the root
	Err      error
}

func (e *TemplateError) Error() string {
	if s := e.Err.Error(); strings.HasPrefix(s, e.Template+":") {
		return s // file:line:column stand in it
	}
	return e.Template + ": " + e.Err.Error()
}

func (e *TemplateError) Unwrap() error { return e.Err }

// render makes the text of a template for a client. It is made once, so that the size that is
// told is the size that is sent, and it is kept for nobody else.
func (r *Root) render(src *File, name string, a Asker) (*File, error) {
	name = strings.TrimLeft(name, "/")
	c := a.client(name)
	text, err := renderText(src, c)
	if err != nil {
		return nil, err
	}
	return &File{
		ReaderAt: bytes.NewReader(text), name: name, tree: src.tree, template: src.name, client: c, size: int64(len(text)),
	}, nil
}

func renderText(src *File, c Client) ([]byte, error) {
	t, err := parseTemplate(src)
	if err != nil {
		return nil, err
	}
	out := limited{left: maxText}
	if err := t.Execute(&out, c); err != nil {
		return nil, &TemplateError{Template: src.name, Err: plainError(err)}
	}
	return out.b.Bytes(), nil
}

// parseTemplate reads a template and makes sure that it ends.
func parseTemplate(src *File) (*template.Template, error) {
	fail := func(err error) (*template.Template, error) {
		return nil, &TemplateError{Template: src.name, Err: plainError(err)}
	}
	if src.size > maxTemplate {
		return fail(fmt.Errorf("a template has at most %d bytes, this one has %d", maxTemplate, src.size))
	}
	b, err := io.ReadAll(io.NewSectionReader(src, 0, src.size))
	if err != nil {
		return fail(err)
	}
	t, err := template.New(src.name).Option("missingkey=error").Funcs(functions()).Parse(string(b))
	if err != nil {
		return fail(err)
	}
	w := walker{all: t, costs: map[string]int{}}
	if _, err := w.template(src.name); err != nil {
		return fail(err)
	}
	return t, nil
}

// plainError leaves out the words that text/template begins with.
func plainError(err error) error {
	if s, ok := strings.CutPrefix(err.Error(), "template: "); ok {
		return errors.New(s)
	}
	return err
}

// limited takes as many bytes as a text may have.
type limited struct {
	b    bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return l.b.Write(p)
}

// walker looks a template through before it is used.
type walker struct {
	all   *template.Template
	costs map[string]int // of each template within; -1 while it is looked at
	in    *parse.Tree
}

// template returns how many steps a template takes at most.
func (w *walker) template(name string) (int, error) {
	if n, known := w.costs[name]; known {
		if n < 0 {
			return 0, fmt.Errorf("the template %q uses itself, and would not end", name)
		}
		return n, nil
	}
	t := w.all.Lookup(name)
	if t == nil || t.Tree == nil {
		return 0, nil // empty, or undefined, which Execute reports
	}
	w.costs[name] = -1
	before := w.in
	w.in = t.Tree
	n, err := w.node(t.Root)
	w.in, w.costs[name] = before, n
	return n, err
}

// node returns how many steps a part takes at most.
func (w *walker) node(n parse.Node) (int, error) {
	switch n := n.(type) {
	case nil:
		return 0, nil
	case *parse.RangeNode:
		return 0, w.fault(n, "range is not available: a template has no loops")
	case *parse.TemplateNode:
		inner, err := w.template(n.Name)
		if err != nil {
			return 0, err
		}
		return w.sum(n, 1+inner, nodes(n.Pipe)...)
	case *parse.IdentifierNode:
		if !slices.Contains(permitted, n.Ident) {
			return 0, w.fault(n, "the function %s is not available; there are %s", n.Ident, strings.Join(permitted, ", "))
		}
	case *parse.FieldNode:
		return 1, w.field(n, n.Ident)
	case *parse.VariableNode:
		return 1, w.field(n, n.Ident[1:])
	case *parse.ChainNode:
		if err := w.field(n, n.Field); err != nil {
			return 0, err
		}
		return w.sum(n, 1, n.Node)
	}
	return w.sum(n, 1, inside(n)...)
}

func (w *walker) sum(at parse.Node, steps int, inner ...parse.Node) (int, error) {
	for _, x := range inner {
		n, err := w.node(x)
		if err != nil {
			return 0, err
		}
		steps += n
	}
	if steps > maxSteps {
		return 0, w.fault(at, "it takes more than %d steps", maxSteps)
	}
	return steps, nil
}

// field refuses what no client has, so that a misspelt word is found before a machine needs it.
func (w *walker) field(at parse.Node, path []string) error {
	if len(path) == 0 {
		return nil
	}
	names := fields()
	if len(path) == 1 && slices.Contains(names, path[0]) {
		return nil
	}
	return w.fault(at, "there is no .%s; there are .%s", strings.Join(path, "."), strings.Join(names, ", ."))
}

func fields() []string {
	var out []string
	for f := range reflect.TypeFor[Client]().Fields() {
		out = append(out, f.Name)
	}
	return out
}

func (w *walker) fault(at parse.Node, format string, args ...any) error {
	where, _ := w.in.ErrorContext(at)
	return fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
}

// inside lists the parts of a part.
func inside(n parse.Node) []parse.Node {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		return n.Nodes
	case *parse.ActionNode:
		return nodes(n.Pipe)
	case *parse.IfNode:
		return branches(&n.BranchNode)
	case *parse.WithNode:
		return branches(&n.BranchNode)
	case *parse.PipeNode:
		var out []parse.Node
		for _, c := range n.Cmds {
			out = append(out, c.Args...)
		}
		return out
	}
	return nil
}

func branches(n *parse.BranchNode) []parse.Node {
	out := append(nodes(n.Pipe), n.List)
	if n.ElseList != nil {
		out = append(out, n.ElseList)
	}
	return out
}

// nodes avoids a nil within an interface.
func nodes(p *parse.PipeNode) []parse.Node {
	if p == nil {
		return nil
	}
	return []parse.Node{p}
}
