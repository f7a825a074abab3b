// Package macro looks at the elements of macros: what their parameters and bodies are, whether they are programs.
package macro

import (
	"slices"
	"strings"
	"unicode"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Runs reports whether the body of a macro is a program that browsers run. It is shown and put back, but nobody who writes
// Markdown may change it.
func Runs(macro string) bool {
	macro = strings.ToLower(macro)
	switch macro {
	case "style", "velocity", "groovy", "beanshell", "run", "xslt", "sql", "sql-query":
		return true
	}
	// Vendors call theirs html-bobswift, aura-html or custom_css.
	return slices.ContainsFunc(strings.FieldsFunc(macro, separates), func(word string) bool {
		switch word {
		case "html", "html5", "css", "javascript", "js", "script", "iframe":
			return true
		}
		return false
	})
}

// separates reports what stands between the words of a macro's name.
func separates(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// Body is the one body of a macro, or nil.
func Body(n *storage.Node) *storage.Node {
	var found *storage.Node
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind == storage.Text && strings.TrimSpace(child.Raw()) == "", child.Kind == storage.Comment:
		case child.Kind == storage.Element && child.Name == "ac:parameter":
		case found == nil && child.Kind == storage.Element && (child.Name == "ac:rich-text-body" || child.Name == "ac:plain-text-body"):
			found = child
		default:
			return nil
		}
	}
	return found
}

// Text is the text in a macro beside its parameters.
func Text(n *storage.Node) string {
	var out []string
	for child := n.First; child != nil; child = child.Next {
		if child.Kind != storage.Element {
			out = append(out, child.Value())
		} else if child.Name != "ac:parameter" {
			out = append(out, child.Content())
		}
	}
	return strings.Join(out, " ")
}

// StandsAlone reports whether a construct stands between blocks rather than in a paragraph.
func StandsAlone(n *storage.Node) bool {
	if n.Parent == nil || n.Parent.Kind == storage.Root || strings.HasPrefix(n.Name, "ac:layout") {
		return true
	}
	switch n.Parent.Name {
	case "ac:layout-cell", "ac:rich-text-body", "blockquote":
		return true
	case "ac:adf-content": // a decision holds text
		return n.Parent.Parent == nil || n.Parent.Parent.Attr("type") != "decision-item"
	}
	return false
}

// Parameter is the element of a macro's parameter of that name, or nil.
func Parameter(n *storage.Node, name string) *storage.Node {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" && child.Attr("ac:name") == name {
			return child
		}
	}
	return nil
}

// Value is the text of a macro's parameter.
func Value(n *storage.Node, name string) string {
	if parameter := Parameter(n, name); parameter != nil {
		return parameter.Content()
	}
	return ""
}

// Attribute is the element of an attribute of that name in a node of Atlassian's document format, or nil.
func Attribute(n *storage.Node, key string) *storage.Node {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:adf-attribute" && child.Attr("key") == key {
			return child
		}
	}
	return nil
}
