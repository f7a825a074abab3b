// Package social has what people do with pages of the simulated Confluence
// beside writing: likes, watches, stars, states, and how often a page was
// viewed. Views and likes are made up from a page's history, always the same.
package social

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

const (
	readPage    = "read:page:confluence"
	readComment = "read:comment:confluence"
	summary     = "read:confluence-content.summary "
	readWatch   = summary + "read:watcher:confluence"
	writeWatch  = "write:confluence-content write:watcher:confluence"
	writeState  = "write:confluence-content write:content:confluence read:content-details:confluence"
)

// Add adds the operations.
func Add(add op.Add) {
	s := &store{watches: map[string][]string{}, states: map[int64]stateJSON{}}
	for _, kind := range []string{"pages", "blogposts"} {
		add("GET "+op.V2+"/"+kind+"/{id}/likes/count", readPage, likeCount)
		add("GET "+op.V2+"/"+kind+"/{id}/likes/users", readPage, likeUsers)
	}
	for _, kind := range []string{"footer-comments", "inline-comments"} {
		add("GET "+op.V2+"/"+kind+"/{id}/likes/count", readComment, noLikes)
		add("GET "+op.V2+"/"+kind+"/{id}/likes/users", readComment, noLikers)
	}
	add("GET "+op.V1+"/analytics/content/{id}/views", summary+"read:analytics.content:confluence", views(5))
	add("GET "+op.V1+"/analytics/content/{id}/viewers", summary+"read:analytics.content:confluence", views(1))
	for _, kind := range []string{"content", "space", "label"} {
		path := op.V1 + "/user/watch/" + kind + "/{id}"
		add("GET "+path, readWatch, s.watching(kind))
		add("POST "+path, writeWatch, s.watch(kind, true))
		add("DELETE "+path, writeWatch, s.watch(kind, false))
	}
	add("GET "+op.V1+"/content/{id}/notification/child-created", readWatch+" read:user:confluence", s.watchers)
	add("GET "+op.V1+"/content/{id}/state", summary+"read:content-details:confluence", s.state)
	add("PUT "+op.V1+"/content/{id}/state", writeState, s.setState)
	add("DELETE "+op.V1+"/content/{id}/state", writeState, s.clearState)
	add("GET "+op.V1+"/content/{id}/state/available", "write:confluence-content write:content:confluence", available)
	star := op.V1 + "/relation/{name}/from/user/current/to/content/{id}"
	add("PUT "+star, "write:confluence-content read:relation:confluence read:space:confluence read:user:confluence read:content:confluence write:relation:confluence", s.star)
	add("DELETE "+star, "write:confluence-content write:relation:confluence", s.unstar)
}

// store keeps who watches what, and the states of pages.
type store struct {
	mu      sync.Mutex
	watches map[string][]string // guarded by mu; account ids
	states  map[int64]stateJSON // guarded by mu
}

// likers are who has edited a page beside who made it.
func likers(p wiki.Page) []string {
	var all []string
	for _, v := range p.Versions {
		if v.Author != p.Author() && !slices.Contains(all, v.Author) {
			all = append(all, v.Author)
		}
	}
	return all
}

func likeCount(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	return map[string]int{"count": len(likers(p))}, nil
}

type likeJSON struct {
	AccountID string `json:"accountId"`
}

func likeUsers(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	return op.Cut(c, likers(p), func(account string) likeJSON { return likeJSON{account} })
}

func noLikes(*op.Call) (any, error) { return map[string]int{"count": 0}, nil }

func noLikers(c *op.Call) (any, error) {
	return op.Cut(c, []string{}, func(account string) likeJSON { return likeJSON{account} })
}

// views counts a page's versions since a date.
func views(each int) op.Func {
	return func(c *op.Call) (any, error) {
		p, err := c.Page()
		if err != nil {
			return nil, err
		}
		from := time.Time{}
		if text := c.URL.Query().Get("fromDate"); text != "" {
			if from, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, wiki.Bad("fromDate must be an ISO 8601 date")
			}
		}
		count := 0
		for _, v := range p.Versions {
			if !v.Created.Before(from) {
				count += each
			}
		}
		return map[string]int64{"id": p.ID, "count": int64(count)}, nil
	}
}

// place is what a watch is of: a page or space that is there, or a label.
func place(c *op.Call, kind string) (string, error) {
	switch kind {
	case "content":
		if _, err := c.Page(); err != nil {
			return "", err
		}
	case "space":
		space, ok := c.Wiki.SpaceByKey(c.Cloud(), c.PathValue("id"))
		if !ok {
			return "", wiki.NotFound()
		}
		if _, err := c.Wiki.Space(c.Cloud(), c.Who, space.ID); err != nil {
			return "", err
		}
	}
	return kind + " " + c.PathValue("id"), nil
}

