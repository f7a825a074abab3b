package printing

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// around is what stands beside a text when it is written.
type around struct {
	before, after rune // the characters before and after it
	start         bool // at the beginning of a line, where it could be taken for a block
	more          bool // something follows on the line
	link          bool // between a link's brackets
	strike        bool // between tildes
}

// Which ASCII characters may need an escape somewhere: ! & * : < [ \ ] ^ _ ` | ~
const (
	specialLow  = 1<<'!' | 1<<'&' | 1<<'*' | 1<<':' | 1<<'<'
	specialHigh = 1<<('['-64) | 1<<('\\'-64) | 1<<(']'-64) | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)
)

// special reports whether a byte is one of those.
func special(c byte) bool {
	if c < 64 {
		return uint64(specialLow)>>c&1 != 0
	}
	return c < 128 && uint64(specialHigh)>>(c-64)&1 != 0
}

// text writes text, escaping what Markdown would take for markup and no more.
func (e *emitter) text(text string, a around) {
	done := 0
	if a.start {
		done = e.lineStart(text)
	}
	for i := done; i < len(text); i++ {
		c := text[i]
		if !special(c) || !e.active(text, i, a) {
			continue
		}
		e.str(text[done:i])
		e.out = append(e.out, '\\')
		done = i
	}
	e.str(text[done:])
}

// active reports whether the special character at i means something to Markdown where it stands.
func (e *emitter) active(text string, i int, a around) bool {
	switch c := text[i]; c {
	case '`':
		return true
	case '\\':
		return i+1 >= len(text) || asciiPunctuation(text[i+1])
	case '*':
		return !blank(before(text, i, a)) || !blank(after(text, i, a))
	case '_':
		return !wordRune(before(text, i, a)) || !wordRune(after(text, i, a))
	case '[':
		return a.link || strings.HasPrefix(text[i+1:], "^") || strings.HasPrefix(text[i+1:], "[confluence:") || strings.HasPrefix(text[i+1:], "[/confluence:")
	case '^':
		return a.link && before(text, i, a) == '['
	case ']':
		return a.link || i+1 < len(text) && text[i+1] == '('
	case ':':
		return page.EmojiEnd(text[i:]) > 0 && !wordRune(before(text, i, a))
	case '!':
		return after(text, i, a) == '['
	case '<':
		next := after(text, i, a)
		return next < utf8.RuneSelf && (next == '/' || next == '!' || next == '?' || wordRune(next)) || i+1 >= len(text) && a.more
	case '&':
		_, size := storage.Reference(text[i:])
		return size > 0
	case '~':
		return a.strike || !blank(before(text, i, a)) || after(text, i, a) == '~'
	case '|':
		return e.cell
	}
	return false
}

// before is the character before the one at i.
func before(text string, i int, a around) rune {
	if i == 0 {
		return a.before
	}
	r, _ := utf8.DecodeLastRuneInString(text[:i])
	return r
}

// after is the character behind the one at i.
func after(text string, i int, a around) rune {
	if i+1 >= len(text) {
		return a.after
	}
	return firstRune(text[i+1:])
}

