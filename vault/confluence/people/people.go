// Package people asks Confluence for users and groups.
package people

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// MaxBulk is how many accounts one request of [Bulk] takes.
const MaxBulk = 200

// User is a person with an account.
type User struct {
	AccountID, Name, Email, Status string
	Type                           string // atlassian, app, customer
}

type userJSON struct {
	AccountID     string `json:"accountId"`
	AccountType   string `json:"accountType"`
	AccountStatus string `json:"accountStatus"`
	DisplayName   string `json:"displayName"`
	PublicName    string `json:"publicName"`
	Email         string `json:"email"`
}

func (u userJSON) user() User {
	name := u.DisplayName
	if name == "" {
		name = u.PublicName
	}
	return User{AccountID: u.AccountID, Name: name, Email: u.Email, Status: u.AccountStatus, Type: u.AccountType}
}

// Current returns the bearer of the token. v2 has no such call.
func Current(ctx context.Context, c *confluence.Client) (User, error) {
	var answer userJSON
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: "/rest/api/user/current"}, &answer); err != nil {
		return User{}, err
	}
	if answer.AccountID == "" {
		return User{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return answer.user(), nil
}

// Bulk returns the users with these accounts, at most [MaxBulk]. Confluence
// leaves out those that it does not know.
func Bulk(ctx context.Context, c *confluence.Client, accounts []string) ([]User, error) {
	var answer struct {
		Results []userJSON `json:"results"`
	}
	r := confluence.Request{Method: http.MethodPost, Path: "/api/v2/users-bulk", Body: map[string]any{"accountIds": accounts}}
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return nil, err
	}
	users := make([]User, 0, len(answer.Results))
	for _, u := range answer.Results {
		if u.AccountID != "" {
			users = append(users, u.user())
		}
	}
	return users, nil
}

// Group is a group of people.
type Group struct {
	ID, Name string
}

type groupJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Search finds users with a query such as user.fullname ~ "Ada". Start is where
// to go on; the second result is where the next part begins, 0 at the end.
func Search(ctx context.Context, c *confluence.Client, cql string, limit, start int) ([]User, int, error) {
	type hit struct {
		User userJSON `json:"user"`
	}
	found, next, err := older[hit](ctx, c, "/rest/api/search/user", part(limit, start, "cql", cql))
	users := make([]User, 0, len(found))
	for _, f := range found {
		if f.User.AccountID != "" {
			users = append(users, f.User.user())
		}
	}
	return users, next, err
}

// Groups lists groups, those whose name has query in it if there is one.
func Groups(ctx context.Context, c *confluence.Client, query string, limit, start int) ([]Group, int, error) {
	path, asked := "/rest/api/group", part(limit, start)
	if query != "" {
		path, asked = "/rest/api/group/picker", part(limit, start, "query", query)
	}
	found, next, err := older[groupJSON](ctx, c, path, asked)
	groups := make([]Group, 0, len(found))
	for _, g := range found {
		groups = append(groups, Group(g))
	}
	return groups, next, err
}

// GroupByID returns the group with an id.
func GroupByID(ctx context.Context, c *confluence.Client, id string) (Group, error) {
	var answer groupJSON
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: "/rest/api/group/by-id", Query: url.Values{"id": {id}}}, &answer); err != nil {
		return Group{}, err
	}
	if answer.ID != id {
		return Group{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return Group(answer), nil
}

var groupID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

// ValidGroupID reports whether text has the form of the id of a group, and so may
// be a step of a path: not all servers leave an escaped slash alone.
func ValidGroupID(text string) bool { return groupID.MatchString(text) }

// Members lists the members of a group. One that does not exist has none.
func Members(ctx context.Context, c *confluence.Client, group string, limit, start int) ([]User, int, error) {
	if !ValidGroupID(group) {
		return nil, 0, &confluence.Error{Kind: confluence.KindNotFound}
	}
	found, next, err := older[userJSON](ctx, c, "/rest/api/group/"+group+"/membersByGroupId", part(limit, start))
	users := make([]User, 0, len(found))
	for _, u := range found {
		users = append(users, u.user())
	}
	return users, next, err
}

// part makes the parameters of a list of v1.
func part(limit, start int, more ...string) url.Values {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if start > 0 {
		query.Set("start", strconv.Itoa(start))
	}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return query
}

// older asks for one part of a list of v1, which goes on by position.
func older[T any](ctx context.Context, c *confluence.Client, path string, query url.Values) ([]T, int, error) {
	var answer struct {
		Results []T              `json:"results"`
		Links   confluence.Links `json:"_links"`
	}
	header, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: path, Query: query}, &answer)
	if err != nil {
		return nil, 0, err
	}
	next, err := confluence.Follow(path, answer.Links.Next, header)
	if err != nil || next == nil {
		return answer.Results, 0, err
	}
	start, err := strconv.Atoi(next.Get("start"))
	if err != nil || start < 1 {
		return nil, 0, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return answer.Results, start, nil
}
