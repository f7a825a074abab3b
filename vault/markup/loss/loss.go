// Package loss tells what of a page would be gone if another were written in its place, although nobody can have wanted
// that: what Markdown does not show, so that who edits Markdown does not see it go.
//
// That are constructs which only a placeholder stands for, the anchors of inline comments, and looks (colour, alignment,
// width) of text that is still there. What Markdown shows may go without a word: it was deleted.
package loss

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// thing is something that a page has and Markdown does not show.
type thing struct {
	kind string // what people call it
	text string // what it is about, clipped
	id   string // what tells it apart from others of its kind, if that is not the text
	// always says that it counts as lost even if the text it is about is gone.
	always bool
}

// key is what two things have in common that are the same.
func (t thing) key() [2]string {
	if t.id != "" {
		return [2]string{t.kind, t.id}
	}
	return [2]string{t.kind, t.text}
}

// name is the thing in words.
func (t thing) name() string {
	if t.text == "" || strings.HasPrefix(t.kind, "[[") {
		return t.kind
	}
	return t.kind + " “" + t.text + "”"
}

// Between lists what before has and after has not, each once, in order. nil as after has nothing.
func Between(before, after *storage.Document) []string {
	was := inventory(before)
	if len(was) == 0 {
		return nil
	}
	var now []thing
	words := map[string]bool{}
	if after != nil {
		now = inventory(after)
		collect(after.Root, words)
	}
	left := map[[2]string]int{} // how often it is in after
	more := map[string]int{}
	for _, t := range now {
		left[t.key()]++
		more[t.kind]++
	}
	var missing []thing
	for _, t := range was {
		if left[t.key()] > 0 {
			left[t.key()]--
			more[t.kind]--
			continue
		}
		missing = append(missing, t)
	}
	var names []string
	seen := map[string]bool{}
	for _, t := range missing {
		// The same look of another text: the text was edited.
		if !t.always && more[t.kind] > 0 {
			more[t.kind]--
			continue
		}
		if name := t.name(); !seen[name] && (t.always || stays(t.text, words)) {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// stays reports whether at least half of the words of a text are still there.
func stays(text string, among map[string]bool) bool {
	all := strings.Fields(text)
	n := 0
	for _, word := range all {
		if among[word] {
			n++
		}
	}
	return 2*n >= len(all)
}

// collect gathers all words below a node.
func collect(n *storage.Node, words map[string]bool) {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == storage.Element {
			collect(c, words)
			continue
		}
		for _, word := range strings.Fields(c.Value()) {
			words[word] = true
		}
	}
}

// inventory lists what a page has and Markdown does not show.
func inventory(doc *storage.Document) []thing {
	var out []thing
	for _, lost := range reading.Read(doc, reading.Options{}).Lost {
		out = append(out, thing{kind: page.Unnumbered(lost.Placeholder), always: true})
	}
	looks(doc.Root, &out)
	return out
}

// looks adds what elements say about how they look, and where inline comments stand.
func looks(n *storage.Node, out *[]thing) {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind != storage.Element {
			continue
		}
		look(c, out)
		looks(c, out)
	}
}

func look(n *storage.Node, out *[]thing) {
	add := func(kind string) { *out = append(*out, thing{kind: kind, text: about(n)}) }
	switch n.Name {
	case "ac:inline-comment-marker":
		id := "#" + n.Attr("ac:ref")
		if hollow(n) { // it marks nothing, so it is not the anchor that it was
			id = "hollow " + id
		}
		*out = append(*out, thing{kind: "inline comment on", text: about(n), id: id, always: true})
		return
	case "ac:image":
		for _, a := range n.Attrs() {
			switch a.Name {
			case "ac:align", "ac:layout", "ac:border", "ac:thumbnail", "ac:style":
				*out = append(*out, thing{kind: "image layout", text: n.Attr("ac:alt")})
				return
			}
		}
		return
	case "ac:structured-macro", "ac:macro":
		panel(n, out)
		return
	case "col":
		if n.Attr("style") != "" && n.Parent != nil && n.Parent.Parent != nil && n.Parent.First == n {
			*out = append(*out, thing{kind: "column width", text: about(n.Parent.Parent)})
		}
		return
	}
	for _, a := range n.Attrs() {
		switch {
		case a.Name == "style" && strings.Contains(a.Raw, "color"), a.Name == "data-highlight-colour":
			add("colour of")
		case a.Name == "style" && strings.Contains(a.Raw, "margin-left"):
			add("indentation of")
		case a.Name == "style" && strings.Contains(a.Raw, "text-align") && n.Name != "td" && n.Name != "th" && !inCell(n):
			add("alignment of")
		case n.Name == "a" && a.Name == "data-card-appearance":
			add("card of")
		case n.Name == "table" && (a.Name == "data-layout" || a.Name == "data-table-width"):
			add("table layout of")
		}
	}
}

// hollow reports whether there is nothing to see in an element.
func hollow(n *storage.Node) bool {
	for c := n.First; c != nil; c = c.Next {
		switch {
		case c.Kind == storage.Element && (c.InnerStart == c.End || strings.HasPrefix(c.Name, "ac:") || !hollow(c)):
			return false
		case strings.TrimSpace(c.Value()) != "":
			return false
		}
	}
	return true
}

// panel adds the look of a panel.
func panel(n *storage.Node, out *[]thing) {
	switch n.Attr("ac:name") {
	case "info", "note", "tip", "warning", "panel":
	default:
		return
	}
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == storage.Element && c.Name == "ac:parameter" && c.Attr("ac:name") != "title" {
			*out = append(*out, thing{kind: "panel style of", text: about(n.Child("ac:rich-text-body"))})
			return
		}
	}
}

// inCell reports whether an element is one of a cell, whose alignment Markdown shows.
func inCell(n *storage.Node) bool {
	return n.Parent != nil && (n.Parent.Name == "td" || n.Parent.Name == "th")
}

// maxAbout bounds what a thing is about, in bytes.
const maxAbout = 40

// about is the beginning of the text in an element.
func about(n *storage.Node) string {
	var out []byte
	var walk func(*storage.Node)
	walk = func(n *storage.Node) {
		for c := n.First; c != nil && len(out) < 2*maxAbout; c = c.Next {
			switch c.Kind {
			case storage.Element:
				walk(c)
				out = append(out, ' ')
			case storage.Text, storage.CData:
				raw := c.Raw()
				if len(raw) > 4*maxAbout { // clipped at a character
					out = append(out, strings.ToValidUTF8(raw[:4*maxAbout], "")...)
					continue
				}
				out = append(out, c.Value()...)
			}
		}
	}
	if n != nil {
		walk(n)
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	if len(text) > maxAbout {
		text = strings.ToValidUTF8(text[:maxAbout], "") + "…"
	}
	return text
}
