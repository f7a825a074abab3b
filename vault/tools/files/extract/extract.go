// Package extract reads what a model can use out of files that anybody made:
// text out of plain, Office and PDF files, and pictures in a size for looking
// at. It takes every file for one that means harm: sizes, numbers, depth and
// time have limits, and what is beyond them is said instead of read. It does
// no I/O.
package extract

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of what is read.
const (
	MaxFile = 25 << 20 // bytes of a file
	MaxText = 4 << 20  // bytes of the text of one
)

// ErrUnreadable says that a file is not what its name says, is damaged, or is
// beyond a limit. Its text is fit for people.
var ErrUnreadable = errors.New("the file cannot be read")

func unreadable(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, a...))
}

// Kind is what can be made of a file.
type Kind int

// The kinds.
const (
	None    Kind = iota // nothing but what is said about it
	Text                // text
	Office              // text, out of a zip archive of XML
	PDF                 // text, out of a PDF file
	Picture             // a picture
)

// KindOf says by name and media type what can be made of a file.
func KindOf(name, mediaType string) Kind {
	mediaType, _, _ = strings.Cut(strings.ToLower(mediaType), ";")
	ending := strings.ToLower(path.Ext(name))
	switch ending {
	case ".docx", ".docm", ".xlsx", ".xlsm", ".pptx", ".pptm", ".odt", ".ods", ".odp":
		return Office
	case ".pdf":
		return PDF
	case ".png", ".jpg", ".jpeg", ".gif":
		return Picture
	case ".txt", ".md", ".markdown", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".log", ".html", ".htm",
		".svg", ".drawio", ".sql", ".rst", ".tex", ".diff", ".patch", ".puml", ".mmd", ".eml", ".ics", ".vtt", ".srt":
		return Text
	}
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif":
		return Picture
	case "application/pdf":
		return PDF
	case "application/json", "application/xml", "application/yaml", "application/x-yaml", "image/svg+xml":
		return Text
	}
	if strings.HasPrefix(mediaType, "text/") {
		return Text
	}
	return None
}

// Plain reads a file of text: UTF-8, or UTF-16 that says so. Text beyond the
// limit is left out.
func Plain(data []byte) (string, error) {
	text := string(data)
	switch {
	case strings.HasPrefix(text, "\xef\xbb\xbf"):
		text = text[3:]
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		text = wide(data)
	}
	if strings.ContainsRune(text[:min(len(text), 8<<10)], 0) {
		return "", unreadable("it is no text")
	}
	if !utf8.ValidString(text) {
		// Of the old encodings this is the one that most files have.
		text = latin(text)
	}
	return clip(text), nil
}

func wide(data []byte) string {
	big := data[0] == 0xfe
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		a, b := uint16(data[i]), uint16(data[i+1])
		if big {
			a, b = b, a
		}
		units = append(units, b<<8|a)
	}
	return string(utf16.Decode(units))
}

func latin(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			r = rune(text[0]) // ISO 8859-1
		}
		b.WriteRune(r)
		text = text[size:]
	}
	return b.String()
}

// clip keeps the limit, on a whole character.
func clip(text string) string {
	if len(text) <= MaxText {
		return text
	}
	end := MaxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// writer collects text up to the limit and makes paragraphs of it.
type writer struct {
	ctx  context.Context //nolint:containedctx // of the one reading
	b    strings.Builder
	full bool
}

func (w *writer) add(text string) {
	if w.full = w.full || w.b.Len()+len(text) > MaxText; !w.full {
		w.b.WriteString(text)
	}
}

// text is what was collected, without what cannot be seen and without more than
// one empty line.
func (w *writer) text() string {
	var b strings.Builder
	empty := 0
	for line := range strings.SplitSeq(strings.ToValidUTF8(w.b.String(), ""), "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			empty++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat("\n", min(empty, 1)+1))
		}
		empty = 0
		b.WriteString(line)
	}
	return b.String()
}
