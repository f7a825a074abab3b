package search

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// Query is a search of one page of results. All that is given must hold; of a
// list one is enough.
type Query struct {
	CQL         string   `json:",omitempty"` // instead of Text
	Text        string   `json:",omitempty"` // plain words
	TitleOnly   bool     `json:",omitempty"` // Text is looked for in titles only
	Spaces      []string `json:",omitempty"` // keys
	Types       []string `json:",omitempty"` // such as page; see Types
	Labels      []string `json:",omitempty"`
	AllLabels   bool     `json:",omitempty"` // of Labels all, not one
	Author      string   `json:",omitempty"` // account id, or "me"
	Contributor string   `json:",omitempty"` // the same
	Created     string   `json:",omitempty"` // a range of days; see period
	Updated     string   `json:",omitempty"` // the same
	Below       string   `json:",omitempty"` // id or address of a page above
	Order       string   `json:",omitempty"` // see Orders; "" is by relevance

	Limit  int
	Cursor string
	Start  int
}

// Types are the types of content that can be looked for.
func Types() []string {
	return []string{"page", "blogpost", "comment", "attachment", "whiteboard", "database", "folder", "embed"}
}

// Orders are the orders of results; "relevance" is that of Confluence.
func Orders() []string { return []string{"relevance", "updated", "created", "title"} }

// cql makes the query that is asked. Every value in it is quoted or has been
// checked to be nothing but what it should be.
func (s Query) cql(ctx context.Context, w *guard.Wiki) (string, error) {
	what, err := s.what()
	if err != nil {
		return "", err
	}
	conditions, err := s.conditions(ctx, w)
	if err != nil {
		return "", err
	}
	if what == "" {
		if len(conditions) == 0 {
			return "", usererr.New(usererr.BadInput, "There is nothing to search for", "Give query with at least one word, cql, or a filter")
		}
		// A query needs a first condition; one of ours is as good as any.
		what, conditions = conditions[0], conditions[1:]
	}
	order := map[string]string{"updated": "lastmodified DESC", "created": "created DESC", "title": "title ASC"}[s.Order]
	if order != "" {
		what += " ORDER BY " + order
	}
	return w.Narrow(what, conditions...)
}

// what is the question itself: the CQL, or one for the words.
func (s Query) what() (string, error) {
	if s.CQL != "" {
		if s.Order != "" && s.Order != "relevance" && ordered.MatchString(s.CQL) {
			return "", usererr.New(usererr.BadInput, "The cql has an ORDER BY, and sort is given as well", "Leave out one of them")
		}
		return s.CQL, nil
	}
	terms := policy.Terms(s.Text)
	switch {
	case terms == "" && s.Text != "":
		return "", usererr.New(usererr.BadInput, "There is nothing to search for", "Give query with at least one word, or cql")
	case terms == "":
		return "", nil
	case s.TitleOnly:
		return "title ~ " + policy.Quote(terms), nil
	}
	return "siteSearch ~ " + policy.Quote(terms), nil
}

var ordered = regexp.MustCompile(`(?i)\border\s+by\b`)

func (s Query) conditions(ctx context.Context, w *guard.Wiki) ([]string, error) {
	var all []string
	if err := s.check(); err != nil {
		return nil, err
	}
	types := s.Types
	if len(types) == 0 && s.CQL == "" {
		types = []string{"page", "blogpost"}
	}
	for _, t := range types {
		if !slices.Contains(Types(), t) {
			return nil, usererr.New(usererr.BadInput, "There is no type of content called "+plaintext.Line(t, 40), "Types: "+strings.Join(Types(), ", "))
		}
	}
	all = append(all, anyOf("type", types)...)
	spaces := slices.DeleteFunc(slices.Clone(s.Spaces), func(key string) bool { return key == "" })
	for _, key := range spaces {
		if !w.Allowed(key) {
			return nil, w.Deny("The space "+plaintext.Line(key, 80), "space", key, "")
		}
	}
	all = append(all, anyOf("space", spaces)...)
	if s.AllLabels {
		for _, label := range s.Labels {
			all = append(all, "label = "+policy.Quote(strings.ToLower(label)))
		}
	} else {
		all = append(all, anyOf("label", lower(s.Labels))...)
	}
	for _, by := range []struct{ field, who string }{{"creator", s.Author}, {"contributor", s.Contributor}} {
		if by.who != "" {
			all = append(all, by.field+" = "+account(by.who))
		}
	}
	for _, when := range []struct{ field, argument, text string }{{"created", "created", s.Created}, {"lastmodified", "updated", s.Updated}} {
		period, err := period(when.field, when.argument, when.text)
		if err != nil {
			return nil, err
		}
		all = append(all, period...)
	}
	if s.Below != "" {
		page, err := w.Page(ctx, s.Below)
		if err != nil {
			return nil, err
		}
		all = append(all, "ancestor = "+policy.Quote(page.ID))
	}
	return all, nil
}

// Limits of filters.
const (
	maxValues = 30  // of one list
	maxValue  = 255 // bytes
)

// check refuses values that no filter has.
func (s Query) check() error {
	for name, list := range map[string][]string{"space": s.Spaces, "type": s.Types, "labels": s.Labels, "author": {s.Author}, "contributor": {s.Contributor}} {
		if len(list) > maxValues || slices.ContainsFunc(list, func(v string) bool { return len(v) > maxValue || strings.ContainsFunc(v, unicode.IsControl) }) {
			return usererr.New(usererr.BadInput, "The argument \""+name+"\" has too many or too long values, or ones with control characters", "")
		}
	}
	return nil
}

func lower(list []string) []string {
	all := make([]string, len(list))
	for i, text := range list {
		all[i] = strings.ToLower(text)
	}
	return all
}

// anyOf is the condition that a field has one of values, if there are any.
func anyOf(field string, values []string) []string {
	switch len(values) {
	case 0:
		return nil
	case 1:
		return []string{field + " = " + policy.Quote(values[0])}
	}
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = policy.Quote(value)
	}
	return []string{field + " IN (" + strings.Join(quoted, ", ") + ")"}
}

func account(who string) string {
	if strings.EqualFold(who, "me") {
		return "currentUser()"
	}
	return policy.Quote(who)
}

var ago = regexp.MustCompile(`^(\d{1,4}) ?(h|d|w|m|y)$`)

// period reads a range of days, such as 2026-01-31..2026-02-15 with either end
// left out, one day, or an age such as 30d (h, d, w, m, y for the last hours to
// years).
func period(field, argument, text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	wrong := usererr.New(usererr.BadInput, "The argument \""+argument+"\" is not a range of days", "Write it like 2026-01-31..2026-02-15, ..2026-02-15, 2026-01-31.. or 30d")
	if found := ago.FindStringSubmatch(text); found != nil {
		unit := strings.Replace(found[2], "m", "M", 1) // for CQL a small m is a minute
		return []string{field + ` >= now("-` + found[1] + unit + `")`}, nil
	}
	from, to, ranged := strings.Cut(text, "..")
	if !ranged {
		to = from
	}
	var all []string
	for i, end := range []string{from, to} {
		if end = strings.TrimSpace(end); end == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, strings.ReplaceAll(end, "/", "-"))
		if err != nil {
			return nil, wrong
		}
		if i == 0 {
			all = append(all, field+" >= "+policy.Quote(day.Format(time.DateOnly)))
		} else {
			all = append(all, field+" < "+policy.Quote(day.AddDate(0, 0, 1).Format(time.DateOnly)))
		}
	}
	if len(all) == 0 {
		return nil, wrong
	}
	return all, nil
}
