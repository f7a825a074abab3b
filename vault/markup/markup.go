package markup

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/adf"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/parsing"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/printing"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/writing"
)

// ErrTooLarge is what both directions answer for texts beyond storage.MaxSize.
var ErrTooLarge = errors.New("the text is larger than 8 MiB")

// Options tune a conversion. The zero value is the ordinary choice.
type Options struct {
	// UserName tells the display name of an account when a page is read; nil or "" means that it is unknown.
	UserName func(account string) string
	// Original answers, when a page is written, the storage format that a placeholder was made for. Without it,
	// placeholders are written as the text they are.
	Original func(placeholder string) (storage string, ok bool)
	// Beside is, when a part of a page is written, what of the page stands beside it, in storage format: tasks get numbers
	// that none there has.
	Beside string
}

// writing is what these are for vault/markup/writing.
func (opt Options) writing() writing.Options {
	return writing.Options{Original: opt.Original, Beside: opt.Beside}
}

// account is that of somebody who is mentioned, in storage format.
var account = regexp.MustCompile(`ri:account-id="([^"<>&]{1,128})"`)

// Accounts lists whom a page in storage format mentions: those that [Options.UserName] is asked for. Some may be there more
// than once.
func Accounts(body string) []string {
	var all []string
	for _, found := range account.FindAllStringSubmatch(body, -1) {
		all = append(all, found[1])
	}
	return all
}

// SameText reports whether two pages read the same, whatever they look like in storage format: Confluence adds ids of its
// own to what it stores.
func SameText(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := ToMarkdown(a, Options{})
	y, err2 := ToMarkdown(b, Options{})
	return err1 == nil && err2 == nil && slices.Equal(strings.Fields(x.Markdown), strings.Fields(y.Markdown))
}

// Document is a page in Markdown.
type Document struct {
	Markdown string
	// Lost lists what Markdown has no form for, as the placeholders that stand in its place.
	Lost []string
	// Originals holds the storage format that placeholders stand for, those that end a body and the short names of emoji
	// among them: what Options.Original answers from. It is for the vault, not for the model.
	Originals map[string]string
	// Flattened names the constructs whose content is there but whose frame or look is not: layout, colour, …
	Flattened []string
}

// ToMarkdown reads storage format, or a body in Atlassian's document format. The error is [ErrTooLarge] or a
// [*storage.Error].
func ToMarkdown(body string, opt Options) (Document, error) {
	if len(body) > storage.MaxSize {
		return Document{}, ErrTooLarge
	}
	if read, ok := adf.Read(body); ok {
		return document(read), nil
	}
	doc, err := storage.Parse(body)
	if err != nil {
		return Document{}, err
	}
	return document(reading.Read(doc, reading.Options{UserName: opt.UserName})), nil
}

// document prints what was read.
func document(read reading.Result) Document {
	made := Document{Markdown: printing.Print(read.Blocks), Flattened: read.Flattened}
	for _, lost := range read.Lost {
		made.Lost = append(made.Lost, lost.Placeholder)
		if lost.Original == "" {
			continue
		}
		if made.Originals == nil {
			made.Originals = map[string]string{}
		}
		made.Originals[lost.Placeholder] = lost.Original
		if lost.Closing != "" {
			made.Originals[lost.Closing] = lost.Rest
		}
	}
	if made.Originals == nil {
		made.Originals = read.Emoji
	} else {
		maps.Copy(made.Originals, read.Emoji)
	}
	return made
}

// FromMarkdown writes storage format. Characters that XML cannot carry are left out. The error is [ErrTooLarge].
func FromMarkdown(md string, opt Options) (string, error) {
	if len(md) > storage.MaxSize {
		return "", ErrTooLarge
	}
	return writing.Write(parse(md), opt.writing()), nil
}

// Images tells where the images of a Markdown text begin, in bytes and in their order; what looks like one in code is none.
// Of a text that is too large it finds none.
func Images(md string) []int {
	if len(md) > storage.MaxSize || !strings.Contains(md, "![") {
		return nil
	}
	return parsing.Images(md)
}

// parse reads Markdown from anywhere: with line ends of any kind, without broken characters.
func parse(md string) []page.Block {
	if !utf8.ValidString(md) {
		md = strings.ToValidUTF8(md, "")
	}
	if strings.IndexByte(md, '\r') >= 0 {
		md = strings.ReplaceAll(strings.ReplaceAll(md, "\r\n", "\n"), "\r", "\n")
	}
	return parsing.Parse(md)
}
