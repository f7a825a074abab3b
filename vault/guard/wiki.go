package guard

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/people"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/sites"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// Scopes that the calls need. v1 calls take a classic scope as well.
const (
	scopeReadPage   = "read:page:confluence"
	scopeReadSpace  = "read:space:confluence"
	scopeReadDetail = "read:content-details:confluence (or read:confluence-user)"
)

// Wiki is one site as one person may see it, for the length of one call.
// Every object that its methods return has passed policy and is named in the
// audit record. One goroutine may use it.
type Wiki struct {
	door   *Door
	rec    *record
	site   grant.Site
	token  grant.Token
	client *confluence.Client

	refreshed bool
	noting    *journal.Noting // of a write, which is not sent before that is done; else nil
	ours      bool            // see [Wiki.Ours]
	wrote     bool            // a write was sent
	labels    bool            // pages are read with their labels
	seen      []string        // keys of the spaces whose objects were returned
}

// enter makes sure that the caller may still act, fetches a token and chooses
// the site.
func (d *Door) enter(ctx context.Context, rec *record, a action) (*Wiki, error) {
	if err := d.live(ctx, rec, "Nothing was changed; try again in a minute"); err != nil {
		return nil, err
	}
	token, err := d.cfg.Grants.Token(ctx, rec.caller.Person, rec.caller.Tenant)
	if err != nil {
		return nil, tokenError(err)
	}
	site, err := sites.Choose(token.Sites, a.site, a.page)
	if err != nil {
		return nil, err
	}
	rec.entry.Site, rec.entry.Grant = site.Name, token.Grant
	w := &Wiki{door: d, rec: rec, site: site}
	w.use(token)
	return w, nil
}

// tokenError lets user errors through; a keeper without a grant says so with
// one.
func tokenError(err error) error {
	if _, ok := usererr.From(err); ok {
		return err
	}
	return usererr.Wrap(err, usererr.Unavailable, "The vault cannot use your sign-in right now", "Try again in a minute")
}

func (w *Wiki) use(token grant.Token) {
	w.token = token
	w.client = confluence.New(confluence.Config{
		HTTP:  w.door.cfg.HTTP,
		Bulk:  w.door.cfg.Bulk,
		Base:  strings.TrimSuffix(w.door.cfg.APIBase(w.rec.caller.Tenant), "/") + "/ex/confluence/" + url.PathEscape(w.site.CloudID) + "/wiki",
		Token: token.Value, Quota: w.door.quota(w.rec.caller.Tenant), Agent: w.door.cfg.Agent,
		Log: w.door.cfg.Log, Attrs: []slog.Attr{
			slog.String("tenant", string(w.rec.caller.Tenant)), slog.String("person", string(w.rec.caller.Person)), slog.String("call", w.rec.entry.Call),
		},
	})
}

// ask makes one request. A token that Confluence calls expired is exchanged
// once; a missing scope never is, since a fresh token would lack it too.
func (w *Wiki) ask(ctx context.Context, request func(*confluence.Client) error) error {
	err := request(w.client)
	if !confluence.Is(err, confluence.KindToken) || w.refreshed {
		return err
	}
	w.refreshed = true
	token, refreshErr := w.door.cfg.Grants.Rejected(ctx, w.token)
	if refreshErr != nil {
		return tokenError(refreshErr)
	}
	w.use(token)
	return request(w.client)
}

// Ask makes a request that only reads, about what, which is named in the error,
// as the scope is that it needs. Its errors are user errors; those of package
// confluence are in their chain.
//
// Ask and the methods below it are for the packages of the guard, which add the
// kinds of objects: what they return to tools has passed [Wiki.Allowed], or
// belongs to a page that a method here returned, and was noted.
func (w *Wiki) Ask(ctx context.Context, what, scope string, request func(*confluence.Client) error) error {
	if err := w.ask(ctx, request); err != nil {
		return explain(err, what, scope)
	}
	return nil
}

// Send is [Wiki.Ask] for a request that changes something, within a call with a
// Settle. The chain of its errors has [ErrRefused] where nothing was changed.
// Nothing is sent where policy lets only be read what the call has to do with.
func (w *Wiki) Send(ctx context.Context, what, scope string, request func(*confluence.Client) error) error {
	if err := w.rec.policy.Change(w.seen); err != nil {
		w.Remark("denied: a change")
		return errors.Join(ErrRefused, usererr.Wrap(err, usererr.Denied, what+" was not changed: here it may only be read", "Change it in the browser, or ask the administrator of the vault"))
	}
	if err := w.noted(ctx); err != nil {
		return err
	}
	w.wrote = true
	if err := w.ask(ctx, request); err != nil {
		return explainWrite(err, what, scope)
	}
	return nil
}

// Allowed reports whether policy lets the person see objects of a space.
// Objects of others are left out and counted with [Wiki.Withhold].
func (w *Wiki) Allowed(space string) bool { return w.rec.policy.Space(space) == nil }

// AllowedFile returns nil where policy lets a file be seen and moved, else a
// [policy.FileError]. Its page has been checked.
func (w *Wiki) AllowedFile(f policy.File) error { return w.rec.policy.File(f) }

// Deny is the error for an object that the person named and policy denies,
// which reads like that for one that does not exist.
func (w *Wiki) Deny(what, kind, id, space string) error {
	return missing(what, w.rec.denied(kind, id, space))
}

// Withhold counts objects that were left out.
func (w *Wiki) Withhold(n int) { w.rec.withheld += n }

