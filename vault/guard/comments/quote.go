package comments

import (
	"slices"
	"strings"
	"unicode"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Match is where a quoted text stands on a page.
type Match struct {
	Text      string // as the page has it
	Index, Of int    // from 0, of how many
	Around    string // what stands before and after, for people
}

// maxMatches limits the matches that are looked at.
const maxMatches = 200

// Find looks for a quoted text on a page. White space may differ, and so may
// the Markdown in it: what counts is what a reader sees. A match may run
// through bold text and links, but not from one paragraph to the next.
func Find(body, quote string) []Match {
	doc, err := storage.Parse(body)
	if err != nil {
		return nil
	}
	lines := &reader{}
	lines.read(doc.Root)
	lines.end()
	for _, form := range []string{quote, plain(quote)} {
		words := strings.FieldsFunc(form, unicode.IsSpace)
		if len(words) == 0 {
			continue
		}
		if found := lines.find(words); len(found) > 0 {
			return found
		}
	}
	return nil
}

// plain takes the marks of Markdown out of a quote.
func plain(quote string) string {
	return strings.NewReplacer("**", "", "__", "", "~~", "", "`", "", "*", "", `\`, "").Replace(quote)
}

// reader gathers the lines of text that a reader sees.
type reader struct {
	line strings.Builder
	all  []string
}

func (r *reader) end() {
	if r.line.Len() > 0 {
		r.all = append(r.all, r.line.String())
	}
	r.line.Reset()
}

func (r *reader) read(n *storage.Node) {
	for c := n.First; c != nil; c = c.Next {
		switch {
		case c.Kind == storage.Text:
			r.line.WriteString(c.Value())
		case c.Kind == storage.CData: // code, which takes no comments
			r.end()
		case c.Kind != storage.Element || hidden(c.Name):
		case inline(c.Name):
			r.read(c)
		default:
			r.end()
			r.read(c)
			r.end()
		}
	}
}

// hidden elements hold settings, not text.
func hidden(name string) bool {
	return slices.Contains([]string{"ac:parameter", "ac:task-id", "ac:task-uuid", "ac:task-status", "ac:placeholder", "ac:adf-attribute", "ac:adf-fallback"}, name)
}

// inline elements do not end a line of text.
func inline(name string) bool {
	return slices.Contains([]string{
		"strong", "em", "b", "i", "u", "s", "del", "ins", "sub", "sup", "span", "a", "code", "small", "big", "font", "mark",
		"ac:inline-comment-marker", "ac:link", "ac:link-body",
	}, name)
}

// find finds words in a row. Matches that differ in their white space are not
// the same text for Confluence: those count that are like the first.
func (r *reader) find(words []string) []Match {
	var all []Match
	for _, line := range r.all {
		for at := 0; at < len(line) && len(all) < maxMatches; {
			from, to := match(line[at:], words)
			if to < 0 {
				break
			}
			from, to = from+at, to+at
			all = append(all, Match{Text: line[from:to], Around: around(line, from, to)})
			at = to
		}
	}
	counts := map[string]int{}
	for i := range all {
		all[i].Index = counts[all[i].Text]
		counts[all[i].Text]++
	}
	for i := range all {
		all[i].Of = counts[all[i].Text]
	}
	return all
}

// match finds the first place of words in line; to is -1 if there is none.
func match(line string, words []string) (from, to int) {
	for at := 0; ; {
		i := strings.Index(line[at:], words[0])
		if i < 0 {
			return 0, -1
		}
		from = at + i
		if to = follow(line, from+len(words[0]), words[1:]); to >= 0 {
			return from, to
		}
		at = from + 1
	}
}

// follow returns where words end that begin behind white space at to; -1 if
// they are not there.
func follow(line string, to int, words []string) int {
	for _, word := range words {
		rest := strings.TrimLeftFunc(line[to:], unicode.IsSpace)
		if len(rest) == len(line)-to || !strings.HasPrefix(rest, word) {
			return -1
		}
		to = len(line) - len(rest) + len(word)
	}
	return to
}

// beside is how many bytes around a match are shown.
const beside = 40

func around(line string, from, to int) string {
	before, after := line[max(0, from-beside):from], line[to:min(len(line), to+beside)]
	shown := line[from:to]
	if len(shown) > 2*beside {
		shown = shown[:beside] + " … " + shown[len(shown)-beside:]
	}
	text := before + "»" + shown + "«" + after
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}