func (s *store) watching(kind string) op.Func {
	return func(c *op.Call) (any, error) {
		at, err := place(c, kind)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return map[string]bool{"watching": slices.Contains(s.watches[at], c.Who.AccountID)}, nil
	}
}

func (s *store) watch(kind string, on bool) op.Func {
	return func(c *op.Call) (any, error) {
		at, err := place(c, kind)
		if err != nil {
			return nil, err
		}
		if c.Header.Get("X-Atlassian-Token") != "no-check" {
			return nil, &wiki.Error{Status: http.StatusForbidden, Title: "XSRF check failed"}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		who := c.Who.AccountID
		s.watches[at] = slices.DeleteFunc(s.watches[at], func(account string) bool { return account == who })
		if on {
			s.watches[at] = append(s.watches[at], who)
		}
		return nil, nil
	}
}

type watcherJSON struct {
	Type      string         `json:"type"`
	Watcher   map[string]any `json:"watcher"`
	ContentID int64          `json:"contentId"`
}

func (s *store) watchers(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return op.CutOlder(c, s.watches["content "+c.PathValue("id")], 200, func(account string) watcherJSON {
		person, _ := c.People.Person(account) // who is gone has no name
		return watcherJSON{"page", user(person), p.ID}
	})
}

func user(p directory.Person) map[string]any {
	return map[string]any{
		"type": "known", "accountId": p.AccountID, "displayName": p.DisplayName, "publicName": p.Nickname, "accountType": "atlassian", "email": "",
		"profilePicture": map[string]any{"path": "/x", "width": 48, "height": 48, "isDefault": true}, "operations": []any{},
		"isExternalCollaborator": false, "externalCollaborator": false, "personalSpace": map[string]any{},
	}
}

type stateJSON struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Color string `json:"color"`
}

// spaceStates are those that each space offers.
func spaceStates() []stateJSON {
	return []stateJSON{{0, "Rough draft", "#FFC400"}, {1, "In progress", "#2684FF"}, {2, "Ready for review", "#57D9A3"}}
}

type stateOut struct {
	State stateJSON `json:"contentState"`
	Last  string    `json:"lastUpdated"`
}

// state answers 200 without a body where there is none.
func (s *store) state(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.states[p.ID]
	if !ok {
		return op.Answer{Status: http.StatusOK}, nil
	}
	return stateOut{found, op.When(p.Newest().Created)}, nil
}

// setState makes a new version of the page.
func (s *store) setState(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	var in struct {
		ID    *int64 `json:"id"`
		Name  string `json:"name"`
		Color string `json:"color"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	state := stateJSON{100, in.Name, in.Color}
	if in.ID != nil {
		i := slices.IndexFunc(spaceStates(), func(s stateJSON) bool { return s.ID == *in.ID })
		if i < 0 {
			return nil, wiki.Bad("There is no such state")
		}
		state = spaceStates()[i]
	}
	if state.Name == "" || len(state.Name) > 20 || !strings.HasPrefix(state.Color, "#") {
		return nil, wiki.Bad("A state needs a name of at most 20 characters and a color")
	}
	p, err = c.Wiki.Update(c.Cloud(), c.Who, wiki.Edit{ID: p.ID, Status: "current", Title: p.Newest().Title, KeepBody: true})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[p.ID] = state
	return stateOut{state, op.When(p.Newest().Created)}, nil
}

func (s *store) clearState(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	if !c.Wiki.Writes(c.Cloud(), c.Who, p.Space) {
		return nil, wiki.NotFound()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.states, p.ID)
	return op.Answer{Status: http.StatusOK}, nil
}

func available(c *op.Call) (any, error) {
	if _, err := c.Page(); err != nil {
		return nil, err
	}
	return map[string][]stateJSON{"spaceContentStates": spaceStates(), "customContentStates": {}}, nil
}

func (s *store) star(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil || c.PathValue("name") != "favourite" {
		return nil, wiki.NotFound()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := "star " + op.ID(p.ID)
	if !slices.Contains(s.watches[at], c.Who.AccountID) {
		s.watches[at] = append(s.watches[at], c.Who.AccountID)
	}
	return map[string]string{"name": "favourite"}, nil
}

func (s *store) unstar(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil || c.PathValue("name") != "favourite" {
		return nil, wiki.NotFound()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := "star " + op.ID(p.ID)
	if !slices.Contains(s.watches[at], c.Who.AccountID) {
		return nil, wiki.NotFound()
	}
	s.watches[at] = slices.DeleteFunc(s.watches[at], func(account string) bool { return account == c.Who.AccountID })
	return nil, nil
}
