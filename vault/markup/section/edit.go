package section

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Edit replaces the bytes between two offsets of a body.
type Edit struct {
	Start, End int
	Text       string
}

// Apply makes edits, which are in order and do not overlap.
func Apply(body string, edits ...Edit) string {
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(body[at:e.Start])
		b.WriteString(e.Text)
		at = e.End
	}
	b.WriteString(body[at:])
	return b.String()
}

// Replace puts text in the place of a section: of all of it if text begins with
// a heading, else of what is below its heading.
func (o Outline) Replace(s Section, text string) Edit {
	if s.Level == 0 || begins(text) {
		return Edit{s.Start, s.End, text}
	}
	return Edit{s.Body, s.End, text}
}

// begins reports whether the first thing in a text is a heading.
func begins(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return len(text) > 3 && text[0] == '<' && text[1] == 'h' && text[2] >= '1' && text[2] <= '6' && (text[3] == '>' || text[3] == ' ')
}

// Before puts text before a section.
func (o Outline) Before(s Section, text string) Edit {
	if s.Level == 0 {
		return o.Prepend(text)
	}
	return Edit{s.Start, s.Start, text}
}

// After puts text after a section and its sub-sections.
func (o Outline) After(s Section, text string) Edit {
	if s.Level == 0 && s.End == len(o.Source) {
		return o.Append(text)
	}
	return Edit{s.End, s.End, text}
}

// Prepend puts text at the beginning of the page, within its first cell if it
// has a layout: nothing may stand outside of one.
func (o Outline) Prepend(text string) Edit {
	if cell := o.cell(true); cell != nil {
		return inside(cell, cell.InnerStart, text)
	}
	return Edit{0, 0, text}
}

// Append puts text at the end of the page, within its last cell if it ends with
// a layout.
func (o Outline) Append(text string) Edit {
	if cell := o.cell(false); cell != nil {
		return inside(cell, cell.InnerEnd, text)
	}
	return Edit{len(o.Source), len(o.Source), text}
}

// inside puts text into a node, which may be written as an empty one.
func inside(n *storage.Node, at int, text string) Edit {
	if raw := n.Raw(); strings.HasSuffix(raw, "/>") {
		open := strings.TrimRight(strings.TrimSuffix(raw, "/>"), " \t\r\n")
		return Edit{n.Start, n.End, open + ">" + text + "</" + n.Name + ">"}
	}
	return Edit{at, at, text}
}

// cell is the first or last cell of the layout that the page begins or ends
// with, or nil.
func (o Outline) cell(first bool) *storage.Node {
	at := o.doc.Root
	for _, name := range []string{"ac:layout", "ac:layout-section", "ac:layout-cell"} {
		var found *storage.Node
		for c := at.First; c != nil; c = c.Next {
			if c.Kind == storage.Text && strings.TrimSpace(c.Value()) == "" || c.Kind == storage.Comment {
				continue
			}
			found = c
			if first {
				break
			}
		}
		if found == nil || found.Name != name {
			return nil
		}
		at = found
	}
	return at
}
