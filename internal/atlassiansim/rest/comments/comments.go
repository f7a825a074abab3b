// Package comments has the comments of the simulated Confluence: footer and
// inline ones, their replies and whether they are resolved.
package comments

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// version is one version of a comment.
type version struct {
	body, author, message string
	created               time.Time
}

// comment is a comment as it is now.
type comment struct {
	id, page, parent int64
	inline           bool
	versions         []version

	selection, ref string // of an inline comment that is no reply
	resolution     string
	resolver       string
	resolved       time.Time
}

func (c *comment) newest() version { return c.versions[len(c.versions)-1] }

// store holds the comments of all sites.
type store struct {
	mu    sync.Mutex
	sites map[string][]*comment // guarded by mu; by cloud id, in the order of their ids
	next  int64                 // guarded by mu
}

// Ids of comments are far from those of pages.
const (
	firstID = 524_288_001
	idStep  = 7
)

const (
	read  = "read:comment:confluence"
	write = "write:comment:confluence"
)

// Add adds the operations.
func Add(add op.Add) {
	s := &store{sites: map[string][]*comment{}, next: firstID}
	for _, kind := range []string{"pages", "blogposts"} {
		add("GET "+op.V2+"/"+kind+"/{id}/footer-comments", read, s.ofPage(false))
		add("GET "+op.V2+"/"+kind+"/{id}/inline-comments", read, s.ofPage(true))
	}
	for name, inline := range map[string]bool{"footer": false, "inline": true} {
		at := op.V2 + "/" + name + "-comments"
		add("POST "+at, write, s.create(inline))
		add("GET "+at+"/{id}", read, s.get(inline))
		add("PUT "+at+"/{id}", write, s.update(inline))
		add("DELETE "+at+"/{id}", "delete:comment:confluence", s.remove(inline))
		add("GET "+at+"/{id}/children", read, s.replies(inline))
	}
}

// findLocked is a comment that the person sees.
func (s *store) findLocked(c *op.Call, id int64, inline bool) (*comment, wiki.Page, error) {
	for _, found := range s.sites[c.Cloud()] {
		if found.id == id && found.inline == inline {
			page, err := c.Wiki.Page(c.Cloud(), c.Who, found.page)
			return found, page, err
		}
	}
	return nil, wiki.Page{}, wiki.NotFound()
}

// of answers about the comment that the path names, which the person must see.
// s.mu is held while do works.
func (s *store) of(inline bool, do func(c *op.Call, x *comment, page wiki.Page) (any, error)) op.Func {
	return func(c *op.Call) (any, error) {
		id, err := c.Number("id")
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		x, page, err := s.findLocked(c, id, inline)
		if err != nil {
			return nil, err
		}
		return do(c, x, page)
	}
}

func (s *store) ofPage(inline bool) op.Func {
	return func(c *op.Call) (any, error) {
		page, err := c.Page()
		if err != nil {
			return nil, err
		}
		states := op.List(c.URL.Query(), "resolution-status")
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.listLocked(c, func(x *comment) bool {
			return x.page == page.ID && x.inline == inline && x.parent == 0 && (states == nil || slices.Contains(states, x.state(page)))
		})
	}
}

func (s *store) replies(inline bool) op.Func {
	return s.of(inline, func(c *op.Call, parent *comment, _ wiki.Page) (any, error) {
		return s.listLocked(c, func(x *comment) bool { return x.parent == parent.id && x.inline == inline })
	})
}

func (s *store) listLocked(c *op.Call, keep func(*comment) bool) (any, error) {
	q := c.URL.Query()
	format := q.Get("body-format")
	if format != "" && format != "storage" && format != "atlas_doc_format" {
		return nil, op.BadParameter("body-format", format)
	}
	var all []*comment
	for _, x := range s.sites[c.Cloud()] {
		if keep(x) {
			all = append(all, x)
		}
	}
	switch sort := q.Get("sort"); sort {
	case "", "created-date":
	case "-created-date":
		slices.Reverse(all)
	default:
		return nil, op.BadParameter("sort", sort)
	}
	return op.Cut(c, all, func(x *comment) commentJSON { return show(c, x, format) })
}

func (s *store) get(inline bool) op.Func {
	return s.of(inline, func(c *op.Call, x *comment, _ wiki.Page) (any, error) {
		return show(c, x, c.URL.Query().Get("body-format")), nil
	})
}

// written is the body of a request that creates or changes a comment.
type written struct {
	PageID   op.Flexible `json:"pageId"`
	BlogPost op.Flexible `json:"blogPostId"`
	Parent   op.Flexible `json:"parentCommentId"`
	Body     *op.Body    `json:"body"`
	Version  *struct {
		Number  int    `json:"number"`
		Message string `json:"message"`
	} `json:"version"`
	Resolved  *bool `json:"resolved"`
	Selection *struct {
		Text  string `json:"textSelection"`
		Count int    `json:"textSelectionMatchCount"`
		Index int    `json:"textSelectionMatchIndex"`
	} `json:"inlineCommentProperties"`
}

func (in *written) read(c *op.Call) error {
	if err := c.Read(in); err != nil {
		return err
	}
	if in.Body != nil {
		if in.Body.Representation != "storage" {
			return wiki.Bad("Representation {" + in.Body.Representation + "} is not simulated")
		}
		kept, err := wiki.Normalise(in.Body.Value)
		if err != nil {
			return wiki.Bad("Error parsing xhtml: " + err.Error())
		}
		in.Body.Value = kept
	}
	return nil
}

