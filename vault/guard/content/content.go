// Package content finds, creates and deletes what stands in the tree and is no
// page, with the guard's leave.
package content

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/content"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const (
	scopeKind  = "read:content.metadata:confluence"
	scopeBelow = "read:hierarchical-content:confluence"
)

func scope(verb string, kind Kind) string { return verb + ":" + string(kind) + ":confluence" }

// Kind is a kind of objects.
type Kind = content.Kind

// Kinds are their names.
func Kinds() []string {
	var all []string
	for _, kind := range content.Kinds() {
		all = append(all, string(kind))
	}
	return all
}

// Object is a folder, whiteboard, database or embedded link of a space that the
// person may reach.
type Object struct {
	Kind                 Kind
	ID, Title, Status    string
	Space, SpaceID       string
	ParentID, ParentType string
	Author               string // account id
	Created              time.Time
	Version              int
	EmbedURL             string
	URL                  string
}

var inAddress = regexp.MustCompile(`^/wiki/spaces/[^/]+/(whiteboard|database|folder|embed)/([0-9]{1,19})(?:/.*)?$`)

// Parse reads an id, or an address on the site. Kind is "" where it does not say.
func parse(w *guard.Wiki, ref string) (kind Kind, id string, err error) {
	ref = strings.TrimSpace(ref)
	if confluence.ValidPageID(ref) {
		return "", ref, nil
	}
	bad := usererr.New(usererr.BadInput, "This is not the id or address of a folder, whiteboard, database or embedded link", "Give the number in its address")
	u, err := url.Parse(ref)
	if err != nil || u.User != nil {
		return "", "", bad
	}
	if u.Host != "" && !strings.HasPrefix(ref, w.Link("/")) {
		return "", "", usererr.New(usererr.BadInput, "The address is not on site "+w.Site(), "Give the argument site, or an address on this site")
	}
	found := inAddress.FindStringSubmatch(u.Path)
	if found == nil {
		return "", "", bad
	}
	return Kind(found[1]), found[2], nil
}

func name(kind Kind, id string) string { return "The " + string(kind) + " " + id }

// Find returns an object by its id or address. The kind may be "".
func Find(ctx context.Context, w *guard.Wiki, ref string, kind Kind) (Object, error) {
	said, id, err := parse(w, ref)
	if err != nil {
		return Object{}, err
	}
	if said != "" {
		kind = said
	}
	if kind != "" {
		return get(ctx, w, kind, id)
	}
	var o Object
	if kind, err = kindOf(ctx, w, id); err == nil {
		o, err = get(ctx, w, kind, id)
	}
	return o, missing(err, "The object "+id) // the caller does not know its kind either
}

func get(ctx context.Context, w *guard.Wiki, kind Kind, id string) (o Object, err error) {
	var found content.Object
	err = w.Ask(ctx, name(kind, id), scope("read", kind), func(c *confluence.Client) (err error) {
		found, err = content.Get(ctx, c, kind, id)
		return err
	})
	if err == nil {
		o, err = admit(ctx, w, found)
	}
	return o, missing(err, name(kind, id))
}

// missing has what is not found, for whatever reason, look the same.
func missing(err error, what string) error {
	if usererr.CodeOf(err) != usererr.NotFound {
		return err
	}
	return usererr.Wrap(err, usererr.NotFound, what+" was not found, or it is not available to you", "Check it, or look for it with confluence_search")
}

