package people

import (
	"context"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/people"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// User is a person with an account on the site.
type User struct {
	Account, Name, Email, Status string
}

// Group is a group of people.
type Group = people.Group

func ours(w *guard.Wiki, found []people.User) []User {
	all := make([]User, 0, len(found))
	for _, u := range found {
		w.Note("user", u.AccountID, "")
		all = append(all, User{u.AccountID, plaintext.Line(u.Name, maxName), plaintext.Line(u.Email, maxName), plaintext.Line(u.Status, 20)})
	}
	return all
}

// Search finds people by words of their names. An e-mail address finds those
// whose address is like it, as far as they let it be seen, and else those whose
// name is like what stands before the @. Start is where to go on, as is the
// second result, 0 at the end.
func Search(ctx context.Context, w *guard.Wiki, words string, limit, start int) ([]User, int, error) {
	name, _, address := strings.Cut(words, "@")
	if address {
		name = strings.NewReplacer(".", " ", "_", " ", "-", " ", "+", " ").Replace(name)
	}
	terms := strings.Fields(strings.NewReplacer(`"`, "", "*", "").Replace(policy.Terms(name)))
	if len(terms) == 0 {
		return nil, 0, usererr.New(usererr.BadInput, "There is no name to look for", "Give query with a part of a name or an e-mail address")
	}
	conditions := make([]string, 0, len(terms))
	for _, term := range terms[:min(len(terms), 8)] {
		conditions = append(conditions, "user.fullname ~ "+policy.Quote(term+"*"))
	}
	var found []people.User
	next := 0
	err := w.Ask(ctx, "The search for people", "read:content-details:confluence", func(c *confluence.Client) (err error) {
		found, next, err = people.Search(ctx, c, strings.Join(conditions, " AND "), limit, start)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	all := ours(w, found)
	if !address {
		return all, next, nil
	}
	var exact []User
	for _, u := range all {
		if strings.EqualFold(u.Email, strings.TrimSpace(words)) {
			exact = append(exact, u)
		}
	}
	if len(exact) > 0 {
		return exact, 0, nil
	}
	return all, next, nil
}

// Accounts returns the people with these accounts, without those that are not
// known; at most 200.
func Accounts(ctx context.Context, w *guard.Wiki, accounts []string) ([]User, error) {
	if len(accounts) > people.MaxBulk {
		return nil, usererr.New(usererr.TooLarge, "There are more than 200 accounts", "Split the call")
	}
	var found []people.User
	err := w.Ask(ctx, "The people", scopeUsers, func(c *confluence.Client) (err error) {
		found, err = people.Bulk(ctx, c, accounts)
		return err
	})
	return ours(w, found), err
}

const scopeGroups = "read:group:confluence (or read:confluence-groups)"

// Groups lists groups, those whose name has query in it if there is one.
func Groups(ctx context.Context, w *guard.Wiki, query string, limit, start int) (all []Group, next int, err error) {
	err = w.Ask(ctx, "The groups", scopeGroups, func(c *confluence.Client) (err error) {
		all, next, err = people.Groups(ctx, c, query, limit, start)
		return err
	})
	for i := range all {
		w.Note("group", all[i].ID, "")
		all[i].Name = plaintext.Line(all[i].Name, maxName)
	}
	return all, next, err
}

// maxGroups limits the groups that are asked for one by one.
const maxGroups = 15

// GroupNames returns the names of groups, without those that are not known. Each
// costs a request the first time, so that only some of many are asked for; like
// [Names] it never fails.
func GroupNames(ctx context.Context, w *guard.Wiki, ids []string) map[string]string {
	names, asked := map[string]string{}, 0
	for _, id := range ids {
		name, known := w.Recall("group:" + id)
		if !known && asked < maxGroups {
			asked++
			err := w.Ask(ctx, "The group", scopeGroups, func(c *confluence.Client) error {
				g, err := people.GroupByID(ctx, c, id)
				name = plaintext.Line(g.Name, maxName)
				return err
			})
			switch {
			case err == nil, confluence.Is(err, confluence.KindNotFound):
				w.Remember("group:"+id, name)
			default: // the others would fare no better
				asked = maxGroups
			}
		}
		if name != "" {
			names[id] = name
		}
	}
	return names
}

// Members lists the members of a group, which is named by its id or its name.
func Members(ctx context.Context, w *guard.Wiki, group string, limit, start int) (Group, []User, int, error) {
	of, err := find(ctx, w, group)
	if err != nil {
		return of, nil, 0, err
	}
	var found []people.User
	next := 0
	err = w.Ask(ctx, "The members of the group", scopeGroups+" with "+scopeUsers, func(c *confluence.Client) (err error) {
		found, next, err = people.Members(ctx, c, of.ID, limit, start)
		return err
	})
	return of, ours(w, found), next, err
}

// find finds the one group with a name. What looks like an id is one.
func find(ctx context.Context, w *guard.Wiki, group string) (Group, error) {
	if len(group) == 36 && strings.Count(group, "-") == 4 && people.ValidGroupID(group) {
		return Group{ID: group, Name: group}, nil
	}
	found, _, err := Groups(ctx, w, group, 50, 0)
	if err != nil {
		return Group{}, err
	}
	for _, g := range found {
		if strings.EqualFold(g.Name, group) {
			return g, nil
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	names := make([]string, 0, len(found))
	for _, g := range found[:min(len(found), 20)] {
		names = append(names, g.Name)
	}
	hint := "List the groups with action groups"
	if len(names) > 0 {
		hint = "Groups that are like it: " + strings.Join(names, ", ")
	}
	return Group{}, usererr.New(usererr.NotFound, "There is no one group called "+plaintext.Line(group, 80), hint)
}
