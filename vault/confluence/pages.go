package confluence

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ID is an id of Confluence. Ids are strings in most answers and numbers in
// some; both are read.
type ID string

// UnmarshalJSON reads a string or a number.
func (id *ID) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*id = ID(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	*id = ID(number)
	return nil
}

var numeric = regexp.MustCompile(`^[0-9]{1,19}$`)

// ValidPageID reports whether id has the form of a page's id.
func ValidPageID(id string) bool { return numeric.MatchString(id) }

// Page is a page or blog post.
type Page struct {
	ID       string
	Type     string // "page" or "blogpost"
	Status   string
	Title    string
	SpaceID  string
	ParentID string
	Version  Version
	Created  time.Time
	Path     string   // on the site, below /wiki; "" if unknown
	Body     string   // storage format, or what was asked for; "" without
	Labels   []string // nil unless asked for
}

// Version is one version of a page.
type Version struct {
	Number   int       `json:"number"`
	Message  string    `json:"message"`
	AuthorID string    `json:"authorId"`
	Created  time.Time `json:"createdAt"`
	Minor    bool      `json:"minorEdit"` // nobody was told
}

// Body is a text as v1 and v2 have it, in the format that was asked for.
type Body struct {
	Storage Text `json:"storage"`
	ADF     Text `json:"atlas_doc_format"`
}

// Text is a body in one format.
type Text struct {
	Value string `json:"value"`
}

type pageJSON struct {
	ID        ID        `json:"id"`
	Status    string    `json:"status"`
	Title     string    `json:"title"`
	SpaceID   ID        `json:"spaceId"`
	ParentID  ID        `json:"parentId"`
	CreatedAt time.Time `json:"createdAt"`
	Version   Version   `json:"version"`
	Body      Body      `json:"body"`
	Labels    struct {
		Results []Label `json:"results"`
	} `json:"labels"`
	Links Links `json:"_links"`
}

// Label is a label of a page.
type Label struct {
	Name   string `json:"name"`
	Prefix string `json:"prefix"`
}

// String has the prefix of labels that are not for everybody: my:todo.
func (l Label) String() string {
	if l.Prefix == "" || l.Prefix == "global" {
		return l.Name
	}
	return l.Prefix + ":" + l.Name
}

func (p pageJSON) page(kind string) (Page, error) {
	if !ValidPageID(string(p.ID)) || p.SpaceID == "" || p.Version.Number < 1 {
		return Page{}, &Error{Kind: KindProtocol, Status: http.StatusOK}
	}
	var labels []string
	for _, l := range p.Labels.Results {
		labels = append(labels, l.String())
	}
	return Page{
		ID: string(p.ID), Type: kind, Status: p.Status, Title: p.Title, SpaceID: string(p.SpaceID), ParentID: string(p.ParentID),
		Version: p.Version,
		Created: p.CreatedAt, Path: SitePath(p.Links.WebUI), Body: cmp.Or(p.Body.Storage.Value, p.Body.ADF.Value), Labels: labels,
	}, nil
}

// SitePath keeps of a link only a plain path below /wiki.
func SitePath(link string) string {
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return ""
	}
	path := strings.TrimPrefix(u.EscapedPath(), "/wiki")
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}

// Page returns a page with its body, or a blog post of that id if there is no
// such page. Version 0 is the current one.
func (c *Client) Page(ctx context.Context, id string, version int) (Page, error) {
	query := url.Values{}
	if version > 0 {
		query.Set("version", strconv.Itoa(version))
	}
	return c.either(ctx, id, query)
}

// Labelled is [Client.Page] with the labels of the page, for no other request.
func (c *Client) Labelled(ctx context.Context, id string, version int) (Page, error) {
	query := url.Values{"include-labels": {"true"}}
	if version > 0 {
		query.Set("version", strconv.Itoa(version))
	}
	return c.either(ctx, id, query)
}

// Draft is [Client.Page] for one that was not published yet, or has changes that
// were not.
func (c *Client) Draft(ctx context.Context, id string) (Page, error) {
	return c.either(ctx, id, url.Values{"get-draft": {"true"}})
}

// ADF is [Client.Page], or [Client.Draft] for a draft, with the body as an
// Atlassian document, in JSON.
func (c *Client) ADF(ctx context.Context, id string, version int, draft bool) (Page, error) {
	query := url.Values{"body-format": {"atlas_doc_format"}}
	if draft {
		query.Set("get-draft", "true")
	} else if version > 0 {
		query.Set("version", strconv.Itoa(version))
	}
	return c.either(ctx, id, query)
}

func (c *Client) either(ctx context.Context, id string, query url.Values) (Page, error) {
	page, err := c.content(ctx, "page", id, query)
	if Is(err, KindNotFound) {
		post, postErr := c.content(ctx, "blogpost", id, query)
		if postErr == nil {
			return post, nil
		}
	}
	return page, err
}

func (c *Client) content(ctx context.Context, kind, id string, query url.Values) (Page, error) {
	if !ValidPageID(id) {
		return Page{}, &Error{Kind: KindNotFound}
	}
	if !query.Has("body-format") {
		query.Set("body-format", "storage")
	}
	var answer pageJSON
	if _, err := c.Do(ctx, Request{http.MethodGet, "/api/v2/" + kind + "s/" + id, query, nil}, &answer); err != nil {
		return Page{}, err
	}
	return answer.page(kind)
}

