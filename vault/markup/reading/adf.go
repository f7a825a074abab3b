package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// extension adds ac:adf-extension: a node of Atlassian's document format beside a fallback that repeats it in HTML. The
// fallback counts only where the node itself has no content.
func (b *builder) extension(n *storage.Node, c context) {
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
		b.add(block{kind: alert, name: panelName(attribute(node, "panel-type")), kids: b.r.contents(node, fallback)})
	case "expand", "nested-expand":
		b.add(block{kind: details, title: oneLine(attribute(node, "title")), kids: b.r.contents(node, fallback)})
	case "decision-list":
		b.decisions(node, fallback)
	default:
		name := kind
		if name == "" {
			name = "extension"
		}
		b.token(name, adfMeaning(node), c)
		if inner := b.r.contents(node, fallback); len(inner) > 0 {
			b.enclose(name, inner)
		}
	}
}

// panelName is the macro that looks like an ADF panel.
func panelName(kind string) string {
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

func attribute(n *storage.Node, key string) string {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:adf-attribute" && child.Attr("key") == key {
			return child.Content()
		}
	}
	return ""
}

// contents gathers all of a node but its attributes.
func (r *reader) contents(node, fallback *storage.Node) []block {
	b := builder{r: r}
	for child := node.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:adf-attribute" {
			continue
		}
		b.walk(child, context{})
	}
	b.flush()
	if len(b.blocks) == 0 && fallback != nil {
		return r.children(fallback)
	}
	return b.blocks
}

// decisions adds a decision list as a list.
func (b *builder) decisions(node, fallback *storage.Node) {
	b.r.flatten("decision list")
	made := block{kind: list}
	for child := node.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:adf-node" {
			made.kids = append(made.kids, block{kind: item, kids: b.r.contents(child, nil)})
			continue
		}
		if child.Kind != storage.Element || child.Name != "ac:adf-attribute" {
			b.walk(child, context{})
		}
	}
	if len(made.kids) > 0 {
		b.add(made)
	} else if fallback != nil {
		b.apart(fallback, context{})
	}
}

func adfMeaning(n *storage.Node) string {
	if key := attribute(n, "extension-key"); key != "" {
		return key
	}
	return strings.TrimSpace(attribute(n, "text") + " " + attribute(n, "title"))
}
