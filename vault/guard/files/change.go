package files

import (
	"context"
	"errors"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/files"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Scopes that changes need; the v1 call takes classic scopes as well.
const (
	scopeChange = "write:attachment:confluence and read:content-details:confluence (or write:confluence-file and write:confluence-props)"
	scopeTrash  = "delete:attachment:confluence"
)

// Edit is what changes of a file without its content. What is "" stays.
type Edit = files.Edit

// Change renames a file of a page, or gives it another comment, within a call
// with a Settle. It may be repeated.
func Change(ctx context.Context, w *guard.Wiki, page guard.Page, f File, e Edit) (File, error) {
	if e.Name != "" {
		if err := admitted(w, page, File{ID: f.ID, Name: e.Name, MediaType: f.MediaType, Size: f.Size}); err != nil {
			return File{}, errors.Join(guard.ErrRefused, err)
		}
	}
	was := files.Attachment{ID: f.ID, PageID: page.ID, Name: f.Name, Comment: f.Comment, Version: f.Version}
	var now files.Attachment
	err := w.Send(ctx, what(f), scopeChange, func(c *confluence.Client) (err error) {
		now, err = files.Change(ctx, c, was, f.Version, e)
		if !confluence.Is(err, confluence.KindConflict) {
			return err
		}
		if still, getErr := files.Get(ctx, c, f.ID); getErr != nil || still.Version != f.Version {
			return err
		}
		now, err = files.Change(ctx, c, was, f.Version+1, e) // it counts the other way
		return err
	})
	switch {
	case confluence.Is(err, confluence.KindConflict):
		return File{}, usererr.Wrap(errors.Join(guard.ErrConflict, err), usererr.Conflict,
			fmt.Sprintf("The file is not at version %d any more; nothing was changed", f.Version), "Look at it with confluence_get_attachment first")
	case err != nil:
		return File{}, err
	}
	f.Name, f.Comment, f.Version = now.Name, now.Comment, now.Version
	return f, nil
}

// Trash puts a file of a page into the trash, within a call with a Settle. It
// may be repeated.
func Trash(ctx context.Context, w *guard.Wiki, f File) error {
	return w.Send(ctx, what(f), scopeTrash, func(c *confluence.Client) error { return files.Trash(ctx, c, f.ID) })
}

func what(f File) string { return "The file " + plaintext.Line(f.Name, 80) }
