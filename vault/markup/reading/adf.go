package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// extension adds ac:adf-extension: a node of Atlassian's document format beside a fallback that repeats it in HTML. The
// fallback counts only where the node itself has no content.
func (b *builder) extension(n *storage.Node, c setting) {
	node, fallback := n.Child("ac:adf-node"), n.Child("ac:adf-fallback")
	for child := n.First; child != nil; child = child.Next {
		if child != node && child != fallback {
			b.walk(child, c)
		}
	}
	if node == nil {
		if fallback != nil {
			b.apart(fallback, c)
		}
		return
	}
	switch kind := node.Attr("type"); kind {
	case "panel":
		b.add(page.Block{Kind: page.Alert, Name: PanelName(attribute(node, "panel-type")), Kids: b.r.contents(node, fallback)})
	case "expand", "nested-expand":
		b.add(page.Block{Kind: page.Details, Title: page.OneLine(attribute(node, "title")), Kids: b.r.contents(node, fallback)})
	case "decision-list":
		b.decisions(node, fallback)
	default:
		if kind == "" {
			kind = "extension"
		}
		inner := node.Child("ac:adf-content")
		if inner == nil && fallback != nil {
			inner = fallback
		}
		if inner == nil || visibleBeside(node, inner) {
			b.sealed(n, kind, adfMeaning(node), c)
			return
		}
		b.bodied(n, inner, kind, adfMeaning(node), c)
	}
}

// visibleBeside reports whether a node has more in it than attributes and one body.
func visibleBeside(node, body *storage.Node) bool {
	for child := node.First; child != nil; child = child.Next {
		switch {
		case child == body, child.Kind == storage.Comment, child.Kind == storage.Text && strings.TrimSpace(child.Raw()) == "":
		case child.Kind == storage.Element && (child.Name == "ac:adf-attribute" || child.Name == "ac:adf-content"):
		default:
			return true
		}
	}
	return false
}

// PanelName is the macro that looks like a panel of Atlassian's document format.
func PanelName(kind string) string {
	switch kind {
	case "info":
		return "info"
	case "note", "warning":
		return "note"
	case "success":
		return "tip"
	case "error":
		return "warning"
	}
	return "panel"
}

// attribute is the value of an ac:adf-attribute.
func attribute(n *storage.Node, key string) string {
	if found := macro.Attribute(n, key); found != nil {
		return found.Content()
	}
	return ""
}

// contents gathers all of a node but its attributes.
func (r *reader) contents(node, fallback *storage.Node) []page.Block {
	b := r.begin(node)
	for child := node.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:adf-attribute" {
			continue
		}
		b.child = child
		b.walk(child, setting{})
	}
	made := b.end()
	if len(made) == 0 && fallback != nil {
		return r.children(fallback)
	}
	return made
}

// decisions adds a decision list as a list of items with a box.
func (b *builder) decisions(node, fallback *storage.Node) {
	made := page.Block{Kind: page.List}
	for child := node.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:adf-node" {
			item := page.Block{Kind: page.Item, Task: '!', Kids: b.r.contents(child, nil), From: child.Start, To: child.End}
			if attribute(child, "state") == "UNDECIDED" {
				item.Task = '?'
			}
			made.Kids = append(made.Kids, item)
			continue
		}
		if child.Kind != storage.Element || child.Name != "ac:adf-attribute" {
			b.walk(child, setting{})
		}
	}
	if len(made.Kids) > 0 {
		b.add(made)
	} else if fallback != nil {
		b.apart(fallback, setting{})
	}
}

// adfMeaning tells what an extension is: its key, or its text and title.
func adfMeaning(n *storage.Node) string {
	if key := attribute(n, "extension-key"); key != "" {
		return key
	}
	return strings.TrimSpace(attribute(n, "text") + " " + attribute(n, "title"))
}
