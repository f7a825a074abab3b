// Package export has the tool that takes a page, or a small tree of pages, out of
// Confluence: as Markdown, into the conversation or into a file of the person's
// computer. For PDF and Word Atlassian has no API that apps may use; the answer
// is the address at which the person's browser gets them.
package export

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, exportTool) }

const name = "confluence_export"

type in struct {
	Page      arguments.Ref `json:"page,omitempty" jsonschema:"id or URL"`
	Format    string        `json:"format,omitempty" jsonschema:"markdown (default), pdf or word"`
	Depth     int           `json:"depth,omitempty" jsonschema:"markdown: how deep to take the pages below along, 1 to 5; default none"`
	Folder    string        `json:"folder,omitempty" jsonschema:"markdown: save a file in this folder of the person's computer instead of answering the text"`
	Overwrite bool          `json:"overwrite,omitempty" jsonschema:"replace a file of this name there"`
	Max       int           `json:"max_characters,omitempty" jsonschema:"of an answer, 1000 to 100000, default 20000"`
	Site      string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
	Cursor    string        `json:"cursor,omitempty"`
}

type out struct {
	Notice     string `json:"notice"`
	Title      string `json:"title"`
	Space      string `json:"space"`
	Pages      int    `json:"pages,omitempty" jsonschema:"of the export"`
	Markdown   string `json:"markdown,omitempty"`
	Path       string `json:"path,omitempty" jsonschema:"of the file"`
	Size       int64  `json:"size,omitempty" jsonschema:"of the file, in bytes"`
	URL        string `json:"url,omitempty" jsonschema:"for the person's browser"`
	Message    string `json:"message"`
	NextCursor string `json:"next_cursor,omitempty" jsonschema:"absent at the end"`
}

var exportTool = tool.Spec[in, out]{
	Name: name, Title: "Export Confluence pages",
	Description: "Export a Confluence page, with the pages below it if wanted, as one Markdown text or as a file in a folder of the person's computer. For PDF and Word it gives the link that exports in the person's browser: Atlassian has no API for them.",
	Toolset:     "export", Bulk: true,
	Run: run,
}

func run(ctx context.Context, t *tool.Set, in in) (out, string, error) {
	at, err := where(ctx, t, in)
	if err != nil {
		return out{}, "", err
	}
	if in.Folder != "" && t.Computer == nil {
		return out{}, "", usererr.New(usererr.Unavailable, "This vault moves no files", "Leave out folder to get the text")
	}
	held := tool.Hold(ctx)
	defer held.Drop()
	o, err := guard.Do(asking(ctx, in), t.Door, guard.Op[out]{
		Tool: name, Site: at.Site, Page: at.Page, Bulk: true,
		Run: func(ctx context.Context, w *guard.Wiki) (out, error) {
			page, err := w.Page(ctx, at.Page)
			if err != nil {
				return out{}, err
			}
			o := out{Notice: tool.Notice, Title: page.Title, Space: page.Space}
			switch {
			case at.Format != "markdown":
				return o.linked(w, page, at.Format), nil
			case in.Folder != "":
				err := o.saved(ctx, t, w, saving{page, at.Depth, in.Folder, held})
				return o, err
			}
			more, err := o.written(ctx, w, page, &at)
			if err == nil && more {
				at.Page, at.Site = page.ID, w.Site()
				o.NextCursor, err = t.Door.Cursor(ctx, name, at)
			}
			return o, err
		},
	})
	if err == nil && in.Folder != "" {
		o.Path, err = held.Keep()
	}
	return o, text(o), err
}

// asking leaves of a folder only its name for the audit record.
func asking(ctx context.Context, in in) context.Context {
	if i := strings.LastIndexAny(in.Folder, `/\`); i >= 0 {
		in.Folder = in.Folder[i+1:]
	}
	told, err := json.Marshal(in)
	if err != nil {
		return ctx // impossible: texts and numbers
	}
	return guard.Asking(ctx, told)
}

func where(ctx context.Context, t *tool.Set, in in) (position, error) {
	var at position
	if in.Cursor != "" {
		err := t.Door.OpenCursor(ctx, name, in.Cursor, &at)
		return at, err
	}
	bad := func(message, hint string) error { return usererr.New(usererr.BadInput, message, hint) }
	if in.Page == "" {
		return at, bad(`The argument "page" is missing`, "Give the id or address of a page")
	}
	format, err := arguments.OneOf("format", in.Format, "markdown", "pdf", "word")
	if err != nil {
		return at, err
	}
	if format != "markdown" && (in.Depth != 0 || in.Folder != "") {
		return at, bad("depth and folder are for Markdown", "PDF and Word are exported in the person's browser, one page at a time")
	}
	depth, err := arguments.Within("depth", in.Depth, 0, 1, maxDepth)
	if err != nil {
		return at, err
	}
	limit, err := arguments.Within("max_characters", in.Max, 20_000, 1_000, 100_000)
	return position{Page: string(in.Page), Site: in.Site, Format: format, Depth: depth, Max: limit}, err
}

// linked answers with the address that exports in a browser.
func (o out) linked(w *guard.Wiki, page guard.Page, format string) out {
	path, kind := "/spaces/flyingpdf/pdfpageexport.action?pageId=", "PDF"
	if format == "word" {
		path, kind = "/exportword?pageId=", "Word"
	}
	o.URL = w.Link(path + page.ID)
	o.Message = "Atlassian has no API that lets an app export " + kind + ". The person can open the link in the browser in which they are signed in to Confluence; it exports this page."
	return o
}

func text(o out) string {
	var b strings.Builder
	b.WriteString(o.Message + "\n")
	if o.URL != "" {
		b.WriteString(o.URL + "\n")
	}
	if o.Path != "" {
		fmt.Fprintf(&b, "%s (%d bytes)\n", o.Path, o.Size)
	}
	if o.Markdown != "" {
		b.WriteString("\n" + tool.Notice + "\n\n" + o.Markdown + "\n\n")
	}
	tool.More(&b, o.NextCursor)
	return b.String()
}
