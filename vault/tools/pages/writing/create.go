// Package writing has the tools that create pages and change what is on them.
package writing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/templates"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/variables"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, createPageTool)
	tool.Register(s, set, updatePageTool)
	tool.Register(s, set, editPageTool)
}

const createPage = "confluence_create_page"

type createIn struct {
	Space     string        `json:"space" jsonschema:"space key"`
	Title     string        `json:"title" jsonschema:"must be new in the space"`
	Body      string        `json:"body,omitempty" jsonschema:"Markdown; with a template it comes after that"`
	Parent    arguments.Ref `json:"parent,omitempty" jsonschema:"id or URL of a page or folder; default: the space's home page"`
	Type      string        `json:"type,omitempty" jsonschema:"page (default), blogpost or live (live doc)"`
	Draft     bool          `json:"draft,omitempty" jsonschema:"do not publish yet"`
	Private   bool          `json:"private,omitempty" jsonschema:"only the person may see it"`
	Template  arguments.Ref `json:"template,omitempty" jsonschema:"id or name of a template"`
	Variables []string      `json:"variables,omitempty" jsonschema:"of the template, each as Name=value"`
	Dry       bool          `json:"dry_run,omitempty" jsonschema:"only check and show"`
	Site      string        `json:"site,omitempty"`
}

var createPageTool = tool.Spec[createIn, change.Out]{
	Name: createPage, Title: "Create a Confluence page",
	Description: "Create a page or blog post from Markdown. Refused if the space has a page of that title.",
	Write:       true,
	Run:         create,
	BulkFor:     func(in createIn) bool { return files.Any(in.Body) },
}

func create(ctx context.Context, t *tool.Set, in createIn) (change.Out, string, error) {
	in.Title = strings.TrimSpace(in.Title)
	kind, err := arguments.OneOf("type", in.Type, "page", "blogpost", "live")
	err = errors.Join(err, arguments.OneLine("title", in.Title, change.MaxTitle))
	switch {
	case err != nil:
		return change.Out{}, "", err
	case kind == "blogpost" && in.Parent != "":
		return change.Out{}, "", usererr.New(usererr.BadInput, "A blog post has no parent", "Leave out parent")
	case kind == "live" && in.Draft:
		return change.Out{}, "", usererr.New(usererr.BadInput, "A live doc has no draft: it is there as soon as it is created", "Leave out draft, or make it private")
	case kind == "live" && files.Any(in.Body):
		return change.Out{}, "", usererr.New(usererr.BadInput, "A live doc is there at once, so its images cannot come before it", "Create it without the images, then add them with confluence_edit_page")
	case in.Body == "" && in.Template == "":
		return change.Out{}, "", usererr.New(usererr.BadInput, `The argument "body" is missing`, "Give body, template or both")
	case len(in.Variables) > 0 && in.Template == "":
		return change.Out{}, "", usererr.New(usererr.BadInput, "There is no template that the variables are for", "Give template, or leave out variables")
	}
	in.Type = kind
	body, err := change.Storage(in.Body)
	if err != nil {
		return change.Out{}, "", err
	}
	c := &creation{in: in, body: body, images: files.Of(t, in.Body)}
	at := string(in.Parent)
	if strings.Contains(at, "/folder/") {
		at = "" // only addresses of pages name a site
	}
	op := guard.Op[change.Out]{
		Tool: createPage, Site: in.Site, Page: at, Input: in, Bulk: c.images.Any(),
		Run:    c.run,
		Settle: c.settle,
		Check:  "Look for the page with confluence_get_page by space and title before creating it again",
	}
	if in.Dry {
		op.Run, op.Settle = c.preview, nil
	}
	out, err := guard.Do(ctx, t.Door, op)
	return out, change.Text(out), err
}

// creation is one new page, on its way.
type creation struct {
	in     createIn
	body   string // storage format, without the template
	images *files.Images
	left   guard.Page // a draft that was made for the images and is not published
}

func (c *creation) blog() bool { return c.in.Type == "blogpost" }

