// Package marks keeps the placeholders of a page apart from those of a part of
// it. Their numbers count what stands before: a part that is read alone would
// number anew, and what the model has seen of the page must stay true.
package marks

import (
	"regexp"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// Marks are the placeholders of a body in storage format. They are for one
// goroutine.
type Marks struct {
	// Original is what a placeholder stands for; see [markup.Document.Lookup].
	Original func(mark string) (string, bool)

	originals map[string]string // by placeholder
	names     map[string]string // placeholders, by what they stand for
}

// Of reads a body; one that cannot be read has no placeholders.
func Of(body string) Marks {
	doc, _ := markup.ToMarkdown(body, markup.Options{})
	m := Marks{Original: doc.Lookup(nil), originals: doc.Originals, names: make(map[string]string, len(doc.Originals))}
	for mark, original := range doc.Originals {
		if other, ok := m.names[original]; !ok || mark < other { // the same every time
			m.names[original] = mark
		}
	}
	return m
}

var placeholder = regexp.MustCompile(`\[\[/?confluence:[^\[\]]*\]\]`)

// Rename writes the placeholders of Markdown, which are named as in others, as m
// names the same things. What m does not have stays. One that ends something
// goes with the one that begins it.
func (m Marks) Rename(markdown string, others Marks) string {
	closings := map[string]string{} // of those that were renamed so far
	return placeholder.ReplaceAllStringFunc(markdown, func(mark string) string {
		if strings.HasPrefix(mark, "[[/") {
			if name, ok := closings[mark]; ok {
				return name
			}
			return mark
		}
		name := m.name(mark, others)
		closings[closing(mark)] = closing(name)
		return name
	})
}

// name is what m calls the thing that others call mark.
func (m Marks) name(mark string, others Marks) string {
	original, ok := others.Original(mark)
	if !ok || m.originals[mark] == original {
		return mark
	}
	if name, ok := m.names[original]; ok {
		return name
	}
	return mark
}

// closing is the placeholder that ends what another begins.
func closing(mark string) string {
	return "[[" + page.Closing(strings.TrimSuffix(strings.TrimPrefix(mark, "[["), "]]")) + "]]"
}
