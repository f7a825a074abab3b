// Package section finds the sections of a page in storage format and edits them
// by splicing bytes: what is outside an edit stays as it is, byte for byte.
//
// A section is a heading with all that follows it, up to the next heading of
// the same or a higher level beside it. Headings in the cells of layouts, in
// expands and in other frames have sections of their own, which end with their
// frame. Offsets are those of the body that was read. Everything is linear in
// the size of the body and nothing panics; an [Outline] may be shared.
package section

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Top is the id of what stands before the first heading, which is all of a page
// without headings.
const Top = "_top"

// maxTitle limits the characters of a heading that are kept.
const maxTitle = 200

// Section is a heading and what belongs to it.
type Section struct {
	// ID is made of the heading's words, and of a number where the same words
	// come again: "next-steps", "next-steps~2". It is the same in each reading
	// of a body.
	ID    string
	Title string
	Level int // 1 to 6; 0 for [Top]
	// Start is where the heading begins, Body where what is below it begins,
	// Leaf where the next heading of any level begins beside it, and End where
	// the section ends, sub-sections included.
	Start, Body, Leaf, End int
}

// Outline is the sections of a body, in its order.
type Outline struct {
	Source   string
	Sections []Section

	doc *storage.Document
}

// Read finds the sections of a body. [Top] is among them if there is something
// before the first heading. The error is a [*storage.Error].
func Read(body string) (Outline, error) {
	doc, err := storage.Parse(body)
	if err != nil {
		return Outline{}, err
	}
	o := Outline{Source: body, doc: doc}
	r := reader{outline: &o, seen: map[string]int{}}
	first := r.frame(doc.Root)
	// With headings in frames only, what is before the first is no whole.
	if (first < len(body) || len(o.Sections) == 0) && strings.TrimSpace(body[:first]) != "" {
		o.Sections = append([]Section{{ID: Top, Leaf: first, End: first}}, o.Sections...)
	}
	return o, nil
}

// reader walks through a body.
type reader struct {
	outline *Outline
	seen    map[string]int // how often an id was given
}

// frame reads the children of a node, and returns where the first heading among
// them begins, or the end of what is inside of the node.
func (r *reader) frame(n *storage.Node) (first int) {
	var open []int // indexes of the sections that have not ended, by rising level
	first = -1
	for c := n.First; c != nil; c = c.Next {
		if c.Kind != storage.Element {
			continue
		}
		level := heading(c)
		if level == 0 {
			if descends(c) {
				r.frame(c)
			}
			continue
		}
		if first < 0 {
			first = c.Start
		}
		open = r.close(open, level, c.Start)
		open = append(open, len(r.outline.Sections))
		r.outline.Sections = append(r.outline.Sections, Section{
			ID: r.id(title(c)), Title: title(c), Level: level, Start: c.Start, Body: c.End, Leaf: -1,
		})
	}
	r.close(open, 0, n.InnerEnd)
	if first < 0 {
		first = n.InnerEnd
	}
	return first
}

// close ends the sections of a level and below at an offset.
func (r *reader) close(open []int, level, at int) []int {
	if len(open) > 0 {
		if last := &r.outline.Sections[open[len(open)-1]]; last.Leaf < 0 {
			last.Leaf = at
		}
	}
	for len(open) > 0 && r.outline.Sections[open[len(open)-1]].Level >= level {
		r.outline.Sections[open[len(open)-1]].End = at
		open = open[:len(open)-1]
	}
	return open
}

// heading is the level of a heading, 0 for other nodes.
func heading(n *storage.Node) int {
	if len(n.Name) == 2 && n.Name[0] == 'h' && n.Name[1] >= '1' && n.Name[1] <= '6' {
		return int(n.Name[1] - '0')
	}
	return 0
}

// descends reports whether the content of a node is what people read. Settings
// are not, and the fallback of an extension says its content a second time.
func descends(n *storage.Node) bool {
	switch n.Name {
	case "ac:parameter", "ac:adf-fallback", "ac:adf-attribute", "ac:task-id", "ac:task-status", "ac:placeholder":
		return false
	}
	return true
}

// title is the words of a heading.
func title(n *storage.Node) string {
	var b strings.Builder
	words(n, &b)
	text := strings.Join(strings.Fields(b.String()), " ")
	if utf8.RuneCountInString(text) > maxTitle {
		text = string([]rune(text)[:maxTitle]) + "…"
	}
	return text
}

func words(n *storage.Node, b *strings.Builder) {
	for c := n.First; c != nil; c = c.Next {
		switch {
		case c.Kind != storage.Element:
			b.WriteString(c.Value())
		case descends(c):
			words(c, b)
		case c.Name == "ac:parameter" && c.Attr("ac:name") == "title": // of a status
			b.WriteString(c.Content())
		}
	}
}

// id makes an id of a heading's words.
func (r *reader) id(words string) string {
	var b strings.Builder
	gap := false
	for _, c := range strings.ToLower(words) {
		if b.Len() > 60 {
			break
		}
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(c)
	}
	id := b.String()
	if id == "" {
		id = "section"
	}
	r.seen[id]++
	if n := r.seen[id]; n > 1 {
		id += "~" + strconv.Itoa(n)
	}
	return id
}

// Find returns the sections that a name means: the one with that id, else those
// whose heading it is.
func (o Outline) Find(name string) []Section {
	var found []Section
	name = strings.TrimPrefix(strings.TrimSpace(name), "#")
	for _, s := range o.Sections {
		if s.ID == name {
			return []Section{s}
		}
		if s.Level > 0 && strings.EqualFold(s.Title, name) {
			found = append(found, s)
		}
	}
	return found
}

// At is the section that an offset is in, the innermost one; false if it is in
// none.
func (o Outline) At(offset int) (Section, bool) {
	var found Section
	ok := false
	for _, s := range o.Sections {
		if s.Start <= offset && offset < s.End && (!ok || s.Start >= found.Start) {
			found, ok = s, true
		}
	}
	return found, ok
}

// Cut is the bytes of a section, with its heading.
func (o Outline) Cut(s Section) string { return o.Source[s.Start:s.End] }
