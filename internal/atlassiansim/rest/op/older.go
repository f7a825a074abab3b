package op

import (
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Older is a list of v1: by start and limit, without a cursor.
type Older[T any] struct {
	Results []T               `json:"results"`
	Start   int               `json:"start"`
	Limit   int               `json:"limit"`
	Size    int               `json:"size"`
	Links   map[string]string `json:"_links"`
}

// CutOlder returns the part of all that a call of v1 asks for, by start and
// limit.
func CutOlder[T, R any](c *Call, all []T, limit int, show func(T) R) (any, error) {
	q := c.URL.Query()
	limit, err := Whole(q.Get("limit"), limit)
	if err != nil {
		return nil, err
	}
	start, err := Whole(q.Get("start"), 0)
	if err != nil {
		return nil, err
	}
	from := min(start, len(all))
	to := min(from+limit, len(all))
	answer := Older[R]{
		Results: make([]R, 0, to-from), Start: start, Limit: limit, Size: to - from,
		Links: map[string]string{"base": c.Site.URL + "/wiki", "context": "/wiki", "self": c.Site.URL + c.URL.Path},
	}
	for _, item := range all[from:to] {
		answer.Results = append(answer.Results, show(item))
	}
	if to < len(all) && limit > 0 {
		q.Set("start", strconv.Itoa(to))
		q.Set("limit", strconv.Itoa(limit))
		// Without /wiki, unlike v2: it is relative to base.
		answer.Links["next"] = strings.TrimPrefix(c.URL.Path, "/wiki") + "?" + q.Encode()
	}
	return answer, nil
}

// Whole reads a number of v1, which answers 404 to what is none.
func Whole(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, wiki.NotFound()
	}
	if n < 0 {
		return 0, wiki.Bad("java.lang.IllegalArgumentException: limit cannot be less than zero")
	}
	return n, nil
}
