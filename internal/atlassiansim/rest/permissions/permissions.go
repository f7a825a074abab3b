// Package permissions has the restrictions of pages of the simulated
// Confluence, and the question who may do what. Restrictions of reading are in
// force; those of editing are only told.
package permissions

import (
	"net/http"
	"slices"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/people"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

const (
	readAll = "read:confluence-content.all "
	details = readAll + "read:content-details:confluence"
	single  = readAll + "read:content.restriction:confluence"
	write   = "write:confluence-content write:content.restriction:confluence"
)

// Add adds the operations.
func Add(add op.Add) {
	s := &store{pages: map[int64]map[string]*subjects{}}
	path := op.V1 + "/content/{id}/restriction"
	add("GET "+path, details, s.list)
	add("GET "+path+"/byOperation/{operation}", details, s.one)
	for _, kind := range []string{"/user", "/byGroupId/{group}"} {
		at := path + "/byOperation/{operation}" + kind
		add("GET "+at, single, s.listed)
		add("PUT "+at, write, s.change(true))
		add("DELETE "+at, write, s.change(false))
	}
	add("POST "+op.V1+"/content/{id}/permission/check", "read:confluence-content.permission read:content.permission:confluence", s.check)
}

// subjects are who is named, by account and group id.
type subjects struct{ users, groups []string }

func (s *subjects) list(c *op.Call) *[]string {
	if c.PathValue("group") != "" {
		return &s.groups
	}
	return &s.users
}

// store keeps the restrictions of pages by operation.
type store struct {
	mu    sync.Mutex
	pages map[int64]map[string]*subjects // guarded by mu
}

// of are the restrictions of a page. Those that the wiki was made with are for
// people by their names.
func (s *store) ofLocked(c *op.Call, p wiki.Page) map[string]*subjects {
	if s.pages[p.ID] == nil {
		read := &subjects{}
		for _, name := range p.VisibleTo {
			if person, ok := c.People.Person(name); ok {
				read.users = append(read.users, person.AccountID)
			}
		}
		s.pages[p.ID] = map[string]*subjects{"read": read, "update": {}}
	}
	return s.pages[p.ID]
}

type userJSON struct {
	Type        string `json:"type"`
	AccountID   string `json:"accountId"`
	AccountType string `json:"accountType"`
	DisplayName string `json:"displayName"`
	PublicName  string `json:"publicName"`
	Email       string `json:"email"`
}

type groupJSON struct {
	Type string `json:"type"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

type restrictionJSON struct {
	Operation    string            `json:"operation"`
	Restrictions map[string]any    `json:"restrictions"`
	Expandable   map[string]string `json:"_expandable"`
	Links        map[string]string `json:"_links"`
}

func show(c *op.Call, operation string, s *subjects) (restrictionJSON, error) {
	users, err := op.CutOlder(c, s.users, 100, func(account string) userJSON {
		person, _ := c.People.Person(account) // who is gone has no name
		return userJSON{Type: "known", AccountID: account, AccountType: "atlassian", DisplayName: person.DisplayName, PublicName: person.Nickname}
	})
	if err != nil {
		return restrictionJSON{}, err
	}
	groups, err := op.CutOlder(c, s.groups, 100, func(id string) groupJSON {
		g, _ := group(c, id)
		return groupJSON{"group", g.Name, id}
	})
	return restrictionJSON{
		Operation: operation, Restrictions: map[string]any{"user": users, "group": groups},
		Expandable: map[string]string{"content": "/rest/api/content/" + c.PathValue("id")}, Links: map[string]string{},
	}, err
}

func group(c *op.Call, id string) (people.Group, bool) {
	all := people.Groups(c.People.People(), c.Site)
	i := slices.IndexFunc(all, func(g people.Group) bool { return g.ID == id })
	if i < 0 {
		return people.Group{}, false
	}
	return all[i], true
}

type listJSON struct {
	Results []restrictionJSON `json:"results"`
	Start   int               `json:"start"`
	Limit   int               `json:"limit"`
	Size    int               `json:"size"`
	Hash    string            `json:"restrictionsHash"`
	Links   map[string]string `json:"_links"`
}

func (s *store) list(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := listJSON{Limit: 100, Size: 2, Hash: "x", Links: map[string]string{"base": c.Site.URL + "/wiki", "context": "/wiki"}}
	for _, operation := range []string{"read", "update"} {
		shown, err := show(c, operation, s.ofLocked(c, p)[operation])
		if err != nil {
			return nil, err
		}
		answer.Results = append(answer.Results, shown)
	}
	return answer, nil
}

// named is the page and the operation of the path.
func (s *store) namedLocked(c *op.Call, writes bool) (wiki.Page, *subjects, error) {
	p, err := c.Page()
	if err != nil {
		return p, nil, err
	}
	found := s.ofLocked(c, p)[c.PathValue("operation")]
	switch {
	case found == nil:
		return p, nil, wiki.Bad("Unknown operation")
	case writes && !c.Wiki.Writes(c.Cloud(), c.Who, p.Space):
		return p, nil, &wiki.Error{Status: http.StatusForbidden, Code: "FORBIDDEN", Title: "Forbidden"}
	}
	return p, found, nil
}

func (s *store) one(c *op.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found, err := s.namedLocked(c, false)
	if err != nil {
		return nil, err
	}
	return show(c, c.PathValue("operation"), found)
}

// subject is who a request names.
func subject(c *op.Call) string {
	if id := c.PathValue("group"); id != "" {
		return id
	}
	return c.URL.Query().Get("accountId")
}

// listed answers 200 without a body if somebody is named, else 404.
func (s *store) listed(c *op.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found, err := s.namedLocked(c, false)
	if err == nil && !slices.Contains(*found.list(c), subject(c)) {
		err = wiki.NotFound()
	}
	return op.Answer{Status: http.StatusOK}, err
}

func (s *store) change(add bool) op.Func {
	return func(c *op.Call) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		p, found, err := s.namedLocked(c, true)
		if err != nil {
			return nil, err
		}
		who, list := subject(c), found.list(c)
		if !exists(c, who) {
			return nil, wiki.Bad("There is no such user or group")
		}
		switch at := slices.Index(*list, who); {
		case add && at < 0:
			*list = append(*list, who)
		case !add && at < 0:
			return nil, wiki.NotFound()
		case !add:
			*list = slices.Delete(*list, at, at+1)
		}
		if c.PathValue("operation") == "read" {
			c.Wiki.Restrict(c.Cloud(), p.ID, names(c, found))
		}
		return op.Answer{Status: http.StatusOK}, nil
	}
}

func exists(c *op.Call, who string) bool {
	if c.PathValue("group") != "" {
		_, ok := group(c, who)
		return ok
	}
	p, ok := c.People.Person(who)
	return ok && p.AccountID == who
}

// names are the people whom subjects name, nil for nobody named.
func names(c *op.Call, s *subjects) []string {
	var all []string
	for _, account := range s.users {
		if p, ok := c.People.Person(account); ok {
			all = append(all, p.Name)
		}
	}
	for _, id := range s.groups {
		g, _ := group(c, id)
		for _, p := range g.Members {
			all = append(all, p.Name)
		}
	}
	return all
}

type checkJSON struct {
	HasPermission bool              `json:"hasPermission"`
	Errors        []any             `json:"errors"`
	Links         map[string]string `json:"_links"`
}

// check answers 200 also to say no.
func (s *store) check(c *op.Call) (any, error) {
	var in struct {
		Subject struct {
			Type       string `json:"type"`
			Identifier string `json:"identifier"`
		} `json:"subject"`
		Operation string `json:"operation"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := checkJSON{Errors: []any{}, Links: map[string]string{}}
	person, ok := c.People.Person(in.Subject.Identifier)
	if in.Subject.Type != "user" || !ok {
		return answer, nil
	}
	answer.HasPermission = may(c, person, p, in.Operation, s.ofLocked(c, p)["update"])
	return answer, nil
}

func may(c *op.Call, who directory.Person, p wiki.Page, operation string, update *subjects) bool {
	if _, err := c.Wiki.Page(c.Cloud(), who, p.ID); err != nil {
		return false
	}
	editors := names(c, update)
	return operation == "read" || c.Wiki.Writes(c.Cloud(), who, p.Space) && (len(editors) == 0 || slices.Contains(editors, who.Name))
}
