package extract

import (
	"encoding/xml"
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
	names := o.names()
	for i, part := range o.numbered("xl/worksheets/sheet") {
		title := "Sheet " + strconv.Itoa(i+1)
		if i < len(names) {
			title = names[i]
		}
		o.add("\n\n" + title + "\n")
		if err := o.read(part, o.sheet(shared)); err != nil {
			return err
		}
	}
	return nil
}

// names lists the sheets in their order.
func (o *office) names() []string {
	var names []string
	_ = o.read("xl/workbook.xml", func(name string, attrs []xml.Attr, start bool, _ []byte) { // without names there are numbers
		if start && name == "sheet" && len(names) < maxParts {
			names = append(names, strings.ReplaceAll(value(attrs, "name"), "\n", " "))
		}
	})
	return names
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
