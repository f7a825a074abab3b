package rest

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

type versionJSON struct {
	Number    int    `json:"number"`
	Message   string `json:"message"`
	MinorEdit bool   `json:"minorEdit"`
	AuthorID  string `json:"authorId"`
	CreatedAt string `json:"createdAt"`
	// NCSStepVersion is one of many members that nobody documents.
	NCSStepVersion *string `json:"ncsStepVersion"`
}

type linksJSON struct {
	EditUI string `json:"editui,omitempty"`
	WebUI  string `json:"webui"`
	TinyUI string `json:"tinyui,omitempty"`
	Base   string `json:"base,omitempty"`
}

type pageJSON struct {
	ParentType  *string            `json:"parentType,omitempty"`
	CreatedAt   string             `json:"createdAt"`
	AuthorID    string             `json:"authorId"`
	ID          string             `json:"id"`
	Version     versionJSON        `json:"version"`
	Position    *int               `json:"position,omitempty"`
	Title       string             `json:"title"`
	Status      string             `json:"status"`
	OwnerID     string             `json:"ownerId,omitempty"`
	Body        map[string]op.Body `json:"body"`
	ParentID    *string            `json:"parentId,omitempty"`
	SpaceID     string             `json:"spaceId"`
	LastOwnerID *string            `json:"lastOwnerId"`
	Subtype     string             `json:"subtype,omitempty"` // in lists only
	Labels      *embedded[label]   `json:"labels,omitempty"`
	Links       linksJSON          `json:"_links"`
}

// embedded is a short list inside of a page.
type embedded[T any] struct {
	Results []T               `json:"results"`
	Meta    map[string]any    `json:"meta"`
	Links   map[string]string `json:"_links"`
}

type label struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Prefix string `json:"prefix"`
}

func showVersion(v *wiki.Version) versionJSON {
	return versionJSON{Number: v.Number, Message: v.Message, AuthorID: v.Author, CreatedAt: op.When(v.Created)}
}

// showPage is a page at a version. Format "" leaves the body empty.
func (c *call) showPage(p wiki.Page, v *wiki.Version, format string) pageJSON {
	answer := pageJSON{
		CreatedAt: op.When(p.Created()), AuthorID: p.Author(), ID: op.ID(p.ID), Version: showVersion(v), Title: v.Title,
		Status: p.Status, Body: map[string]op.Body{}, SpaceID: op.ID(p.Space), Links: c.pageLinks(p, v),
	}
	if v != p.Newest() {
		answer.Status = "historical"
	}
	if format != "" {
		answer.Body[format] = op.Body{Representation: format, Value: render(v, format)}
	}
	if p.Type == "page" {
		position, parentType := p.Position, "page"
		answer.Position, answer.OwnerID = &position, p.Author()
		if p.Parent != 0 {
			parent := op.ID(p.Parent)
			answer.ParentID, answer.ParentType = &parent, &parentType
		}
	}
	return answer
}

func (c *call) pageLinks(p wiki.Page, v *wiki.Version) linksJSON {
	key := c.Wiki.KeyOf(c.Site.CloudID, p.Space)
	web := "/spaces/" + url.PathEscape(key) + "/pages/" + op.ID(p.ID) + "/" + url.QueryEscape(v.Title)
	if p.Type == "blogpost" {
		web = "/spaces/" + url.PathEscape(key) + "/blog/" + p.Created().Format("2006/01/02") + "/" + op.ID(p.ID) + "/" + url.QueryEscape(v.Title)
	}
	return linksJSON{WebUI: web, EditUI: "/pages/resumedraft.action?draftId=" + op.ID(p.ID), TinyUI: "/x/" + tiny(p.ID)}
}

// format checks body-format. Lists know fewer formats than single pages.
func format(q url.Values, known ...string) (string, error) {
	text := q.Get("body-format")
	if text != "" && !slices.Contains(known, text) {
		return "", op.BadParameter("body-format", text)
	}
	return text, nil
}

func page(c *call) (any, error)     { return single(c, "page") }
func blogPost(c *call) (any, error) { return single(c, "blogpost") }

