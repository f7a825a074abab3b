package social

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/properties"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/social"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const reactName = "confluence_react"

type reactIn struct {
	Action string        `json:"action" jsonschema:"watch, unwatch (page, space or label); star, unstar; status, clear_status; emoji, clear_emoji; cover, clear_cover; full_width, fixed_width (page)"`
	Page   arguments.Ref `json:"page,omitempty" jsonschema:"id or URL"`
	Space  string        `json:"space,omitempty" jsonschema:"watch: key of a space instead of page"`
	Label  string        `json:"label,omitempty" jsonschema:"watch: a label instead of page"`
	Value  string        `json:"value,omitempty" jsonschema:"status: its name, such as In progress; emoji: the character; cover: name of a picture attached to the page"`
	Color  string        `json:"color,omitempty" jsonschema:"status: of one that does not exist yet, such as #2684FF"`
	Site   string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

type reactOut struct {
	Object  string `json:"object" jsonschema:"such as page 123"`
	Version int    `json:"version,omitempty" jsonschema:"of the page, where a new one was made"`
	Message string `json:"message"`
}

var reactTool = tool.Spec[reactIn, reactOut]{
	Name: reactName, Title: "Watch, star or mark a Confluence page",
	Description: "Watch or unwatch a Confluence page, space or label; star a page; set its status, emoji, cover or width. Likes cannot be given: Atlassian has no API for that.",
	Toolset:     toolset, Write: true,
	Run: react,
}

// reaction is one act, on its way. Each may be done twice without harm.
type reaction struct {
	in    reactIn
	emoji string
}

func actions() []string {
	return []string{"watch", "unwatch", "star", "unstar", "status", "clear_status", "emoji", "clear_emoji", "cover", "clear_cover", "full_width", "fixed_width", "like", "unlike"}
}

const maxLabel = 255 // characters

var (
	color = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	label = regexp.MustCompile(`^[\p{L}\p{M}\p{N}_-]+$`) // counted where it is used: repeats of such classes take megabytes
)

// maxStatus is how many characters the name of a status may have.
const maxStatus = 20

func react(ctx context.Context, t *tool.Set, in reactIn) (reactOut, string, error) {
	r := reaction{in: in}
	if err := r.check(); err != nil {
		return reactOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[reactOut]{
		Tool: reactName, Site: in.Site, Page: string(in.Page), Input: in, Run: r.run,
		Settle: func(ctx context.Context, w *guard.Wiki, _ time.Time) (reactOut, error) { return r.run(ctx, w) },
		Check:  "Look at it with confluence_get_activity; doing it again does no harm",
	})
	return out, out.Message + "\n", err
}

func (r *reaction) check() error {
	bad := func(message, hint string) error { return usererr.New(usererr.BadInput, message, hint) }
	var err error
	if r.in.Action == "" {
		return bad(`The argument "action" is missing`, "It may be: "+strings.Join(actions()[:12], ", "))
	}
	if r.in.Action, err = arguments.OneOf("action", r.in.Action, actions()...); err != nil {
		return err
	}
	watch := strings.HasSuffix(r.in.Action, "watch")
	given := 0
	for _, target := range []string{string(r.in.Page), r.in.Space, r.in.Label} {
		if target != "" {
			given++
		}
	}
	switch {
	case r.in.Action == "like" || r.in.Action == "unlike":
		return bad("Atlassian has no API to like or unlike anything, so no tool can", "The person can like it in the browser; confluence_get_activity shows the likes")
	case given != 1:
		return bad("One of page, space and label must be given", "Space and label can only be watched")
	case !watch && r.in.Page == "":
		return bad("Only pages can have this", "Give page; spaces and labels can be watched and unwatched")
	case r.in.Action == "status" && (strings.TrimSpace(r.in.Value) == "" || arguments.OneLine("value", r.in.Value, maxStatus) != nil):
		return bad(`The argument "value" must be the name of a status, of at most 20 characters`, "Such as In progress")
	case r.in.Color != "" && (r.in.Action != "status" || !color.MatchString(r.in.Color)):
		return bad(`The argument "color" must be like #2684FF, and belongs to a status`, "")
	case r.in.Value != "" && r.in.Action != "status" && r.in.Action != "emoji" && r.in.Action != "cover":
		return bad(`The argument "value" belongs to status, emoji and cover`, "")
	case r.in.Value == "" && r.in.Action == "cover":
		return bad(`The argument "value" must name a picture that is attached to the page`, "confluence_get_attachment lists its files")
	case r.in.Action == "emoji":
		r.emoji, err = toHex(r.in.Value)
		return err
	}
	if r.in.Label != "" && (!label.MatchString(r.in.Label) || utf8.RuneCountInString(r.in.Label) > maxLabel) {
		return bad(`The argument "label" must be a label: letters, digits, - and _`, "")
	}
	return nil
}

func (r *reaction) run(ctx context.Context, w *guard.Wiki) (reactOut, error) {
	switch {
	case r.in.Space != "":
		thing, space, err := social.OfSpace(ctx, w, r.in.Space)
		if err != nil {
			return reactOut{}, err
		}
		return r.watch(ctx, w, thing, "space "+space.Key)
	case r.in.Label != "":
		return r.watch(ctx, w, social.OfLabel(w, r.in.Label), "label "+r.in.Label)
	}
	page, err := w.Page(ctx, string(r.in.Page))
	if err != nil {
		return reactOut{}, err
	}
	object := page.Type + " " + page.ID
	switch r.in.Action {
	case "watch", "unwatch":
		return r.watch(ctx, w, social.OfPage(page), object)
	case "star", "unstar":
		on := r.in.Action == "star"
		message := map[bool]string{true: "The page is among your starred pages.", false: "The page is not among your starred pages."}[on]
		return reactOut{Object: object, Message: message}, social.Star(ctx, w, page, on)
	case "status", "clear_status":
		return r.status(ctx, w, page, object)
	case "emoji":
		return r.property(ctx, w, page, emojiKey, r.emoji)
	case "clear_emoji":
		return r.property(ctx, w, page, emojiKey, "")
	case "cover":
		value, err := asCover(ctx, w, page, r.in.Value)
		if err != nil {
			return reactOut{}, err
		}
		return r.property(ctx, w, page, coverKey, value)
	case "clear_cover":
		return r.property(ctx, w, page, coverKey, "")
	case "full_width":
		return r.property(ctx, w, page, widthKey, fullWidth)
	}
	return r.property(ctx, w, page, widthKey, fixed)
}

func (r *reaction) watch(ctx context.Context, w *guard.Wiki, thing social.Thing, object string) (reactOut, error) {
	on := r.in.Action == "watch"
	message := map[bool]string{true: "You watch the " + object + ".", false: "You do not watch the " + object + "."}[on]
	return reactOut{Object: object, Message: message}, social.Watch(ctx, w, thing, on)
}

// status sets the status of a page, which makes a version of it.
func (r *reaction) status(ctx context.Context, w *guard.Wiki, page guard.Page, object string) (reactOut, error) {
	now, has, err := social.StateOf(ctx, w, page)
	if err != nil {
		return reactOut{}, err
	}
	out := reactOut{Object: object, Message: "The page has no status."}
	if r.in.Action == "clear_status" {
		if has {
			err = social.ClearState(ctx, w, page)
		}
		return out, err
	}
	name := strings.TrimSpace(r.in.Value)
	out.Message = fmt.Sprintf("The status of the page is %q.", name)
	if has && strings.EqualFold(now.Name, name) {
		return out, nil
	}
	states, err := social.States(ctx, w, page)
	if err != nil {
		return reactOut{}, err
	}
	state, known := social.State{Name: name, Color: r.in.Color}, false
	var names []string
	for _, s := range states {
		names = append(names, s.Name)
		if strings.EqualFold(s.Name, name) {
			state, known = s, true
		}
	}
	if !known && r.in.Color == "" {
		return reactOut{}, usererr.Wrap(guard.ErrRefused, usererr.BadInput, "There is no such status for this page", "Use one of: "+strings.Join(names, ", ")+"; or give color to make a new one")
	}
	if err := social.SetState(ctx, w, page, state, known); err != nil {
		return reactOut{}, err
	}
	if after, err := w.PageVersion(ctx, page.ID, 0); err == nil {
		out.Version = after.Version
	}
	return out, nil
}

// property sets one of the properties that decide how a page looks; "" takes it
// away.
func (r *reaction) property(ctx context.Context, w *guard.Wiki, page guard.Page, key, value string) (reactOut, error) {
	out := reactOut{Object: page.Type + " " + page.ID, Message: "The page looks as wanted: " + strings.ReplaceAll(r.in.Action, "_", " ") + "."}
	before, has, err := properties.Find(ctx, w, page, key)
	if err != nil {
		return reactOut{}, err
	}
	data, err := json.Marshal(value)
	switch {
	case err != nil:
		return reactOut{}, err
	case value == "" && has:
		return out, properties.Delete(ctx, w, page, before)
	case value == "" || has && string(before.Value) == string(data):
		return out, nil
	}
	before.Key = key
	_, err = properties.Put(ctx, w, page, before, data)
	return out, err
}
