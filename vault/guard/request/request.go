// Package request asks Confluence's REST API for what no other package knows,
// behind the same door. Only published GET operations of a table can be asked,
// with their published parameters. What the path names is checked before, and
// whatever the answer names is checked after: an object that names a space, or a
// page, of which policy says no is left out whole, and where it cannot be told
// what an object belongs to, nothing of the answer is shown. Text that
// Confluence has rendered is not to be had, since parts of other pages are in
// it.
package request

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Question is one request. Path is below /wiki; Cursor and Start come from the
// answer before.
type Question struct {
	Path          string
	Parameters    map[string]any // texts, numbers, switches and lists of them
	Cursor, Start string
}

// Answer is what the person may see of an answer.
type Answer struct {
	// Items are the members of a list, or the one object.
	Items []any
	List  bool
	// Cursor and Start are where it goes on, both "" at the end.
	Cursor, Start string
}

// Check reports what is wrong with a question, without asking it.
func Check(q Question) error {
	op, _, err := match(q.Path)
	if err == nil {
		_, err = op.query(q.Parameters)
	}
	return err
}

// Ask asks a question.
func Ask(ctx context.Context, w *guard.Wiki, q Question) (Answer, error) {
	op, about, err := match(q.Path)
	if err != nil {
		return Answer{}, err
	}
	query, err := op.query(q.Parameters)
	if err != nil {
		return Answer{}, err
	}
	j := &judge{w: w, rule: op.rule, homes: map[string]string{}}
	if err := j.prepare(ctx, op, about, query); err != nil {
		return Answer{}, err
	}
	for name, value := range map[string]string{"cursor": q.Cursor, "start": q.Start} {
		if value != "" {
			query.Set(name, value)
		}
	}
	w.Note("request", q.Path, "")
	var value any
	var next url.Values
	err = w.Ask(ctx, "The answer to this path", op.scope, func(c *confluence.Client) (err error) {
		value, next, err = fetch(ctx, c, q.Path, query)
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	answer, err := j.answer(ctx, q.Path, value)
	// Of the link to the next part only the position is kept: the rest of it is
	// an echo.
	answer.Cursor, answer.Start = next.Get("cursor"), next.Get("start")
	return answer, err
}

// prepare checks what a question names and narrows it.
func (j *judge) prepare(ctx context.Context, op operation, about subject, query url.Values) error {
	if op.rule == ruleOf && op.takes("spaceKey") {
		if query.Get("spaceKey") == "" {
			return bad("The parameter \"spaceKey\" is missing", "Without it the answer is from anywhere")
		}
		about = subject{"key", query.Get("spaceKey")}
	}
	if op.rule == ruleOf {
		if err := j.enter(ctx, about, op.scope); err != nil {
			return err
		}
	}
	if op.takes("cql") {
		cql, err := j.w.Narrow(query.Get("cql"))
		if err != nil {
			return err
		}
		query.Set("cql", cql)
	}
	// A result of a search says where it belongs only if it is asked to.
	switch strings.Join(op.segments, "/") {
	case "rest/api/search":
		query.Set("expand", with(query["expand"], "content.space"))
	case "rest/api/content/search":
		query.Set("expand", with(query["expand"], "space"))
	}
	return nil
}

// with adds a value to a list with commas.
func with(list []string, value string) string {
	var all []string
	for _, part := range append(strings.Split(strings.Join(list, ","), ","), value) {
		if part = strings.TrimSpace(part); part != "" {
			add(&all, part)
		}
	}
	return strings.Join(all, ",")
}

// fetch asks and reads an answer without losing digits of numbers. Of members
// that come twice the last counts, for what is checked and for what is shown.
func fetch(ctx context.Context, c *confluence.Client, path string, query url.Values) (value any, next url.Values, err error) {
	var raw json.RawMessage
	header, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: path, Query: query}, &raw)
	if err != nil {
		return nil, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, nil, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	if _, list := parts(value); !list {
		return value, nil, nil
	}
	link := ""
	if object, ok := value.(map[string]any); ok {
		links, _ := object["_links"].(map[string]any) // absent: no link
		link, _ = links["next"].(string)
	}
	next, err = confluence.Follow(path, link, header)
	return value, next, err
}

// parts takes an answer apart into what is judged each for itself.
func parts(value any) (items []any, list bool) {
	if all, ok := value.([]any); ok {
		return all, true
	}
	if object, ok := value.(map[string]any); ok {
		if all, ok := object["results"].([]any); ok {
			return all, true
		}
	}
	return []any{value}, false
}

func (j *judge) answer(ctx context.Context, path string, value any) (Answer, error) {
	items, list := parts(value)
	verdicts, err := j.decide(ctx, items)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Items: []any{}, List: list}
	for i, v := range verdicts {
		switch {
		case v.allowed:
			if v.key != "" {
				j.w.Note("space", v.key, "")
			}
			answer.Items = append(answer.Items, shown(items[i]))
		case !list:
			return Answer{}, j.w.Deny("What this path names", "request", path, v.key)
		default:
			j.w.Withhold(1)
		}
	}
	return answer, nil
}
