package markup

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// fenceLine is a line that begins or ends fenced code, behind the marks of lists and quotes around it.
var fenceLine = regexp.MustCompile("^((?:[ \t>]|[-*+][ \t]+|[0-9]{1,9}[.)][ \t]+)*)(`{3,}|~{3,})(.*)$")

// Split cuts Markdown at the last boundary of blocks that leaves head at most maxChars characters; rest is what comes
// after it, and empty if all fits. Only a single block that is longer is cut itself: code between two lines, with its
// fence closed in head and opened again in rest; a table between two rows, with its heading repeated; other text at the
// end of a line or a word. Nothing is dropped, and rest is always shorter than md.
func Split(md string, maxChars int) (head, rest string) {
	maxChars = max(maxChars, 1)
	limit := runeOffset(md, maxChars)
	if limit == len(md) {
		return md, ""
	}
	s := scan(md, limit)
	switch {
	case s.boundary > 0:
		return md[:s.boundary], md[s.boundary:]
	case s.fence != nil:
		if head, rest, ok := s.fence.cut(md, maxChars); ok {
			return head, rest
		}
	case s.table > 0 && s.line > s.table:
		heading := md[:s.table]
		return md[:s.line], heading + md[s.line:]
	}
	at := s.line
	if at == 0 {
		at = wordEnd(md, limit)
	}
	return md[:at], md[at:]
}

// runeOffset is where the character after n characters begins, at most the end.
func runeOffset(text string, n int) int {
	if len(text) <= n {
		return len(text)
	}
	for at := range text {
		if n <= 0 {
			return at
		}
		n--
	}
	return len(text)
}

// wordEnd is the end of the last word before limit, or limit.
func wordEnd(text string, limit int) int {
	if i := strings.LastIndexAny(text[:limit], " \t\n"); i > limit/2 {
		return i + 1
	}
	return limit
}

// scanned is what stands before the limit.
type scanned struct {
	boundary int    // where the last block begins
	line     int    // where the last line begins
	table    int    // behind the ruler of the table that the text begins with, or 0
	fence    *fence // the code that the text begins with, if it reaches beyond the limit
}

// scan looks at whole lines up to limit.
func scan(md string, limit int) scanned {
	var s scanned
	var open *fence
	blank := false
	for at, line := 0, 0; at < len(md); line++ {
		if at > limit {
			break
		}
		if at > 0 {
			s.line = at
		}
		end := len(md)
		if i := strings.IndexByte(md[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := strings.TrimRight(md[at:end], "\r\n")
		switch {
		case open != nil && open.closedBy(text):
			open = nil
		case open != nil:
		case strings.Trim(text, " \t") == "":
			blank = true
			at = end
			continue
		default:
			if blank && at > 0 && text[0] != ' ' && text[0] != '\t' {
				s.boundary = at
			}
			open = fenceAt(text, at, end)
			if line == 1 && s.boundary == 0 && md[0] == '|' && strings.Trim(text, "|-: ") == "" {
				s.table = end
			}
		}
		blank = false
		at = end
	}
	if open != nil && s.boundary <= open.start {
		s.fence = open
	}
	return s
}

// fence is fenced code that has begun.
type fence struct {
	start, inside int    // of the line that opens it, and of the first line in it
	prefix        string // of quotes and indentation
	mark, info    string
}

// fenceAt is the fence that a line opens, or nil.
func fenceAt(line string, start, end int) *fence {
	m := fenceLine.FindStringSubmatch(line)
	if m == nil || m[2][0] == '`' && strings.Contains(m[3], "`") {
		return nil
	}
	prefix := strings.Map(func(r rune) rune {
		if r == '>' {
			return r
		}
		return ' '
	}, m[1])
	return &fence{start, end, prefix, m[2], m[3]}
}

// closedBy reports whether a line ends the code.
func (f *fence) closedBy(line string) bool {
	text := strings.Trim(line, " \t>")
	return len(text) >= len(f.mark) && strings.Trim(text, f.mark[:1]) == ""
}

// cut closes the code as late as the limit allows and opens it again. It reports false where not even a part of the first
// line fits.
func (f *fence) cut(md string, maxChars int) (head, rest string, ok bool) {
	closing := f.prefix + f.mark + "\n"
	again := strings.TrimRight(f.prefix, " ")
	if again != "" {
		again += " "
	}
	again += f.mark + f.info + "\n"
	limit := runeOffset(md, maxChars-utf8.RuneCountInString(closing)-1)
	if limit <= f.inside || limit <= len(again) {
		return "", "", false
	}
	at := strings.LastIndexByte(md[:limit], '\n') + 1
	if at <= f.inside || at <= len(again) {
		at = limit
	}
	head = md[:at]
	if !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	return head + closing, again + md[at:], true
}
