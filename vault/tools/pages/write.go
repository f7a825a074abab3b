package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Limits of what is written.
const (
	maxTitle   = 255 // characters
	maxMessage = 500 // characters
)

type writeOut struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Space    string `json:"space"`
	Site     string `json:"site"`
	Version  int    `json:"version"`
	URL      string `json:"url"`
	ParentID string `json:"parent_id,omitempty"`
	Message  string `json:"message"`
}

func answered(w *guard.Wiki, p guard.Page, message string) writeOut {
	return writeOut{p.ID, p.Title, p.Space, w.Site(), p.Version, p.URL, p.ParentID, message}
}

func writeText(out writeOut) string {
	text := fmt.Sprintf("%s\n\n%s (page %s in space %s on site %s, version %d", out.Message, out.Title, out.ID, out.Space, out.Site, out.Version)
	if out.ParentID != "" {
		text += ", parent " + out.ParentID
	}
	return text + ")\n" + out.URL + "\n"
}

const createPage = "confluence_create_page"

type createIn struct {
	Space  string        `json:"space" jsonschema:"space key"`
	Title  string        `json:"title" jsonschema:"must be new in the space"`
	Body   string        `json:"body" jsonschema:"Markdown"`
	Parent arguments.Ref `json:"parent,omitempty" jsonschema:"id or URL of the parent page; default: the space's home page"`
	Site   string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

var createPageTool = tool.Spec[createIn, writeOut]{
	Name: createPage, Title: "Create a Confluence page",
	Description: "Create a Confluence page from Markdown. Refused if the space has a page of that title.",
	Write:       true,
	Run:         create,
}

func create(ctx context.Context, t *tool.Set, in createIn) (writeOut, string, error) {
	in.Title = strings.TrimSpace(in.Title)
	if err := arguments.OneLine("title", in.Title, maxTitle); err != nil {
		return writeOut{}, "", err
	}
	body, err := storage(in.Body, nil)
	if err != nil {
		return writeOut{}, "", err
	}
	c := creation{in, body}
	out, err := guard.Do(ctx, t.Door, guard.Op[writeOut]{
		Tool: createPage, Site: in.Site, Page: string(in.Parent), Input: in,
		Run:    c.run,
		Settle: c.settle,
		Check:  "Look for the page with confluence_get_page by space and title before creating it again",
	})
	return out, writeText(out), err
}

// creation is one new page, on its way.
type creation struct {
	in   createIn
	body string // storage format
}

func (c creation) run(ctx context.Context, w *guard.Wiki) (writeOut, error) {
	out, err := c.put(ctx, w)
	if !errors.Is(err, guard.ErrDuplicate) {
		return out, err
	}
	page, readErr := w.PageByTitle(ctx, c.in.Space, c.in.Title)
	if readErr != nil {
		return writeOut{}, tool.Detailed(err, "The other page is archived, or you may not see it.")
	}
	return writeOut{}, tool.Detailed(err, where(page))
}

func (c creation) put(ctx context.Context, w *guard.Wiki) (writeOut, error) {
	page, err := w.CreatePage(ctx, guard.NewPage{Space: c.in.Space, Parent: string(c.in.Parent), Title: c.in.Title, Body: c.body})
	if err != nil {
		return writeOut{}, err
	}
	return answered(w, page, "The page was created."), nil
}

func where(page guard.Page) string {
	return fmt.Sprintf("The page: %s (id %s, version %d, created %s)", page.URL, page.ID, page.Version, tool.Stamp(page.Created))
}

// settle finds the page by its title. If the title is free the page was not
// created and is now; Confluence refuses a second one, so that two who settle
// at once cannot make two.
func (c creation) settle(ctx context.Context, w *guard.Wiki, started time.Time) (writeOut, error) {
	var refusal error
	for range 2 {
		page, err := w.PageByTitle(ctx, c.in.Space, c.in.Title)
		if err == nil {
			return c.settled(ctx, w, page, started)
		}
		if usererr.CodeOf(err) != usererr.NotFound {
			return writeOut{}, err
		}
		if err := c.putAway(ctx, w, started); err != nil {
			return writeOut{}, err
		}
		out, err := c.put(ctx, w)
		if !errors.Is(err, guard.ErrDuplicate) {
			return out, err
		}
		refusal = err // it appeared between the two: look again
	}
	return writeOut{}, refusal
}

func (c creation) settled(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (writeOut, error) {
	by, err := c.made(ctx, w, page, started)
	switch {
	case err != nil:
		return writeOut{}, err
	case by == ours:
		return answered(w, page, "The page was created."), nil
	case by == others:
		return writeOut{}, tool.Detailed(
			usererr.Wrap(guard.ErrDuplicate, usererr.Conflict, "The space "+page.Space+" has a page of this title already", "Update that page or choose another title"),
			where(page),
		)
	}
	return writeOut{}, usererr.New(usererr.Unknown, "You have a page of this title, and it is not certain whether this call created it", "Read the page and compare")
}

// putAway refuses to create a page that may have been created already and
// archived or deleted since, which frees its title.
func (c creation) putAway(ctx context.Context, w *guard.Wiki, started time.Time) error {
	page, err := w.PutAway(ctx, c.in.Space, c.in.Title)
	if usererr.CodeOf(err) == usererr.NotFound {
		return nil
	}
	by := others
	if err == nil {
		by, err = c.made(ctx, w, page, started)
	}
	if err == nil && by != others {
		err = usererr.New(usererr.Unknown, "A page of this title was put away, and it is not certain whether this call created it", "Look into the trash of the space")
	}
	return err
}

func (c creation) made(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (whose, error) {
	first := page
	if page.Version > 1 {
		var err error
		if first, err = w.PageVersion(ctx, page.ID, 1); err != nil {
			return unclear, err
		}
	}
	first.Updated = page.Created
	return wrote(ctx, w, first, started, sameText(first.Body, c.body)), nil
}
