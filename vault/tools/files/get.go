package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const get = "confluence_get_attachment"

// Limits of one answer.
const (
	standardChars = 12_000
	mostChars     = 60_000
	standardFiles = 25
	mostFiles     = 100
	readTime      = 20 * time.Second // for making text or a picture of a file
	atOnce        = 2                // files that are in memory, for all callers
)

type getIn struct {
	Page      arguments.Ref `json:"page" jsonschema:"id or URL"`
	File      string        `json:"file,omitempty" jsonschema:"name or id (att…); default: list them"`
	MediaType string        `json:"media_type,omitempty" jsonschema:"list only these"`
	Version   int           `json:"version,omitempty"`
	MaxChars  int           `json:"max_chars,omitempty" jsonschema:"of text, default 12000"`
	Limit     int           `json:"limit,omitempty" jsonschema:"files in a list, default 25"`
	Cursor    string        `json:"cursor,omitempty"`
	Site      string        `json:"site,omitempty"`
}

type getOut struct {
	Files  []fileOut `json:"files"`
	Text   string    `json:"text,omitempty"`
	Note   string    `json:"note,omitempty"`
	Cursor string    `json:"cursor,omitempty"`

	picture *mcp.ImageContent
}

// Content is the picture, for those who can see.
func (o getOut) Content() []mcp.Content {
	if o.picture == nil {
		return nil
	}
	return []mcp.Content{o.picture}
}

// whence is what a cursor of this tool knows.
type whence struct {
	File   string `json:"f,omitempty"` // id
	From   int    `json:"n,omitempty"` // bytes of its text
	Cursor string `json:"c,omitempty"` // of Confluence's list
}

// reading reads files; few at once, since they are in memory meanwhile.
type reading struct{ slots chan struct{} }

func newReading() *reading { return &reading{make(chan struct{}, atOnce)} }

func (r *reading) tool() tool.Spec[getIn, getOut] {
	return tool.Spec[getIn, getOut]{
		Name: get, Title: "Look at files of a Confluence page",
		Description: "List the attachments of a page, or read one: pictures are shown, text comes out of plain, PDF and Office files.",
		Run:         r.run,
	}
}

func (r *reading) run(ctx context.Context, t *tool.Set, in getIn) (getOut, string, error) {
	limit, err := arguments.Within("limit", in.Limit, standardFiles, 1, mostFiles)
	if err == nil {
		in.Limit = limit
		in.MaxChars, err = arguments.Within("max_chars", in.MaxChars, standardChars, 100, mostChars)
	}
	var from whence
	if err == nil && in.Cursor != "" {
		err = t.Door.OpenCursor(ctx, get, in.Cursor, &from)
	}
	if err != nil {
		return getOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[getOut]{
		Tool: get, Site: in.Site, Page: string(in.Page),
		Run: func(ctx context.Context, w *guard.Wiki) (getOut, error) {
			page, err := w.Page(ctx, string(in.Page))
			if err != nil {
				return getOut{}, err
			}
			l := look{t, w, page, in, from}
			if in.File == "" && from.File == "" {
				return l.list(ctx)
			}
			return l.one(ctx, r.slots)
		},
	})
	return out, getText(out), err
}

// look is one look at the files of a page.
type look struct {
	set  *tool.Set
	w    *guard.Wiki
	page guard.Page
	in   getIn
	from whence
}

func (l look) list(ctx context.Context) (getOut, error) {
	found, next, err := files.List(ctx, l.w, l.page, files.Query{MediaType: l.in.MediaType, Limit: l.in.Limit, Cursor: l.from.Cursor})
	if err != nil {
		return getOut{}, err
	}
	out := getOut{Files: make([]fileOut, 0, len(found))}
	for _, f := range found {
		out.Files = append(out.Files, shown(f))
	}
	if next != "" {
		out.Cursor, err = l.set.Door.Cursor(ctx, get, whence{Cursor: next})
	}
	return out, err
}

