package rest

import (
	"encoding/base64"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

type hits struct {
	Results        []hit             `json:"results"`
	Start          int               `json:"start"`
	Limit          int               `json:"limit"`
	Size           int               `json:"size"`
	TotalSize      int               `json:"totalSize"`
	CQLQuery       string            `json:"cqlQuery"`
	SearchDuration int               `json:"searchDuration"`
	Links          map[string]string `json:"_links"`
}

type hit struct {
	Content               *contentJSON   `json:"content,omitempty"`
	Space                 *spaceV1       `json:"space,omitempty"`
	Title                 string         `json:"title"`
	Excerpt               string         `json:"excerpt"`
	URL                   string         `json:"url"`
	ResultParentContainer *containerJSON `json:"resultParentContainer,omitempty"`
	ResultGlobalContainer *containerJSON `json:"resultGlobalContainer,omitempty"`
	Breadcrumbs           []any          `json:"breadcrumbs"`
	EntityType            string         `json:"entityType"`
	IconCSSClass          string         `json:"iconCssClass"`
	LastModified          string         `json:"lastModified"`
	FriendlyLastModified  string         `json:"friendlyLastModified"`
	Score                 float64        `json:"score"`
}

type containerJSON struct {
	Title      string `json:"title"`
	DisplayURL string `json:"displayUrl"`
}

type contentJSON struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Status     string            `json:"status"`
	Title      string            `json:"title"`
	Space      *spaceV1          `json:"space,omitempty"`
	ChildTypes struct{}          `json:"childTypes"`
	Expandable map[string]string `json:"_expandable"`
	Links      map[string]string `json:"_links"`
}

type spaceV1 struct {
	ID         int64             `json:"id"`
	Key        string            `json:"key"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Status     string            `json:"status"`
	Expandable map[string]string `json:"_expandable"`
	Links      map[string]string `json:"_links"`
}

// find is the CQL search. The cursor decides the position; start is echoed
// and counted on.
func find(c *call) (any, error) {
	began := time.Now()
	q := c.URL.Query()
	text := q.Get("cql")
	if text == "" {
		return nil, wiki.Bad("cql query parameter is required")
	}
	query, err := cql.Parse(text)
	if err != nil {
		return nil, wiki.Bad("Could not parse cql : " + text)
	}
	limit, start, from, err := window(q)
	if err != nil {
		return nil, err
	}
	all := c.Wiki.Search(c.Site.CloudID, c.Who, query, c.api.cfg.Lag())
	from = min(from, len(all))
	to := min(from+limit, len(all))
	answer := hits{
		Results: make([]hit, 0, to-from), Start: start, Limit: limit, Size: to - from, TotalSize: len(all), CQLQuery: text,
		Links: map[string]string{"base": c.Site.URL + "/wiki", "context": "/wiki", "self": c.Site.URL + "/wiki/rest/api/search?cql=" + url.QueryEscape(text)},
	}
	terms := query.Terms()
	for _, h := range all[from:to] {
		answer.Results = append(answer.Results, c.showHit(h, terms, q))
	}
	if to < len(all) && limit > 0 {
		q.Set("next", "true")
		q.Set("cursor", "_f_"+base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to))))
		q.Set("limit", strconv.Itoa(limit))
		q.Set("start", strconv.Itoa(start+limit))
		// Without /wiki, unlike v2: it is relative to base.
		answer.Links["next"] = "/rest/api/search?" + q.Encode()
	}
	answer.SearchDuration = int(time.Since(began) / time.Millisecond)
	return answer, nil
}

// window reads which results are wanted: limit, the start that is echoed, and
// the position that counts.
func window(q url.Values) (limit, start, from int, err error) {
	if limit, err = op.Whole(q.Get("limit"), op.DefaultLimit); err != nil {
		return
	}
	if start, err = op.Whole(q.Get("start"), 0); err != nil {
		return
	}
	from = start
	if text := q.Get("cursor"); text != "" {
		digits, ok := strings.CutPrefix(text, "_f_")
		raw, bad := base64.RawURLEncoding.DecodeString(digits)
		n, bad2 := strconv.Atoi(string(raw))
		if !ok || bad != nil || bad2 != nil || n < 0 {
			return 0, 0, 0, wiki.Bad("The XP-Search Aggregator API could not read the cursor")
		}
		from = n
	}
	return
}

func (c *call) showHit(h wiki.Hit, terms []string, q url.Values) hit {
	spacePath := "/spaces/" + url.PathEscape(h.Space.Key)
	if h.Page == nil {
		return hit{
			Space: showSpaceV1(h.Space), Title: cql.Highlight(h.Space.Name, terms), Excerpt: html.EscapeString(h.Space.Description), URL: spacePath,
			Breadcrumbs: []any{}, EntityType: "space", IconCSSClass: "aui-icon content-type-space",
			LastModified: op.When(h.Space.Created), FriendlyLastModified: h.Space.Created.Format("Jan 02, 2006"), Score: h.Score,
		}
	}
	links := c.pageLinks(*h.Page, h.Version)
	expand := op.List(q, "expand")
	content := &contentJSON{
		ID: op.ID(h.Page.ID), Type: h.Page.Type, Status: h.Page.Status, Title: h.Version.Title,
		Expandable: map[string]string{"container": "", "metadata": "", "history": "/rest/api/content/" + op.ID(h.Page.ID) + "/history", "body": "", "version": "", "space": "/rest/api/space/" + h.Space.Key},
		Links:      map[string]string{"webui": links.WebUI, "tinyui": links.TinyUI, "self": c.Site.URL + "/wiki/rest/api/content/" + op.ID(h.Page.ID)},
	}
	if slices.Contains(expand, "content.space") || slices.Contains(expand, "space") {
		content.Space = showSpaceV1(h.Space)
		delete(content.Expandable, "space")
	}
	return hit{
		Content: content, Title: cql.Highlight(h.Version.Title, terms), Excerpt: cql.Excerpt(h.Version.Plain(), terms, q.Get("excerpt")), URL: links.WebUI,
		ResultGlobalContainer: &containerJSON{h.Space.Name, spacePath}, Breadcrumbs: []any{}, EntityType: "content",
		IconCSSClass: "aui-icon content-type-" + h.Page.Type, LastModified: op.When(h.Version.Created),
		FriendlyLastModified: h.Version.Created.Format("Jan 02, 2006"), Score: h.Score,
	}
}

func showSpaceV1(s wiki.Space) *spaceV1 {
	return &spaceV1{
		ID: s.ID, Key: s.Key, Name: s.Name, Type: s.Type, Status: "current",
		Expandable: map[string]string{"settings": "", "metadata": "", "homepage": "/rest/api/content/" + op.ID(s.Homepage)},
		Links:      map[string]string{"webui": "/spaces/" + url.PathEscape(s.Key), "self": "/rest/api/space/" + url.PathEscape(s.Key)},
	}
}
