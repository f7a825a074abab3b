// Package people asks Confluence for users and groups.
package people

import (
	"context"
	"net/http"

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