// filled is the body with the template.
func (c *creation) filled(ctx context.Context, w *guard.Wiki) (string, error) {
	if c.images.Any() {
		text, err := c.images.Text(ctx)
		if err == nil {
			c.body, err = change.Storage(text)
		}
		if err != nil {
			return "", err
		}
	}
	if c.in.Template == "" {
		return c.body, nil
	}
	found, err := templates.Named(ctx, w, c.in.Space, string(c.in.Template))
	if err != nil {
		return "", err
	}
	known, err := variables.Read(found.Body)
	if err != nil {
		return "", usererr.Wrap(err, usererr.Internal, "The template cannot be read", "Make a page of it in the browser")
	}
	values := map[string]string{}
	for _, given := range c.in.Variables {
		name, value, ok := strings.Cut(given, "=")
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(known, func(v variables.Variable) bool { return v.Name == name })
		switch {
		case !ok:
			return "", usererr.New(usererr.BadInput, "A variable is not written as Name=value", "Write it so")
		case i < 0:
			return "", usererr.New(usererr.BadInput, "The template has no variable "+tool.Clip(name, 80), "It has: "+names(known))
		case len(known[i].Options) > 0 && !slices.Contains(known[i].Options, value):
			return "", usererr.New(usererr.BadInput, "The variable "+tool.Clip(name, 80)+" cannot have that value", "Choose one of: "+tool.Clip(strings.Join(known[i].Options, ", "), 500))
		}
		values[name] = value
	}
	body, missing, err := variables.Fill(found.Body, values)
	switch {
	case errors.Is(err, variables.ErrTooLarge):
		return "", change.ErrTooLarge()
	case err != nil:
		return "", usererr.Wrap(err, usererr.Internal, "The template cannot be read", "Make a page of it in the browser")
	case len(missing) > 0:
		return "", usererr.New(usererr.BadInput, "Variables of the template have no value: "+tool.Clip(strings.Join(missing, ", "), 500), "Give each in variables as Name=value; an empty value is one")
	case len(body)+len(c.body) > change.MaxBody:
		return "", change.ErrTooLarge()
	}
	return body + c.body, nil
}

func names(all []variables.Variable) string {
	var list []string
	for _, v := range all {
		list = append(list, v.Name)
	}
	return tool.Clip(strings.Join(list, ", "), 500)
}

