package rest

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

type spaceJSON struct {
	ID          string             `json:"id"`
	Key         string             `json:"key"`
	Name        string             `json:"name"`
	Type        string             `json:"type"`
	Status      string             `json:"status"`
	AuthorID    string             `json:"authorId"`
	CreatedAt   string             `json:"createdAt"`
	HomepageID  string             `json:"homepageId,omitempty"`
	Description map[string]op.Body `json:"description"`
	Icon        *string            `json:"icon,omitempty"`
	Alias       string             `json:"currentActiveAlias"`
	Labels      *embedded[label]   `json:"labels,omitempty"`
	Links       linksJSON          `json:"_links"`
}

func (c *call) showSpace(s wiki.Space) spaceJSON {
	answer := spaceJSON{
		ID: op.ID(s.ID), Key: s.Key, Name: s.Name, Type: s.Type, Status: "current", AuthorID: s.Author, CreatedAt: op.When(s.Created),
		Alias: s.Key, Links: linksJSON{WebUI: "/spaces/" + url.PathEscape(s.Key)},
	}
	if s.Homepage != 0 {
		answer.HomepageID = op.ID(s.Homepage)
	}
	if f := c.URL.Query().Get("description-format"); f == "plain" || f == "view" {
		answer.Description = map[string]op.Body{f: {Representation: f, Value: s.Description}}
	}
	return answer
}

func space(c *call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	s, err := c.Wiki.Space(c.Site.CloudID, c.Who, n)
	if err != nil {
		return nil, err
	}
	answer := c.showSpace(s)
	if c.URL.Query().Get("include-labels") == "true" {
		answer.Labels = &embedded[label]{showLabels(wiki.Page{Labels: s.Labels}), map[string]any{"hasMore": false}, map[string]string{"self": c.URL.Path + "/labels"}}
	}
	answer.Links.Base = c.Site.URL + "/wiki"
	return answer, nil
}

func spaces(c *call) (any, error) {
	q := c.URL.Query()
	ids, err := op.Numbers(q, "ids")
	if err != nil {
		return nil, err
	}
	keys, kind, status := op.List(q, "keys"), q.Get("type"), q.Get("status")
	if status != "" && status != "current" && status != "archived" {
		return nil, op.BadParameter("status", status)
	}
	labels, favourite := op.List(q, "labels"), q.Get("favorited-by")
	all := slices.DeleteFunc(c.Wiki.Spaces(c.Site.CloudID, c.Who), func(s wiki.Space) bool {
		return status == "archived" || ids != nil && !slices.Contains(ids, s.ID) ||
			keys != nil && !slices.Contains(keys, s.Key) || kind != "" && kind != s.Type ||
			labels != nil && !slices.ContainsFunc(labels, func(l string) bool { return slices.Contains(s.Labels, l) }) ||
			favourite != "" && !slices.ContainsFunc(s.Favourite, func(name string) bool { p, ok := c.People.Person(name); return ok && p.AccountID == favourite })
	})
	by := q.Get("sort")
	field, desc := strings.CutPrefix(by, "-")
	switch field {
	case "", "id":
		slices.SortFunc(all, func(a, b wiki.Space) int { return cmp.Compare(a.ID, b.ID) })
	case "key":
		slices.SortFunc(all, func(a, b wiki.Space) int { return strings.Compare(a.Key, b.Key) })
	case "name":
		slices.SortFunc(all, func(a, b wiki.Space) int { return strings.Compare(a.Name, b.Name) })
	default:
		return nil, op.BadParameter("sort", by)
	}
	if desc {
		slices.Reverse(all)
	}
	return op.Cut(&c.Call, all, c.showSpace)
}
