package confluence

import (
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
