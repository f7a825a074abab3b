// Package page is a page as its reader sees it: blocks below each other, made of runs of text.
//
// It stands in the middle of all conversions. Storage format and Atlassian's document format are read into it, Markdown is
// printed from it and parsed into it, storage format is written from it. It knows no syntax. What two ways of marking up
// the same thing have in common ends here: white space is collapsed, marks touch words, neighbours that look alike are
// one ([Settler]), so that a page which was converted once does not change when it is converted again.
package page

import "strings"

// BlockKind says what a block is.
type BlockKind uint8

// The kinds of blocks, with the fields that count for them.
const (
	Paragraph BlockKind = iota // Text, Align
	Heading                    // Level, Text
	List                       // Kids are items; Ordered, Level = first number
	Item                       // Task, Name = the task's number, Kids
	Quote                      // Kids
	Alert                      // Name = macro, Title, Kids
	Details                    // Title, Kids
	Code                       // Name = language, Info = further words, Code
	Rule
	Grid  // Table
	Frame // Name = inside of the placeholder that stands before Kids
	Note  // a footnote: Name = its label, Kids
)

// Block is one block of a page.
type Block struct {
	Kind    BlockKind
	Ordered bool
	Task    byte // of an item: 0, ' ' or 'x', or '!' and '?' for what was decided and what is still to be
	Align   byte // 0, 'l', 'c' or 'r'
	Indent  bool // set in from the left
	Level   int
	Text    []Span
	Kids    []Block
	Name    string
	Title   string
	Info    string
	Code    string
	Table   *Table
	// From and To are the bytes of the source that the block was read from, 0 if unknown. Blocks that come from one
	// element in the midst of text share them.
	From, To int
}

// Table is a grid of cells. Merged cells stand where they begin, so rows may differ in length.
type Table struct {
	Rows []Row
}

// Row is a row of a table. From and To are its bytes in the source.
type Row struct {
	Cells    []Cell
	From, To int
}

// Cell is a cell of a table.
type Cell struct {
	Head             bool
	Align            byte
	Colspan, Rowspan int // at least 1
	Kids             []Block
	From, To         int
}

// SpanKind says what a span is.
type SpanKind uint8

// The kinds of spans.
const (
	Words    SpanKind = iota // Text
	Literal                  // Text, as code
	Break                    // a line ends
	Picture                  // Image
	Date                     // Text is the day, 2026-11-02
	Token                    // Text is the inside of a placeholder: confluence:toc#1
	Anchor                   // Text is the name that links lead to
	Footnote                 // Text is the label of a footnote
	Emoji                    // Text is a short name with its colons, :tada:
)

// Marks are what a span is set in.
type Marks uint8

// The marks.
const (
	Underline Marks = 1 << iota
	Sub
	Sup
	Strong
	Emphasis
	Strike
)

// Span is a run of text, or one object, with one set of marks.
type Span struct {
	Kind  SpanKind
	Marks Marks
	Text  string
	Link  *Link // spans of one link share the pointer
	Image *Image
	// From and To are the bytes of the piece of the source that the span was read from, until spans are settled.
	From, To int
}

// Link is what a text leads to: a URL, or one of ours, confluence-page:SPACE/Title and the like.
type Link struct{ Target string }

// Image is a picture. Size is "320" or "320x200".
type Image struct{ Alt, Target, Size, Caption string }

// OneLine joins a text to one line without double brackets.
func OneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for strings.Contains(text, "]]") {
		text = strings.ReplaceAll(text, "]]", "] ]")
	}
	return text
}

// Panel reports whether a macro is a panel that an Alert can stand for.
func Panel(macro string) bool {
	switch macro {
	case "info", "note", "tip", "warning", "panel":
		return true
	}
	return false
}

// CutSize parts an image's alternative text from the size that stands behind its last bar.
func CutSize(text string) (alt, size string) {
	i := strings.LastIndexByte(text, '|')
	if i < 0 || len(text)-i > 12 || strings.Trim(text[i+1:], "0123456789x") != "" {
		return text, ""
	}
	return text[:i], text[i+1:]
}

// CutInfo parts the language from the further words in the first line of a fence. A line that begins with one of those,
// name="…", has no language.
func CutInfo(line string) (language, info string) {
	line = strings.TrimSpace(line)
	language, info, _ = strings.Cut(line, " ")
	if strings.ContainsAny(language, "=\"") || language == "collapse" || language == "linenumbers" {
		return "", line
	}
	return language, strings.TrimSpace(info)
}

// ValidDay reports whether a date can stand in an address as it is.
func ValidDay(day string) bool {
	return day != "" && len(day) <= 40 && strings.Trim(day, "0123456789-:.TZ+") == ""
}
