// Package social asks Confluence what people do with pages beside writing, and
// does some of it: likes can be read only, watches, stars and states can be
// changed.
package social

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Kind is what can be liked.
type Kind string

// The kinds.
const (
	Page   Kind = "pages"
	Blog   Kind = "blogposts"
	Footer Kind = "footer-comments"
	Inline Kind = "inline-comments"
)

func get(ctx context.Context, c *confluence.Client, path string, query url.Values, into any) error {
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: path, Query: query}, into)
	return err
}

func checked(id string) error {
	if !confluence.ValidPageID(id) {
		return &confluence.Error{Kind: confluence.KindNotFound}
	}
	return nil
}

func protocol() error {
	return &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
}

// Likes returns how many like something, and the account ids of the first of
// them, at most limit.
func Likes(ctx context.Context, c *confluence.Client, kind Kind, id string, limit int) (int, []string, error) {
	if err := checked(id); err != nil {
		return 0, nil, err
	}
	path := "/api/v2/" + string(kind) + "/" + id + "/likes"
	var answer struct {
		Count *int `json:"count"`
	}
	if err := get(ctx, c, path+"/count", nil, &answer); err != nil {
		return 0, nil, err
	}
	if answer.Count == nil {
		return 0, nil, protocol()
	}
	if *answer.Count == 0 {
		return 0, nil, nil
	}
	found, _, err := confluence.List[struct {
		AccountID string `json:"accountId"`
	}](ctx, c, path+"/users", url.Values{"limit": {strconv.Itoa(limit)}})
	accounts := make([]string, len(found))
	for i, f := range found {
		accounts[i] = f.AccountID
	}
	return *answer.Count, accounts, err
}

// Views returns how often a page was viewed, and by how many, since a time; the
// zero time is always.
func Views(ctx context.Context, c *confluence.Client, id string, from time.Time) (views, viewers int, err error) {
	if err := checked(id); err != nil {
		return 0, 0, err
	}
	query := url.Values{}
	if !from.IsZero() {
		query.Set("fromDate", from.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	counts := [2]int{}
	for i, what := range []string{"views", "viewers"} {
		var answer struct {
			Count *int `json:"count"`
		}
		if err := get(ctx, c, "/rest/api/analytics/content/"+id+"/"+what, query, &answer); err != nil {
			return 0, 0, err
		}
		if answer.Count == nil {
			return 0, 0, protocol()
		}
		counts[i] = *answer.Count
	}
	return counts[0], counts[1], nil
}

// Person is who watches.
type Person struct{ AccountID, Name string }

// Watchers returns the first of those who watch a page, at most limit, and
// whether there are more.
func Watchers(ctx context.Context, c *confluence.Client, id string, limit int) ([]Person, bool, error) {
	if err := checked(id); err != nil {
		return nil, false, err
	}
	var answer struct {
		Results []struct {
			Watcher struct {
				AccountID   string `json:"accountId"`
				DisplayName string `json:"displayName"`
			} `json:"watcher"`
		} `json:"results"`
	}
	// One more than wanted tells whether there are more.
	if err := get(ctx, c, "/rest/api/content/"+id+"/notification/child-created", url.Values{"limit": {strconv.Itoa(limit + 1)}}, &answer); err != nil {
		return nil, false, err
	}
	var all []Person
	for _, r := range answer.Results[:min(limit, len(answer.Results))] {
		all = append(all, Person{r.Watcher.AccountID, r.Watcher.DisplayName})
	}
	return all, len(answer.Results) > limit, nil
}

// Thing is what can be watched.
type Thing struct {
	Kind string // content, space or label
	Key  string // id of a page, key of a space, name of a label
}

// path is where its watch is. A key that could be read as several steps of a
// path names nothing: not all servers leave an escaped slash alone.
func (t Thing) path() (string, error) {
	if t.Key == "" || strings.ContainsAny(t.Key, `/\%?#;`) || strings.HasPrefix(t.Key, ".") {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return "/rest/api/user/watch/" + t.Kind + "/" + url.PathEscape(t.Key), nil
}

// Watching reports whether the bearer watches something.
func Watching(ctx context.Context, c *confluence.Client, t Thing) (bool, error) {
	var answer struct {
		Watching *bool `json:"watching"`
	}
	path, err := t.path()
	if err != nil {
		return false, err
	}
	if err := get(ctx, c, path, nil, &answer); err != nil {
		return false, err
	}
	if answer.Watching == nil {
		return false, protocol()
	}
	return *answer.Watching, nil
}

// method is PUT or POST to have something, DELETE to have it no longer.
func method(on bool, have string) string {
	if on {
		return have
	}
	return http.MethodDelete
}

// Watch makes the bearer watch something, or no longer.
func Watch(ctx context.Context, c *confluence.Client, t Thing, on bool) error {
	path, err := t.path()
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, confluence.Request{Method: method(on, http.MethodPost), Path: path}, nil)
	return err
}

// Star puts a page among the bearer's favourites, or takes it away. One that is
// not there to be taken away is [confluence.KindNotFound].
func Star(ctx context.Context, c *confluence.Client, id string, on bool) error {
	if err := checked(id); err != nil {
		return err
	}
	_, err := c.Do(ctx, confluence.Request{Method: method(on, http.MethodPut), Path: "/rest/api/relation/favourite/from/user/current/to/content/" + id}, nil)
	return err
}

// State is the state of a page that people set, such as "In progress". ID is 0
// for one of the first of a space, and for one that is made anew.
type State struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Color string `json:"color"` // such as #2684FF
}

// StateOf returns the state of a page; false if it has none.
func StateOf(ctx context.Context, c *confluence.Client, id string) (State, bool, error) {
	if err := checked(id); err != nil {
		return State{}, false, err
	}
	var answer struct {
		State *State `json:"contentState"`
	}
	err := get(ctx, c, "/rest/api/content/"+id+"/state", nil, &answer)
	// A page without one is answered with nothing, which is no JSON.
	if confluence.Is(err, confluence.KindProtocol) {
		return State{}, false, nil
	}
	if err != nil || answer.State == nil {
		return State{}, false, err
	}
	return *answer.State, true, nil
}

// States returns those that can be set by their id.
func States(ctx context.Context, c *confluence.Client, id string) ([]State, error) {
	if err := checked(id); err != nil {
		return nil, err
	}
	var answer struct {
		Space  []State `json:"spaceContentStates"`
		Custom []State `json:"customContentStates"`
	}
	err := get(ctx, c, "/rest/api/content/"+id+"/state/available", nil, &answer)
	return append(answer.Space, answer.Custom...), err
}

// SetState gives a page a state: a known one by its id, or one of any name and
// color. It makes a new version of the page.
func SetState(ctx context.Context, c *confluence.Client, id string, s State, known bool) error {
	if err := checked(id); err != nil {
		return err
	}
	body := map[string]any{"name": s.Name, "color": s.Color}
	if known {
		body["id"] = s.ID
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodPut, Path: "/rest/api/content/" + id + "/state", Query: url.Values{"status": {"current"}}, Body: body}, nil)
	return err
}

// ClearState takes the state of a page away.
func ClearState(ctx context.Context, c *confluence.Client, id string) error {
	if err := checked(id); err != nil {
		return err
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodDelete, Path: "/rest/api/content/" + id + "/state", Query: url.Values{"status": {"current"}}}, nil)
	return err
}
