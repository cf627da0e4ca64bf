package config

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed testdata/reference.yaml
var reference string

// Example is a complete, commented site file.
func Example() string { return reference }

var indexRegexp = regexp.MustCompile(`\[[^\]]*\]`)

// Explain finds the key at a path: of the table (networks.NAME.subnet), of a file
// (networks.vdi.subnet, boot[2].file) or without what the user names (networks.subnet). If there
// is none it returns the paths most like it.
func Explain(path string) (*Key, []string) {
	root := Tree()
	k := root
	path = strings.Trim(indexRegexp.ReplaceAllString(strings.TrimSpace(path), ""), ".")
	if path == "" {
		return nil, root.names()
	}
	named := false // the last part was a name given by the user
	for _, part := range strings.Split(path, ".") {
		next := k.child(part)
		switch {
		case next != nil:
			k, named = next, false
		case k.Form == FormNamed && !named && nameRegexp.MatchString(part) && !likeAny(part, k.names()):
			named = true
		default:
			return nil, nearPaths(root, path)
		}
	}
	return k, nil
}

func likeAny(name string, names []string) bool { return len(nearest(name, names)) > 0 }

// nearPaths finds keys with a path, or at least a name, like the one given.
func nearPaths(root *Key, path string) []string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	byPath := map[string]string{}
	var paths, out []string
	root.Walk(func(k *Key) {
		short := strings.ReplaceAll(indexRegexp.ReplaceAllString(k.Path, ""), ".NAME", "")
		byPath[short] = k.Path
		paths = append(paths, short)
		if strings.EqualFold(k.Name, last) {
			out = append(out, k.Path)
		}
	})
	for _, p := range nearest(path, paths) {
		out = append(out, byPath[p])
	}
	root.Walk(func(k *Key) {
		if strings.Contains(path, ".") && len(nearest(last, []string{k.Name})) > 0 {
			out = append(out, k.Path)
		}
	})
	return unique(out, 5)
}

// unique keeps the first of each, and at most so many.
func unique(list []string, most int) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] && len(out) < most {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Text is the explanation of a key as the command line prints it.
func (k *Key) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  type     %s\n  default  %s\n\n", k.Path, wrap(k.Type(), 11, 88), wrap(inWords(k.DefaultText()), 11, 88))
	fmt.Fprintf(&b, "  %s\n\nexample\n  %s\n", wrap(k.Doc, 2, 88), strings.ReplaceAll(k.Example, "\n", "\n  "))
	if len(k.Keys) > 0 {
		b.WriteString("\nkeys\n")
		for i := range k.Keys {
			b.WriteString(summary(&k.Keys[i]))
		}
	}
	return b.String()
}

// Overview lists the keys at the top of the file.
func Overview() string {
	var b strings.Builder
	for _, k := range Tree().Keys {
		b.WriteString(summary(&k))
	}
	return b.String()
}

func summary(k *Key) string {
	first, _, _ := strings.Cut(k.Doc, ". ")
	return fmt.Sprintf("  %-14s %s\n", k.Name, wrap(strings.TrimSuffix(first, "."), 17, 96))
}

// inWords takes the parentheses from a default that is said in words.
func inWords(s string) string {
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		return s[1 : len(s)-1]
	}
	return s
}

// wrap breaks a text at spaces so that no line is longer than width, and indents all but the first.
func wrap(s string, indent, width int) string {
	var b strings.Builder
	col := indent
	for i, w := range strings.Fields(s) {
		switch {
		case i > 0 && col+1+len(w) > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			col = indent
		case i > 0:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += len(w)
	}
	return b.String()
}
