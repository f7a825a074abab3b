package files

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Contents returns what gives the attachment with an id as a resource: what is
// known of it, then its text or the picture.
func Contents(set *tool.Set) func(ctx context.Context, w *guard.Wiki, uri, id string) ([]*mcp.ResourceContents, error) {
	r := newReading()
	return func(ctx context.Context, w *guard.Wiki, uri, id string) ([]*mcp.ResourceContents, error) {
		f, page, err := files.ByID(ctx, w, id)
		if err != nil {
			return nil, err
		}
		out, err := look{set, w, page, getIn{File: f.ID, MaxChars: mostChars}, whence{}}.one(ctx, r.slots)
		if err != nil {
			return nil, err
		}
		about := shown(f)
		var b strings.Builder
		fmt.Fprintf(&b, "# %s\n\nFile %s on page %s (%s) in space %s on site %s: %s, %d bytes, version %d\n%s\n", about.Name, about.ID, page.ID, page.Title,
			page.Space, w.Site(), about.MediaType, about.Size, about.Version, about.URL)
		if out.Note != "" {
			b.WriteString(out.Note + ".\n")
		}
		b.WriteString("\n" + tool.Notice + "\n")
		if out.Text != "" {
			b.WriteString("\n" + out.Text + "\n")
		}
		contents := []*mcp.ResourceContents{{URI: uri, MIMEType: "text/markdown", Text: b.String()}}
		if out.picture != nil {
			contents = append(contents, &mcp.ResourceContents{URI: uri, MIMEType: out.picture.MIMEType, Blob: out.picture.Data})
		}
		return contents, nil
	}
}
