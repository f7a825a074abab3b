package section

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// run is the text of one block, as it reads, and where it comes from.
type run struct {
	text   strings.Builder // no-break spaces and line ends are spaces
	pieces []piece
}

// piece is a part of a run that stands in one node.
type piece struct {
	node *storage.Node
	from int   // offset in the run's text
	at   []int // offset in the source of each byte, and of the end
}

// runs gives each block of text to each, until that returns false. With
// programs, those in macros that run them are among it.
func (o Outline) runs(programs bool, each func(*run) bool) {
	var now *run
	going := true
	flush := func() {
		if now != nil && going {
			going = each(now)
		}
		now = nil
	}
	var walk func(n *storage.Node)
	walk = func(n *storage.Node) {
		for c := n.First; c != nil && going; c = c.Next {
			switch {
			case c.Kind == storage.Comment:
			case c.Kind != storage.Element:
				if now == nil {
					now = &run{}
				}
				now.add(c)
			case !descends(c), named(c), !programs && macro.Runs(c.Attr("ac:name")):
			case inline(c.Name):
				walk(c)
			default:
				flush()
				walk(c)
				flush()
			}
		}
	}
	walk(o.doc.Root)
	flush()
}

// named reports whether an element says what a link leads to that has a text of
// its own. Without one, readers see a title or a name in its place.
func named(n *storage.Node) bool {
	link := n.Parent
	return strings.HasPrefix(n.Name, "ri:") && link != nil && link.Name == "ac:link" && (link.Child("ac:link-body") != nil || link.Child("ac:plain-text-link-body") != nil)
}

// inline elements stand within a line of text.
func inline(name string) bool {
	switch name {
	case "strong", "b", "em", "i", "u", "s", "del", "ins", "sub", "sup", "code", "span", "a", "small", "big", "font", "cite", "q", "mark",
		"ac:inline-comment-marker", "ac:link", "ac:link-body", "ac:plain-text-link-body":
		return true
	}
	return false
}

// add adds what a node of text says.
func (r *run) add(n *storage.Node) {
	p := piece{node: n, from: r.text.Len()}
	source, start := n.Inner(), n.InnerStart
	for i := 0; i < len(source); {
		c, size := utf8.DecodeRuneInString(source[i:])
		if n.Kind == storage.Text && c == '&' {
			c, size = entity(source[i:])
		}
		if unicode.IsSpace(c) {
			c = ' '
		}
		for range utf8.RuneLen(c) {
			p.at = append(p.at, start+i)
		}
		r.text.WriteRune(c)
		i += size
	}
	p.at = append(p.at, start+len(source))
	r.pieces = append(r.pieces, p)
}

// entity is the character that a reference stands for, and the reference's
// length. The few that stand for two are not told, so that none is cut in half.
func entity(text string) (rune, int) {
	value, size := storage.Reference(text)
	c, all := utf8.DecodeRuneInString(value)
	switch {
	case size == 0:
		return '&', 1
	case all != len(value):
		return utf8.RuneError, size
	}
	return c, size
}

// plain makes the text that is looked for like that of runs.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case c == utf8.RuneError:
			return -1
		}
		return c
	}, strings.TrimSpace(text))
}

// Count counts how often a text stands on the page, as it reads and within one
// block: marks such as bold are not part of it. A place that overlaps with the
// first counts as well. Programs in macros are no text.
func (o Outline) Count(text string) int {
	text = plain(text)
	if text == "" {
		return 0
	}
	n := 0
	o.runs(false, func(r *run) bool {
		said := r.text.String()
		n += strings.Count(said, text)
		if first := strings.Index(said, text); first >= 0 && n == 1 {
			_, size := utf8.DecodeRuneInString(text)
			n += min(1, strings.Count(said[first+size:], text))
		}
		return true
	})
	return n
}

// ReplaceText replaces the first place of a text, which stands within one block,
// by other plain text. What surrounds it, such as bold and the anchors of inline
// comments, stays. It reports false if the text is not there.
func (o Outline) ReplaceText(old, text string) ([]Edit, bool) {
	old, text = plain(old), strings.TrimSpace(text)
	var edits []Edit
	o.runs(false, func(r *run) bool {
		at := strings.Index(r.text.String(), old)
		if old == "" || at < 0 {
			return true
		}
		// What both begin and end with may stay, which spares marks there.
		from, to, with := trim(old, text)
		edits = r.replace(at+from, at+to, with)
		return false
	})
	return edits, edits != nil // an empty one changes nothing
}