// Note names an object in the audit record. The result of a write is answered a
// second time only while policy allows all spaces that were named.
func (w *Wiki) Note(kind, id, space string) {
	w.rec.note(kind, id, space)
	if kind == "space" {
		space = id // which a space has in the place of one
	}
	if space != "" && !slices.Contains(w.seen, space) {
		w.seen = append(w.seen, space)
	}
}

// Narrow returns a query that finds only what policy allows and what all of the
// conditions say.
func (w *Wiki) Narrow(cql string, conditions ...string) (string, error) {
	narrowed, err := w.rec.policy.CQL(cql, conditions...)
	if err != nil {
		return "", queryError(err)
	}
	return narrowed, nil
}

// SpaceOf returns the space with an id, whether policy allows it or not.
func (w *Wiki) SpaceOf(ctx context.Context, id string) (Space, error) {
	s, err := w.spaceByID(ctx, id)
	if err != nil {
		return Space{}, explain(err, "The space", scopeReadSpace)
	}
	return w.space(s), nil
}

// KeyOf returns the key of the space with an id, or otherwise for no id.
func (w *Wiki) KeyOf(ctx context.Context, id, otherwise string) (string, error) {
	if id == "" {
		return otherwise, nil
	}
	in, err := w.SpaceOf(ctx, id)
	return in.Key, err
}

// WithLabels lets pages that are read from now on come with their labels.
func (w *Wiki) WithLabels() { w.labels = true }

// Site names the site.
func (w *Wiki) Site() string { return w.site.Name }

// Link makes an address on the site out of a path below /wiki.
func (w *Wiki) Link(path string) string {
	if path == "" {
		return ""
	}
	return strings.TrimSuffix(w.site.URL, "/") + "/wiki" + path
}

// Space is a space.
type Space struct {
	ID, Key, Name, Type, URL string
}

// Spaces lists the spaces that the person may reach, and the cursor to go on.
func (w *Wiki) Spaces(ctx context.Context, limit int, cursor string) ([]Space, string, error) {
	var list []confluence.Space
	var next string
	err := w.ask(ctx, func(c *confluence.Client) (err error) {
		list, next, err = c.Spaces(ctx, limit, cursor)
		return err
	})
	if err != nil {
		return nil, "", explain(err, "The list of spaces", scopeReadSpace)
	}
	allowed := make([]Space, 0, len(list))
	for _, s := range list {
		if w.rec.policy.Space(s.Key) != nil {
			w.rec.withheld++
			continue
		}
		w.rec.note("space", s.Key, "")
		w.know(s)
		allowed = append(allowed, w.space(s))
	}
	return allowed, next, nil
}

func (w *Wiki) space(s confluence.Space) Space {
	return Space{ID: s.ID, Key: s.Key, Name: s.Name, Type: s.Type, URL: w.Link(s.Path)}
}

// Space returns the space with key.
func (w *Wiki) Space(ctx context.Context, key string) (Space, error) {
	what := "The space " + clip(key)
	if w.rec.policy.Space(key) != nil {
		return Space{}, missing(what, w.rec.denied("space", key, ""))
	}
	found, known := w.door.spaces.Get(w.place("key:" + policy.Fold(key)))
	if !known {
		err := w.ask(ctx, func(c *confluence.Client) (err error) {
			found, err = c.SpaceByKey(ctx, key)
			return err
		})
		if err != nil {
			return Space{}, explain(err, what, scopeReadSpace)
		}
		w.know(found)
	}
	// The key may be an alias: what counts is the one that came back.
	if w.rec.policy.Space(found.Key) != nil {
		return Space{}, missing(what, w.rec.denied("space", found.Key, ""))
	}
	if !slices.Contains(w.seen, found.Key) {
		w.seen = append(w.seen, found.Key)
	}
	return w.space(found), nil
}

// spaceByID resolves the space of an object, which is not checked yet.
func (w *Wiki) spaceByID(ctx context.Context, id string) (confluence.Space, error) {
	found, ok := w.door.spaces.Get(w.place("id:" + id))
	if ok {
		return found, nil
	}
	err := w.ask(ctx, func(c *confluence.Client) (err error) {
		found, err = c.SpaceByID(ctx, id)
		return err
	})
	if err == nil {
		w.know(found)
	}
	return found, err
}

// know remembers a space, which saves a request for each of its pages.
func (w *Wiki) know(s confluence.Space) {
	w.door.spaces.Put(w.place("id:"+s.ID), s)
	w.door.spaces.Put(w.place("key:"+policy.Fold(s.Key)), s)
}

func (w *Wiki) place(what string) place {
	return place{w.rec.caller.Tenant, w.rec.caller.Person, w.site.CloudID, what}
}

// Recall returns what [Wiki.Remember] kept, for this person on this site.
func (w *Wiki) Recall(what string) (string, bool) { return w.door.facts.Get(w.place(what)) }

// Remember keeps a value for some minutes, such as the name of an account.
func (w *Wiki) Remember(what, value string) { w.door.facts.Put(w.place(what), value) }

// Account is the person as the site knows it.
type Account struct {
	ID, Name string
}

// Me returns the person's own account.
func (w *Wiki) Me(ctx context.Context) (Account, error) {
	at := w.place("me")
	if me, ok := w.door.me.Get(at); ok {
		return me, nil
	}
	var user people.User
	err := w.ask(ctx, func(c *confluence.Client) (err error) {
		user, err = people.Current(ctx, c)
		return err
	})
	if err != nil {
		return Account{}, explain(err, "Your account", scopeReadDetail)
	}
	me := Account{ID: user.AccountID, Name: user.Name}
	w.door.me.Put(at, me)
	return me, nil
}
