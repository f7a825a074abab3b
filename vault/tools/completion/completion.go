// Package completion finishes what a person types into the fields of a prompt
// or of a resource's address: sites, spaces and pages. It offers only what the
// guard lets the person see, in one request for each answer, and nothing to
// somebody who is not signed in: typing must not open a browser.
package completion

import (
	"context"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/browse"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/resources"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const (
	method = "completion/complete"
	// most is how many values MCP lets one answer have.
	most = 100
	// titles is how many pages are looked for: nobody reads on.
	titles = 20
)

// Handler answers completion/complete.
func Handler(set *tool.Set) func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	return func(ctx context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
		q := question{field: req.Params.Argument.Name, begun: req.Params.Argument.Value, address: req.Params.Ref.Type == "ref/resource"}
		if req.Params.Context != nil {
			q.site, q.space = req.Params.Context.Arguments["site"], req.Params.Context.Arguments["space"]
		}
		var values []string
		err := set.Request(guard.Asking(ctx, []byte(q.begun)), method, false, func(ctx context.Context) (err error) {
			values, err = q.answer(ctx, set)
			return err
		})
		if err != nil && usererr.CodeOf(err) != usererr.SignIn {
			return nil, err
		}
		out := &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}, Total: len(values)}}
		out.Completion.Values = append(out.Completion.Values, values[:min(most, len(values))]...)
		out.Completion.HasMore = len(values) > most
		return out, nil
	}
}

// question is what is to be finished.
type question struct {
	field, begun string
	site, space  string // what the other fields have, if they are known
	address      bool   // it is a part of a resource's address, so a page goes by its id
}

func (q question) answer(ctx context.Context, set *tool.Set) ([]string, error) {
	sites, err := set.Door.Sites(ctx)
	if err != nil {
		return nil, err
	}
	if q.field == "site" {
		return beginning(sites, q.begun), nil
	}
	if len(sites) > 1 && q.site == "" {
		return nil, nil // which one is asked for is not known yet
	}
	var find func(context.Context, *guard.Wiki) ([]string, error)
	switch q.field {
	case "space", "key":
		find = q.spaces
	case "page", "id":
		find = q.pages
	default:
		return nil, nil
	}
	return guard.Do(ctx, set.Door, guard.Op[[]string]{Tool: method, Site: q.site, Run: find})
}

func (q question) spaces(ctx context.Context, w *guard.Wiki) ([]string, error) {
	found, err := browse.Spaces(ctx, w, q.begun)
	keys := make([]string, len(found))
	for i, s := range found {
		keys[i] = s.Key
	}
	return keys, err
}

func (q question) pages(ctx context.Context, w *guard.Wiki) ([]string, error) {
	found, err := browse.Titled(ctx, w, q.begun, q.space, titles)
	var names []string
	for _, hit := range found.Hits {
		if q.address {
			names = append(names, resources.Slug(hit.ID, hit.Title))
		} else {
			names = append(names, hit.Title)
		}
	}
	return names, err
}

func beginning(names []string, with string) []string {
	var found []string
	for _, name := range names {
		if strings.HasPrefix(strings.ToLower(name), strings.ToLower(with)) {
			found = append(found, name)
		}
	}
	return found
}
