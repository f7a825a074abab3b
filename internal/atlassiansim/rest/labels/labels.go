// Package labels has what the simulated Confluence does with labels: adding and
// removing, which are v1, and the lists, which are v2.
package labels

import (
	"encoding/json"
	"hash/fnv"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// writes are the scopes of changing labels.
const writes = "write:confluence-content read:label:confluence write:label:confluence"

// Add adds the operations.
func Add(add op.Add) {
	at := op.V1 + "/content/{id}/label"
	add("POST "+at, writes, create)
	add("DELETE "+at, writes, remove)
	add("DELETE "+at+"/{label}", writes, remove)
	add("GET "+op.V2+"/blogposts/{id}/labels", "read:page:confluence", ofPost)
	add("GET "+op.V2+"/labels", "read:label:confluence", all)
	add("GET "+op.V2+"/spaces/{id}/content/labels", "read:space:confluence", inSpace)
}

type label struct {
	Prefix string `json:"prefix"`
	Name   string `json:"name"`
	ID     string `json:"id"`
	Label  string `json:"label,omitempty"` // v1 only
}

func show(name, alias string) label {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // never fails
	return label{"global", name, op.ID(int64(sum.Sum32())), alias}
}

func create(c *op.Call) (any, error) {
	var raw json.RawMessage
	if err := c.Read(&raw); err != nil {
		return nil, err
	}
	var in []label
	if json.Unmarshal(raw, &in) != nil {
		in = make([]label, 1)
		if json.Unmarshal(raw, &in[0]) != nil {
			return nil, wiki.Bad("Could not parse Labels")
		}
	}
	var names []string
	for _, l := range in {
		if l.Name == "" || l.Prefix == "" {
			return nil, wiki.Bad("Could not parse Labels")
		}
		names = append(names, l.Name)
	}
	id, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	page, err := c.Wiki.Label(c.Cloud(), c.Who, id, names, nil)
	if err != nil {
		return nil, err
	}
	return op.CutOlder(c, page.Labels, 200, func(name string) label { return show(name, name) })
}

func remove(c *op.Call) (any, error) {
	id, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	name := c.PathValue("label")
	if name == "" {
		name = c.URL.Query().Get("name")
	}
	if name == "" {
		return nil, wiki.Bad("The name of the label is required")
	}
	_, err = c.Wiki.Label(c.Cloud(), c.Who, id, nil, []string{name})
	return nil, err
}

func ofPost(c *op.Call) (any, error) {
	page, err := c.Page()
	if err != nil || page.Type != "blogpost" {
		return nil, wiki.NotFound()
	}
	return op.Cut(c, page.Labels, func(name string) label { return show(name, "") })
}

func all(c *op.Call) (any, error) {
	return list(c, func(*wiki.Page) bool { return true })
}

func inSpace(c *op.Call) (any, error) {
	id, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	if _, err := c.Wiki.Space(c.Cloud(), c.Who, id); err != nil {
		return nil, err
	}
	return list(c, func(p *wiki.Page) bool { return p.Space == id })
}

func list(c *op.Call, keep func(*wiki.Page) bool) (any, error) {
	var names []string
	for _, p := range c.Wiki.Pages(c.Cloud(), c.Who, func(p *wiki.Page) bool { return p.Status == "current" && keep(p) }) {
		names = append(names, p.Labels...)
	}
	slices.Sort(names)
	return op.Cut(c, slices.Compact(names), func(name string) label { return show(name, "") })
}