// PagesByTitle returns the pages of a space whose title is title, compared
// exactly: Confluence may be more generous. Without body. Unless states are
// named (archived, trashed), the pages are current ones.
func (c *Client) PagesByTitle(ctx context.Context, spaceID, title string, states ...string) ([]Page, error) {
	if !numeric.MatchString(spaceID) {
		return nil, &Error{Kind: KindNotFound}
	}
	if len(states) == 0 {
		states = []string{"current"}
	}
	return c.titled(ctx, "page", "/api/v2/spaces/"+spaceID+"/pages", url.Values{"title": {title}, "status": states})
}

// PostsByTitle returns the current blog posts of a space whose title is title.
func (c *Client) PostsByTitle(ctx context.Context, spaceID, title string) ([]Page, error) {
	if !numeric.MatchString(spaceID) {
		return nil, &Error{Kind: KindNotFound}
	}
	return c.titled(ctx, "blogpost", "/api/v2/blogposts", url.Values{"title": {title}, "space-id": {spaceID}, "status": {"current"}})
}

func (c *Client) titled(ctx context.Context, kind, path string, query url.Values) ([]Page, error) {
	query.Set("limit", "50")
	var answer struct {
		Results []pageJSON `json:"results"`
	}
	if _, err := c.Do(ctx, Request{http.MethodGet, path, query, nil}, &answer); err != nil {
		return nil, err
	}
	var pages []Page
	for _, found := range answer.Results {
		page, err := found.page(kind)
		if err != nil {
			return nil, err
		}
		if page.Title == query.Get("title") {
			pages = append(pages, page)
		}
	}
	return pages, nil
}

// Draft is what a page or blog post is created from. Body is storage format;
// without ParentID a page goes below the space's home page.
type Draft struct {
	SpaceID, ParentID, Title, Body string
	Blog                           bool // a blog post, which has no parent
	Live                           bool // a live doc: a page that has no draft, and changes while it is edited
	Unpublished                    bool // only its author sees it, until it is published
	Private                        bool // only its author may see and edit it
}

type bodyJSON struct {
	Representation string `json:"representation"`
	Value          string `json:"value"`
}

// status is what Confluence calls a page that is, or is not, a draft.
func status(draft bool) string {
	if draft {
		return "draft"
	}
	return "current"
}

// kind names pages and blog posts in paths and answers.
func kind(blog bool) string {
	if blog {
		return "blogpost"
	}
	return "page"
}

// CreatePage creates a page. Confluence refuses a second page of the same
// title in a space with [KindDuplicateTitle].
func (c *Client) CreatePage(ctx context.Context, d Draft) (Page, error) {
	body := map[string]any{"spaceId": d.SpaceID, "status": status(d.Unpublished), "title": d.Title, "body": bodyJSON{"storage", d.Body}}
	if d.ParentID != "" {
		body["parentId"] = d.ParentID
	}
	if d.Live {
		body["subtype"] = "live"
	}
	var query url.Values
	if d.Private {
		query = url.Values{"private": {"true"}}
	}
	return c.writePage(ctx, kind(d.Blog), Request{http.MethodPost, "/api/v2/" + kind(d.Blog) + "s", query, body})
}

// Edit replaces the title and body of a page or blog post. Number must be the
// current version plus one, and 1 for a draft; anything else is [KindConflict].
type Edit struct {
	ID, Title, Body, Message string
	Number                   int
	Blog                     bool
	Draft                    bool // it is a draft and stays one
	Minor                    bool // nobody is told; the version that comes back says whether Confluence took it so
}

// UpdatePage writes the next version of a page. A draft is published, and a page
// in the trash is taken out of it without another change, unless Draft is set.
func (c *Client) UpdatePage(ctx context.Context, e Edit) (Page, error) {
	if !ValidPageID(e.ID) {
		return Page{}, &Error{Kind: KindNotFound}
	}
	version := map[string]any{"number": e.Number}
	if e.Message != "" {
		version["message"] = e.Message
	}
	if e.Minor {
		version["minorEdit"] = true
	}
	body := map[string]any{"id": e.ID, "status": status(e.Draft), "title": e.Title, "body": bodyJSON{"storage", e.Body}, "version": version}
	return c.writePage(ctx, kind(e.Blog), Request{http.MethodPut, "/api/v2/" + kind(e.Blog) + "s/" + e.ID, nil, body})
}

// Delete puts a page or blog post into the trash, with purge removes it from
// there for good, and with draft drops a draft.
func (c *Client) Delete(ctx context.Context, id string, blog, purge, draft bool) error {
	if !ValidPageID(id) {
		return &Error{Kind: KindNotFound}
	}
	query := url.Values{}
	if purge {
		query.Set("purge", "true")
	}
	if draft {
		query.Set("draft", "true")
	}
	_, err := c.Do(ctx, Request{http.MethodDelete, "/api/v2/" + kind(blog) + "s/" + id, query, nil}, nil)
	return err
}

func (c *Client) writePage(ctx context.Context, kind string, r Request) (Page, error) {
	var answer pageJSON
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Page{}, err
	}
	page, err := answer.page(kind)
	if err != nil {
		return Page{}, &Error{Kind: KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return page, nil
}
