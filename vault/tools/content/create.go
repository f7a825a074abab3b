package content

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/content"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/confirm"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const createName = "confluence_create_content"

type createIn struct {
	Action   string        `json:"action,omitempty" jsonschema:"create (default) or delete"`
	Kind     string        `json:"kind,omitempty" jsonschema:"folder (default), whiteboard, database or embed"`
	Space    string        `json:"space,omitempty" jsonschema:"create: space key"`
	Title    string        `json:"title,omitempty" jsonschema:"create: its title"`
	Parent   arguments.Ref `json:"parent,omitempty" jsonschema:"create: id or URL of the page, folder, ... above it; default: the top of the space"`
	EmbedURL string        `json:"embed_url,omitempty" jsonschema:"create: where an embed leads"`
	Template string        `json:"template,omitempty" jsonschema:"create: template of a whiteboard, such as kanban-board or simple-retrospective"`
	ID       arguments.Ref `json:"id,omitempty" jsonschema:"delete: id or URL"`
	Confirm  string        `json:"confirm,omitempty" jsonschema:"token of the refused answer, to delete"`
	Site     string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

type createOut struct {
	Object  object `json:"object"`
	Message string `json:"message"`
}

var createTool = tool.Spec[createIn, createOut]{
	Name: createName, Title: "Create or delete a Confluence folder, whiteboard, database or embed",
	Description: "Create a Confluence folder, an empty whiteboard (or one from a template), an empty database or an embedded link; or put one into the trash after a yes.",
	Toolset:     toolset, Write: true, Destructive: true,
	Run: create,
}

// Limits of what is written.
const (
	maxTitle = 255
	maxURL   = 2000
)

var template = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func create(ctx context.Context, t *tool.Set, in createIn) (createOut, string, error) {
	in.Title = strings.TrimSpace(in.Title)
	op := guard.Op[createOut]{Tool: createName, Site: in.Site, Input: in}
	action, err := arguments.OneOf("action", in.Action, "create", "delete")
	if err != nil {
		return createOut{}, "", err
	}
	if action == "delete" {
		err = deletion(ctx, t, in, &op)
	} else {
		err = creation(in, &op)
	}
	if err != nil {
		return createOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, op)
	o := out.Object
	return out, fmt.Sprintf("%s\n\n%s (%s %s in space %s)\n%s\n", out.Message, o.Title, o.Kind, o.ID, o.Space, o.URL), err
}

// creation fills op to create an object.
func creation(in createIn, op *guard.Op[createOut]) error {
	kind, err := arguments.OneOf("kind", in.Kind, content.Kinds()...)
	if err != nil {
		return err
	}
	if err := checkNew(in, kind); err != nil {
		return err
	}
	n := content.New{Kind: content.Kind(kind), Space: in.Space, Parent: string(in.Parent), Title: in.Title, EmbedURL: in.EmbedURL, Layout: in.Template}
	made := func(o content.Object) createOut {
		return createOut{shown(o), "The " + kind + " was created."}
	}
	op.Run = func(ctx context.Context, w *guard.Wiki) (createOut, error) {
		o, err := content.Create(ctx, w, n)
		if err != nil {
			return createOut{}, err
		}
		return made(o), nil
	}
	// Confluence takes any number of the same title, so that it is never sent
	// again: it is found, or its outcome stays open.
	op.Settle = func(ctx context.Context, w *guard.Wiki, started time.Time) (createOut, error) {
		o, found, err := content.Made(ctx, w, n, started)
		if err == nil && !found {
			err = errors.New("no such object is found, which proves nothing")
		}
		if err != nil {
			return createOut{}, err
		}
		return made(o), nil
	}
	op.Check = "Look for it in the tree of the space before creating it again"
	return nil
}

func checkNew(in createIn, kind string) error {
	if err := arguments.OneLine("title", in.Title, maxTitle); err != nil {
		return err
	}
	bad := func(message, hint string) error { return usererr.New(usererr.BadInput, message, hint) }
	switch {
	case in.Space == "":
		return bad(`The argument "space" is missing`, "Give the key of the space")
	case in.Title == "":
		return bad(`The argument "title" is missing`, "Give the title of the new "+kind)
	case in.ID != "":
		return bad(`The argument "id" is for action delete`, "Leave it out to create something")
	case (kind == "embed") != (in.EmbedURL != ""):
		return bad("embed_url belongs to the kind embed, which needs it", "Give kind embed with embed_url")
	case in.Template != "" && (kind != "whiteboard" || !template.MatchString(in.Template)):
		return bad("template is a name such as kanban-board, of a whiteboard", "Give kind whiteboard with template")
	}
	if in.EmbedURL == "" {
		return nil
	}
	u, err := url.Parse(in.EmbedURL)
	if err != nil || len(in.EmbedURL) > maxURL || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return bad(`The argument "embed_url" must be an http or https address`, "")
	}
	return nil
}

// deletion fills op to put an object into the trash.
func deletion(ctx context.Context, t *tool.Set, in createIn, op *guard.Op[createOut]) error {
	kind := ""
	var err error
	if in.Kind != "" {
		if kind, err = arguments.OneOf("kind", in.Kind, content.Kinds()...); err != nil {
			return err
		}
	}
	if in.ID == "" || in.Title != "" || in.Parent != "" || in.EmbedURL != "" || in.Template != "" || in.Space != "" {
		return usererr.New(usererr.BadInput, "To delete takes id, and nothing that describes a new object", "Give id, and kind if it is known")
	}
	agreed, given, err := confirm.Given(ctx, t, createName, in.Confirm)
	if err != nil {
		return err
	}
	op.Run = func(ctx context.Context, w *guard.Wiki) (createOut, error) {
		o, err := content.Find(ctx, w, string(in.ID), content.Kind(kind))
		if err != nil {
			return createOut{}, err
		}
		if o.Status == "trashed" {
			return createOut{shown(o), "The " + string(o.Kind) + " is in the trash."}, nil
		}
		deed := confirm.Deed{Action: "delete", Site: w.Site(), Kind: string(o.Kind), ID: o.ID, Version: o.Version}
		if !given {
			return createOut{}, confirm.Ask(ctx, t, createName, deed, fmt.Sprintf("Put the %s %q (id %s) of space %s into the trash", o.Kind, tool.Clip(o.Title, 80), o.ID, o.Space))
		}
		if err := agreed.Covers(deed); err != nil {
			return createOut{}, err
		}
		if err := content.Delete(ctx, w, o); err != nil {
			return createOut{}, err
		}
		o.Status = "trashed"
		return createOut{shown(o), "The " + string(o.Kind) + " was put into the trash."}, nil
	}
	// The second time finds it in the trash, so settling is doing it again.
	op.Settle = func(ctx context.Context, w *guard.Wiki, _ time.Time) (createOut, error) { return op.Run(ctx, w) }
	op.Check = "Look whether it is still there with confluence_get_content"
	return nil
}
