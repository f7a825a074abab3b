package op

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

const (
	// DefaultLimit is how many results a list has unless asked otherwise.
	DefaultLimit = 25
	maxLimit     = 250
)

// BadParameter refuses the value of a parameter.
func BadParameter(name, value string) error {
	return &wiki.Error{Status: http.StatusBadRequest, Code: "INVALID_REQUEST_PARAMETER", Title: "Provided value {" + value + "} for '" + name + "' is not the correct type or not allowed"}
}

// Number reads an id or a count.
func Number(name, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, BadParameter(name, text)
	}
	return n, nil
}

// List reads a parameter with several values: repeated, with commas, or both.
func List(q url.Values, name string) []string {
	var all []string
	for _, value := range q[name] {
		for _, part := range strings.Split(value, ",") {
			if part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// Numbers reads a list of ids.
func Numbers(q url.Values, name string) ([]int64, error) {
	var all []int64
	for _, text := range List(q, name) {
		n, err := Number(name, text)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// Links are what a list of v2 links to.
type Links struct {
	Next string `json:"next,omitempty"`
	Base string `json:"base"`
}

// Many is a list of v2. Its next link has /wiki; that of v1 has not.
type Many[T any] struct {
	Results []T   `json:"results"`
	Links   Links `json:"_links"`
}

// Header writes the Link header.
func (m Many[T]) Header(h http.Header) {
	link := "<" + m.Links.Base + `>; rel="base"`
	if m.Links.Next != "" {
		link = "<" + m.Links.Next + `>; rel="next", ` + link
	}
	h.Set("Link", link)
}

// Cut returns the part of all that a call asks for, by limit and cursor.
func Cut[T, R any](c *Call, all []T, show func(T) R) (any, error) {
	q := c.URL.Query()
	limit, from := DefaultLimit, 0
	if text := q.Get("limit"); text != "" {
		n, err := Number("limit", text)
		if err != nil || n < 1 || n > maxLimit {
			return nil, BadParameter("limit", text)
		}
		limit = int(n)
	}
	if text := q.Get("cursor"); text != "" {
		var ok bool
		if from, ok = offsetOf(text); !ok {
			return nil, BadParameter("cursor", text)
		}
	}
	from = min(from, len(all))
	to := min(from+limit, len(all))
	answer := Many[R]{Results: make([]R, 0, to-from), Links: Links{Base: c.Site.URL + "/wiki"}}
	for _, item := range all[from:to] {
		answer.Results = append(answer.Results, show(item))
	}
	if to < len(all) {
		q.Set("cursor", cursorAt(to))
		q.Set("limit", strconv.Itoa(limit))
		answer.Links.Next = c.URL.Path + "?" + q.Encode()
	}
	return answer, nil
}

const cursorWord = `{"id":"sim","contentOrder":"id","contentOrderValue":`

// cursorAt is opaque to callers, and padded with = as the real one is at
// times.
func cursorAt(offset int) string {
	return base64.URLEncoding.EncodeToString([]byte(cursorWord + strconv.Itoa(offset) + "}"))
}

func offsetOf(cursor string) (int, bool) {
	text, err := base64.URLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	digits, ok := strings.CutPrefix(strings.TrimSuffix(string(text), "}"), cursorWord)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0
}
