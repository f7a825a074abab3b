// Package properties has the content properties of the simulated Confluence:
// JSON values that are kept beside pages.
package properties

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Add adds the operations.
func Add(add op.Add) {
	s := &store{pages: map[int64][]propertyJSON{}, next: 1_001}
	for _, kind := range []string{"pages", "blogposts"} {
		path := op.V2 + "/" + kind + "/{id}/properties"
		add("GET "+path, "read:page:confluence", s.list)
		add("POST "+path, "write:page:confluence read:page:confluence", s.create)
		add("GET "+path+"/{property}", "read:page:confluence", s.get)
		add("PUT "+path+"/{property}", "write:page:confluence read:page:confluence", s.update)
		add("DELETE "+path+"/{property}", "write:page:confluence read:page:confluence", s.remove)
	}
}

type versionJSON struct {
	CreatedAt string `json:"createdAt"`
	Message   string `json:"message"`
	Number    int    `json:"number"`
	MinorEdit bool   `json:"minorEdit"`
	AuthorID  string `json:"authorId"`
}

type propertyJSON struct {
	ID      string          `json:"id"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Version versionJSON     `json:"version"`
}

// store keeps the properties of pages, by id.
type store struct {
	mu    sync.Mutex
	pages map[int64][]propertyJSON // guarded by mu
	next  int64                    // guarded by mu; id of the next property
}

// page is the page in the path, which the caller sees and with write may
// change.
func page(c *op.Call, write bool) (wiki.Page, error) {
	p, err := c.Page()
	kind := p.Type + "s"
	if err != nil || !strings.HasPrefix(c.URL.Path, op.V2+"/"+kind+"/") || write && !c.Wiki.Writes(c.Cloud(), c.Who, p.Space) {
		return p, wiki.NotFound()
	}
	return p, nil
}

func (s *store) list(c *op.Call) (any, error) {
	p, err := page(c, false)
	if err != nil {
		return nil, err
	}
	keys := op.List(c.URL.Query(), "key")
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(s.pages[p.ID]), func(p propertyJSON) bool { return len(keys) > 0 && !slices.Contains(keys, p.Key) })
	return op.Cut(c, found, func(p propertyJSON) propertyJSON { return p })
}

// body is what is written.
type body struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Version *struct {
		Number int `json:"number"`
	} `json:"version"`
}

func version(c *op.Call, number int) versionJSON {
	return versionJSON{CreatedAt: op.When(time.Now()), Number: number, AuthorID: c.Who.AccountID}
}

func (s *store) create(c *op.Call) (any, error) {
	p, err := page(c, true)
	if err != nil {
		return nil, err
	}
	var in body
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	if in.Key == "" || len(in.Value) == 0 || len(in.Value) > 32<<10 {
		return nil, wiki.Bad("'key' and 'value' must be given, and value must not be over 32 KB")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.pages[p.ID], func(p propertyJSON) bool { return p.Key == in.Key }) {
		return nil, conflict("Cannot create a property with the key '" + in.Key + "': it exists already")
	}
	made := propertyJSON{op.ID(s.next), in.Key, in.Value, version(c, 1)}
	s.next++
	s.pages[p.ID] = append(s.pages[p.ID], made)
	return made, nil
}

func conflict(text string) error {
	return &wiki.Error{Status: http.StatusConflict, Code: "CONFLICT", Title: text}
}

// at finds a property by the id in the path and calls do with its place.
func (s *store) at(c *op.Call, write bool, do func(all *[]propertyJSON, i int) (any, error)) (any, error) {
	p, err := page(c, write)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.pages[p.ID]
	i := slices.IndexFunc(all, func(p propertyJSON) bool { return p.ID == c.PathValue("property") })
	if i < 0 {
		return nil, wiki.NotFound()
	}
	answer, err := do(&all, i)
	s.pages[p.ID] = all
	return answer, err
}

func (s *store) get(c *op.Call) (any, error) {
	return s.at(c, false, func(all *[]propertyJSON, i int) (any, error) { return (*all)[i], nil })
}

func (s *store) update(c *op.Call) (any, error) {
	var in body
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	return s.at(c, true, func(all *[]propertyJSON, i int) (any, error) {
		p := &(*all)[i]
		switch {
		case in.Version == nil || in.Key != p.Key || len(in.Value) == 0:
			return nil, wiki.Bad("'version', 'key' and 'value' must be given")
		case in.Version.Number != p.Version.Number+1:
			return nil, conflict("Version must be incremented when updating a property.")
		}
		p.Value, p.Version = in.Value, version(c, in.Version.Number)
		return *p, nil
	})
}

func (s *store) remove(c *op.Call) (any, error) {
	return s.at(c, true, func(all *[]propertyJSON, i int) (any, error) {
		*all = slices.Delete(slices.Clone(*all), i, i+1)
		return nil, nil
	})
}
