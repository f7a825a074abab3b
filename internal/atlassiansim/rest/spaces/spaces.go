// Package spaces has what the simulated Confluence does with spaces beside
// showing them: creating one, and telling who may what in it.
package spaces

import (
	"slices"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/people"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Add adds the operations.
func Add(add op.Add) {
	add("POST "+op.V2+"/spaces", "write:space:confluence", create)
	add("POST "+op.V1+"/space", "write:confluence-space read:space-details:confluence write:space:confluence write:space.permission:confluence", createOlder)
	add("GET "+op.V2+"/spaces/{id}/permissions", "read:space:confluence", permissions)
}

type written struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Description struct {
		Value string `json:"value"`
		Plain struct {
			Value string `json:"value"`
		} `json:"plain"`
	} `json:"description"`
	Private bool `json:"createPrivateSpace"`
}

func made(c *op.Call) (wiki.Space, error) {
	var in written
	if err := c.Read(&in); err != nil {
		return wiki.Space{}, err
	}
	if in.Name == "" || in.Key == "" || len(in.Key) > 255 {
		return wiki.Space{}, wiki.Bad("The space needs a name and a valid key")
	}
	space := wiki.Space{Key: in.Key, Name: in.Name, Description: in.Description.Value + in.Description.Plain.Value}
	if in.Private {
		space.VisibleTo = []string{c.Who.Name}
	}
	return c.Wiki.CreateSpace(c.Cloud(), c.Who, space)
}

type spaceJSON struct {
	ID         string            `json:"id"`
	Key        string            `json:"key"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Status     string            `json:"status"`
	AuthorID   string            `json:"authorId"`
	CreatedAt  string            `json:"createdAt"`
	HomepageID string            `json:"homepageId"`
	Links      map[string]string `json:"_links"`
}

func create(c *op.Call) (any, error) {
	s, err := made(c)
	if err != nil {
		return nil, err
	}
	return op.Created(spaceJSON{
		op.ID(s.ID), s.Key, s.Name, s.Type, "current", s.Author, op.When(s.Created), op.ID(s.Homepage), map[string]string{"webui": "/spaces/" + s.Key},
	}), nil
}

func createOlder(c *op.Call) (any, error) {
	s, err := made(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": s.ID, "key": s.Key, "name": s.Name, "type": s.Type, "status": "current",
		"_expandable": map[string]string{"homepage": "/rest/api/content/" + op.ID(s.Homepage)}, "_links": map[string]string{"webui": "/spaces/" + s.Key},
	}, nil
}

type principal struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type operation struct {
	Key    string `json:"key"`
	Target string `json:"targetType"`
}

type assignment struct {
	ID        string    `json:"id"`
	Principal principal `json:"principal"`
	Operation operation `json:"operation"`
}

// permissions lists who may what. A space for everybody belongs to the group of
// everybody.
func permissions(c *op.Call) (any, error) {
	id, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	s, err := c.Wiki.Space(c.Cloud(), c.Who, id)
	if err != nil {
		return nil, err
	}
	var all []assignment
	give := func(who principal, operations ...operation) {
		for _, o := range operations {
			all = append(all, assignment{strconv.Itoa(1000 + len(all)), who, o})
		}
	}
	reads := []operation{{"read", "space"}}
	writes := []operation{{"create", "page"}, {"create", "comment"}, {"delete", "page"}}
	everybody := principal{"group", people.Groups(c.People.People(), c.Site)[0].ID}
	if s.VisibleTo == nil {
		give(everybody, reads...)
	}
	if s.VisibleTo == nil && s.Writers == nil {
		give(everybody, writes...)
	}
	for _, p := range c.People.People() {
		who := principal{"user", p.AccountID}
		if slices.Contains(s.VisibleTo, p.Name) {
			give(who, reads...)
		}
		if slices.Contains(s.Writers, p.Name) {
			give(who, writes...)
		}
		if p.AccountID == s.Author {
			give(who, operation{"administer", "space"})
		}
	}
	return op.Cut(c, all, func(a assignment) assignment { return a })
}
