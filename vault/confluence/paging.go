package confluence

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Links are the _links of an answer. Base, self and webui name the site's own
// host even when the gateway was called; the token must never go there, so
// hosts are always dropped.
type Links struct {
	Next  string `json:"next"`
	WebUI string `json:"webui"`
}

var nextInHeader = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// Follow turns a link to the next page, in whatever form it comes, into the
// query of another call of the same endpoint; nil means there is none. The
// link may be absolute or relative, with or without /wiki (v1 leaves it out,
// v2 has it), with or without the gateway's prefix. A link to anything but
// the endpoint itself is an error.
func Follow(endpoint, next string, h http.Header) (url.Values, error) {
	if header := h.Get("Link"); next == "" && header != "" {
		if found := nextInHeader.FindStringSubmatch(header); found != nil {
			next = found[1]
		}
	}
	if next == "" {
		return nil, nil
	}
	u, err := url.Parse(next)
	if err != nil || !strings.HasSuffix(u.Path, endpoint) {
		return nil, &Error{Kind: KindProtocol}
	}
	switch before := strings.TrimSuffix(strings.TrimSuffix(u.Path, endpoint), "/wiki"); {
	case before == "", strings.HasPrefix(before, "/ex/confluence/") && !strings.Contains(before, ".."):
	default:
		return nil, &Error{Kind: KindProtocol}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) == 0 {
		return nil, &Error{Kind: KindProtocol}
	}
	return query, nil
}

// List asks for one part of a list of v2, and returns its items and the cursor
// of the next part, "" at the end. The cursor of the part before is in query.
func List[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, string, error) {
	var answer struct {
		Results []T   `json:"results"`
		Links   Links `json:"_links"`
	}
	header, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query}, &answer)
	if err != nil {
		return nil, "", err
	}
	next, err := Follow(path, answer.Links.Next, header)
	if err != nil {
		return nil, "", err
	}
	return answer.Results, next.Get("cursor"), nil
}