func (s *store) create(inline bool) op.Func {
	return func(c *op.Call) (any, error) {
		var in written
		if err := in.read(c); err != nil {
			return nil, err
		}
		if in.Body == nil {
			return nil, wiki.Bad("'body' must not be null")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		x := &comment{inline: inline, versions: []version{{body: in.Body.Value, author: c.Who.AccountID, created: time.Now().UTC()}}}
		page, err := s.placeLocked(c, x, in)
		if err != nil {
			return nil, err
		}
		x.id, x.page = s.next, page.ID
		s.next += idStep
		if inline && x.parent == 0 {
			if err := anchor(c, x, page, in); err != nil {
				return nil, err
			}
		}
		s.sites[c.Cloud()] = append(s.sites[c.Cloud()], x)
		return op.Created(show(c, x, "storage")), nil
	}
}

// placeLocked finds the page of a new comment, and its parent if it is a reply.
func (s *store) placeLocked(c *op.Call, x *comment, in written) (wiki.Page, error) {
	named := 0
	for _, id := range []op.Flexible{in.PageID, in.BlogPost, in.Parent} {
		if id != "" {
			named++
		}
	}
	if named != 1 {
		return wiki.Page{}, wiki.Bad("Exactly one of pageId, blogPostId, parentCommentId must be provided")
	}
	if in.Parent != "" {
		id, err := op.Number("parentCommentId", string(in.Parent))
		if err != nil {
			return wiki.Page{}, err
		}
		parent, page, err := s.findLocked(c, id, x.inline)
		if err == nil && parent.parent != 0 {
			id = parent.parent
		}
		x.parent = id
		return page, err
	}
	id, err := op.Number("pageId", string(in.PageID+in.BlogPost))
	if err != nil {
		return wiki.Page{}, err
	}
	page, err := c.Wiki.Page(c.Cloud(), c.Who, id)
	if err == nil && page.Status != "current" {
		err = wiki.NotFound()
	}
	return page, err
}

// anchor puts the marker of an inline comment around the text that it is about.
func anchor(c *op.Call, x *comment, page wiki.Page, in written) error {
	if in.Selection == nil || in.Selection.Text == "" {
		return wiki.Bad("'inlineCommentProperties.textSelection' must not be null")
	}
	x.selection, x.resolution = in.Selection.Text, "open"
	x.ref = fmt.Sprintf("00000000-0000-4000-8000-%012d", x.id)
	body, count := wiki.Mark(page.Newest().Body, in.Selection.Text, in.Selection.Index, x.ref)
	if count == 0 || count != in.Selection.Count || in.Selection.Index < 0 || in.Selection.Index >= count {
		return wiki.Bad("The text selection was not found, or its match count or index is wrong")
	}
	c.Wiki.Annotate(c.Cloud(), page.ID, body)
	return nil
}

func (s *store) update(inline bool) op.Func {
	return func(c *op.Call) (any, error) {
		var in written
		if err := in.read(c); err != nil {
			return nil, err
		}
		id, err := c.Number("id")
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		x, page, err := s.findLocked(c, id, inline)
		if err != nil {
			return nil, err
		}
		if in.Version == nil || in.Version.Number < 1 {
			return nil, wiki.Bad("'version.number' must not be null")
		}
		if current := len(x.versions); in.Version.Number != current+1 {
			return nil, &wiki.Error{Status: http.StatusConflict, Code: "CONFLICT", Title: fmt.Sprintf(
				"Version must be incremented when updating a comment. Current Version: [%d]. Provided version: [%d]", current, in.Version.Number)}
		}
		if err := x.change(c, page, in); err != nil {
			return nil, err
		}
		return show(c, x, "storage"), nil
	}
}

// change writes the next version of a comment.
func (x *comment) change(c *op.Call, page wiki.Page, in written) error {
	next := version{body: x.newest().body, author: c.Who.AccountID, message: in.Version.Message, created: time.Now().UTC()}
	if in.Body != nil && in.Body.Value != next.body {
		if x.versions[0].author != c.Who.AccountID {
			return wiki.NotFound()
		}
		next.body = in.Body.Value
	}
	if in.Resolved != nil && x.inline {
		was := x.state(page)
		switch {
		case was == "dangling" || x.parent != 0:
			return wiki.Bad("A dangling comment or a reply cannot be resolved")
		case *in.Resolved && was != "resolved":
			x.resolution, x.resolver, x.resolved = "resolved", c.Who.AccountID, time.Now().UTC()
		case !*in.Resolved && was == "resolved":
			x.resolution, x.resolver, x.resolved = "reopened", c.Who.AccountID, time.Now().UTC()
		}
	}
	x.versions = append(slices.Clip(x.versions), next)
	return nil
}

func (s *store) remove(inline bool) op.Func {
	return s.of(inline, func(c *op.Call, x *comment, _ wiki.Page) (any, error) {
		if x.versions[0].author != c.Who.AccountID {
			return nil, wiki.NotFound()
		}
		// Replies go with it.
		s.sites[c.Cloud()] = slices.DeleteFunc(s.sites[c.Cloud()], func(other *comment) bool { return other == x || other.parent == x.id })
		return nil, nil
	})
}
