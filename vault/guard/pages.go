package guard

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/sites"
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
	Labels                  []string // see [Wiki.WithLabels]
	Body                    string   `json:"-"` // storage format; never stored in the journal
}

// Page returns a page named by id or address, as it is now.
func (w *Wiki) Page(ctx context.Context, ref string) (Page, error) {
	at, err := sites.Page(ref, []grant.Site{w.site})
	if err != nil {
		return Page{}, err
	}
	if at.ID == "" {
		return w.PageByTitle(ctx, at.Space, at.Title)
	}
	return w.PageVersion(ctx, at.ID, 0)
}

// PageID is the id that names a page in ref, "" if ref has none.
func (w *Wiki) PageID(ref string) string {
	at, _ := sites.Page(ref, []grant.Site{w.site}) // else it has none
	return at.ID
}

// PageVersion returns one version of a page; 0 is the current one.
func (w *Wiki) PageVersion(ctx context.Context, id string, version int) (Page, error) {
	what := "The page " + clip(id)
	var page confluence.Page
	err := w.ask(ctx, func(c *confluence.Client) (err error) {
		read := c.Page
		if w.labels {
			read = c.Labelled
		}
		page, err = read(ctx, id, version)
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
	if w.rec.policy.Space(space.Key) != nil {
		return Page{}, missing(what, w.rec.denied(p.Type, p.ID, space.Key))
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
		Created: p.Created, Updated: p.Version.Created, URL: w.Link(path), Body: p.Body, Labels: p.Labels,
	}, nil
}

// PageByTitle returns the page of a space with exactly this title, read
// after any write: the search index is not asked.
func (w *Wiki) PageByTitle(ctx context.Context, space, title string) (Page, error) {
	return w.titled(ctx, space, title, "current")
}

// PutAway is PageByTitle for pages that were archived or put into the trash.
func (w *Wiki) PutAway(ctx context.Context, space, title string) (Page, error) {
	return w.titled(ctx, space, title, "archived", "trashed")
}

func (w *Wiki) titled(ctx context.Context, space, title string, states ...string) (Page, error) {
	what := "The page " + quote(title) + " in space " + clip(space)
	s, err := w.Space(ctx, space)
	if err != nil {
		return Page{}, err
	}
	var found []confluence.Page
	err = w.ask(ctx, func(c *confluence.Client) (err error) {
		found, err = c.PagesByTitle(ctx, s.ID, title, states...)
		return err
	})
	if err == nil && len(found) == 0 {
		err = &confluence.Error{Kind: confluence.KindNotFound}
	}
	if err != nil {
		return Page{}, explain(err, what, scopeReadPage)
	}
	newest := slices.MaxFunc(found, func(a, b confluence.Page) int { return a.Created.Compare(b.Created) })
	return w.PageVersion(ctx, newest.ID, 0)
}

// ErrConflict, ErrDuplicate and ErrRefused are in the chain of the errors of
// writes that did not happen: Confluence refused the version, or the title,
// or they were refused for another reason, by Confluence or before.
var (
	ErrConflict  = errors.New("the version is not the next one")
	ErrDuplicate = errors.New("the space has a page of this title")
	ErrRefused   = errors.New("the write was refused")
)

// explainWrite is explain for a write: it adds ErrRefused where Confluence has
// looked at the write and said no, which it would have said before too.
func explainWrite(err error, what, scope string) error {
	var e *confluence.Error
	if confluence.Is(err, confluence.KindNotFound) { // what was there to be read a moment ago
		return errors.Join(ErrRefused, usererr.Wrap(err, usererr.Denied, "You may read "+lower(what)+", but not change it", "Ask the space's administrator for the permission"))
	}
	for _, no := range []confluence.Kind{
		confluence.KindToken, confluence.KindScope, confluence.KindForbidden,
		confluence.KindBadRequest, confluence.KindTooLarge, confluence.KindGone,
	} {
		if errors.As(err, &e) && e.Kind == no && !e.Unsure {
			return errors.Join(ErrRefused, explain(err, what, scope))
		}
	}
	return explain(err, what, scope)
}

// Admit is the gate for a page that came back from Confluence: it is checked and
// noted. What names it in the error. It is for the packages of the guard.
func (w *Wiki) Admit(ctx context.Context, what string, p confluence.Page) (Page, error) {
	return w.admit(ctx, what, p)
}

// Written is [Wiki.Admit] for a page that was just written: whatever goes wrong
// now, the write has happened.
func (w *Wiki) Written(ctx context.Context, what string, p confluence.Page) (Page, error) {
	page, err := w.admit(ctx, what, p)
	return page, Happened(err)
}

// Happened is the error of what comes after a write that was made, nil for none:
// the call then finds out what became of it, as if its answer had been lost.
func Happened(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(&confluence.Error{Kind: confluence.KindProtocol, Unsure: true}, err)
}

// Refused is a user error for a write that was never sent.
func Refused(code usererr.Code, message, hint string) error {
	return usererr.Wrap(ErrRefused, code, message, hint)
}