// single is GET by id. A page in the trash is shown, with its status.
func single(c *call, kind string) (any, error) {
	q := c.URL.Query()
	body, err := format(q, "storage", "atlas_doc_format", "view")
	if err != nil {
		return nil, err
	}
	p, err := c.Page()
	if err != nil || p.Type != kind {
		return nil, orNotFound(err)
	}
	if statuses := op.List(q, "status"); len(statuses) > 0 && !slices.Contains(statuses, p.Status) {
		return nil, wiki.NotFound()
	}
	if p.Status == "draft" && q.Get("get-draft") != "true" {
		return nil, wiki.NotFound()
	}
	v := p.Newest()
	if text := q.Get("version"); text != "" {
		n, err := op.Number("version", text)
		if err != nil {
			return nil, err
		}
		var ok bool
		if v, ok = p.Version(int(n)); !ok {
			return nil, wiki.NotFound()
		}
	}
	answer := c.showPage(p, v, body)
	answer.Links.Base = c.Site.URL + "/wiki"
	if q.Get("include-labels") == "true" {
		answer.Labels = &embedded[label]{showLabels(p), map[string]any{"hasMore": false}, map[string]string{"self": c.URL.Path + "/labels"}}
	}
	return answer, nil
}

func orNotFound(err error) error {
	if err == nil {
		return wiki.NotFound()
	}
	return err
}

// filter is what lists of pages are narrowed by.
type filter struct {
	kind     string
	ids      []int64
	spaces   []int64
	statuses []string
	title    string
	root     bool
}

func readFilter(q url.Values, kind string) (filter, error) {
	f := filter{kind: kind, statuses: op.List(q, "status"), title: q.Get("title")}
	if len(f.statuses) == 0 {
		f.statuses = []string{"current", "archived"}
	}
	for _, s := range f.statuses {
		if !slices.Contains([]string{"current", "archived", "deleted", "trashed"}, s) {
			return f, op.BadParameter("status", s)
		}
	}
	var err error
	if f.ids, err = op.Numbers(q, "id"); err != nil {
		return f, err
	}
	f.spaces, err = op.Numbers(q, "space-id")
	return f, err
}

func (f filter) admits(p *wiki.Page) bool {
	return p.Type == f.kind && slices.Contains(f.statuses, p.Status) &&
		(f.ids == nil || slices.Contains(f.ids, p.ID)) &&
		(f.spaces == nil || slices.Contains(f.spaces, p.Space)) &&
		(f.title == "" || strings.EqualFold(p.Newest().Title, f.title)) &&
		(!f.root || p.Parent == 0)
}

func pages(c *call) (any, error)     { return listed(c, "page", 0) }
func blogPosts(c *call) (any, error) { return listed(c, "blogpost", 0) }

func pagesInSpace(c *call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	if _, err := c.Wiki.Space(c.Site.CloudID, c.Who, n); err != nil {
		return nil, err
	}
	return listed(c, "page", n)
}

// listed is a list of pages, of one space if that is not 0.
func listed(c *call, kind string, space int64) (any, error) {
	q := c.URL.Query()
	body, err := format(q, "storage", "atlas_doc_format")
	if err != nil {
		return nil, err
	}
	f, err := readFilter(q, kind)
	if err != nil {
		return nil, err
	}
	if space != 0 {
		f.spaces, f.root = []int64{space}, q.Get("depth") == "root"
	}
	found := c.Wiki.Pages(c.Site.CloudID, c.Who, f.admits)
	if err := sortPages(found, q.Get("sort")); err != nil {
		return nil, err
	}
	return op.Cut(&c.Call, found, func(p wiki.Page) pageJSON {
		shown := c.showPage(p, p.Newest(), body)
		if p.Live {
			shown.Subtype = "live"
		}
		return shown
	})
}

func sortPages(all []wiki.Page, by string) error {
	field, desc := strings.CutPrefix(by, "-")
	var compare func(a, b wiki.Page) int
	switch field {
	case "", "id":
		compare = func(a, b wiki.Page) int { return cmp.Compare(a.ID, b.ID) }
	case "created-date":
		compare = func(a, b wiki.Page) int { return a.Created().Compare(b.Created()) }
	case "modified-date":
		compare = func(a, b wiki.Page) int { return a.Newest().Created.Compare(b.Newest().Created) }
	case "title":
		compare = func(a, b wiki.Page) int { return strings.Compare(a.Newest().Title, b.Newest().Title) }
	default:
		return op.BadParameter("sort", by)
	}
	slices.SortStableFunc(all, func(a, b wiki.Page) int {
		if desc {
			return compare(b, a)
		}
		return compare(a, b)
	})
	return nil
}
