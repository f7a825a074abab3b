// Package people has the search for users and the groups of the simulated
// Confluence.
package people

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

const (
	readGroups  = "read:confluence-groups read:group:confluence"
	searchUsers = "read:content-details:confluence"
)

// Add adds the operations.
func Add(add op.Add) {
	add("GET "+op.V1+"/search/user", searchUsers, search)
	add("GET "+op.V1+"/group", readGroups, groups)
	add("GET "+op.V1+"/group/picker", readGroups, picker)
	add("GET "+op.V1+"/group/by-id", readGroups, byID)
	add("GET "+op.V1+"/group/{id}/membersByGroupId", readGroups+" read:user:confluence", members)
	add("GET "+op.V1+"/user/memberof", "read:confluence-user read:user:confluence read:group:confluence", memberOf)
}

// Group is a group of people.
type Group struct {
	ID, Name string
	Members  []directory.Person
}

// Groups are those that each site has: everybody with a licence, and its
// administrator.
func Groups(people []directory.Person, site directory.Site) []Group {
	users, admins := Group{Name: "confluence-users-" + site.Name}, Group{Name: "site-admins"}
	for _, p := range people {
		if p.NoLicence || !site.Has(p.Name) {
			continue
		}
		users.Members = append(users.Members, p)
		if admins.Members == nil {
			admins.Members = []directory.Person{p}
		}
	}
	all := []Group{users, admins}
	for i := range all {
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(site.CloudID + all[i].Name)) // never fails
		all[i].ID = fmt.Sprintf("00000000-0000-4000-8000-%012x", sum.Sum64()>>16)
	}
	return all
}

func of(c *op.Call) []Group { return Groups(c.People.People(), c.Site) }

type userJSON struct {
	Type        string            `json:"type"`
	AccountID   string            `json:"accountId"`
	AccountType string            `json:"accountType"`
	Email       string            `json:"email"`
	PublicName  string            `json:"publicName"`
	DisplayName string            `json:"displayName"`
	Status      string            `json:"accountStatus"`
	Expandable  map[string]string `json:"_expandable"`
	Links       map[string]string `json:"_links"`
}

// show is a person. The address is only there for oneself: what others see of
// it is each person's choice, and most leave it hidden.
func show(c *op.Call, p directory.Person) userJSON {
	u := userJSON{
		Type: "known", AccountID: p.AccountID, AccountType: "atlassian", PublicName: p.Nickname, DisplayName: p.DisplayName, Status: "active",
		Expandable: map[string]string{"operations": "", "personalSpace": ""},
		Links:      map[string]string{"self": c.Site.URL + "/wiki/rest/api/user?accountId=" + p.AccountID},
	}
	if p.AccountID == c.Who.AccountID {
		u.Email = p.Email
	}
	return u
}

type hit struct {
	User         userJSON `json:"user"`
	Title        string   `json:"title"`
	Excerpt      string   `json:"excerpt"`
	URL          string   `json:"url"`
	Breadcrumbs  []any    `json:"breadcrumbs"`
	EntityType   string   `json:"entityType"`
	IconCSSClass string   `json:"iconCssClass"`
	LastModified string   `json:"lastModified"`
	Score        float64  `json:"score"`
}

type hits struct {
	op.Older[hit]
	TotalSize      int    `json:"totalSize"`
	CQLQuery       string `json:"cqlQuery"`
	SearchDuration int    `json:"searchDuration"`
}

func search(c *op.Call) (any, error) {
	text := c.URL.Query().Get("cql")
	query, err := cql.Parse(text)
	if err != nil || text == "" {
		return nil, wiki.Bad("Could not parse cql : " + text)
	}
	var found []directory.Person
	for _, p := range of(c)[0].Members {
		d := &cql.Doc{ID: p.AccountID, Type: "user", Title: p.DisplayName, TitleWords: cql.Words(p.DisplayName)}
		if _, ok := query.Match(d, cql.Env{User: c.Who.AccountID}); ok {
			found = append(found, p)
		}
	}
	part, err := op.CutOlder(c, found, op.DefaultLimit, func(p directory.Person) hit {
		return hit{User: show(c, p), Title: p.DisplayName, URL: "/people/" + p.AccountID, Breadcrumbs: []any{}, EntityType: "user", LastModified: "1970-01-01T00:00:00.000Z"}
	})
	if err != nil {
		return nil, err
	}
	list, _ := part.(op.Older[hit])
	return hits{list, len(found), text, 1}, nil
}

type groupJSON struct {
	Type  string            `json:"type"`
	Name  string            `json:"name"`
	ID    string            `json:"id"`
	Links map[string]string `json:"_links"`
}

func showGroup(c *op.Call) func(Group) groupJSON {
	return func(g Group) groupJSON {
		return groupJSON{"group", g.Name, g.ID, map[string]string{"self": c.Site.URL + "/wiki/rest/api/group/by-id?id=" + g.ID}}
	}
}

func groups(c *op.Call) (any, error) { return op.CutOlder(c, of(c), 200, showGroup(c)) }

func picker(c *op.Call) (any, error) {
	query := strings.ToLower(c.URL.Query().Get("query"))
	found := slices.DeleteFunc(of(c), func(g Group) bool { return !strings.Contains(strings.ToLower(g.Name), query) })
	return op.CutOlder(c, found, 200, showGroup(c))
}

func byID(c *op.Call) (any, error) {
	for _, g := range of(c) {
		if g.ID == c.URL.Query().Get("id") {
			return showGroup(c)(g), nil
		}
	}
	return nil, &wiki.Error{Status: http.StatusNotFound, Title: "No group found"}
}

// members lists nobody for a group that does not exist, as Confluence does.
func members(c *op.Call) (any, error) {
	var all []directory.Person
	for _, g := range of(c) {
		if g.ID == c.PathValue("id") {
			all = g.Members
		}
	}
	return op.CutOlder(c, all, 200, func(p directory.Person) userJSON { return show(c, p) })
}

func memberOf(c *op.Call) (any, error) {
	account := c.URL.Query().Get("accountId")
	found := slices.DeleteFunc(of(c), func(g Group) bool {
		return !slices.ContainsFunc(g.Members, func(p directory.Person) bool { return p.AccountID == account })
	})
	return op.CutOlder(c, found, 200, showGroup(c))
}
