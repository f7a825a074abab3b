package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Confluence knows no footnotes. vault/markup/writing writes them as paragraphs that begin with an anchor and a number, and
// what refers to them as raised links to that anchor; here they are recognised.

// noteLabel is the label of the footnote that a paragraph is, or "".
func (r *reader) noteLabel(n *storage.Node) string {
	mark := n.First
	if mark == nil || len(n.Attrs()) > 0 {
		return ""
	}
	var anchor string
	if mark.Name == "ac:structured-macro" && mark.Attr("ac:name") == "anchor" {
		anchor = macro.Value(mark, "")
	} else if mark.Name == "a" && r.opt.HTML {
		anchor = mark.Attr("id")
	}
	number := mark.Next
	label, ours := strings.CutPrefix(anchor, "fn-")
	if !ours || !page.ValidLabel(label) || number == nil || number.Name != "sup" || number.Content() != label {
		return ""
	}
	return label
}

// note adds a footnote.
func (b *builder) note(n *storage.Node, label string) {
	inner := b.r.begin(n)
	for child := n.First.Next.Next; child != nil; child = child.Next {
		inner.walk(child, setting{})
	}
	made := page.Block{Kind: page.Note, Name: label}
	rest := inner.end()
	if len(rest) > 0 && rest[0].Kind == page.Paragraph {
		made.Kids, rest = rest[:1:1], rest[1:]
	}
	b.add(made)
	for _, block := range rest {
		b.add(block)
	}
}

// refers reports whether a link is one to a footnote that is there, and to which.
func (b *builder) refers(n *storage.Node, target string) (label string, ok bool) {
	label, ours := strings.CutPrefix(target, "#fn-")
	if !ours || !page.ValidLabel(label) {
		return "", false
	}
	body := n.Child("ac:link-body")
	if body == nil || body.Content() != label {
		return "", false
	}
	if b.r.notes == nil {
		b.r.notes = map[string]bool{}
		b.r.labels(root(n), b.r.notes)
	}
	return label, b.r.notes[label]
}

// root is the whole that a node is a part of.
func root(n *storage.Node) *storage.Node {
	for n.Parent != nil {
		n = n.Parent
	}
	return n
}

// labels collects those of the footnotes below n.
func (r *reader) labels(n *storage.Node, found map[string]bool) {
	for child := n.First; child != nil; child = child.Next {
		if child.Name == "p" {
			if label := r.noteLabel(child); label != "" {
				found[label] = true
			}
		}
		r.labels(child, found)
	}
}
