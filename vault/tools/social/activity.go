// Package social has the tools for what people do with pages beside writing:
// likes, watches, views, and the status, emoji, cover and width of a page.
package social

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/people"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/social"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const toolset = "social"

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, activityTool)
	tool.Register(s, set, reactTool)
}

const activityName = "confluence_get_activity"

type activityIn struct {
	Page    arguments.Ref `json:"page,omitempty" jsonschema:"id or URL"`
	Comment arguments.Ref `json:"comment,omitempty" jsonschema:"id of a comment instead of page: its likes"`
	Include []string      `json:"include,omitempty" jsonschema:"of likes, watches, views, look (status, emoji, cover, width); default: all"`
	From    string        `json:"from,omitempty" jsonschema:"views since this date, e.g. 2026-05-01; default: ever"`
	Site    string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

type activityOut struct {
	Page     string   `json:"page"`
	Title    string   `json:"title"`
	Space    string   `json:"space"`
	Likes    *int     `json:"likes,omitempty"`
	LikedBy  []person `json:"liked_by,omitempty"`
	Watching *bool    `json:"watching,omitempty" jsonschema:"whether you watch it"`
	Watchers []person `json:"watchers,omitempty"`
	Views    *int     `json:"views,omitempty"`
	Viewers  *int     `json:"viewers,omitempty" jsonschema:"different people"`
	Status   string   `json:"status,omitempty" jsonschema:"such as In progress"`
	Emoji    string   `json:"emoji,omitempty"`
	Width    string   `json:"width,omitempty"`
	Cover    string   `json:"cover,omitempty"`
	Missing  []string `json:"missing,omitempty" jsonschema:"what could not be told, and why"`
}

type person struct {
	Account string `json:"account"`
	Name    string `json:"name,omitempty"`
}

var activityTool = tool.Spec[activityIn, activityOut]{
	Name: activityName, Title: "See what happens around a Confluence page",
	Description: "Likes of a Confluence page or comment, who watches the page, how often it was viewed and by how many (since a date), and its status, emoji, cover and width.",
	Toolset:     toolset,
	Run:         activity,
}

// parts are what can be asked, in their order.
func parts() []string { return []string{"likes", "watches", "views", "look"} }

// report is an answer in the making.
type report struct {
	w    *guard.Wiki
	page guard.Page
	from time.Time
	out  activityOut
}

func activity(ctx context.Context, t *tool.Set, in activityIn) (activityOut, string, error) {
	wanted, from, err := checkActivity(in)
	if err != nil {
		return activityOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[activityOut]{
		Tool: activityName, Site: in.Site, Page: string(in.Page), Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (activityOut, error) {
			r := report{w: w, from: from}
			if in.Comment != "" {
				return r.comment(ctx, string(in.Comment))
			}
			var err error
			if r.page, err = w.Page(ctx, string(in.Page)); err != nil {
				return activityOut{}, err
			}
			return r.all(ctx, wanted)
		},
	})
	return out, activityText(out), err
}

func checkActivity(in activityIn) (wanted []string, from time.Time, err error) {
	if (in.Page == "") == (in.Comment == "") {
		return nil, from, usererr.New(usererr.BadInput, "Either page or comment must be given", "Give the id of one of them")
	}
	for _, part := range in.Include {
		if part, err = arguments.OneOf("include", part, parts()...); err != nil {
			return nil, from, err
		}
		wanted = append(wanted, part)
	}
	if len(wanted) == 0 {
		wanted = parts()
	}
	if in.From != "" {
		if from, err = time.Parse(time.DateOnly, in.From); err != nil {
			return nil, from, usererr.New(usererr.BadInput, `The argument "from" must be a date such as 2026-05-01`, "")
		}
	}
	return wanted, from, nil
}

func (r *report) about() {
	r.out.Page, r.out.Title, r.out.Space = r.page.ID, r.page.Title, r.page.Space
}

func (r *report) comment(ctx context.Context, id string) (activityOut, error) {
	comment, page, err := comments.Get(ctx, r.w, id)
	if err != nil {
		return activityOut{}, err
	}
	r.page = page
	r.about()
	n, accounts, err := social.CommentLikes(ctx, r.w, comment)
	if err != nil {
		return activityOut{}, err
	}
	r.liked(ctx, n, accounts)
	return r.out, nil
}

// all tells the parts that are wanted. One that the plan or the permissions of
// the app do not give is named, unless it is the only one.
func (r *report) all(ctx context.Context, wanted []string) (activityOut, error) {
	r.about()
	for _, part := range parts() {
		if !slices.Contains(wanted, part) {
			continue
		}
		tell := map[string]func(context.Context) error{"likes": r.likes, "watches": r.watches, "views": r.views, "look": r.look}[part]
		err := tell(ctx)
		code := usererr.CodeOf(err)
		optional := code == usererr.Scope || code == usererr.Denied || code == usererr.NotFound || code == usererr.BadInput
		if err != nil && (!optional || len(wanted) == 1) {
			return activityOut{}, err
		}
		if err != nil {
			r.out.Missing = append(r.out.Missing, part+": "+usererr.Text(err, ""))
		}
	}
	return r.out, nil
}

func (r *report) likes(ctx context.Context) error {
	n, accounts, err := social.PageLikes(ctx, r.w, r.page)
	if err == nil {
		r.liked(ctx, n, accounts)
	}
	return err
}

func (r *report) liked(ctx context.Context, n int, accounts []string) {
	r.out.Likes = &n
	names := people.Names(ctx, r.w, accounts)
	for _, account := range accounts {
		r.out.LikedBy = append(r.out.LikedBy, person{account, names[account]})
	}
}

func (r *report) watches(ctx context.Context) error {
	watching, err := social.Watching(ctx, r.w, social.OfPage(r.page))
	if err != nil {
		return err
	}
	r.out.Watching = &watching
	all, more, err := social.Watchers(ctx, r.w, r.page)
	for _, p := range all {
		r.out.Watchers = append(r.out.Watchers, person{p.AccountID, p.Name})
	}
	if more {
		r.out.Missing = append(r.out.Missing, fmt.Sprintf("watches: there are more than the first %d watchers", len(all)))
	}
	return err
}

func (r *report) views(ctx context.Context) error {
	views, viewers, err := social.Views(ctx, r.w, r.page, r.from)
	if err == nil {
		r.out.Views, r.out.Viewers = &views, &viewers
	}
	return err
}

func (r *report) look(ctx context.Context) error {
	state, has, err := social.StateOf(ctx, r.w, r.page)
	if err != nil {
		return err
	}
	if has {
		r.out.Status = state.Name
	}
	for _, of := range []struct {
		key  string
		into *string
	}{{emojiKey, &r.out.Emoji}, {widthKey, &r.out.Width}} {
		value, err := text(ctx, r.w, r.page, of.key)
		if err != nil {
			return err
		}
		*of.into = value
	}
	r.out.Emoji = fromHex(r.out.Emoji)
	r.out.Cover, err = cover(ctx, r.w, r.page)
	return err
}

func activityText(out activityOut) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n**%s** (page %s in space %s)\n", tool.Notice, out.Title, out.Page, out.Space)
	number := func(name string, n *int) {
		if n != nil {
			fmt.Fprintf(&b, "- %s: %d\n", name, *n)
		}
	}
	list := func(name string, all []person) {
		for _, p := range all {
			fmt.Fprintf(&b, "- %s %s (%s)\n", name, p.Name, p.Account)
		}
	}
	number("Likes", out.Likes)
	list("Liked by", out.LikedBy)
	if out.Watching != nil {
		fmt.Fprintf(&b, "- You watch it: %t\n", *out.Watching)
	}
	list("Watched by", out.Watchers)
	number("Views", out.Views)
	number("Viewers", out.Viewers)
	for _, of := range [][2]string{{"Status", out.Status}, {"Emoji", out.Emoji}, {"Width", out.Width}, {"Cover", out.Cover}} {
		if of[1] != "" {
			fmt.Fprintf(&b, "- %s: %s\n", of[0], of[1])
		}
	}
	for _, m := range out.Missing {
		b.WriteString("- Not told: " + m + "\n")
	}
	return b.String()
}
