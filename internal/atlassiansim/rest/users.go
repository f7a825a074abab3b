package rest

import (
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

type pictureJSON struct {
	Path      string `json:"path"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	IsDefault bool   `json:"isDefault"`
}

// userJSON is a person in v1, with the members and order seen live.
type userJSON struct {
	Type                   string            `json:"type"`
	AccountID              string            `json:"accountId"`
	AccountType            string            `json:"accountType"`
	Email                  string            `json:"email"`
	PublicName             string            `json:"publicName"`
	ProfilePicture         pictureJSON       `json:"profilePicture"`
	DisplayName            string            `json:"displayName"`
	IsExternalCollaborator bool              `json:"isExternalCollaborator"`
	IsGuest                bool              `json:"isGuest"`
	Locale                 string            `json:"locale"`
	AccountStatus          string            `json:"accountStatus"`
	Expandable             map[string]string `json:"_expandable"`
	Links                  map[string]string `json:"_links"`
}

func picture(p directory.Person) pictureJSON {
	return pictureJSON{Path: "/wiki/aa-avatar/" + p.AccountID, Width: 48, Height: 48}
}

func (c *call) showUser(p directory.Person) userJSON {
	return userJSON{
		Type: "known", AccountID: p.AccountID, AccountType: "atlassian", Email: p.Email, PublicName: p.Nickname,
		ProfilePicture: picture(p), DisplayName: p.DisplayName, Locale: "en-US", AccountStatus: "active",
		Expandable: map[string]string{"operations": "", "personalSpace": ""},
		Links:      map[string]string{"self": c.Site.URL + "/wiki/rest/api/user?accountId=" + p.AccountID},
	}
}

func currentUser(c *call) (any, error) { return c.showUser(c.Who), nil }

func user(c *call) (any, error) {
	account := c.URL.Query().Get("accountId")
	p, ok := c.People.Person(account)
	if !ok || p.AccountID != account {
		return nil, &wiki.Error{Status: 404, Title: "No user found with accountId: " + account}
	}
	return c.showUser(p), nil
}

// userV2 is a person in v2.
type userV2 struct {
	DisplayName            string      `json:"displayName"`
	TimeZone               string      `json:"timeZone"`
	PersonalSpaceID        *string     `json:"personalSpaceId"`
	IsExternalCollaborator bool        `json:"isExternalCollaborator"`
	AccountStatus          string      `json:"accountStatus"`
	AccountID              string      `json:"accountId"`
	Email                  string      `json:"email"`
	AccountType            string      `json:"accountType"`
	PublicName             string      `json:"publicName"`
	ProfilePicture         pictureJSON `json:"profilePicture"`
}

// usersBulk leaves out accounts that it does not know, silently.
func usersBulk(c *call) (any, error) {
	var in struct {
		AccountIDs []string `json:"accountIds"`
	}
	if err := c.Read(&in); err != nil || in.AccountIDs == nil {
		return nil, wiki.Bad("'accountIds' must not be null")
	}
	answer := op.Many[userV2]{Results: []userV2{}, Links: op.Links{Base: c.Site.URL + "/wiki"}}
	for _, account := range in.AccountIDs {
		p, ok := c.People.Person(account)
		if !ok || p.AccountID != account {
			continue
		}
		answer.Results = append(answer.Results, userV2{
			DisplayName: p.DisplayName, TimeZone: "Europe/Berlin", AccountStatus: "active", AccountID: p.AccountID, Email: p.Email,
			AccountType: "atlassian", PublicName: p.Nickname, ProfilePicture: picture(p),
		})
	}
	return answer, nil
}
