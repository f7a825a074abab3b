package guard

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Page is a page or blog post of a space that the person may reach.
type Page struct {
	ID, Type, Status, Title string
	Space                   string // key
	SpaceID                 string
	ParentID                string
	Version                 int
	Author                  string // account id of who wrote this version
	Message                 string // of this version
	Created, Updated        time.Time
	URL                     string
	Body                    string `json:"-"` // storage format; never stored in the journal
}

// Page returns a page named by id or address, as it is now.
func (w *Wiki) Page(ctx context.Context, ref string) (Page, error) {
	at, err := confluence.ParseAddress(ref, []string{w.site.URL})
	if err != nil {
		return Page{}, addressError(err, w.token.Sites)
	}
	if at.ID == "" {
		return w.PageByTitle(ctx, at.Space, at.Title)
	}
	return w.PageVersion(ctx, at.ID, 0)
}

// PageVersion returns one version of a page; 0 is the current one.
func (w *Wiki) PageVersion(ctx context.Context, id string, version int) (Page, error) {
	what := "The page " + clip(id)
	var page confluence.Page
	err := w.ask(ctx, func(c *confluence.Client) (err error) {
		page, err = c.Page(ctx, id, version)
		return err
	})
	if err != nil {
		return Page{}, explain(err, what, scopeReadPage)
	}
	return w.admit(ctx, what, page)
}

// admit checks a page that came back, notes it and makes it ours.
func (w *Wiki) admit(ctx context.Context, what string, p confluence.Page) (Page, error) {
	space, err := w.spaceByID(ctx, p.SpaceID)
	if err != nil {
		return Page{}, explain(err, what, scopeReadSpace)
	}
	w.rec.note(p.Type, p.ID, space.Key)
	w.seen = append(w.seen, space.Key)
	path := p.Path
	if path == "" {
		path = "/pages/viewpage.action?pageId=" + p.ID
	}
	return Page{
		ID: p.ID, Type: p.Type, Status: p.Status, Title: p.Title, Space: space.Key, SpaceID: p.SpaceID, ParentID: p.ParentID,
		Version: p.Version.Number, Author: p.Version.AuthorID, Message: p.Version.Message,
		Created: p.Created, Updated: p.Version.Created, URL: w.link(path), Body: p.Body,
	}, nil
}

// PageByTitle returns the page of a space with exactly this title, read
// after any write: the search index is not asked.
func (w *Wiki) PageByTitle(ctx context.Context, space, title string) (Page, error) {
	what := "The page " + quote(title) + " in space " + clip(space)
	s, err := w.Space(ctx, space)
	if err != nil {
		return Page{}, err
	}
	var found []confluence.Page
	err = w.ask(ctx, func(c *confluence.Client) (err error) {
		found, err = c.PagesByTitle(ctx, s.ID, title)
		return err
	})
	if err == nil && len(found) == 0 {
		err = &confluence.Error{Kind: confluence.KindNotFound}
	}
	if err != nil {
		return Page{}, explain(err, what, scopeReadPage)
	}
	return w.PageVersion(ctx, found[0].ID, 0)
}

// ErrConflict and ErrDuplicate are in the chain of the errors of writes that
// Confluence refused for the version or for the title.
var (
	ErrConflict  = errors.New("the version is not the next one")
	ErrDuplicate = errors.New("the space has a page of this title")
)

// NewPage is a page to be created. Body is storage format; Parent is an id or
// address, and without it the page goes below the home page of the space.
type NewPage struct {
	Space, Parent, Title, Body string
}

// CreatePage creates a page.
func (w *Wiki) CreatePage(ctx context.Context, n NewPage) (Page, error) {
	space, err := w.Space(ctx, n.Space)
	if err != nil {
		return Page{}, err
	}
	var parent Page
	if n.Parent != "" {
		if parent, err = w.Page(ctx, n.Parent); err != nil {
			return Page{}, err
		}
		if parent.SpaceID != space.ID {
			return Page{}, usererr.New(usererr.BadInput, "The parent page is in space "+parent.Space+", not in "+space.Key, "Give the space of the parent, or another parent")
		}
	}
	what := "The page " + quote(n.Title)
	var page confluence.Page
	err = w.ask(ctx, func(c *confluence.Client) (err error) {
		w.wrote = true
		page, err = c.CreatePage(ctx, confluence.Draft{SpaceID: space.ID, ParentID: parent.ID, Title: n.Title, Body: n.Body})
		return err
	})
	if confluence.Is(err, confluence.KindDuplicateTitle) {
		return Page{}, usererr.Wrap(errors.Join(ErrDuplicate, err), usererr.Conflict,
			"The space "+space.Key+" has a page titled "+quote(n.Title)+" already", "Update that page or choose another title")
	}
	if err != nil {
		return Page{}, explain(err, what, scopeWritePage)
	}
	return w.admitted(ctx, what, page)
}

// admitted is admit for a page that was just written: whatever goes wrong
// now, the write has happened.
func (w *Wiki) admitted(ctx context.Context, what string, p confluence.Page) (Page, error) {
	page, err := w.admit(ctx, what, p)
	if err != nil {
		return Page{}, errors.Join(&confluence.Error{Kind: confluence.KindProtocol, Unsure: true}, err)
	}
	return page, nil
}

// Edit replaces title and body of a page. Number is the version that is
// written: the current one plus one.
type Edit struct {
	ID, Title, Body, Message string
	Number                   int
}

// UpdatePage writes a version of a page. The caller has read the page through
// this Wiki, which checked its space; it is checked again here.
func (w *Wiki) UpdatePage(ctx context.Context, before Page, e Edit) (Page, error) {
	what := "The page " + clip(e.ID)
	if err := w.rec.policy.Space(before.Space); err != nil || before.ID != e.ID {
		return Page{}, missing(what, err)
	}
	var page confluence.Page
	err := w.ask(ctx, func(c *confluence.Client) (err error) {
		w.wrote = true
		page, err = c.UpdatePage(ctx, confluence.Edit{ID: e.ID, Title: e.Title, Body: e.Body, Message: e.Message, Number: e.Number})
		return err
	})
	switch {
	case confluence.Is(err, confluence.KindConflict):
		return Page{}, usererr.Wrap(errors.Join(ErrConflict, err), usererr.Conflict, "The page was changed by somebody else", "Read it again, then update that version")
	case confluence.Is(err, confluence.KindDuplicateTitle):
		return Page{}, usererr.Wrap(errors.Join(ErrDuplicate, err), usererr.Conflict,
			"The space "+before.Space+" has another page titled "+quote(e.Title), "Choose another title")
	case err != nil:
		return Page{}, explain(err, what, scopeWritePage)
	}
	return w.admitted(ctx, what, page)
}
