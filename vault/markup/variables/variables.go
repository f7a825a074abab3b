// Package variables fills in templates of pages: storage format in which
// variables are declared and stand for texts. All bytes but those of variables
// stay as they are.
package variables

import (
	"errors"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Variable is something that a template asks for.
type Variable struct {
	Name    string
	Options []string // what may be chosen; none: any text
}

// Read lists the variables of a template in the order of their declarations,
// then those that are used without one. The error is a [*storage.Error].
func Read(template string) ([]Variable, error) {
	doc, err := storage.Parse(template)
	if err != nil {
		return nil, err
	}
	var all []Variable
	seen := map[string]bool{"": true}
	add := func(name string, options []string) {
		if !seen[name] {
			seen[name] = true
			all = append(all, Variable{name, options})
		}
	}
	each(doc.Root, func(n *storage.Node) bool {
		if n.Name != "at:declarations" {
			return true
		}
		for c := n.First; c != nil; c = c.Next {
			if c.Kind == storage.Element {
				add(c.Attr("at:name"), options(c))
			}
		}
		return false
	})
	each(doc.Root, func(n *storage.Node) bool {
		if n.Name == "at:var" {
			add(n.Attr("at:name"), nil)
		}
		return n.Name != "at:declarations"
	})
	return all, nil
}

func options(n *storage.Node) []string {
	var all []string
	for c := n.First; c != nil; c = c.Next {
		if c.Name == "at:option" {
			all = append(all, c.Attr("at:value"))
		}
	}
	return all
}

// each visits elements, and what is inside of those for which it reports true.
func each(n *storage.Node, visit func(*storage.Node) bool) {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == storage.Element && visit(c) {
			each(c, visit)
		}
	}
}

// ErrTooLarge is what [Fill] answers where the values make a template larger than
// a page can be: each may stand in it many times.
var ErrTooLarge = errors.New("the template is too large with its values")

// Fill puts texts in the place of variables and drops the declarations. Variables
// without a value become nothing; their names are returned. The error is
// [ErrTooLarge] or a [*storage.Error].
func Fill(template string, values map[string]string) (body string, missing []string, err error) {
	doc, err := storage.Parse(template)
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	at := 0
	lacking := map[string]bool{}
	each(doc.Root, func(n *storage.Node) bool {
		switch n.Name {
		case "at:declarations":
			b.WriteString(template[at:n.Start])
		case "at:var":
			name := n.Attr("at:name")
			value, ok := values[name]
			if !ok && !lacking[name] {
				lacking[name] = true
				missing = append(missing, name)
			}
			b.WriteString(template[at:n.Start])
			if b.Len() <= storage.MaxSize {
				b.WriteString(escape(value))
			}
		default:
			return true
		}
		at = n.End
		return false
	})
	if b.Len() > storage.MaxSize {
		return "", nil, ErrTooLarge
	}
	return b.String() + template[at:], missing, nil
}

// escape writes a text as storage format, each line but the first after a break.
func escape(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' && c != '\n' || c == 0xFFFE || c == 0xFFFF {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, ""))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "<br />").Replace(text)
}