func kindOf(ctx context.Context, w *guard.Wiki, id string) (Kind, error) {
	kind := ""
	err := w.Ask(ctx, "The object "+id, scopeKind, func(c *confluence.Client) (err error) {
		kind, err = content.KindOf(ctx, c, id)
		if err == nil && kind == "" {
			err = &confluence.Error{Kind: confluence.KindNotFound}
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case slices.Contains(Kinds(), kind):
		return Kind(kind), nil
	case kind == "page" || kind == "blogpost":
		// Whether it may be seen is not known yet, so that is asked first.
		if _, err := w.PageVersion(ctx, id, 0); err != nil {
			return "", err
		}
		return "", usererr.New(usererr.BadInput, "This is a page", "Read it with confluence_get_page")
	}
	return "", w.Deny("The object "+id, "object", id, "")
}

// admit checks an object that came back, and notes it.
func admit(ctx context.Context, w *guard.Wiki, o content.Object) (Object, error) {
	space, err := w.SpaceOf(ctx, o.SpaceID)
	if err != nil {
		return Object{}, err
	}
	if !w.Allowed(space.Key) {
		return Object{}, w.Deny(name(o.Kind, o.ID), string(o.Kind), o.ID, space.Key)
	}
	w.Note(string(o.Kind), o.ID, space.Key)
	path := o.Path
	if path == "" {
		path = "/spaces/" + url.PathEscape(space.Key) + "/" + string(o.Kind) + "/" + o.ID
	}
	return Object{
		Kind: o.Kind, ID: o.ID, Title: plaintext.Line(o.Title, 255), Status: o.Status, Space: space.Key, SpaceID: o.SpaceID,
		ParentID: o.ParentID, ParentType: o.ParentType, Author: o.AuthorID, Created: o.Created, Version: o.Version, EmbedURL: o.EmbedURL, URL: w.Link(path),
	}, nil
}

// Node is something above or below an object.
type Node = content.Node

// Tree says what of the tree below an object is wanted.
type Tree = content.Tree

// Below returns a part of what stands below an object, and the cursor of the
// next part.
func Below(ctx context.Context, w *guard.Wiki, o Object, t Tree) (found []Node, next string, err error) {
	err = w.Ask(ctx, name(o.Kind, o.ID), scopeBelow, func(c *confluence.Client) (err error) {
		found, next, err = content.Below(ctx, c, o.Kind, o.ID, t)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	found, err = allowed(ctx, w, found, o.Space)
	return found, next, err
}

// allowed leaves out and counts what Confluence says is in another space that
// policy denies, and notes the rest.
func allowed(ctx context.Context, w *guard.Wiki, all []Node, space string) ([]Node, error) {
	kept := all[:0]
	for _, n := range all {
		key, err := w.KeyOf(ctx, n.SpaceID, space)
		if err != nil {
			return nil, err
		}
		if !w.Allowed(key) {
			w.Withhold(1)
			continue
		}
		w.Note(n.Type, n.ID, key)
		n.Title = plaintext.Line(n.Title, 255)
		kept = append(kept, n)
	}
	return kept, nil
}

// Above returns what stands above an object, the highest first.
func Above(ctx context.Context, w *guard.Wiki, o Object) (found []Node, err error) {
	err = w.Ask(ctx, name(o.Kind, o.ID), scopeKind, func(c *confluence.Client) (err error) {
		found, err = content.Above(ctx, c, o.Kind, o.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return allowed(ctx, w, found, o.Space)
}

// New is an object to be created. Parent is the id or address of a page or an
// object; without one it stands at the top of the space.
type New struct {
	Kind                    Kind
	Space, Parent           string
	Title, EmbedURL, Layout string
}

// place resolves where a new object goes.
func place(ctx context.Context, w *guard.Wiki, n New) (space guard.Space, parent, parentKind string, err error) {
	if space, err = w.Space(ctx, n.Space); err != nil || n.Parent == "" {
		return space, "", "", err
	}
	spaceID := ""
	if object, found := Find(ctx, w, n.Parent, ""); found == nil {
		parent, parentKind, spaceID = object.ID, string(object.Kind), object.SpaceID
	} else {
		page, err := w.Page(ctx, n.Parent)
		if err != nil {
			return space, "", "", err
		}
		parent, parentKind, spaceID = page.ID, page.Type, page.SpaceID
	}
	if spaceID != space.ID {
		return space, "", "", usererr.Wrap(guard.ErrRefused, usererr.BadInput, "The parent is not in space "+space.Key, "Give the space of the parent, or another parent")
	}
	return space, parent, parentKind, nil
}

// Create creates an object.
func Create(ctx context.Context, w *guard.Wiki, n New) (Object, error) {
	space, parent, _, err := place(ctx, w, n)
	if err != nil {
		return Object{}, err
	}
	var made content.Object
	err = w.Send(ctx, "The space "+space.Key, scope("write", n.Kind), func(c *confluence.Client) (err error) {
		made, err = content.Create(ctx, c, content.New{
			Kind: n.Kind, SpaceID: space.ID, ParentID: parent, Title: n.Title, EmbedURL: n.EmbedURL, Template: n.Layout,
		})
		return err
	})
	if err != nil {
		return Object{}, err
	}
	o, err := admit(ctx, w, made)
	return o, guard.Happened(err)
}

// Made looks for an object that was perhaps created: of the same kind and title,
// by the person, below the same parent, not long before started. That none is
// found proves nothing, since lists are behind.
func Made(ctx context.Context, w *guard.Wiki, n New, started time.Time) (Object, bool, error) {
	space, parent, kind, err := place(ctx, w, n)
	if err != nil || parent == "" || kind == "blogpost" {
		return Object{}, false, err
	}
	person, err := w.Me(ctx)
	if err != nil {
		return Object{}, false, err
	}
	found, _, err := Below(ctx, w, Object{Kind: Kind(kind), ID: parent, Space: space.Key}, Tree{Depth: 1, Limit: 250})
	if err != nil {
		return Object{}, false, err
	}
	for _, node := range found {
		if node.Type != string(n.Kind) || node.Title != n.Title {
			continue
		}
		object, err := Find(ctx, w, node.ID, n.Kind)
		if err == nil && object.Author == person.ID && object.Created.After(started.Add(-clockSkew)) {
			return object, true, nil
		}
	}
	return Object{}, false, nil
}

// clockSkew is how far Confluence's clock may be behind ours.
const clockSkew = 2 * time.Minute

// Delete puts an object into the trash.
func Delete(ctx context.Context, w *guard.Wiki, o Object) error {
	return w.Send(ctx, name(o.Kind, o.ID), scope("delete", o.Kind), func(c *confluence.Client) error {
		return content.Delete(ctx, c, o.Kind, o.ID)
	})
}
