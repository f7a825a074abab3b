// Package tasks asks Confluence for tasks and ticks them off.
package tasks

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Task is one line of a task list. It belongs to a page or a blog post.
type Task struct {
	ID, SpaceID, PageID string
	Blog                bool   // the page is a blog post
	Status              string // complete or incomplete
	Body                string // storage format
	CreatedBy           string // account ids
	AssignedTo          string
	Due, Completed      time.Time
}

type taskJSON struct {
	ID          confluence.ID   `json:"id"`
	SpaceID     confluence.ID   `json:"spaceId"`
	PageID      confluence.ID   `json:"pageId"`
	BlogPostID  confluence.ID   `json:"blogPostId"`
	Status      string          `json:"status"`
	Body        confluence.Body `json:"body"`
	CreatedBy   string          `json:"createdBy"`
	AssignedTo  string          `json:"assignedTo"`
	DueAt       *time.Time      `json:"dueAt"`
	CompletedAt *time.Time      `json:"completedAt"`
}

var numeric = regexp.MustCompile(`^[0-9]{1,19}$`)

func (t taskJSON) task() (Task, error) {
	if !numeric.MatchString(string(t.ID)) || t.SpaceID == "" || t.PageID == "" && t.BlogPostID == "" || t.Status == "" {
		return Task{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	task := Task{
		ID: string(t.ID), SpaceID: string(t.SpaceID), PageID: string(t.PageID), Status: t.Status, Body: t.Body.Storage.Value,
		CreatedBy: t.CreatedBy, AssignedTo: t.AssignedTo,
	}
	if task.PageID == "" {
		task.PageID, task.Blog = string(t.BlogPostID), true
	}
	if t.DueAt != nil {
		task.Due = *t.DueAt
	}
	if t.CompletedAt != nil {
		task.Completed = *t.CompletedAt
	}
	return task, nil
}

// Filter says which tasks are wanted. What is empty does not narrow.
type Filter struct {
	PageID, SpaceID, AssignedTo, Status string
	Blog                                bool // PageID is that of a blog post
	DueFrom, DueTo                      time.Time
}

const path = "/api/v2/tasks"

// List returns a part of the tasks, and the cursor of the next, "" at the end.
func List(ctx context.Context, c *confluence.Client, f Filter, limit int, cursor string) ([]Task, string, error) {
	query := url.Values{"body-format": {"storage"}, "limit": {strconv.Itoa(limit)}}
	page := "page-id"
	if f.Blog {
		page = "blogpost-id"
	}
	for name, value := range map[string]string{
		page: f.PageID, "space-id": f.SpaceID, "assigned-to": f.AssignedTo, "status": f.Status, "cursor": cursor,
		"due-at-from": millis(f.DueFrom), "due-at-to": millis(f.DueTo),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	found, next, err := confluence.List[taskJSON](ctx, c, path, query)
	if err != nil {
		return nil, "", err
	}
	all := make([]Task, len(found))
	for i, t := range found {
		if all[i], err = t.task(); err != nil {
			return nil, "", err
		}
	}
	return all, next, nil
}

func millis(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return strconv.FormatInt(at.UnixMilli(), 10)
}

// Get returns a task.
func Get(ctx context.Context, c *confluence.Client, id string) (Task, error) {
	return one(ctx, c, id, confluence.Request{Method: http.MethodGet})
}

// Set changes the status of a task to complete or incomplete.
func Set(ctx context.Context, c *confluence.Client, id, status string) (Task, error) {
	return one(ctx, c, id, confluence.Request{Method: http.MethodPut, Body: map[string]string{"status": status}})
}

func one(ctx context.Context, c *confluence.Client, id string, r confluence.Request) (Task, error) {
	if !numeric.MatchString(id) {
		return Task{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	r.Path, r.Query = path+"/"+id, url.Values{"body-format": {"storage"}}
	var answer taskJSON
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Task{}, err
	}
	task, err := answer.task()
	if err != nil && r.Method != http.MethodGet {
		err = &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return task, err
}
