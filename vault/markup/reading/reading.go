// Package reading turns parsed storage format into Markdown (CommonMark with GFM tables, strikethrough, task lists and
// alerts).
//
// It works in two steps. Gathering walks the storage tree once and makes blocks of spans out of it: what a reader sees,
// independent of how it was marked up. Emitting writes those as Markdown, escaping no more than needed, or as HTML inside
// tables that Markdown cannot carry. What has no form at all becomes a numbered placeholder, [[confluence:toc#1]], that
// carries its meaning. Text is never dropped: a construct that nobody knows is shown by its text.
//
// Time and output are linear in the input: the indentation of nested constructs is bounded.
package reading

import (
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Options tune the reading.
type Options struct {
	// UserName tells the display name of an account; nil or "" means that it is unknown.
	UserName func(account string) string
}

// Result is a page in Markdown.
type Result struct {
	Markdown string
	// Lost are the placeholders, in order, as they stand in the Markdown (unescaped).
	Lost []string
	// Flattened names, once each, the constructs whose content is shown but whose frame is not: layout, excerpt, …
	Flattened []string
}

// Read converts a document.
func Read(doc *storage.Document, opt Options) Result {
	r := &reader{opt: opt}
	blocks := r.children(doc.Root)
	e := emitter{out: make([]byte, 0, len(doc.Source)/2+64)}
	e.blocks(blocks, false)
	if len(e.out) > 0 {
		e.out = append(e.out, '\n')
	}
	return Result{string(e.out), r.lost, r.flattened}
}

// reader gathers blocks.
type reader struct {
	opt       Options
	lost      []string
	flattened []string
	arena     []span // finished spans are cut from here, to save allocations
}

// flatten notes that the frame of a construct is not shown.
func (r *reader) flatten(what string) {
	for _, known := range r.flattened {
		if known == what {
			return
		}
	}
	r.flattened = append(r.flattened, what)
}

// placeholder numbers a construct without Markdown form. The answer is what stands between the double brackets.
func (r *reader) placeholder(name, meaning string) string {
	text := "confluence:" + word(name) + "#" + strconv.Itoa(len(r.lost)+1)
	if meaning = oneLine(meaning); meaning != "" {
		text += " " + meaning
	}
	r.lost = append(r.lost, "[["+text+"]]")
	return text
}

// word makes the name of a macro fit for a placeholder.
func word(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r <= ' ', r == '[', r == ']', r == '#', r == 0xa0:
			return '-'
		}
		return r
	}, name)
}

// oneLine joins a text to one line without double brackets.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for strings.Contains(text, "]]") {
		text = strings.ReplaceAll(text, "]]", "] ]")
	}
	return text
}

type blockKind uint8

const (
	paragraph blockKind = iota
	heading             // level
	list                // kids are items; ordered, level = first number
	item                // task
	quote
	alert   // name = macro, title
	details // title
	code    // name = language, info = further words, code
	rule
	grid // table
)

type block struct {
	kind    blockKind
	ordered bool
	task    byte // of an item: 0, ' ' or 'x'
	align   byte // of a paragraph: 0, 'l', 'c' or 'r'
	level   int
	text    []span
	kids    []block
	name    string
	title   string
	info    string
	code    string
	table   *table
}

type table struct {
	rows [][]cell
}

type cell struct {
	head             bool
	align            byte
	colspan, rowspan int
	kids             []block
}

type spanKind uint8

const (
	words   spanKind = iota // text
	literal                 // text, as code
	lineBreak
	picture // image
	auto    // text is a URI to be shown in angle brackets
	token   // text is the inside of a placeholder
)

// marks are what a span is set in.
type marks uint8

const (
	underline marks = 1 << iota
	sub
	sup
	strong
	emphasis
	strike
)

// span is a run of text, or one object, with one set of marks.
type span struct {
	kind  spanKind
	marks marks
	text  string
	link  *link
	image *image
}

type link struct{ target string }

type image struct{ alt, target, size, caption string }
