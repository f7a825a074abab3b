package wiki

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	root     = "<root>"
	maxDepth = 500
)

// walk calls each for every token of a body in storage format, with the bytes
// it was read from. A body that is not well-formed XML is an error.
func walk(body string, each func(t xml.Token, raw string)) error {
	text := root + body + "</root>"
	d := xml.NewDecoder(strings.NewReader(text))
	d.Entity = xml.HTMLEntity
	depth := 0
	for {
		from := d.InputOffset()
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch t.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.ProcInst, xml.Directive:
			return errors.New("unexpected declaration")
		}
		to := d.InputOffset()
		if depth == 0 && to != int64(len(text)) {
			return errors.New("unexpected end tag </root>")
		}
		if depth > maxDepth {
			return fmt.Errorf("elements are nested deeper than %d", maxDepth)
		}
		if outermost := from == 0 || depth == 0; !outermost {
			each(t, text[from:to])
		}
	}
}

// Normalise returns a body as Confluence keeps it: macros get an id and a
// schema version, tasks and list items stay, <hr/> becomes <hr />. A body that
// is not well-formed is an error.
func Normalise(body string) (string, error) {
	var b strings.Builder
	n := 0
	err := walk(body, func(t xml.Token, raw string) {
		start, ok := t.(xml.StartElement)
		if !ok {
			b.WriteString(raw)
			return
		}
		n++
		closing := ">"
		inside := strings.TrimSuffix(raw, ">")
		if rest, empty := strings.CutSuffix(inside, "/"); empty {
			inside, closing = rest, " />"
		}
		b.WriteString(strings.TrimRight(inside, " \t\r\n"))
		if start.Name.Space == "ac" && start.Name.Local == "structured-macro" {
			if !has(start, "schema-version") {
				b.WriteString(` ac:schema-version="1"`)
			}
			if !has(start, "macro-id") {
				b.WriteString(` ac:macro-id="` + uuid(body, n) + `"`)
			}
		}
		b.WriteString(closing)
	})
	return b.String(), err
}

func has(start xml.StartElement, attribute string) bool {
	for _, a := range start.Attr {
		if a.Name.Space == "ac" && a.Name.Local == attribute {
			return true
		}
	}
	return false
}

// uuid derives the n-th id of a body from it, so that runs can be compared.
func uuid(body string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", n, body))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// Plain is the text of a body without markup.
func Plain(body string) string {
	var b strings.Builder
	hidden := 0
	_ = walk(body, func(t xml.Token, _ string) { // what cannot be read has no text
		switch t := t.(type) {
		case xml.StartElement:
			if invisible(t.Name) || hidden > 0 {
				hidden++
			}
			b.WriteByte(' ')
		case xml.EndElement:
			if hidden > 0 {
				hidden--
			}
			b.WriteByte(' ')
		case xml.CharData:
			if hidden == 0 {
				b.Write(t)
			}
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// invisible elements hold settings, not text.
func invisible(n xml.Name) bool {
	return n.Space == "ac" && (n.Local == "parameter" || n.Local == "task-id" || n.Local == "task-status" || n.Local == "placeholder")
}
