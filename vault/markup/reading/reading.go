// Package reading gathers what a page says from storage format, or from the XHTML that Markdown may carry.
//
// It walks the tree once and makes blocks of spans out of it: what a reader sees, independent of how it was marked up.
// What Markdown has no form for becomes a numbered placeholder, [[confluence:toc#1]], that carries its meaning. Text is
// never dropped: a construct that nobody knows is named by a placeholder and shown by its text. Time is linear in the input.
package reading

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Options tune the reading.
type Options struct {
	// UserName tells the display name of an account; nil or "" means that it is unknown.
	UserName func(account string) string
	// HTML says that the source is a piece of HTML out of Markdown: panels, expands, tasks and links to things in
	// Confluence are marked as vault/markup/printing marks them. In a stored page such marks mean nothing.
	HTML bool
}

// Lost is a construct that Markdown has no form for.
type Lost struct {
	// Placeholder stands in its place: [[confluence:toc#1]].
	Placeholder string
	// Original is its source; if its body is shown behind the placeholder, only what is before that.
	Original string
	// Closing is the placeholder behind the body, and Rest the source that it stands for; "" without a body.
	Closing, Rest string
}

// Result is what a page says.
type Result struct {
	Blocks []page.Block
	Lost   []Lost // in order
	// Emoji holds the sources of emoji that have no character, by their short name.
	Emoji map[string]string
	// Flattened names, once each, the constructs whose content is shown but whose frame or look is not: layout, colour, …
	Flattened []string
}

// Read gathers a document.
func Read(doc *storage.Document, opt Options) Result {
	r := &reader{opt: opt}
	blocks := r.children(doc.Root)
	return Result{blocks, r.lost, r.emoji, r.flattened}
}

// reader gathers blocks.
type reader struct {
	opt       Options
	number    int // of placeholders so far
	lost      []Lost
	emoji     map[string]string
	flattened []string
	notes     map[string]bool // the labels of footnotes, once somebody asked
	settler   page.Settler
	rooms     []room       // that builders have left
	arena     []page.Block // finished blocks are cut from here
}

// flatten notes that the frame of a construct is not shown.
func (r *reader) flatten(what string) {
	if !slices.Contains(r.flattened, what) {
		r.flattened = append(r.flattened, what)
	}
}

// placeholder numbers a construct without Markdown form. The answer is what stands between the double brackets.
func (r *reader) placeholder(name, meaning, original string) string {
	r.number++
	text := Placeholder(name, r.number, meaning)
	r.lost = append(r.lost, Lost{Placeholder: "[[" + text + "]]", Original: original})
	return text
}

// Placeholder is what stands between the double brackets for a construct of that name and number.
func Placeholder(name string, number int, meaning string) string {
	text := "confluence:" + word(name) + "#" + strconv.Itoa(number)
	if meaning = clip(page.OneLine(meaning)); meaning != "" {
		text += " " + brackets(meaning)
	}
	return text
}

// brackets makes round ones of square ones, which end a placeholder.
func brackets(text string) string {
	if !strings.ContainsAny(text, "[]") {
		return text
	}
	return strings.NewReplacer("[", "(", "]", ")").Replace(text)
}

// maxMeaning bounds what a placeholder says, in bytes: a pointer to the thing, not the thing.
const maxMeaning = 300

// clip keeps a text within that bound.
func clip(text string) string {
	if len(text) > maxMeaning {
		return strings.ToValidUTF8(text[:maxMeaning], "") + "…"
	}
	return text
}

// word makes the name of a macro fit for a placeholder.
func word(name string) string {
	return clip(strings.Map(func(r rune) rune {
		switch {
		case r <= ' ', r == '[', r == ']', r == '#', r == 0xa0:
			return '-'
		}
		return r
	}, name))
}