// preview checks what can be checked, and shows the page.
func (c *creation) preview(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	space, err := w.Space(ctx, c.in.Space)
	if err != nil {
		return change.Out{}, err
	}
	body, err := c.filled(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	page := guard.Page{Title: c.in.Title, Space: space.Key, URL: space.URL}
	if c.in.Parent != "" {
		parent, err := pages.Above(ctx, w, string(c.in.Parent))
		if err != nil {
			return change.Out{}, err
		}
		page.ParentID = parent.ID
	}
	out := change.Answered(w, page, "Nothing was created: this is what would be.")
	if other, err := w.PageByTitle(ctx, space.Key, c.in.Title); err == nil && !c.blog() && !c.in.Draft {
		out.Message = "Nothing was created, and would not be: the space has a page of that title, " + other.URL
	}
	out.Changes = change.Differences("", body, change.MaxPreview)
	return out, nil
}

func (c *creation) run(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	out, err := c.put(ctx, w)
	if !errors.Is(err, guard.ErrDuplicate) {
		return out, err
	}
	page, readErr := w.PageByTitle(ctx, c.in.Space, c.in.Title)
	if readErr != nil {
		return change.Out{}, tool.Detailed(err, "The other page is archived, or you may not see it.")
	}
	return change.Out{}, tool.Detailed(err, where(page))
}

func (c *creation) put(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	body, err := c.filled(ctx, w)
	if err != nil {
		return change.Out{}, errors.Join(guard.ErrRefused, err)
	}
	if c.images.Any() && !c.in.Draft && !c.blog() { // of which Confluence hears only at the end
		if other, err := w.PageByTitle(ctx, c.in.Space, c.in.Title); err == nil {
			return change.Out{}, usererr.Wrap(errors.Join(guard.ErrRefused, guard.ErrDuplicate), usererr.Conflict,
				"The space "+other.Space+" has a page of this title already", "Update that page or choose another title")
		}
	}
	page := c.left
	if page.ID == "" {
		page, err = pages.Create(ctx, w, pages.New{
			Space: c.in.Space, Parent: string(c.in.Parent), Title: c.in.Title, Body: body, Blog: c.blog(), Live: c.in.Type == "live", Private: c.in.Private,
			Draft: c.in.Draft || c.images.Any(),
		})
	}
	if err != nil {
		return change.Out{}, err
	}
	return c.illustrated(ctx, w, page, body)
}

// illustrated brings the images to a page that was made as a draft for their
// sake, and publishes it.
func (c *creation) illustrated(ctx context.Context, w *guard.Wiki, page guard.Page, body string) (change.Out, error) {
	if !c.images.Any() {
		return c.created(w, page), nil
	}
	c.left = page
	err := c.images.Bring(ctx, w, page)
	if err == nil && !c.in.Draft {
		page, _, err = pages.Update(ctx, w, page, pages.Edit{Title: c.in.Title, Body: body, Publish: true})
	}
	if err != nil {
		return change.Out{}, tool.Detailed(err, "A draft of it was left, which is not published: "+page.URL)
	}
	return c.created(w, page), nil
}

func (c *creation) created(w *guard.Wiki, page guard.Page) change.Out {
	said := map[string]string{"page": "page", "blogpost": "blog post", "live": "live doc"}[c.in.Type]
	if page.Status == "draft" {
		return change.Answered(w, page, "The draft of a "+said+" was created. confluence_manage_page publishes it.")
	}
	return change.Answered(w, page, "The "+said+" was created.")
}

func where(page guard.Page) string {
	return fmt.Sprintf("The page: %s (id %s, version %d, created %s)", page.URL, page.ID, page.Version, tool.Stamp(page.Created))
}

// settle finds the page by its title. If the title is free the page was not
// created and is now; Confluence refuses a second one, so that two who settle
// at once cannot make two.
func (c *creation) settle(ctx context.Context, w *guard.Wiki, started time.Time) (change.Out, error) {
	if c.in.Draft || c.blog() {
		return c.settleUnnamed(ctx, w, started)
	}
	var refusal error
	for range 2 {
		page, err := w.PageByTitle(ctx, c.in.Space, c.in.Title)
		if err == nil {
			return c.settled(ctx, w, page, started)
		}
		if usererr.CodeOf(err) != usererr.NotFound {
			return change.Out{}, err
		}
		if err := c.putAway(ctx, w, started); err != nil {
			return change.Out{}, err
		}
		out, err := c.put(ctx, w)
		if !errors.Is(err, guard.ErrDuplicate) && !errors.Is(err, guard.ErrConflict) {
			return out, err
		}
		refusal = err // it appeared, or was published, between the two: look again
	}
	return change.Out{}, refusal
}

// settleUnnamed settles what may have a title that others have too: it is never
// created again.
func (c *creation) settleUnnamed(ctx context.Context, w *guard.Wiki, started time.Time) (change.Out, error) {
	if c.in.Draft {
		return change.Out{}, usererr.New(usererr.Unknown, "It is not known whether the draft was created", "Look at your drafts in the browser")
	}
	posts, err := pages.PostsByTitle(ctx, w, c.in.Space, c.in.Title)
	if err != nil {
		return change.Out{}, err
	}
	for _, post := range posts {
		if by, err := c.made(ctx, w, post, started); err == nil && by == change.Ours {
			return c.created(w, post), nil
		}
	}
	return change.Out{}, usererr.New(usererr.Unknown, "It is not known whether the blog post was created", "Look for it before creating it again")
}

func (c *creation) settled(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (change.Out, error) {
	by, err := c.made(ctx, w, page, started)
	switch {
	case err != nil:
		return change.Out{}, err
	case by == change.Ours:
		return c.created(w, page), nil
	case by == change.Others:
		return change.Out{}, tool.Detailed(
			usererr.Wrap(guard.ErrDuplicate, usererr.Conflict, "The space "+page.Space+" has a page of this title already", "Update that page or choose another title"),
			where(page),
		)
	}
	return change.Out{}, usererr.New(usererr.Unknown, "You have a page of this title, and it is not certain whether this call created it", "Read the page and compare")
}

// putAway refuses to create a page that may have been created already and
// archived or deleted since, which frees its title.
func (c *creation) putAway(ctx context.Context, w *guard.Wiki, started time.Time) error {
	page, err := w.PutAway(ctx, c.in.Space, c.in.Title)
	if usererr.CodeOf(err) == usererr.NotFound {
		return nil
	}
	by := change.Others
	if err == nil {
		by, err = c.made(ctx, w, page, started)
	}
	if err == nil && by != change.Others {
		err = usererr.New(usererr.Unknown, "A page of this title was put away, and it is not certain whether this call created it", "Look into the trash of the space")
	}
	return err
}

func (c *creation) made(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (change.Whose, error) {
	first := page
	if page.Version > 1 {
		var err error
		if first, err = w.PageVersion(ctx, page.ID, 1); err != nil {
			return change.Unclear, err
		}
	}
	first.Updated = page.Created
	body, err := c.filled(ctx, w)
	if err != nil {
		return change.Unclear, err
	}
	return change.Wrote(ctx, w, first, started, markup.SameText(first.Body, body)), nil
}
