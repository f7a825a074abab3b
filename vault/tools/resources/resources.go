// Package resources has what people attach to a conversation by hand: pages,
// spaces and attachments, under addresses of the form
// confluence://{site}/{kind}/{id}. What is read passes the guard like a call of
// a tool. There are no subscriptions: Confluence does not tell the vault of
// changes, and asking for them again and again would be paid by everybody.
package resources

import (
	"context"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/browse"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const (
	listMethod = "resources/list"
	readMethod = "resources/read"
	markdown   = "text/markdown"
)

// Templates are the kinds of resources.
func Templates() []*mcp.ResourceTemplate {
	return []*mcp.ResourceTemplate{
		{
			Name: "page", Title: "Confluence page", URITemplate: scheme + "://{site}/" + pages + "/{id}", MIMEType: markdown,
			Description: "A page or blog post as Markdown, by its id",
		},
		{
			Name: "space", Title: "Confluence space", URITemplate: scheme + "://{site}/" + spaces + "/{key}", MIMEType: markdown,
			Description: "A space and the pages that were changed last in it, by its key",
		},
		{
			Name: "attachment", Title: "Confluence attachment", URITemplate: scheme + "://{site}/" + attachments + "/{id}",
			Description: "A file of a page, by its id (att…): its text or picture",
		},
	}
}

// Add adds the resources. What is listed is another thing for each person, so
// the list of the SDK, which is the same for all, is passed over.
func Add(s *mcp.Server, set *tool.Set) {
	r := &reader{set: set, attachment: files.Contents(set)}
	for _, t := range Templates() {
		s.AddResourceTemplate(t, func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return r.read(tool.Telling(ctx, req.Session, req.Params), req.Params.URI)
		})
	}
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method != listMethod {
				return next(ctx, method, req)
			}
			cursor := ""
			if params, ok := req.GetParams().(*mcp.ListResourcesParams); ok && params != nil {
				cursor = params.Cursor
			}
			return list(ctx, set, cursor)
		}
	})
}

// pageSize is how many pages one answer lists: what a person may want to pick
// from, for the price of one request.
const pageSize = 25

// listAt is where a list goes on.
type listAt struct {
	Site string
	At   browse.At
}

// list gives the pages that the person has worked on, site after site. It
// never asks for a sign-in: clients list what there is when they start.
func list(ctx context.Context, set *tool.Set, cursor string) (*mcp.ListResourcesResult, error) {
	out := &mcp.ListResourcesResult{Resources: []*mcp.Resource{}}
	out.CacheScope = "private"
	if caller, ok := identity.From(ctx); !ok || caller.Guest() {
		return out, nil
	}
	err := set.Request(guard.Asking(ctx, nil), listMethod, false, func(ctx context.Context) error {
		sites, err := set.Door.Sites(ctx)
		if err != nil || len(sites) == 0 {
			return err
		}
		at := listAt{Site: sites[0]}
		if cursor != "" {
			if err := set.Door.OpenCursor(ctx, listMethod, cursor, &at); err != nil {
				return err
			}
		}
		next, err := listSite(ctx, set, at, out)
		if err != nil {
			return err
		}
		if next.Site == "" {
			next.Site = after(sites, at.Site)
		}
		if next.Site != "" {
			out.NextCursor, err = set.Door.Cursor(ctx, listMethod, next)
		}
		return err
	})
	if usererr.CodeOf(err) == usererr.SignIn {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// listSite adds the pages of a site to out, and returns where it goes on there.
func listSite(ctx context.Context, set *tool.Set, at listAt, out *mcp.ListResourcesResult) (listAt, error) {
	return guard.Do(ctx, set.Door, guard.Op[listAt]{
		Tool: listMethod, Site: at.Site,
		Run: func(ctx context.Context, w *guard.Wiki) (listAt, error) {
			hits, err := browse.Own(ctx, w, pageSize, at.At)
			if err != nil {
				return listAt{}, err
			}
			for _, h := range hits.Hits {
				r := &mcp.Resource{
					URI: Page(w.Site(), h.ID), Name: h.Title, Title: h.Title, MIMEType: markdown,
					Description: h.Type + " in space " + h.Space + " on site " + w.Site(),
				}
				if stamp := tool.Stamp(h.Modified); stamp != "" {
					r.Annotations = &mcp.Annotations{LastModified: stamp}
				}
				out.Resources = append(out.Resources, r)
			}
			if hits.Cursor == "" && hits.Start == 0 {
				return listAt{}, nil
			}
			return listAt{w.Site(), browse.At{Cursor: hits.Cursor, Start: hits.Start}}, nil
		},
	})
}

// after is the site behind the one of that name, "" for the last.
func after(sites []string, name string) string {
	for i, site := range sites[:len(sites)-1] {
		if site == name {
			return sites[i+1]
		}
	}
	return ""
}

// reader reads what an address names.
type reader struct {
	set        *tool.Set
	attachment func(ctx context.Context, w *guard.Wiki, uri, id string) ([]*mcp.ResourceContents, error)
}

// read answers for one address.
func (r *reader) read(ctx context.Context, uri string) (*mcp.ReadResourceResult, error) {
	at, ok := parse(uri)
	if !ok {
		err := usererr.New(usererr.BadInput, "This is not the address of a page, space or attachment",
			"Write it like confluence://site/pages/123, confluence://site/spaces/KEY or confluence://site/attachments/att123")
		return nil, r.set.Door.Refuse(ctx, readMethod, err)
	}
	var contents []*mcp.ResourceContents
	err := r.set.Request(guard.Asking(ctx, []byte(uri)), readMethod, true, func(ctx context.Context) (err error) {
		contents, err = guard.Do(ctx, r.set.Door, guard.Op[[]*mcp.ResourceContents]{
			Tool: readMethod, Site: at.site,
			Run: func(ctx context.Context, w *guard.Wiki) ([]*mcp.ResourceContents, error) {
				switch at.kind {
				case pages:
					return page(ctx, w, uri, at.id)
				case spaces:
					return space(ctx, w, uri, at.id)
				case attachments:
					return r.attachment(ctx, w, uri, at.id)
				}
				return nil, errors.New("resources: a kind without a template") // impossible: the SDK has matched one
			},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: contents}, nil
}
