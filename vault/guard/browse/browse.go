// Package browse finds what a person would pick from a list, with the guard's
// leave: pages that were touched lately, and pages and spaces by the beginning
// of their names. Each function makes one request.
package browse

import (
	"context"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/search"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

const (
	pages  = `type IN ("page", "blogpost")`
	latest = " ORDER BY lastmodified DESC"
)

// At is where a list goes on; the zero value is its beginning.
type At struct {
	Cursor string
	Start  int
}

// Own lists the pages that the person has worked on, those that anybody
// changed last coming first.
func Own(ctx context.Context, w *guard.Wiki, limit int, at At) (search.Hits, error) {
	return search.Find(ctx, w, search.Query{CQL: "contributor = currentUser() AND " + pages + latest, Limit: limit, Cursor: at.Cursor, Start: at.Start})
}

// Changes lists the pages of a space, the last change first.
func Changes(ctx context.Context, w *guard.Wiki, space string, limit int) (search.Hits, error) {
	return search.Find(ctx, w, search.Query{CQL: pages + latest, Spaces: []string{space}, Limit: limit})
}

// maxPrefix limits what is looked for of a name: no title is longer.
const maxPrefix = 255

// Titled finds pages whose titles have the words that somebody has begun to
// type, in a space or in all.
func Titled(ctx context.Context, w *guard.Wiki, begun, space string, limit int) (search.Hits, error) {
	words := plain(begun)
	if words == "" {
		return Own(ctx, w, limit, At{})
	}
	return search.Find(ctx, w, search.Query{CQL: "title ~ " + policy.Quote(words+"*") + " AND " + pages + latest, Spaces: []string{space}, Limit: limit})
}

// plain leaves the words of text, without what means something to a search.
func plain(text string) string {
	words := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`()[]{}^~!?:\/|*+-&"`, r) {
			return ' '
		}
		return r
	}, plaintext.Line(text, maxPrefix))
	return strings.Join(strings.Fields(words), " ")
}

// Spaces finds spaces whose keys begin with what somebody has typed, or whose
// names do.
func Spaces(ctx context.Context, w *guard.Wiki, begun string) ([]guard.Space, error) {
	all, _, err := w.Spaces(ctx, maxSpaces, "")
	if err != nil {
		return nil, err
	}
	var found []guard.Space
	for _, s := range all {
		if begins(s.Key, begun) || begins(s.Name, begun) {
			found = append(found, s)
		}
	}
	return found, nil
}

// maxSpaces is what one request brings.
const maxSpaces = 250

func begins(name, with string) bool {
	return strings.HasPrefix(policy.Fold(name), policy.Fold(with))
}