// asciiPunctuation reports what a backslash may escape.
func asciiPunctuation(c byte) bool {
	return c > ' ' && c < 0x7f && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

// lineStart writes the beginning of a line that would begin a block, escaped. It tells how much of text it wrote.
func (e *emitter) lineStart(text string) int {
	if text == "" {
		return 0
	}
	at := -1 // what to put a backslash before
	switch c := text[0]; {
	case c == '#':
		if run := len(text) - len(strings.TrimLeft(text, "#")); run <= 6 && ends(text[run:]) {
			at = 0
		}
	case c == '>' || c == '|' || c == '[':
		at = 0
	case c == '+' || c == '*':
		if ends(text[1:]) {
			at = 0
		}
	case c == '-' || c == ':':
		if ends(text[1:]) || strings.Trim(text, "-:| ") == "" && len(text) > 1 || strings.HasPrefix(text, "-|") || strings.HasPrefix(text, ":-") {
			at = 0
		}
	case c == '=':
		if strings.Trim(text, "= ") == "" {
			at = 0
		}
	case '0' <= c && c <= '9':
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		if digits <= 9 && digits < len(text) && (text[digits] == '.' || text[digits] == ')') && ends(text[digits+1:]) {
			at = digits
		}
	}
	if at < 0 {
		return 0
	}
	e.str(text[:at])
	e.out = append(e.out, '\\', text[at])
	return at + 1
}

// ends reports whether a marker before rest would be one: nothing or space follows.
func ends(rest string) bool { return rest == "" || rest[0] == ' ' || rest[0] == '\t' }

func firstRune(text string) rune {
	r, _ := utf8.DecodeRuneInString(text)
	return r
}

// blank reports what CommonMark holds for white space beside a delimiter.
func blank(r rune) bool { return unicode.IsSpace(r) }

// punctuation reports what CommonMark holds for punctuation beside a delimiter; symbols count.
func punctuation(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

// wordRune reports what is neither space nor punctuation to CommonMark.
func wordRune(r rune) bool { return !blank(r) && !punctuation(r) }

func escapeHTML(text string) string { return storage.Escape(text) }

// closing is the end of a layer.
func (l *layer) closing(e *emitter) string {
	if l.link != nil {
		return "](" + e.destination(l.link.Target) + ")"
	}
	if tag := l.tag(); tag != "" {
		return "</" + tag + ">"
	}
	return l.delimiter()
}

// opening is the beginning of a layer.
func (l *layer) opening() string {
	if l.link != nil {
		return "["
	}
	if tag := l.tag(); tag != "" {
		return "<" + tag + ">"
	}
	return l.delimiter()
}

// delimiter is the mark that opens and closes a layer.
func (l *layer) delimiter() string {
	switch l.mark {
	case page.Strong:
		return "**"
	case page.Strike:
		return "~~"
	}
	if l.shape == '*' {
		return "*"
	}
	return "_"
}

// tag is the element of a mark that is written as HTML, or "".
func (l *layer) tag() string {
	switch l.mark {
	case page.Underline:
		return "u"
	case page.Sub:
		return "sub"
	case page.Sup:
		return "sup"
	case page.Strong:
		if l.html {
			return "strong"
		}
	case page.Emphasis:
		if l.html {
			return "em"
		}
	case page.Strike:
		if l.html {
			return "s"
		}
	}
	return ""
}

// destination writes an address so that it fits between a link's parentheses.
func (e *emitter) destination(target string) string {
	if !strings.ContainsAny(target, " ()<>\\&|\t\n\r\x00") && target != "" {
		return target
	}
	var out strings.Builder
	for i := 0; i < len(target); i++ {
		c := target[i]
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			out.WriteByte(' ')
			continue
		case c == '<' || c == '>' || c == '\\' || c == '|' && e.cell:
			out.WriteByte('\\')
		case c == '&':
			if _, size := storage.Reference(target[i:]); size > 0 {
				out.WriteByte('\\')
			}
		}
		out.WriteByte(c)
	}
	if text := out.String(); target != "" && !strings.ContainsAny(target, " ()<>\\\t\n\r") {
		return text
	}
	return "<" + out.String() + ">"
}

// altText is an image's alternative text and, behind a bar, its size.
func altText(i *page.Image) string {
	alt := page.OneLine(i.Alt)
	if i.Size != "" || strings.TrimRight(alt, "0123456789x") != alt && strings.HasSuffix(strings.TrimRight(alt, "0123456789x"), "|") || strings.HasSuffix(alt, "|") {
		alt += "|" + i.Size
	}
	return alt
}

// picture writes an image; its caption is the title.
func (e *emitter) picture(i *page.Image) {
	e.str("![")
	e.text(altText(i), around{before: '[', after: ']', link: true})
	e.str("](" + e.destination(i.Target))
	if i.Caption != "" {
		e.str(` "`)
		e.title(i.Caption)
		e.str(`"`)
	}
	e.str(")")
}

// title writes the inside of a title between double quotes.
func (e *emitter) title(text string) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '"' || c == '\\' || c == '|' && e.cell || c == '`' {
			e.out = append(e.out, '\\')
		} else if c == '&' {
			if _, size := storage.Reference(text[i:]); size > 0 {
				e.out = append(e.out, '\\')
			}
		}
		e.out = append(e.out, c)
	}
}
