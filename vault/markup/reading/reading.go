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
	// Original is its source; "" if its body is shown behind the placeholder.
	Original string
}

// Result is what a page says.
type Result struct {
	Blocks []page.Block
	Lost   []Lost // in order
	// Flattened names, once each, the constructs whose content is shown but whose frame or look is not: layout, colour, …
	Flattened []string
}

// Read gathers a document.
func Read(doc *storage.Document, opt Options) Result {
	r := &reader{opt: opt}
	blocks := r.children(doc.Root)
	return Result{blocks, r.lost, r.flattened}
}

// reader gathers blocks.
type reader struct {
	opt       Options
	lost      []Lost
	flattened []string
	settler   page.Settler
}

// flatten notes that the frame of a construct is not shown.
func (r *reader) flatten(what string) {
	if !slices.Contains(r.flattened, what) {
		r.flattened = append(r.flattened, what)
	}
}

// placeholder numbers a construct without Markdown form. The answer is what stands between the double brackets.
func (r *reader) placeholder(name, meaning, original string) string {
	text := Placeholder(name, len(r.lost)+1, meaning)
	r.lost = append(r.lost, Lost{"[[" + text + "]]", original})
	return text
}

// Placeholder is what stands between the double brackets for a construct of that name and number.
func Placeholder(name string, number int, meaning string) string {
	text := "confluence:" + word(name) + "#" + strconv.Itoa(number)
	if meaning = clip(page.OneLine(meaning)); meaning != "" {
		text += " " + meaning
	}
	return text
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
