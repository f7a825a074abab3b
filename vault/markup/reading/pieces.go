package reading

import (
	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Body is the element that holds the blocks of a quote, a panel, an expand or a frame, or nil if there is none that could
// be written anew by itself.
func Body(n *storage.Node) *storage.Node {
	switch n.Name {
	case "ac:structured-macro", "ac:macro":
		return macro.Body(n)
	case "ac:adf-extension":
		node := n.Child("ac:adf-node")
		if node == nil {
			return nil
		}
		content := node.Child("ac:adf-content")
		if content == nil || visibleBeside(node, content) {
			return nil
		}
		return content
	}
	return n
}

// Spans gathers the text of the nodes from first up to, but not including, end, as it stands there: each span knows the
// bytes of the piece that it comes from. It reports false where there are blocks among it.
func Spans(first, end *storage.Node, opt Options) ([]page.Span, bool) {
	b := builder{r: &reader{opt: opt}, child: first, at: first}
	for n := first; n != end && n != nil; n = n.Next {
		b.walk(n, setting{})
	}
	return b.spans, len(b.blocks) == 0
}

// Marks is the mark that an element sets its text in, 0 for none.
func Marks(n *storage.Node) page.Marks {
	m, _ := markOf(n.Name)
	return m
}
