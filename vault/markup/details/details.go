// Package details reads the page properties of a page: the tables in its
// "details" macros, which Confluence's page-properties report shows in columns.
package details

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Limits of one page; what is beyond is left out.
const (
	maxTables = 50
	maxRows   = 200 // of all tables together
)

// Row is one property of a page. Value is the inside of its cell, in storage
// format.
type Row struct {
	ID    string // that the macro was given, "" for none
	Key   string // plain text
	Value string
}

// Read returns the properties of a page in storage format, in their order. The
// keys stand in the first column, or in the first row if that has headers
// only. An error says that the page is not well-formed.
func Read(body string) ([]Row, error) {
	doc, err := storage.Parse(body)
	if err != nil {
		return nil, err
	}
	r := reader{}
	r.walk(doc.Root, "", false)
	return r.rows, nil
}

type reader struct {
	rows   []Row
	tables int
}

// walk finds the macros, and inside of them the tables. storage.MaxDepth bounds
// its depth.
func (r *reader) walk(n *storage.Node, id string, inside bool) {
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind != storage.Element:
		case child.Name == "ac:structured-macro" && child.Attr("ac:name") == "details":
			if body := child.Child("ac:rich-text-body"); body != nil {
				r.walk(body, strings.TrimSpace(macro.Value(child, "id")), true)
			}
		case child.Name == "table" && inside:
			r.table(child, id)
		default:
			r.walk(child, id, inside)
		}
	}
}

func (r *reader) table(table *storage.Node, id string) {
	if r.tables++; r.tables > maxTables {
		return
	}
	lines := lines(table)
	if len(lines) > 1 && across(lines) {
		for _, line := range lines[1:] {
			for i, key := range lines[0] {
				if i < len(line) {
					r.add(id, key, line[i])
				}
			}
		}
		return
	}
	for _, line := range lines {
		if len(line) > 1 {
			r.add(id, line[0], line[1])
		}
	}
}

func (r *reader) add(id string, key, value *storage.Node) {
	if name := text(key); name != "" && len(r.rows) < maxRows {
		r.rows = append(r.rows, Row{id, name, value.Inner()})
	}
}

// across reports whether the keys stand in the first row: it has headers only,
// and the row below does not begin with another.
func across(lines [][]*storage.Node) bool {
	for _, cell := range lines[0] {
		if cell.Name != "th" {
			return false
		}
	}
	return len(lines[1]) > 0 && lines[1][0].Name == "td"
}

// lines are the cells of a table, without those of tables inside of it.
func lines(table *storage.Node) [][]*storage.Node {
	var all [][]*storage.Node
	var visit func(n *storage.Node)
	visit = func(n *storage.Node) {
		for child := n.First; child != nil; child = child.Next {
			switch {
			case child.Kind != storage.Element:
			case child.Name == "tr":
				var cells []*storage.Node
				for cell := child.First; cell != nil; cell = cell.Next {
					if cell.Kind == storage.Element && (cell.Name == "th" || cell.Name == "td") {
						cells = append(cells, cell)
					}
				}
				if len(cells) > 0 {
					all = append(all, cells)
				}
			case child.Name == "tbody" || child.Name == "thead" || child.Name == "tfoot":
				visit(child)
			}
		}
	}
	visit(table)
	return all
}

// text is the plain text of n on one line.
func text(n *storage.Node) string {
	var b strings.Builder
	var visit func(n *storage.Node)
	visit = func(n *storage.Node) {
		for child := n.First; child != nil; child = child.Next {
			b.WriteString(child.Value())
			visit(child)
			if child.Kind == storage.Element {
				b.WriteByte(' ')
			}
		}
	}
	visit(n)
	return strings.Join(strings.Fields(b.String()), " ")
}
