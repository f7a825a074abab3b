package confluence

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Space is a space.
type Space struct {
	ID, Key, Name, Type, Status string
	Path                        string // on the site, below /wiki
}

type spaceJSON struct {
	ID     ID     `json:"id"`
	Key    string `json:"key"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	Status string `json:"status"`
	Links  Links  `json:"_links"`
}

func (s spaceJSON) space() Space {
	return Space{ID: string(s.ID), Key: s.Key, Name: s.Name, Type: s.Type, Status: s.Status, Path: SitePath(s.Links.WebUI)}
}

const spacesPath = "/api/v2/spaces"

// Spaces lists the spaces that the bearer sees. Pass the second result to go
// on; it is "" at the end.
func (c *Client) Spaces(ctx context.Context, limit int, cursor string) ([]Space, string, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}, "status": {"current"}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return c.spaces(ctx, query)
}

// SpaceByKey returns the space with key, or [KindNotFound]. Keys are in upper
// case, so that one that is written otherwise is looked for again in that.
func (c *Client) SpaceByKey(ctx context.Context, key string) (Space, error) {
	names := []string{key}
	if upper := strings.ToUpper(key); upper != key && !strings.HasPrefix(key, "~") { // personal ones have both
		names = append(names, upper)
	}
	for _, name := range names {
		found, _, err := c.spaces(ctx, url.Values{"keys": {name}, "limit": {"5"}})
		if err != nil {
			return Space{}, err
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return Space{}, &Error{Kind: KindNotFound, Status: http.StatusOK}
}

// SpaceByID returns the space with id, or [KindNotFound].
func (c *Client) SpaceByID(ctx context.Context, id string) (Space, error) {
	if !numeric.MatchString(id) {
		return Space{}, &Error{Kind: KindNotFound}
	}
	var answer spaceJSON
	if _, err := c.Do(ctx, Request{http.MethodGet, spacesPath + "/" + id, nil, nil}, &answer); err != nil {
		return Space{}, err
	}
	if string(answer.ID) != id || answer.Key == "" {
		return Space{}, &Error{Kind: KindProtocol, Status: http.StatusOK}
	}
	return answer.space(), nil
}

func (c *Client) spaces(ctx context.Context, query url.Values) ([]Space, string, error) {
	var answer struct {
		Results []spaceJSON `json:"results"`
		Links   Links       `json:"_links"`
	}
	header, err := c.Do(ctx, Request{http.MethodGet, spacesPath, query, nil}, &answer)
	if err != nil {
		return nil, "", err
	}
	next, err := Follow(spacesPath, answer.Links.Next, header)
	if err != nil {
		return nil, "", err
	}
	spaces := make([]Space, 0, len(answer.Results))
	for _, s := range answer.Results {
		spaces = append(spaces, s.space())
	}
	return spaces, next.Get("cursor"), nil
}
