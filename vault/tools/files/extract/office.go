package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits of an Office file, which is a zip archive.
const (
	maxParts    = 10_000
	maxUnpacked = 32 << 20 // bytes of all parts that are read
	maxDepth    = 200      // of elements
	lookEvery   = 4096     // elements, between two looks at the time
)

// OfficeText reads the text of a Word, Excel, PowerPoint or OpenDocument file.
// What it leaves out: pictures, formulas (their values are there), notes of
// presentations, headers and footers.
func OfficeText(ctx context.Context, data []byte) (text string, err error) {
	defer func() {
		if r := recover(); r != nil { // the archive is anybody's
			text, err = "", unreadable("it is damaged")
		}
	}()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(archive.File) > maxParts {
		return "", unreadable("it is no Office file, is protected by a password, or is damaged")
	}
	o := &office{writer: writer{ctx: ctx}, parts: map[string]*zip.File{}, left: maxUnpacked}
	for _, f := range archive.File {
		o.parts[strings.TrimPrefix(path.Clean(f.Name), "/")] = f
	}
	switch {
	case o.parts["word/document.xml"] != nil:
		err = o.read("word/document.xml", o.word())
	case o.parts["xl/workbook.xml"] != nil:
		err = o.workbook()
	case o.parts["ppt/presentation.xml"] != nil:
		err = o.slides()
	case o.parts["content.xml"] != nil:
		err = o.read("content.xml", o.open())
	default:
		err = unreadable("it is no Office file that is known here")
	}
	if err != nil {
		return "", err
	}
	return o.text(), nil
}

type office struct {
	writer
	parts map[string]*zip.File
	left  int64 // bytes that may be unpacked yet
}

// visit is called for each element, where it starts and ends, and for text.
type visit func(name string, attrs []xml.Attr, start bool, text []byte)

// read goes through one part.
func (o *office) read(name string, see visit) error {
	part := o.parts[name]
	if part == nil {
		return nil
	}
	r, err := part.Open()
	if err != nil {
		return unreadable("it is damaged or protected")
	}
	defer func() { _ = r.Close() }()
	limited := &io.LimitedReader{R: r, N: o.left + 1}
	defer func() { o.left = limited.N - 1 }()
	d := xml.NewDecoder(limited)
	depth, seen := 0, 0
	for !o.full {
		token, err := d.RawToken()
		switch {
		case limited.N <= 0:
			return unreadable("it is larger, once unpacked, than is read")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return unreadable("it is damaged")
		}
		if seen++; seen%lookEvery == 0 && o.ctx.Err() != nil {
			return context.Cause(o.ctx)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return unreadable("it is nested too deeply")
			}
			see(t.Name.Local, t.Attr, true, nil)
		case xml.EndElement:
			depth--
			see(t.Name.Local, nil, false, nil)
		case xml.CharData:
			see("", nil, false, t)
		}
	}
	return nil
}

// word reads a document: paragraphs are lines, cells of tables are divided.
func (o *office) word() visit {
	in, cells := false, 0
	return func(name string, _ []xml.Attr, start bool, text []byte) {
		switch {
		case text != nil:
			if in {
				o.add(string(text))
			}
		case name == "t":
			in = start
		case start && (name == "tab" || name == "br" || name == "cr"):
			o.add(map[bool]string{true: "\t", false: "\n"}[name == "tab"])
		case name == "tc" && start:
			if cells++; cells > 1 {
				o.add(" | ")
			}
		case name == "tr":
			cells = 0
			o.add("\n")
		case name == "p" && !start && cells == 0:
			o.add("\n")
		case name == "p" && !start:
			o.add(" ")
		}
	}
}

// open reads an OpenDocument file of any kind.
func (o *office) open() visit {
	depth := 0
	return func(name string, _ []xml.Attr, start bool, text []byte) {
		switch {
		case text != nil:
			if depth > 0 {
				o.add(string(text))
			}
		case name == "p" || name == "h":
			if start {
				depth++
				return
			}
			depth--
			o.add("\n")
		case start && name == "tab":
			o.add("\t")
		case start && (name == "line-break" || name == "page" || name == "table-row"):
			o.add("\n")
		case start && name == "s":
			o.add(" ")
		}
	}
}

// slides reads a presentation, slide by slide in the order of their numbers.
func (o *office) slides() error {
	for _, name := range o.numbered("ppt/slides/slide") {
		o.add("\n\nSlide " + strconv.Itoa(number(name)) + "\n")
		in := false
		err := o.read(name, func(name string, _ []xml.Attr, start bool, text []byte) {
			switch {
			case text != nil && in:
				o.add(string(text))
			case name == "t" && text == nil:
				in = start
			case text == nil && !start && name == "p", start && name == "br":
				o.add("\n")
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// numbered lists parts such as ppt/slides/slide12.xml by their number.
func (o *office) numbered(prefix string) []string {
	var found []string
	for name := range o.parts {
		if strings.HasPrefix(name, prefix) && number(name) > 0 {
			found = append(found, name)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a, b)) })
	return found
}

func number(name string) int {
	name = strings.TrimSuffix(path.Base(name), ".xml")
	n, err := strconv.Atoi(strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz"))
	if err != nil {
		return 0
	}
	return n
}
