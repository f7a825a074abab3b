package request

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// judge decides about the parts of an answer.
type judge struct {
	w     *guard.Wiki
	rule  rule
	homes map[string]string // of pages and blog posts, by id: the space's key
}

// undecided is the error for an answer that has something of which it cannot be
// told where it belongs.
func undecided(cause error) error {
	return usererr.Wrap(errors.Join(policy.ErrDenied, cause), usererr.Denied,
		"The answer has something of which the vault cannot tell to which space it belongs, so nothing of it is shown",
		"Ask about one page or space, or use the tool for it")
}

// verdict is what becomes of one part of an answer.
type verdict struct {
	allowed bool
	key     string // of a space that it belongs to, "" if it names none
}

// decide judges the parts of an answer, all before any of them is shown.
func (j *judge) decide(ctx context.Context, parts []any) ([]verdict, error) {
	named := make([]references, len(parts))
	var contents []string
	for i, part := range parts {
		named[i] = placesOf(part, j.rule == ruleSpaces)
		if named[i].strange {
			return nil, undecided(nil)
		}
		for _, id := range named[i].contents {
			if _, known := j.homes[id]; !known {
				add(&contents, id)
			}
		}
	}
	if err := j.find(ctx, contents); err != nil {
		return nil, err
	}
	verdicts := make([]verdict, len(parts))
	for i, r := range named {
		keys, err := j.keys(ctx, r)
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 && (j.rule == ruleEach || j.rule == ruleSpaces) {
			return nil, undecided(nil)
		}
		verdicts[i] = verdict{allowed: !slices.ContainsFunc(append(keys, r.links...), func(key string) bool { return !j.w.Allowed(key) }) &&
			!slices.ContainsFunc(r.files, func(f policy.File) bool { return j.w.AllowedFile(f) != nil })}
		if len(keys) > 0 {
			verdicts[i].key = keys[0]
		}
	}
	return verdicts, nil
}

// keys are the keys of all spaces that a part belongs to.
func (j *judge) keys(ctx context.Context, r references) ([]string, error) {
	keys := slices.Clone(r.keys)
	for _, id := range r.spaceIDs {
		space, err := j.w.SpaceOf(ctx, id)
		if err != nil {
			return nil, unknown(err)
		}
		add(&keys, space.Key)
	}
	for _, id := range r.contents {
		key, known := j.homes[id]
		if !known {
			return nil, undecided(nil)
		}
		add(&keys, key)
	}
	return keys, nil
}

// unknown is the error for a space that is named and cannot be found: another
// trouble is told as it is.
func unknown(err error) error {
	if usererr.CodeOf(err) == usererr.NotFound {
		return undecided(err)
	}
	return err
}

const perLookup = 100

// find looks up the spaces of pages and blog posts.
func (j *judge) find(ctx context.Context, ids []string) error {
	for _, kind := range []string{"pages", "blogposts"} {
		ids = slices.DeleteFunc(ids, func(id string) bool { _, known := j.homes[id]; return known })
		for some := range slices.Chunk(ids, perLookup) {
			if err := j.lookUp(ctx, kind, some); err != nil {
				return err
			}
		}
	}
	return nil
}

type homeJSON struct {
	ID         confluence.ID `json:"id"`
	SpaceID    confluence.ID `json:"spaceId"`
	PageID     confluence.ID `json:"pageId"`
	BlogPostID confluence.ID `json:"blogPostId"`

	// Of an attachment.
	Title     string `json:"title"`
	MediaType string `json:"mediaType"`
	FileSize  int64  `json:"fileSize"`
}

func (j *judge) lookUp(ctx context.Context, kind string, ids []string) error {
	query := url.Values{"id": ids, "limit": {"250"}, "status": {"current", "archived", "trashed", "deleted"}}
	if kind == "blogposts" {
		query["status"] = []string{"current", "trashed", "deleted"}
	}
	var found []homeJSON
	err := j.w.Ask(ctx, "The pages that the answer names", "read:page:confluence", func(c *confluence.Client) (err error) {
		found, _, err = confluence.List[homeJSON](ctx, c, "/api/v2/"+kind, query)
		return err
	})
	if err != nil {
		return err
	}
	for _, home := range found {
		if !slices.Contains(ids, string(home.ID)) {
			continue
		}
		space, err := j.w.SpaceOf(ctx, string(home.SpaceID))
		if err != nil {
			return unknown(err)
		}
		j.homes[string(home.ID)] = space.Key
	}
	return nil
}

// homePaths are where the things are that say themselves where they belong.
func homePaths() map[string]string {
	return map[string]string{
		"attachment": "attachments", "footer": "footer-comments", "inline": "inline-comments", "whiteboard": "whiteboards",
		"database": "databases", "folder": "folders", "embed": "embeds", "custom": "custom-content", "task": "tasks",
	}
}

// enter checks what the path names, before anything is asked about it.
func (j *judge) enter(ctx context.Context, s subject, scope string) error {
	switch s.kind {
	case "page", "blogpost", "content":
		page, err := j.w.PageVersion(ctx, s.id, 0)
		if err != nil {
			return err
		}
		if s.kind != "content" && page.Type != s.kind {
			return bad("The id is that of a "+page.Type, "Use the path for a "+page.Type)
		}
		j.homes[page.ID] = page.Space
		return nil
	case "space":
		return j.space(ctx, s.id)
	case "key":
		_, err := j.w.Space(ctx, s.id)
		return err
	}
	plural, known := homePaths()[s.kind]
	if !known {
		return undecided(nil)
	}
	what := "The " + s.kind + " " + s.id
	var home homeJSON
	err := j.w.Ask(ctx, what, scope, func(c *confluence.Client) error {
		_, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: "/api/v2/" + plural + "/" + s.id}, &home)
		return err
	})
	switch page := string(home.PageID) + string(home.BlogPostID); {
	case err != nil:
	case s.kind == "attachment" && j.w.AllowedFile(policy.File{Name: home.Title, MediaType: home.MediaType, Size: home.FileSize}) != nil:
		err = j.w.Deny(what, s.kind, s.id, "")
	case home.SpaceID != "":
		err = j.space(ctx, string(home.SpaceID))
	case page != "" && digits.MatchString(page):
		err = j.enter(ctx, subject{"content", page}, scope)
	default:
		err = undecided(nil)
	}
	if usererr.CodeOf(err) == usererr.NotFound {
		// Neither page nor space is named: that it is there is not known to the caller.
		err = usererr.Wrap(err, usererr.NotFound, what+" was not found, or it is not available to you", "Check it, or look for it with confluence_search")
	}
	return err
}

func (j *judge) space(ctx context.Context, id string) error {
	space, err := j.w.SpaceOf(ctx, id)
	switch {
	case err != nil:
		return err
	case !j.w.Allowed(space.Key):
		return j.w.Deny("The space", "space", id, space.Key)
	}
	j.w.Note("space", space.Key, "")
	return nil
}
