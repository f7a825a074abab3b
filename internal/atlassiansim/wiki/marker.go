package wiki

import (
	"encoding/xml"
	"html"
	"slices"
	"strings"
)

// piece is a stretch of visible text, with where it stands in the line of text
// that it is part of.
type piece struct {
	token, from, to int
	text            string
}

// Mark puts the marker of an inline comment around the match of text with that
// index, from 0, and returns how many matches there are. Without such a match
// the body stays as it is. Text is what a reader sees: it may run through bold
// and links, but not from one block to the next.
func Mark(body, text string, index int, ref string) (marked string, count int) {
	var raw []string
	var lines [][]piece
	var line []piece
	end := 0
	flush := func() {
		if line != nil {
			lines = append(lines, line)
		}
		line, end = nil, 0
	}
	hidden := 0
	err := walk(body, func(t xml.Token, source string) {
		raw = append(raw, source)
		switch t := t.(type) {
		case xml.StartElement:
			if hidden > 0 || invisible(t.Name) {
				hidden++
			} else if !inline(t.Name) {
				flush()
			}
		case xml.EndElement:
			if hidden > 0 {
				hidden--
			} else if !inline(t.Name) {
				flush()
			}
		case xml.CharData:
			if hidden > 0 {
				return
			}
			if strings.HasPrefix(source, "<![CDATA[") {
				flush()
				return
			}
			line = append(line, piece{len(raw) - 1, end, end + len(t), string(t)})
			end += len(t)
		}
	})
	flush()
	if err != nil || text == "" {
		return body, 0
	}
	for _, line := range lines {
		count += markLine(raw, line, text, index-count, ref)
	}
	return strings.Join(raw, ""), count
}

// markLine marks the match with that index, if this line has it, and returns
// how many matches the line has.
func markLine(raw []string, line []piece, text string, index int, ref string) int {
	var b strings.Builder
	for _, p := range line {
		b.WriteString(p.text)
	}
	all, n := b.String(), 0
	for at := 0; ; n++ {
		i := strings.Index(all[at:], text)
		if i < 0 {
			return n
		}
		from := at + i
		at = from + len(text)
		if n != index {
			continue
		}
		for _, p := range line {
			lo, hi := max(from, p.from)-p.from, min(at, p.to)-p.from
			if lo >= hi {
				continue
			}
			raw[p.token] = html.EscapeString(p.text[:lo]) + `<ac:inline-comment-marker ac:ref="` + ref + `">` +
				html.EscapeString(p.text[lo:hi]) + `</ac:inline-comment-marker>` + html.EscapeString(p.text[hi:])
		}
	}
}

// inline elements do not end a line of text.
func inline(n xml.Name) bool {
	if n.Space == "ac" {
		return n.Local == "inline-comment-marker" || n.Local == "link" || n.Local == "link-body"
	}
	return n.Space == "" && slices.Contains([]string{"strong", "em", "b", "i", "u", "s", "del", "ins", "sub", "sup", "span", "a", "code", "small", "big", "font", "time"}, n.Local)
}

// Annotate replaces the body of a page's newest version without making another
// one, as the marker of an inline comment does.
func (w *Wiki) Annotate(cloudID string, id int64, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	p := *s.pages[id]
	v := *p.Newest()
	v.Body = body
	p.Versions = append(slices.Clone(p.Versions[:len(p.Versions)-1]), version(v))
	s.pages[id] = &p
}
