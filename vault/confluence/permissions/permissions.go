// Package permissions reads and changes the restrictions of pages and blog
// posts, and asks who may do what. All of it is v1.
package permissions

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// The operations that can be restricted.
const (
	Read   = "read"
	Update = "update"
)

// Subject is a user or a group.
type Subject struct {
	Group bool
	ID    string // account id, or id of the group
	Name  string
}

// Named are who may do each operation; nobody named is everybody who may see
// the space.
type Named map[string][]Subject

// Limits of what is read.
const (
	perPart  = 100
	maxParts = 10
)

type partJSON struct {
	User struct {
		Results []struct {
			AccountID   string `json:"accountId"`
			DisplayName string `json:"displayName"`
			PublicName  string `json:"publicName"`
		} `json:"results"`
	} `json:"user"`
	Group struct {
		Results []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"results"`
	} `json:"group"`
}

var numeric = regexp.MustCompile(`^[0-9]{1,19}$`)

func path(content string) (string, error) {
	if !numeric.MatchString(content) {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return "/rest/api/content/" + content + "/restriction", nil
}

// Restrictions returns who may do what with a page. More than 1,000 users or
// groups are [confluence.KindTooLarge].
func Restrictions(ctx context.Context, c *confluence.Client, content string) (Named, error) {
	at, err := path(content)
	if err != nil {
		return nil, err
	}
	named := Named{}
	for part := range maxParts {
		var answer struct {
			Results []struct {
				Operation    string    `json:"operation"`
				Restrictions *partJSON `json:"restrictions"`
			} `json:"results"`
		}
		query := url.Values{
			"expand": {"restrictions.user,restrictions.group"}, "limit": {strconv.Itoa(perPart)}, "start": {strconv.Itoa(part * perPart)},
		}
		if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: at, Query: query}, &answer); err != nil {
			return nil, err
		}
		full := false
		for _, r := range answer.Results {
			if r.Restrictions == nil {
				return nil, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
			}
			named[r.Operation] = append(named[r.Operation], r.Restrictions.subjects()...)
			full = full || len(r.Restrictions.User.Results) >= perPart || len(r.Restrictions.Group.Results) >= perPart
		}
		if !full {
			return named, nil
		}
	}
	return nil, &confluence.Error{Kind: confluence.KindTooLarge, Status: http.StatusOK}
}

func (p *partJSON) subjects() []Subject {
	var all []Subject
	for _, u := range p.User.Results {
		name := u.DisplayName
		if name == "" {
			name = u.PublicName
		}
		all = append(all, Subject{ID: u.AccountID, Name: name})
	}
	for _, g := range p.Group.Results {
		all = append(all, Subject{Group: true, ID: g.ID, Name: g.Name})
	}
	return all
}

// Add names a subject for an operation. Doing it twice is the same as once.
func Add(ctx context.Context, c *confluence.Client, content, operation string, s Subject) error {
	r, err := one(content, operation, s)
	if err != nil {
		return err
	}
	r.Method = http.MethodPut
	_, err = c.Do(ctx, r, nil)
	return err
}

// Remove names a subject no longer. One that was not named is
// [confluence.KindNotFound].
func Remove(ctx context.Context, c *confluence.Client, content, operation string, s Subject) error {
	r, err := one(content, operation, s)
	if err != nil {
		return err
	}
	r.Method = http.MethodDelete
	_, err = c.Do(ctx, r, nil)
	return err
}

// one is where a subject is named.
func one(content, operation string, s Subject) (confluence.Request, error) {
	at, err := path(content)
	at += "/byOperation/" + url.PathEscape(operation)
	if s.Group {
		return confluence.Request{Path: at + "/byGroupId/" + url.PathEscape(s.ID)}, err
	}
	return confluence.Request{Path: at + "/user", Query: url.Values{"accountId": {s.ID}}}, err
}

// May reports whether a user may do an operation with a page, all things
// considered: permissions of the space and restrictions on and above the page.
func May(ctx context.Context, c *confluence.Client, content, account, operation string) (bool, error) {
	if !numeric.MatchString(content) {
		return false, &confluence.Error{Kind: confluence.KindNotFound}
	}
	var answer struct {
		Has *bool `json:"hasPermission"`
	}
	body := map[string]any{"subject": map[string]string{"type": "user", "identifier": account}, "operation": operation}
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodPost, Path: "/rest/api/content/" + content + "/permission/check", Body: body}, &answer); err != nil {
		return false, err
	}
	if answer.Has == nil {
		return false, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return *answer.Has, nil
}

// GroupsOf returns the ids of the groups that a user is in.
func GroupsOf(ctx context.Context, c *confluence.Client, account string) ([]string, error) {
	var ids []string
	for part := range maxParts {
		var answer struct {
			Results []struct {
				ID string `json:"id"`
			} `json:"results"`
		}
		query := url.Values{"accountId": {account}, "limit": {strconv.Itoa(2 * perPart)}, "start": {strconv.Itoa(part * 2 * perPart)}}
		if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: "/rest/api/user/memberof", Query: query}, &answer); err != nil {
			return nil, err
		}
		for _, g := range answer.Results {
			ids = append(ids, g.ID)
		}
		if len(answer.Results) < 2*perPart {
			break
		}
	}
	return ids, nil
}

// Above returns the ids of what is above a page, the highest first.
func Above(ctx context.Context, c *confluence.Client, page string) ([]string, error) {
	if !numeric.MatchString(page) {
		return nil, &confluence.Error{Kind: confluence.KindNotFound}
	}
	found, _, err := confluence.List[struct {
		ID confluence.ID `json:"id"`
	}](ctx, c, "/api/v2/pages/"+page+"/ancestors", url.Values{"limit": {"250"}})
	ids := make([]string, len(found))
	for i, a := range found {
		ids[i] = string(a.ID)
	}
	return ids, err
}
