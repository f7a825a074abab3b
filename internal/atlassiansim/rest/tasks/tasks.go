// Package tasks has the tasks of the simulated Confluence: what stands in task
// lists of pages. They have no life of their own; changing one changes its
// page's text.
package tasks

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

const (
	path  = op.V2 + "/tasks"
	read  = "read:task:confluence"
	write = "write:task:confluence"
)

// Add adds the operations.
func Add(add op.Add) {
	add("GET "+path, read, list)
	add("GET "+path+"/{id}", read, get)
	add("PUT "+path+"/{id}", write, set)
}

type taskJSON struct {
	ID          string             `json:"id"`
	LocalID     string             `json:"localId"`
	SpaceID     string             `json:"spaceId"`
	PageID      string             `json:"pageId,omitempty"`
	BlogPostID  string             `json:"blogPostId,omitempty"`
	Status      string             `json:"status"`
	Body        map[string]op.Body `json:"body"`
	CreatedBy   string             `json:"createdBy"`
	AssignedTo  string             `json:"assignedTo,omitempty"`
	CompletedBy string             `json:"completedBy,omitempty"`
	CreatedAt   string             `json:"createdAt"`
	UpdatedAt   string             `json:"updatedAt"`
	DueAt       string             `json:"dueAt,omitempty"`
	CompletedAt string             `json:"completedAt,omitempty"`
}

// task is one task of a page.
type task struct {
	id         int64
	page       wiki.Page
	local      string
	status     string
	body       string
	assignee   string
	due        time.Time
	start, end int // of its status in the page's body
}

// perPage keeps the ids of tasks apart: a task's id is its page's, with its own
// behind.
const perPage = 1000

var (
	element  = regexp.MustCompile(`(?s)<ac:task>.*?<ac:task-id>(\d{1,3})</ac:task-id>.*?<ac:task-status>(\w+)</ac:task-status>.*?<ac:task-body>(.*?)</ac:task-body>`)
	assigned = regexp.MustCompile(`<ri:user ri:account-id="([^"]+)"`)
	day      = regexp.MustCompile(`<time datetime="(\d{4}-\d\d-\d\d)"`)
)

func ofPage(p wiki.Page) []task {
	var all []task
	body := p.Newest().Body
	for _, m := range element.FindAllStringSubmatchIndex(body, -1) {
		part := func(i int) string { return body[m[2*i]:m[2*i+1]] }
		local, _ := strconv.ParseInt(part(1), 10, 64) // the pattern admits digits only
		t := task{id: p.ID*perPage + local, page: p, local: part(1), status: part(2), body: part(3), start: m[4], end: m[5]}
		if found := assigned.FindStringSubmatch(t.body); found != nil {
			t.assignee = found[1]
		}
		if found := day.FindStringSubmatch(t.body); found != nil {
			t.due, _ = time.Parse(time.DateOnly, found[1]) // no due date if it is none
		}
		all = append(all, t)
	}
	return all
}

func show(c *op.Call) func(task) taskJSON {
	return func(t task) taskJSON {
		v := t.page.Newest()
		shown := taskJSON{
			ID: op.ID(t.id), LocalID: t.local, SpaceID: op.ID(t.page.Space), Status: t.status, Body: map[string]op.Body{},
			CreatedBy: t.page.Author(), AssignedTo: t.assignee, CreatedAt: op.When(t.page.Created()), UpdatedAt: op.When(v.Created),
		}
		if t.page.Type == "blogpost" {
			shown.BlogPostID = op.ID(t.page.ID)
		} else {
			shown.PageID = op.ID(t.page.ID)
		}
		if f := c.URL.Query().Get("body-format"); f == "storage" {
			shown.Body[f] = op.Body{Representation: f, Value: t.body}
		}
		if !t.due.IsZero() {
			shown.DueAt = op.When(t.due)
		}
		if t.status == "complete" {
			shown.CompletedBy, shown.CompletedAt = v.Author, op.When(v.Created)
		}
		return shown
	}
}

func list(c *op.Call) (any, error) {
	keep, err := filter(c.URL.Query())
	if err != nil {
		return nil, err
	}
	var all []task
	for _, p := range c.Wiki.Pages(c.Cloud(), c.Who, func(p *wiki.Page) bool { return p.Status == "current" }) {
		for _, t := range ofPage(p) {
			if keep(t) {
				all = append(all, t)
			}
		}
	}
	return op.Cut(c, all, show(c))
}

// filter reads what is wanted. Times are milliseconds.
func filter(q url.Values) (func(task) bool, error) {
	ids := map[string][]int64{}
	for _, name := range []string{"task-id", "page-id", "blogpost-id", "space-id"} {
		found, err := op.Numbers(q, name)
		if err != nil {
			return nil, err
		}
		ids[name] = found
	}
	status := q.Get("status")
	if status != "" && status != "complete" && status != "incomplete" {
		return nil, op.BadParameter("status", status)
	}
	var from, to int64
	for name, into := range map[string]*int64{"due-at-from": &from, "due-at-to": &to} {
		if text := q.Get(name); text != "" {
			n, err := op.Number(name, text)
			if err != nil {
				return nil, err
			}
			*into = n
		}
	}
	assignees := op.List(q, "assigned-to")
	return func(t task) bool {
		due := t.due.UnixMilli()
		within := (from == 0 || !t.due.IsZero() && due >= from) && (to == 0 || !t.due.IsZero() && due <= to)
		return within && among(ids["task-id"], t.id) && among(ids["page-id"], t.page.ID) && among(ids["blogpost-id"], t.page.ID) &&
			among(ids["space-id"], t.page.Space) && among(assignees, t.assignee) && (status == "" || t.status == status)
	}, nil
}

func among[T comparable](wanted []T, value T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

func find(c *op.Call) (task, error) {
	n, err := c.Number("id")
	if err != nil {
		return task{}, err
	}
	p, err := c.Wiki.Page(c.Cloud(), c.Who, n/perPage)
	if err != nil {
		return task{}, err
	}
	all := ofPage(p)
	i := slices.IndexFunc(all, func(t task) bool { return t.id == n })
	if i < 0 || p.Status != "current" {
		return task{}, wiki.NotFound()
	}
	return all[i], nil
}

func get(c *op.Call) (any, error) {
	t, err := find(c)
	if err != nil {
		return nil, err
	}
	return show(c)(t), nil
}

func set(c *op.Call) (any, error) {
	t, err := find(c)
	if err != nil {
		return nil, err
	}
	var in struct {
		Status string `json:"status"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	if in.Status != "complete" && in.Status != "incomplete" {
		return nil, op.BadParameter("status", in.Status)
	}
	if !c.Wiki.Writes(c.Cloud(), c.Who, t.page.Space) {
		return nil, &wiki.Error{Status: http.StatusForbidden, Code: "FORBIDDEN", Title: "Forbidden"}
	}
	versions := make([]wiki.Version, len(t.page.Versions))
	for i, v := range t.page.Versions {
		versions[i] = *v
	}
	last := &versions[len(versions)-1]
	last.Body = last.Body[:t.start] + in.Status + last.Body[t.end:]
	if err := c.Wiki.Rewrite(c.Cloud(), t.page.ID, versions); err != nil {
		return nil, wiki.Bad(strings.TrimSpace(err.Error()))
	}
	t.status = in.Status
	return show(c)(t), nil
}
