// Package marks keeps the placeholders of a page apart from those of a part of
// it. Their numbers count what stands before: a part that is read alone would
// number anew, and what the model has seen of the page must stay true.
package marks

import (
	"regexp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// Marks are the placeholders of a body in storage format.
type Marks struct {
	originals map[string]string // by placeholder
	names     map[string]string // placeholders, by what they stand for
}

// Of reads a body; one that cannot be read has no placeholders.
func Of(body string) Marks {
	doc, _ := markup.ToMarkdown(body, markup.Options{})
	m := Marks{originals: doc.Originals, names: make(map[string]string, len(doc.Originals))}
	for mark, original := range doc.Originals {
		if other, ok := m.names[original]; !ok || mark < other { // the same every time
			m.names[original] = mark
		}
	}
	return m
}

var (
	placeholder = regexp.MustCompile(`\[\[confluence:[^\[\]]*\]\]`)
	counter     = regexp.MustCompile(`#\d+`)
)

// Original is what a placeholder stands for: by its name, or by all of it but
// its number, which moves when something is inserted before it.
func (m Marks) Original(mark string) (string, bool) {
	if found, ok := m.originals[mark]; ok {
		return found, true
	}
	bare, like, n := counter.ReplaceAllString(mark, ""), "", 0
	for other, original := range m.originals {
		if counter.ReplaceAllString(other, "") == bare {
			like, n = original, n+1
		}
	}
	return like, n == 1
}

// Rename writes the placeholders of Markdown, which are named as in others, as m
// names the same things. What m does not have stays.
func (m Marks) Rename(markdown string, others Marks) string {
	return placeholder.ReplaceAllStringFunc(markdown, func(mark string) string {
		original, ok := others.Original(mark)
		if !ok {
			return mark
		}
		if name, ok := m.names[original]; ok {
			return name
		}
		return mark
	})
}
