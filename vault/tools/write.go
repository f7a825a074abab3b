package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// Limits of what is written.
const (
	maxBody    = 5 << 20 // bytes of storage format; Confluence refuses more
	maxTitle   = 255     // characters
	maxMessage = 500     // characters
)

// clockSkew is how far Confluence's clock may be behind ours.
const clockSkew = 2 * time.Minute

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

func written(w *guard.Wiki, p guard.Page, message string) writeOut {
	return writeOut{p.ID, p.Title, p.Space, w.Site(), p.Version, p.URL, p.ParentID, message}
}

func writeText(out writeOut) string {
	text := fmt.Sprintf("%s\n\n%s (page %s in space %s on site %s, version %d", out.Message, out.Title, out.ID, out.Space, out.Site, out.Version)
	if out.ParentID != "" {
		text += ", parent " + out.ParentID
	}
	return text + ")\n" + out.URL + "\n"
}

// storage converts a body, within the limits.
func storage(body string) (string, error) {
	tooLarge := usererr.New(usererr.TooLarge, "The body is larger than the 5 MB that Confluence takes", "Split it into several pages")
	if len(body) > maxBody {
		return "", tooLarge
	}
	text, err := markup.FromMarkdown(body, markup.Options{})
	if err != nil {
		if _, ok := usererr.From(err); ok {
			return "", err
		}
		return "", usererr.Wrap(err, usererr.BadInput, "The body cannot be converted from Markdown", "Simplify it and try again")
	}
	if len(text) > maxBody {
		return "", tooLarge
	}
	return text, nil
}

const createPage = "confluence_create_page"

type createIn struct {
	Space  string `json:"space" jsonschema:"space key"`
	Title  string `json:"title" jsonschema:"must be new in the space"`
	Body   string `json:"body" jsonschema:"Markdown"`
	Parent ref    `json:"parent,omitempty" jsonschema:"id or URL of the parent page; default: the space's home page"`
	Site   string `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

var createPageTool = tool[createIn, writeOut]{
	name: createPage, title: "Create a Confluence page",
	description: "Create a Confluence page from Markdown. Refused if the space has a page of that title.",
	write:       true,
	run:         create,
}

func create(ctx context.Context, t *toolset, in createIn) (writeOut, string, error) {
	in.Title = strings.TrimSpace(in.Title)
	if err := oneLine("title", in.Title, maxTitle); err != nil {
		return writeOut{}, "", err
	}
	body, err := storage(in.Body)
	if err != nil {
		return writeOut{}, "", err
	}
	out, err := guard.Do(ctx, t.cfg.Door, guard.Op[writeOut]{
		Tool: createPage, Site: in.Site, Page: string(in.Parent), Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (writeOut, error) {
			page, err := createOnce(ctx, w, in, body)
			if errors.Is(err, guard.ErrDuplicate) {
				return writeOut{}, taken(ctx, w, in, err)
			}
			return written(w, page, "The page was created."), err
		},
		Settle: func(ctx context.Context, w *guard.Wiki, started time.Time) (writeOut, error) {
			page, err := settleCreate(ctx, w, in, body, started)
			return written(w, page, "The page was created."), err
		},
		Check: "Look for the page with confluence_get_page by space and title before creating it again",
	})
	return out, writeText(out), err
}

func createOnce(ctx context.Context, w *guard.Wiki, in createIn, body string) (guard.Page, error) {
	return w.CreatePage(ctx, guard.NewPage{Space: in.Space, Parent: string(in.Parent), Title: in.Title, Body: body})
}

// taken adds to a refusal where the page of that title is.
func taken(ctx context.Context, w *guard.Wiki, in createIn, refusal error) error {
	page, err := w.PageByTitle(ctx, in.Space, in.Title)
	if err != nil {
		return &detailed{refusal, "The other page is archived, or you may not see it."}
	}
	return &detailed{refusal, fmt.Sprintf("The page: %s (id %s, version %d)", page.URL, page.ID, page.Version)}
}

// settleCreate finds the page by its title. If the title is free the page was
// not created and is now; Confluence refuses a second one, so that two who
// settle at once cannot make two.
func settleCreate(ctx context.Context, w *guard.Wiki, in createIn, body string, started time.Time) (guard.Page, error) {
	var refusal error
	for range 2 {
		page, err := w.PageByTitle(ctx, in.Space, in.Title)
		if err == nil {
			return ourCreation(ctx, w, page, started)
		}
		if usererr.CodeOf(err) != usererr.NotFound {
			return guard.Page{}, err
		}
		page, err = createOnce(ctx, w, in, body)
		if !errors.Is(err, guard.ErrDuplicate) {
			return page, err
		}
		refusal = err // it appeared between the two: look again
	}
	return guard.Page{}, refusal
}

func ourCreation(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (guard.Page, error) {
	me, err := w.Me(ctx)
	if err != nil {
		return guard.Page{}, err
	}
	first := page
	if page.Version > 1 {
		if first, err = w.PageVersion(ctx, page.ID, 1); err != nil {
			return guard.Page{}, err
		}
	}
	if first.Author == me.ID && !page.Created.Before(started.Add(-clockSkew)) {
		return page, nil
	}
	return guard.Page{}, &detailed{
		usererr.Wrap(guard.ErrDuplicate, usererr.Conflict, "The space "+page.Space+" has a page of this title already", "Update that page or choose another title"),
		fmt.Sprintf("The page: %s (id %s, version %d)", page.URL, page.ID, page.Version),
	}
}
