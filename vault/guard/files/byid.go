package files

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/files"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// ByID returns the file with an id, and the page that it is on.
func ByID(ctx context.Context, w *guard.Wiki, id string) (File, guard.Page, error) {
	what := "The file " + plaintext.Line(id, 80)
	gone := usererr.New(usererr.NotFound, what+" was not found, or it is not available to you", "confluence_get_attachment lists the files of a page")
	if !files.ValidID(id) {
		return File{}, guard.Page{}, gone
	}
	var a files.Attachment
	err := w.Ask(ctx, what, scopeRead, func(c *confluence.Client) (err error) {
		a, err = files.Get(ctx, c, id)
		return err
	})
	if usererr.CodeOf(err) == usererr.NotFound {
		return File{}, guard.Page{}, usererr.Wrap(err, usererr.NotFound, gone.Message, gone.Hint)
	}
	if err != nil {
		return File{}, guard.Page{}, err
	}
	on := a.PageID
	if on == "" {
		on = a.BlogPostID
	}
	if a.Status != "current" || on == "" {
		return File{}, guard.Page{}, gone
	}
	page, err := w.PageVersion(ctx, on, 0)
	if usererr.CodeOf(err) == usererr.NotFound {
		// The page is not named: that the file is on it is not known to the caller.
		return File{}, guard.Page{}, usererr.Wrap(err, usererr.NotFound, gone.Message, gone.Hint)
	}
	if err != nil {
		return File{}, guard.Page{}, err
	}
	f := file(w, page, a)
	return f, page, admitted(w, page, f)
}
