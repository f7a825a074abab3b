package export

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/people"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// divider stands between two pages.
const divider = "\n---\n\n"

// Limits of one export.
const (
	maxDepth = 5
	maxPages = 200
	maxFile  = 64 << 20 // bytes
)

// position is where a text goes on: in a page of the tree, behind the parts of
// this version of it that were cut off already, each of so many characters.
type position struct {
	Page, Site, Format string
	Depth, Max         int
	Index              int
	Cuts               []int
	Version            int
}

// pages are the ids of the pages of an export, in the order in which people see
// them, and whether there are more.
func pages(ctx context.Context, w *guard.Wiki, page guard.Page, depth int) ([]string, bool, error) {
	ids := []string{page.ID}
	if depth == 0 || page.Type != "page" {
		return ids, false, nil
	}
	tree, err := trees.Below(ctx, w, page, depth)
	if err != nil {
		return nil, false, err
	}
	for _, n := range tree.Nodes {
		switch {
		case n.Depth == 0 || n.Type != "page":
		case len(ids) == maxPages:
			return ids, true, nil
		default:
			ids = append(ids, n.ID)
		}
	}
	return ids, tree.More, nil
}

// markdown is a page as it stands in an export.
func markdown(ctx context.Context, w *guard.Wiki, page guard.Page) string {
	names := people.Names(ctx, w, markup.Accounts(page.Body))
	head := fmt.Sprintf("# %s\n\nPage %s in space %s, version %d of %s: <%s>\n\n", plaintext.Line(page.Title, 255), page.ID, page.Space, page.Version, tool.Stamp(page.Updated), page.URL)
	doc, err := markup.ToMarkdown(page.Body, markup.Options{UserName: func(account string) string { return names[account] }})
	if err != nil {
		return head + "(This page cannot be shown as Markdown.)\n"
	}
	return head + strings.TrimSpace(doc.Markdown) + "\n"
}

// least is what must be left in an answer to begin another page in it.
const least = 300

// written puts into o as much of an export as there is room for, from at on, and
// moves at. It reports whether there is more.
func (o *out) written(ctx context.Context, w *guard.Wiki, root guard.Page, at *position) (bool, error) {
	ids, cut, err := pages(ctx, w, root, at.Depth)
	if err != nil {
		return false, err
	}
	var b strings.Builder
	first, last := at.Index+1, at.Index
	for left := at.Max; at.Index < len(ids) && left >= least; {
		tool.Progress(ctx, at.Index, len(ids), "exporting")
		head, rest, err := at.part(ctx, w, root, ids[at.Index], left)
		if err != nil {
			return false, err
		}
		if b.Len() > 0 && head != "" {
			b.WriteString(divider)
		}
		b.WriteString(head)
		last = at.Index + 1
		if rest != "" {
			at.Cuts = append(at.Cuts, left)
			break
		}
		left -= len([]rune(head)) + len(divider)
		at.Index, at.Cuts = at.Index+1, nil
	}
	o.Pages, o.Markdown = len(ids), b.String()
	o.Message = fmt.Sprintf("Pages %d to %d of %d as Markdown.", first, last, len(ids))
	if cut {
		o.Message += fmt.Sprintf(" The tree is larger: only the first %d pages of it are exported.", len(ids))
	}
	return at.Index < len(ids), nil
}

// part is what comes next of a page, and what is left of it then; nothing of a
// page that has gone.
func (at *position) part(ctx context.Context, w *guard.Wiki, root guard.Page, id string, left int) (head, rest string, err error) {
	page := root
	if id != root.ID {
		if page, err = w.PageVersion(ctx, id, 0); err != nil {
			if gone(err) {
				err = nil
			}
			return "", "", err
		}
	}
	if len(at.Cuts) > 0 && at.Version != page.Version {
		return "", "", usererr.New(usererr.Conflict, "The page "+page.ID+" has changed since the export began", "Begin again without cursor")
	}
	at.Version = page.Version
	rest = markdown(ctx, w, page)
	for _, cut := range at.Cuts {
		_, rest = markup.Split(rest, cut)
	}
	head, rest = markup.Split(rest, left)
	return head, rest, nil
}

func gone(err error) bool { return err != nil && usererr.CodeOf(err) == usererr.NotFound }

// saving is an export into a file.
type saving struct {
	root   guard.Page
	depth  int
	folder string
	held   *tool.Held
}

// saved writes an export into a file of the person's computer, which is kept
// later.
func (o *out) saved(ctx context.Context, t *tool.Set, w *guard.Wiki, s saving) error {
	ids, cut, err := pages(ctx, w, s.root, s.depth)
	if err != nil {
		return err
	}
	target, err := s.held.Create(ctx, t.Computer, s.folder, fileName(s.root), 0)
	if err != nil {
		return err
	}
	for i, id := range ids {
		tool.Progress(ctx, i, len(ids), "exporting")
		page, err := w.PageVersion(ctx, id, 0)
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		part := markdown(ctx, w, page)
		if o.Pages > 0 {
			part = divider + part
		}
		if o.Size += int64(len(part)); o.Size > maxFile {
			return usererr.New(usererr.TooLarge, "The export is larger than 64 MB", "Export a smaller part of the tree")
		}
		if _, err := io.WriteString(target, part); err != nil {
			return err
		}
		o.Pages++
		bulk.Moved(ctx)
	}
	s.held.Written()
	o.Message = fmt.Sprintf("%d pages were saved as Markdown.", o.Pages)
	if cut {
		o.Message += " The tree is larger: the rest of it was left out."
	}
	return nil
}

// fileName is the name of the file for a page.
func fileName(page guard.Page) string {
	title := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '-'
		}
		return r
	}, plaintext.Line(page.Title, 100))
	title = strings.Trim(title, " .-")
	if title == "" {
		title = "page " + page.ID
	}
	return title + ".md"
}
