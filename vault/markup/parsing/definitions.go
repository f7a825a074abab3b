package parsing

import (
	"strings"

	"github.com/yuin/goldmark/ast"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// defines reports whether a text has a line with a definition, ": what it means", below one with a term. goldmark's own
// parser of definitions takes quadratic time.
func (r *reader) defines(n ast.Node) bool {
	lines := n.Lines()
	for i := 1; i < lines.Len(); i++ {
		line := lines.At(i)
		if text := line.Value(r.source); len(text) > 2 && text[0] == ':' && (text[1] == ' ' || text[1] == '\t') {
			return true
		}
	}
	return false
}

// definitions makes paragraphs of the lines of a text: terms in bold, what they mean set in. Confluence knows no
// definition lists.
func (r *reader) definitions(spans []page.Span) []page.Block {
	lines, ok := splitLines(spans)
	if !ok {
		return r.paragraph(spans)
	}
	var out []page.Block
	for _, line := range lines {
		indent := false
		if len(line) > 0 && line[0].Kind == page.Words {
			line[0].Text, indent = strings.CutPrefix(line[0].Text, ":")
		}
		for i := range line {
			if !indent {
				line[i].Marks |= page.Strong
			}
		}
		for _, made := range r.paragraph(line) {
			made.Indent = indent
			out = append(out, made)
		}
	}
	return out
}

// splitLines cuts a text at the ends of its lines; it reports whether one of them is a definition. A line that begins none,
// below one that does, goes on with it.
func splitLines(spans []page.Span) (out [][]page.Span, defined bool) {
	out = [][]page.Span{nil}
	for _, s := range spans {
		for s.Kind == page.Words {
			before, behind, ends := strings.Cut(s.Text, "\n")
			if !ends {
				break
			}
			begins := strings.HasPrefix(behind, ": ") || strings.HasPrefix(behind, ":\t")
			if !begins && defined {
				before += " "
			}
			part := s
			part.Text = before
			out[len(out)-1] = append(out[len(out)-1], part)
			if begins || !defined {
				out = append(out, nil)
			}
			defined = defined || begins
			s.Text = behind
		}
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return out, defined
}