// one reads one file, when there is a slot for it.
func (l look) one(ctx context.Context, slots chan struct{}) (getOut, error) {
	ref := l.in.File
	if l.from.File != "" {
		ref = l.from.File
	}
	f, err := files.Find(ctx, l.w, l.page, ref)
	if err != nil {
		return getOut{}, err
	}
	out := getOut{Files: []fileOut{shown(f)}}
	kind := extract.KindOf(f.Name, f.MediaType)
	switch {
	case kind == extract.None, kind == extract.PDF && l.set.PDF == nil:
		out.Note = "Files of this kind cannot be shown here; " + download + " saves it on the person's computer"
		return out, nil
	case f.Size > extract.MaxFile:
		out.Note = fmt.Sprintf("The file is larger than the %d MiB that are read here; %s saves it on the person's computer", extract.MaxFile>>20, download)
		return out, nil
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return getOut{}, usererr.New(usererr.RateLimited, "Too many files are being read at once", "Try again in a moment")
	}
	defer func() { <-slots }()
	var content bounded
	if _, err := files.Download(ctx, l.w, l.page, files.Content{File: f, Version: l.in.Version, Into: &content}); err != nil {
		return getOut{}, err
	}
	if err := l.show(ctx, kind, content.data.Bytes(), &out); err != nil {
		return getOut{}, err
	}
	if out.Cursor != "" { // where to go on, which is sealed here
		out.Cursor, err = l.set.Door.Cursor(ctx, get, whence{File: f.ID, From: l.from.From + len(out.Text)})
	}
	return out, err
}

// bounded takes a file that may be longer than was said.
type bounded struct{ data bytes.Buffer }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.data.Len()+len(p) > extract.MaxFile {
		return 0, usererr.New(usererr.TooLarge, "The file is larger than is read here", "Save it on the person's computer with "+download)
	}
	return b.data.Write(p)
}

// show makes of a file what a model can use. What cannot be read is said, since
// what is known of the file is an answer too.
func (l look) show(ctx context.Context, kind extract.Kind, data []byte, out *getOut) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	var text string
	var err error
	switch kind {
	case extract.Picture:
		var picture extract.Shown
		if picture, err = extract.Look(ctx, data); err == nil {
			out.picture = &mcp.ImageContent{Data: picture.Data, MIMEType: picture.MediaType}
			out.Note = fmt.Sprintf("The picture has %d x %d points", picture.Width, picture.Height)
			return nil
		}
	case extract.Office:
		text, err = extract.OfficeText(ctx, data)
	case extract.PDF:
		text, err = l.set.PDF(ctx, data)
	case extract.Text, extract.None:
		text, err = extract.Plain(data)
	}
	switch {
	case errors.Is(err, extract.ErrUnreadable):
		out.Note = "It cannot be shown: " + strings.TrimPrefix(err.Error(), extract.ErrUnreadable.Error()+": ") + "; " + download + " saves it on the person's computer"
		return nil
	case err != nil && ctx.Err() != nil:
		out.Note = "It takes too long to read; " + download + " saves it on the person's computer"
		return nil
	case err != nil:
		return err
	case strings.TrimSpace(text) == "":
		out.Note = "There is no text in it"
		return nil
	}
	from := l.from.From
	out.Text = part(text, from, l.in.MaxChars)
	if from+len(out.Text) < len(text) {
		out.Cursor = "more"
		out.Note = fmt.Sprintf("%d of %d characters are left", utf8.RuneCountInString(text[from+len(out.Text):]), utf8.RuneCountInString(text))
	}
	return nil
}

// part is at most most characters of text, from a byte on.
func part(text string, from, most int) string {
	if from < 0 || from > len(text) {
		from = len(text) // the file has changed meanwhile
	}
	text = text[from:]
	at := 0
	for range most {
		_, size := utf8.DecodeRuneInString(text[at:])
		if size == 0 {
			break
		}
		at += size
	}
	return text[:at]
}

func getText(out getOut) string {
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n")
	if len(out.Files) == 0 {
		b.WriteString("The page has no files.\n")
	}
	for _, f := range out.Files {
		fmt.Fprintf(&b, "- %s (%s, %s, %d bytes, version %d, %s)", f.Name, f.ID, f.MediaType, f.Size, f.Version, f.Created)
		if f.Comment != "" {
			b.WriteString(": " + f.Comment)
		}
		b.WriteString("\n")
	}
	if out.Text != "" {
		b.WriteString("\n" + out.Text + "\n")
	}
	if out.Note != "" {
		b.WriteString("\n" + out.Note + ".\n")
	}
	tool.More(&b, out.Cursor)
	return b.String()
}
