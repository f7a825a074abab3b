// Package search finds content by CQL. It is v1, which OAuth tokens still reach:
// v2 has no search.
package search

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Query is one page of a search. Cursor and Start come from the page before.
type Query struct {
	CQL    string
	Limit  int
	Cursor string
	Start  int
}

// Hits is one page of results.
type Hits struct {
	Hits   []Hit
	Total  int    // as Confluence counts; -1 if it does not say
	Cursor string // "" at the end
	Start  int
}

// Hit is one result. SpaceKey is "" where the answer does not say, or says
// two things.
type Hit struct {
	ID, Type, Status, Title string
	MediaType               string // of an attachment, "" if it is not told
	SpaceKey, SpaceName     string
	Excerpt                 string // plain text
	Modified                time.Time
	Path                    string // on the site, below /wiki
}

const path = "/rest/api/search"

type hitJSON struct {
	Content struct {
		ID     confluence.ID `json:"id"`
		Type   string        `json:"type"`
		Status string        `json:"status"`
		Title  string        `json:"title"`
		Space  struct {
			Key  string `json:"key"`
			Name string `json:"name"`
		} `json:"space"`
		Expandable struct {
			Space string `json:"space"`
		} `json:"_expandable"`
		Extensions struct {
			MediaType string `json:"mediaType"`
		} `json:"extensions"`
		Links confluence.Links `json:"_links"`
	} `json:"content"`
	Title     string `json:"title"`
	Excerpt   string `json:"excerpt"`
	URL       string `json:"url"`
	Container struct {
		Title string `json:"title"`
		URL   string `json:"displayUrl"`
	} `json:"resultGlobalContainer"`
	Modified string `json:"lastModified"`
}

// Find runs a search.
func Find(ctx context.Context, c *confluence.Client, s Query) (Hits, error) {
	query := url.Values{
		"cql": {s.CQL}, "limit": {strconv.Itoa(s.Limit)}, "excerpt": {"highlight"}, "expand": {"content.space"},
	}
	if s.Cursor != "" {
		query.Set("cursor", s.Cursor)
		query.Set("next", "true")
	}
	if s.Start > 0 {
		query.Set("start", strconv.Itoa(s.Start))
	}
	var answer struct {
		Results   []hitJSON        `json:"results"`
		TotalSize *int             `json:"totalSize"`
		Links     confluence.Links `json:"_links"`
	}
	header, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: path, Query: query}, &answer)
	if err != nil {
		return Hits{}, err
	}
	hits := Hits{Total: -1}
	if answer.TotalSize != nil && *answer.TotalSize >= 0 {
		hits.Total = *answer.TotalSize
	}
	// Of the link only the position is kept: the query in it is an echo.
	next, err := confluence.Follow(path, answer.Links.Next, header)
	if err != nil {
		return Hits{}, err
	}
	hits.Cursor = next.Get("cursor")
	hits.Start, _ = strconv.Atoi(next.Get("start")) // absent: 0
	for _, r := range answer.Results {
		hits.Hits = append(hits.Hits, r.hit())
	}
	return hits, nil
}

func (r hitJSON) hit() Hit {
	link := r.Content.Links.WebUI
	if link == "" {
		link = r.URL
	}
	title := r.Content.Title
	if title == "" {
		title = plain(r.Title)
	}
	name := r.Content.Space.Name
	if name == "" {
		name = r.Container.Title
	}
	hit := Hit{
		ID: string(r.Content.ID), Type: r.Content.Type, Status: r.Content.Status, Title: title, MediaType: r.Content.Extensions.MediaType,
		SpaceKey: r.spaceKey(), SpaceName: name, Excerpt: plain(r.Excerpt), Path: confluence.SitePath(link),
	}
	hit.Modified, _ = time.Parse(time.RFC3339, r.Modified) // absent: zero
	return hit
}

var spaceInPath = regexp.MustCompile(`^(?:/wiki)?/(?:spaces|display|rest/api/space)/([^/?#]+)`)

// spaceKey finds the key in all the places that may name it. They must agree.
func (r hitJSON) spaceKey() string {
	key := r.Content.Space.Key
	for _, link := range []string{r.Content.Expandable.Space, r.Container.URL, r.Content.Links.WebUI, r.URL} {
		found := spaceInPath.FindStringSubmatch(link)
		if found == nil {
			continue
		}
		name, err := url.PathUnescape(found[1])
		switch {
		case err != nil:
			return ""
		case key == "":
			key = name
		case !strings.EqualFold(key, name):
			return ""
		}
	}
	return key
}

var (
	marker = regexp.MustCompile(`@@@(?:end)?hl@@@`)
	spaces = regexp.MustCompile(`\s+`)
)

// plain removes highlight markers, entities and line breaks.
func plain(text string) string {
	text = marker.ReplaceAllString(text, "")
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(text), " "))
}
