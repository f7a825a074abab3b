package files

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Bring uploads the images that a text brings along to the page that it is for,
// and returns the text with the attachments in their place. An image is brought
// along if its destination is a path of the caller's computer (with a folder in
// it, or file:) or a small data: URI; all others stay as they are, and a text
// without such images is returned at no cost.
//
// Tools that take Markdown call it within guard.Op.Run, before the page is
// written, so that the page is written once its images are there:
//
//	body, err := files.Bring(ctx, set, w, page, in.Body)
//
// page must exist: a page that is created is made as a draft first, images are
// brought to the draft, and then it is published. Nothing is uploaded for a dry
// run: leave Bring out of it. A text that is sent again uploads nothing twice:
// an image that is there with the same bytes, which its name tells, stays.
//
// Its errors are user errors; after one, some images may have been uploaded,
// but nothing refers to them. The chain has guard.ErrRefused, since the page
// itself was not written.
func Bring(ctx context.Context, set *tool.Set, w *guard.Wiki, page guard.Page, markdown string) (string, error) {
	return bring(ctx, set, w, page, markdown)
}

// Brings reports whether [Bring] would upload something for a text.
func Brings(markdown string) bool { return len(pictures(markdown)) > 0 }
