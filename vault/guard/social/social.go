// Package social tells what people do with pages beside writing, and does some
// of it, with the guard's leave. Pages are given as [guard.Page], so that they
// have passed it.
package social

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/social"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/comments"
)

const (
	scopePage       = "read:page:confluence"
	scopeComment    = "read:comment:confluence"
	scopeViews      = "read:analytics.content:confluence (or read:confluence-content.summary)"
	scopeWatch      = "read:watcher:confluence (or read:confluence-content.summary)"
	scopeWriteWatch = "write:watcher:confluence (or write:confluence-content)"
	scopeState      = "read:content-details:confluence (or read:confluence-content.summary)"
	scopeWriteState = "write:content:confluence and read:content-details:confluence (or write:confluence-content)"
	scopeStar       = "write:confluence-content (or write:relation:confluence)"
)

// Thing is what can be watched: content by id, a space by key, a label by name.
type Thing = social.Thing

// State is the state of a page that people set.
type State = social.State

// Person is who watches.
type Person = social.Person

// most is how many people are named.
const most = 25

func about(page guard.Page) string { return "The page " + page.ID }

// PageLikes returns how many like a page, and the account ids of the first of
// them.
func PageLikes(ctx context.Context, w *guard.Wiki, page guard.Page) (n int, accounts []string, err error) {
	kind := social.Page
	if page.Type == "blogpost" {
		kind = social.Blog
	}
	err = w.Ask(ctx, about(page), scopePage, func(c *confluence.Client) (err error) {
		n, accounts, err = social.Likes(ctx, c, kind, page.ID, most)
		return err
	})
	return n, accounts, err
}

// CommentLikes is PageLikes for a comment, whose page has passed the guard.
func CommentLikes(ctx context.Context, w *guard.Wiki, comment comments.Comment) (n int, accounts []string, err error) {
	kind := social.Footer
	if comment.Inline {
		kind = social.Inline
	}
	err = w.Ask(ctx, "The comment "+comment.ID, scopeComment, func(c *confluence.Client) (err error) {
		n, accounts, err = social.Likes(ctx, c, kind, comment.ID, most)
		return err
	})
	return n, accounts, err
}

// Views returns how often a page was viewed, and by how many, since a time.
func Views(ctx context.Context, w *guard.Wiki, page guard.Page, from time.Time) (views, viewers int, err error) {
	err = w.Ask(ctx, "The views of page "+page.ID, scopeViews, func(c *confluence.Client) (err error) {
		views, viewers, err = social.Views(ctx, c, page.ID, from)
		return err
	})
	return views, viewers, err
}

// Watchers returns the first of those who watch a page, and whether there are
// more.
func Watchers(ctx context.Context, w *guard.Wiki, page guard.Page) (all []Person, more bool, err error) {
	err = w.Ask(ctx, "The watchers of page "+page.ID, scopeWatch, func(c *confluence.Client) (err error) {
		all, more, err = social.Watchers(ctx, c, page.ID, most)
		return err
	})
	for i := range all {
		all[i].Name = plaintext.Line(all[i].Name, 100)
	}
	return all, more, err
}

// OfPage, OfSpace and OfLabel are things that can be watched.
func OfPage(page guard.Page) Thing { return Thing{Kind: "content", Key: page.ID} }

// OfSpace is a space that the person may reach.
func OfSpace(ctx context.Context, w *guard.Wiki, key string) (Thing, guard.Space, error) {
	space, err := w.Space(ctx, key)
	if err == nil {
		w.Note("space", space.Key, "")
	}
	return Thing{Kind: "space", Key: space.Key}, space, err
}

// OfLabel is a label. It says nothing about any page.
func OfLabel(w *guard.Wiki, name string) Thing {
	w.Note("label", plaintext.Line(name, 100), "")
	return Thing{Kind: "label", Key: name}
}

// Watching reports whether the person watches something.
func Watching(ctx context.Context, w *guard.Wiki, t Thing) (watching bool, err error) {
	err = w.Ask(ctx, "The watch", scopeWatch, func(c *confluence.Client) (err error) {
		watching, err = social.Watching(ctx, c, t)
		return err
	})
	return watching, err
}

// Watch makes the person watch something, or no longer.
func Watch(ctx context.Context, w *guard.Wiki, t Thing, on bool) error {
	return w.Send(ctx, "The watch", scopeWriteWatch, func(c *confluence.Client) error { return social.Watch(ctx, c, t, on) })
}

// Star puts a page among the person's favourites, or takes it away; one that is
// not there to be taken away is no error.
func Star(ctx context.Context, w *guard.Wiki, page guard.Page, on bool) error {
	return w.Send(ctx, about(page), scopeStar, func(c *confluence.Client) error {
		err := social.Star(ctx, c, page.ID, on)
		if !on && confluence.Is(err, confluence.KindNotFound) {
			return nil
		}
		return err
	})
}

// StateOf returns the state of a page; false if it has none.
func StateOf(ctx context.Context, w *guard.Wiki, page guard.Page) (state State, has bool, err error) {
	err = w.Ask(ctx, "The status of page "+page.ID, scopeState, func(c *confluence.Client) (err error) {
		state, has, err = social.StateOf(ctx, c, page.ID)
		return err
	})
	state.Name = plaintext.Line(state.Name, 100)
	return state, has, err
}

// States returns those that the page can be given.
func States(ctx context.Context, w *guard.Wiki, page guard.Page) (all []State, err error) {
	err = w.Ask(ctx, "The statuses of page "+page.ID, scopeWriteState, func(c *confluence.Client) (err error) {
		all, err = social.States(ctx, c, page.ID)
		return err
	})
	for i := range all {
		all[i].Name = plaintext.Line(all[i].Name, 100)
	}
	return all, err
}

// SetState gives a page a state, which makes a new version of it. A known one is
// of [States].
func SetState(ctx context.Context, w *guard.Wiki, page guard.Page, s State, known bool) error {
	return w.Send(ctx, "The status of page "+page.ID, scopeWriteState, func(c *confluence.Client) error {
		return social.SetState(ctx, c, page.ID, s, known)
	})
}

// ClearState takes the state of a page away.
func ClearState(ctx context.Context, w *guard.Wiki, page guard.Page) error {
	return w.Send(ctx, "The status of page "+page.ID, scopeWriteState, func(c *confluence.Client) error {
		return social.ClearState(ctx, c, page.ID)
	})
}
