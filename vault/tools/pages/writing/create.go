// Package writing has the tools that create pages and change what is on them.
package writing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, createPageTool)
	tool.Register(s, set, updatePageTool)
	tool.Register(s, set, editPageTool)
}

const createPage = "confluence_create_page"

type createIn struct {
	Space  string        `json:"space" jsonschema:"space key"`
	Title  string        `json:"title" jsonschema:"must be new in the space"`
	Body   string        `json:"body" jsonschema:"Markdown"`
	Parent arguments.Ref `json:"parent,omitempty" jsonschema:"id or URL of the parent page; default: the space's home page"`
	Site   string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

var createPageTool = tool.Spec[createIn, change.Out]{
	Name: createPage, Title: "Create a Confluence page",
	Description: "Create a Confluence page from Markdown. Refused if the space has a page of that title.",
	Write:       true,
	Run:         create,
}

func create(ctx context.Context, t *tool.Set, in createIn) (change.Out, string, error) {
	in.Title = strings.TrimSpace(in.Title)
	if err := arguments.OneLine("title", in.Title, change.MaxTitle); err != nil {
		return change.Out{}, "", err
	}
	body, err := change.Storage(in.Body)
	if err != nil {
		return change.Out{}, "", err
	}
	c := creation{in, body}
	out, err := guard.Do(ctx, t.Door, guard.Op[change.Out]{
		Tool: createPage, Site: in.Site, Page: string(in.Parent), Input: in,
		Run:    c.run,
		Settle: c.settle,
		Check:  "Look for the page with confluence_get_page by space and title before creating it again",
	})
	return out, change.Text(out), err
}

// creation is one new page, on its way.
type creation struct {
	in   createIn
	body string // storage format
}

func (c creation) run(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	out, err := c.put(ctx, w)
	if !errors.Is(err, guard.ErrDuplicate) {
		return out, err
	}
	page, readErr := w.PageByTitle(ctx, c.in.Space, c.in.Title)
	if readErr != nil {
		return change.Out{}, tool.Detailed(err, "The other page is archived, or you may not see it.")
	}
	return change.Out{}, tool.Detailed(err, where(page))
}

func (c creation) put(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, err := pages.Create(ctx, w, pages.New{Space: c.in.Space, Parent: string(c.in.Parent), Title: c.in.Title, Body: c.body})
	if err != nil {
		return change.Out{}, err
	}
	return change.Answered(w, page, "The page was created."), nil
}

func where(page guard.Page) string {
	return fmt.Sprintf("The page: %s (id %s, version %d, created %s)", page.URL, page.ID, page.Version, tool.Stamp(page.Created))
}

// settle finds the page by its title. If the title is free the page was not
// created and is now; Confluence refuses a second one, so that two who settle
// at once cannot make two.
func (c creation) settle(ctx context.Context, w *guard.Wiki, started time.Time) (change.Out, error) {
	var refusal error
	for range 2 {
		page, err := w.PageByTitle(ctx, c.in.Space, c.in.Title)
		if err == nil {
			return c.settled(ctx, w, page, started)
		}
		if usererr.CodeOf(err) != usererr.NotFound {
			return change.Out{}, err
		}
		if err := c.putAway(ctx, w, started); err != nil {
			return change.Out{}, err
		}
		out, err := c.put(ctx, w)
		if !errors.Is(err, guard.ErrDuplicate) {
			return out, err
		}
		refusal = err // it appeared between the two: look again
	}
	return change.Out{}, refusal
}

func (c creation) settled(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (change.Out, error) {
	by, err := c.made(ctx, w, page, started)
	switch {
	case err != nil:
		return change.Out{}, err
	case by == change.Ours:
		return change.Answered(w, page, "The page was created."), nil
	case by == change.Others:
		return change.Out{}, tool.Detailed(
			usererr.Wrap(guard.ErrDuplicate, usererr.Conflict, "The space "+page.Space+" has a page of this title already", "Update that page or choose another title"),
			where(page),
		)
	}
	return change.Out{}, usererr.New(usererr.Unknown, "You have a page of this title, and it is not certain whether this call created it", "Read the page and compare")
}

// putAway refuses to create a page that may have been created already and
// archived or deleted since, which frees its title.
func (c creation) putAway(ctx context.Context, w *guard.Wiki, started time.Time) error {
	page, err := w.PutAway(ctx, c.in.Space, c.in.Title)
	if usererr.CodeOf(err) == usererr.NotFound {
		return nil
	}
	by := change.Others
	if err == nil {
		by, err = c.made(ctx, w, page, started)
	}
	if err == nil && by != change.Others {
		err = usererr.New(usererr.Unknown, "A page of this title was put away, and it is not certain whether this call created it", "Look into the trash of the space")
	}
	return err
}

func (c creation) made(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (change.Whose, error) {
	first := page
	if page.Version > 1 {
		var err error
		if first, err = w.PageVersion(ctx, page.ID, 1); err != nil {
			return change.Unclear, err
		}
	}
	first.Updated = page.Created
	return change.Wrote(ctx, w, first, started, change.SameText(first.Body, c.body)), nil
}
