// Package tasks finds tasks and ticks them off, with the guard's leave.
package tasks

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/tasks"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const (
	scopeRead  = "read:task:confluence"
	scopeWrite = "write:task:confluence"
)

// Task is a task of a page that the person may see.
type Task struct {
	ID, PageID, Space string
	Status            string // complete or incomplete
	Body              string // storage format
	CreatedBy         string // account ids
	AssignedTo        string
	Due, Completed    time.Time
	URL               string // of the page
}

// Query says which tasks are wanted. What is empty does not narrow.
type Query struct {
	Page     string // id or address
	Space    string // key
	Assignee string // account id, or Me
	Status   string // complete or incomplete
	DueFrom  time.Time
	DueTo    time.Time
}

// Me stands for the person's own account.
const Me = "me"

// Find returns a part of the tasks, and the cursor of the next part.
func Find(ctx context.Context, w *guard.Wiki, q Query, limit int, cursor string) ([]Task, string, error) {
	filter := tasks.Filter{AssignedTo: q.Assignee, Status: q.Status, DueFrom: q.DueFrom, DueTo: q.DueTo}
	if q.Page != "" {
		page, err := w.Page(ctx, q.Page)
		if err != nil {
			return nil, "", err
		}
		filter.PageID, filter.Blog = page.ID, page.Type == "blogpost"
	}
	if q.Space != "" {
		space, err := w.Space(ctx, q.Space)
		if err != nil {
			return nil, "", err
		}
		filter.SpaceID = space.ID
	}
	if q.Assignee == Me {
		me, err := w.Me(ctx)
		if err != nil {
			return nil, "", err
		}
		filter.AssignedTo = me.ID
	}
	var found []tasks.Task
	var next string
	err := w.Ask(ctx, "The tasks", scopeRead, func(c *confluence.Client) (err error) {
		found, next, err = tasks.List(ctx, c, filter, limit, cursor)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	all := make([]Task, 0, len(found))
	for _, t := range found {
		task, allowed, err := admit(ctx, w, t)
		if err != nil {
			return nil, "", err
		}
		if !allowed {
			w.Withhold(1)
			continue
		}
		all = append(all, task)
	}
	return all, next, nil
}

// admit checks a task that came back and notes its page.
func admit(ctx context.Context, w *guard.Wiki, t tasks.Task) (Task, bool, error) {
	space, err := w.SpaceOf(ctx, t.SpaceID)
	if err != nil {
		return Task{}, false, err
	}
	if !w.Allowed(space.Key) {
		return Task{Space: space.Key}, false, nil
	}
	kind := "page"
	if t.Blog {
		kind = "blogpost"
	}
	w.Note(kind, t.PageID, space.Key)
	return Task{
		ID: t.ID, PageID: t.PageID, Space: space.Key, Status: t.Status, Body: t.Body, CreatedBy: t.CreatedBy, AssignedTo: t.AssignedTo,
		Due: t.Due, Completed: t.Completed, URL: w.Link("/pages/viewpage.action?pageId=" + t.PageID),
	}, true, nil
}

func name(id string) string { return "The task " + plaintext.Line(id, 30) }

// Get returns a task.
func Get(ctx context.Context, w *guard.Wiki, id string) (Task, error) {
	var found tasks.Task
	err := w.Ask(ctx, name(id), scopeRead, func(c *confluence.Client) (err error) {
		found, err = tasks.Get(ctx, c, id)
		return err
	})
	if err != nil {
		return Task{}, err
	}
	task, allowed, err := admit(ctx, w, found)
	if err == nil && !allowed {
		err = w.Deny(name(id), "task", found.ID, task.Space)
	}
	if err != nil {
		return Task{}, err
	}
	return task, nil
}

// Set changes the status of a task that was read through w.
func Set(ctx context.Context, w *guard.Wiki, task Task, status string) (Task, error) {
	err := w.Send(ctx, name(task.ID), scopeWrite, func(c *confluence.Client) error {
		_, err := tasks.Set(ctx, c, task.ID, status)
		return err
	})
	task.Status = status
	return task, err
}
