package resources

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/browse"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// maxPage is how many characters of a page are given: a person attaches it
// whole, and clients put it into the conversation as it is.
const maxPage = 100_000

// changes is how many changes of a space are listed.
const changes = 20

// page gives a page as Markdown.
func page(ctx context.Context, w *guard.Wiki, uri, id string) ([]*mcp.ResourceContents, error) {
	p, err := w.PageVersion(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	doc, err := markup.ToMarkdown(p.Body, markup.Options{})
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Internal, "The page's content cannot be converted to Markdown", "Open it in the browser: "+p.URL)
	}
	text, rest := markup.Split(doc.Markdown, maxPage)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s %s in space %s on site %s, version %d", p.Title, p.Type, p.ID, p.Space, w.Site(), p.Version)
	if p.Status != "current" {
		b.WriteString(", " + p.Status)
	}
	if stamp := tool.Stamp(p.Updated); stamp != "" {
		b.WriteString(", updated " + stamp)
	}
	b.WriteString("\n" + p.URL + "\n")
	if rest != "" { // before the content, so that nobody else can have written it
		fmt.Fprintf(&b, "Only the first %d characters are here; confluence_get_page has the rest.\n", maxPage)
	}
	b.WriteString("\n" + tool.Notice + "\n\n" + text)
	return one(uri, b.String()), nil
}

// space gives a space with what was changed last in it.
func space(ctx context.Context, w *guard.Wiki, uri, key string) ([]*mcp.ResourceContents, error) {
	s, err := w.Space(ctx, key)
	if err != nil {
		return nil, err
	}
	hits, err := browse.Changes(ctx, w, s.Key, changes)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s space %s on site %s\n%s\n\n%s\n\n", s.Name, s.Type, s.Key, w.Site(), s.URL, tool.Notice)
	if len(hits.Hits) == 0 {
		b.WriteString("No pages.\n")
	} else {
		b.WriteString("Changed last:\n\n")
	}
	for _, h := range hits.Hits {
		fmt.Fprintf(&b, "- %s (%s %s, updated %s) %s\n", h.Title, h.Type, h.ID, tool.Stamp(h.Modified), Page(w.Site(), h.ID))
	}
	return one(uri, b.String()), nil
}

func one(uri, text string) []*mcp.ResourceContents {
	return []*mcp.ResourceContents{{URI: uri, MIMEType: markdown, Text: text}}
}