// trim finds what of old is really replaced, and by what.
func trim(old, text string) (from, to int, with string) {
	for from < len(old) && from < len(text) && old[from] == text[from] {
		from++
	}
	for from > 0 && (from < len(old) && !utf8.RuneStart(old[from]) || from < len(text) && !utf8.RuneStart(text[from])) {
		from--
	}
	same := 0
	for same < len(old)-from && same < len(text)-from && old[len(old)-1-same] == text[len(text)-1-same] {
		same++
	}
	for same > 0 && !utf8.RuneStart(old[len(old)-same]) {
		same--
	}
	return from, len(old) - same, text[from : len(text)-same]
}

// replace replaces a part of a run. The new text comes where the part begins. A
// link of which no text is left goes: it would show its address, or the title of
// what it leads to.
func (r *run) replace(from, to int, with string) []Edit {
	edits := []Edit{}
	gone := r.links(from, to)
	for _, p := range r.pieces {
		first, last := max(from, p.from)-p.from, min(to, p.from+len(p.at)-1)-p.from
		insert := from == to && first == last && len(edits) == 0
		if first > last || first == last && !insert {
			continue
		}
		edit := Edit{Start: p.at[first], End: p.at[last]}
		if len(edits) == 0 {
			edit.Text = escape(with, p.node.Kind)
		} else if link := linkAround(p.node); gone[link] {
			if edits[len(edits)-1].End == link.End {
				continue
			}
			edit = Edit{Start: link.Start, End: link.End}
		}
		edits = append(edits, edit)
	}
	return edits
}

// links are those whose text lies within a part of a run, but for the one that
// the part begins in.
func (r *run) links(from, to int) map[*storage.Node]bool {
	within := map[*storage.Node]bool{}
	for _, p := range r.pieces {
		link := linkAround(p.node)
		if link == nil {
			continue
		}
		inside := p.from > from && p.from+len(p.at)-1 <= to
		before, known := within[link]
		within[link] = inside && (before || !known && onlyText(link))
	}
	return within
}

// onlyText reports whether there is nothing but text to see in a link.
func onlyText(n *storage.Node) bool {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == storage.Element && !strings.HasPrefix(c.Name, "ri:") && (!inline(c.Name) || !onlyText(c)) {
			return false
		}
	}
	return true
}

// linkAround is the outermost link that a node of text stands in, or nil.
func linkAround(n *storage.Node) *storage.Node {
	var found *storage.Node
	for n = n.Parent; n != nil && inline(n.Name); n = n.Parent {
		if n.Name == "a" || n.Name == "ac:link" {
			found = n
		}
	}
	return found
}

// escape writes plain text so that it stands in a node of a kind.
func escape(text string, kind storage.Kind) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' && c != '\n' || c == utf8.RuneError || c == 0xFFFE || c == 0xFFFF {
			return -1
		}
		return c
	}, text)
	if kind == storage.CData {
		return strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>")
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// Match is a place where something was found.
type Match struct {
	Section string // id of the innermost section; "" outside of all
	Title   string
	Before  string // some of what stands around it
	Text    string
	After   string
}

// Search finds a text on the page, whatever its case, up to a number of places,
// with so many characters around each. It returns how many there are.
func (o Outline) Search(text string, most, around int) ([]Match, int) {
	want := strings.ToLower(plain(text))
	if want == "" {
		return nil, 0
	}
	var found []Match
	total := 0
	o.runs(true, func(r *run) bool {
		said := r.text.String()
		lower := strings.ToLower(said)
		if len(lower) != len(said) {
			lower = said // letters that change their size: only the exact case
		}
		for at := 0; ; {
			i := strings.Index(lower[at:], want)
			if i < 0 {
				return true
			}
			at += i
			if total++; len(found) < most {
				found = append(found, o.match(r, said, at, at+len(want), around))
			}
			at += len(want)
		}
	})
	return found, total
}

func (o Outline) match(r *run, said string, from, to, around int) Match {
	m := Match{Text: said[from:to], Before: tail(said[:from], around), After: head(said[to:], around)}
	for _, p := range r.pieces {
		if from >= p.from && from < p.from+len(p.at)-1 {
			if s, ok := o.At(p.at[from-p.from]); ok {
				m.Section, m.Title = s.ID, s.Title
			}
			break
		}
	}
	return m
}

// head is at most n characters of the beginning of a text.
func head(text string, n int) string {
	for i := range text {
		if n--; n < 0 {
			return text[:i] + "…"
		}
	}
	return text
}

// tail is at most n characters of the end of a text.
func tail(text string, n int) string {
	at := len(text)
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	if at == 0 {
		return text
	}
	return "…" + text[at:]
}
