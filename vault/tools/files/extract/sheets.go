package extract

import (
	"encoding/xml"
	"path"
	"strconv"
	"strings"
)

const (
	maxShared = 1 << 20 // strings of a workbook
	maxColumn = 16_384
)

// workbook reads the sheets of an Excel file: rows are lines, with tabs between
// the cells.
func (o *office) workbook() error {
	shared, err := o.shared()
	if err != nil {
		return err
	}
	for i, sheet := range o.sheets() {
		if sheet.title == "" {
			sheet.title = "Sheet " + strconv.Itoa(i+1)
		}
		o.add("\n\n" + sheet.title + "\n")
		if err := o.read(sheet.part, o.sheet(shared)); err != nil {
			return err
		}
	}
	return nil
}

// sheet is a part of the archive and what people call it.
type sheet struct{ title, part string }

// sheets lists the sheets in the order that people see them in; those that the
// workbook does not lead to come last, and have no title.
func (o *office) sheets() []sheet {
	numbered, parts, titled := o.numbered("xl/worksheets/sheet"), o.relations(), map[string]bool{}
	there := map[string]bool{}
	for _, part := range numbered {
		there[part] = true
	}
	var all []sheet
	_ = o.read("xl/workbook.xml", func(name string, attrs []xml.Attr, start bool, _ []byte) { // without it there are numbers
		if !start || name != "sheet" {
			return
		}
		for _, a := range attrs {
			if part := parts[a.Value]; a.Name.Local == "id" && a.Name.Space != "" && there[part] && !titled[part] {
				titled[part] = true
				all = append(all, sheet{strings.ReplaceAll(value(attrs, "name"), "\n", " "), part})
			}
		}
	})
	for _, part := range numbered {
		if !titled[part] {
			all = append(all, sheet{part: part})
		}
	}
	return all
}

// relations tells the parts that a workbook is made of, by the ids that it calls
// them.
func (o *office) relations() map[string]string {
	parts := map[string]string{}
	_ = o.read("xl/_rels/workbook.xml.rels", func(name string, attrs []xml.Attr, start bool, _ []byte) { // without it there are numbers
		if start && name == "Relationship" && len(parts) < maxParts {
			part := value(attrs, "Target")
			if !strings.HasPrefix(part, "/") {
				part = "xl/" + part
			}
			parts[value(attrs, "Id")] = strings.TrimPrefix(path.Clean(part), "/")
		}
	})
	return parts
}

func value(attrs []xml.Attr, name string) string {
	for _, a := range attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// shared reads the strings that cells refer to by number.
func (o *office) shared() ([]string, error) {
	var all []string
	var b strings.Builder
	in, size, over := false, 0, false
	err := o.read("xl/sharedStrings.xml", func(name string, _ []xml.Attr, start bool, text []byte) {
		switch {
		case text != nil && in:
			if size += len(text); size > MaxText {
				over = true
				return
			}
			b.Write(text)
		case text == nil && name == "t":
			in = start
		case text == nil && name == "si" && !start:
			if over = over || len(all) >= maxShared; !over {
				all = append(all, b.String())
			}
			b.Reset()
		}
	})
	return all, err
}

// cell is the one that is read.
type cell struct {
	kind   string // s for a shared string
	column int
	in     bool
	value  strings.Builder
}

func (o *office) sheet(shared []string) visit {
	var c cell
	at := 0
	return func(name string, attrs []xml.Attr, start bool, text []byte) {
		switch {
		case text != nil:
			if c.in && c.value.Len()+len(text) <= MaxText {
				c.value.Write(text)
			}
		case name == "row":
			at = 0
			if !start {
				o.add("\n")
			}
		case name == "c" && start:
			c = cell{kind: value(attrs, "t"), column: column(value(attrs, "r"))}
		case name == "v" || name == "t":
			c.in = start
		case name == "c":
			if c.value.Len() > 0 {
				o.add(strings.Repeat("\t", max(min(c.column-at, maxColumn), 0)))
				at = max(c.column, at)
				o.add(flat(c.text(shared)))
			}
			c = cell{}
		}
	}
}

func (c *cell) text(shared []string) string {
	text := c.value.String()
	if c.kind != "s" {
		return text
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n >= len(shared) {
		return ""
	}
	return shared[n]
}

// column is the number of the column of a cell such as AB12, from 0.
func column(ref string) int {
	n := 0
	for _, r := range ref {
		if r < 'A' || r > 'Z' {
			break
		}
		if n = n*26 + int(r-'A') + 1; n > maxColumn {
			return maxColumn
		}
	}
	return max(n-1, 0)
}

// flat keeps a cell on its line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }
