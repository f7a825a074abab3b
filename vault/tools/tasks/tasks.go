// Package tasks has the tools for the tasks that stand on pages.
package tasks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/tasks"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const toolset = "tasks"

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, getTool)
	tool.Register(s, set, setTool)
}

const (
	getName = "confluence_get_tasks"
	setName = "confluence_set_task"
)

type getIn struct {
	Page     arguments.Ref `json:"page,omitempty" jsonschema:"only of this page: id or URL"`
	Space    string        `json:"space,omitempty" jsonschema:"only in the space with this key"`
	Assignee string        `json:"assignee,omitempty" jsonschema:"account id, or me"`
	Status   string        `json:"status,omitempty" jsonschema:"incomplete (default), complete or any"`
	DueFrom  string        `json:"due_from,omitempty" jsonschema:"date, e.g. 2026-05-01"`
	DueTo    string        `json:"due_to,omitempty" jsonschema:"date, included"`
	Site     string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
	Limit    int           `json:"limit,omitempty" jsonschema:"1 to 100, default 25"`
	Cursor   string        `json:"cursor,omitempty"`
}

type getOut struct {
	Notice     string `json:"notice"`
	Site       string `json:"site"`
	Tasks      []task `json:"tasks"`
	NextCursor string `json:"next_cursor,omitempty" jsonschema:"absent at the end"`
}

type task struct {
	ID       string `json:"id"`
	Text     string `json:"text" jsonschema:"Markdown"`
	Status   string `json:"status"`
	Assignee string `json:"assignee,omitempty" jsonschema:"account id"`
	Due      string `json:"due,omitempty"`
	Page     string `json:"page" jsonschema:"page id"`
	Space    string `json:"space"`
	URL      string `json:"url"`
}

var getTool = tool.Spec[getIn, getOut]{
	Name: getName, Title: "List Confluence tasks",
	Description: "List tasks (checkboxes) on Confluence pages, by page, space, assignee, state and due date. Tick them off with confluence_set_task.",
	Toolset:     toolset,
	Run:         get,
}

// position is where a list goes on; it repeats the question.
type position struct {
	Query  tasks.Query
	Site   string
	Limit  int
	Cursor string
}

func get(ctx context.Context, t *tool.Set, in getIn) (getOut, string, error) {
	at, err := where(ctx, t, in)
	if err != nil {
		return getOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[getOut]{
		Tool: getName, Site: at.Site, Page: at.Query.Page, Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (getOut, error) {
			found, next, err := tasks.Find(ctx, w, at.Query, at.Limit, at.Cursor)
			if err != nil {
				return getOut{}, err
			}
			out := getOut{Notice: tool.Notice, Site: w.Site(), Tasks: []task{}}
			for _, f := range found {
				out.Tasks = append(out.Tasks, shown(f))
			}
			if next != "" {
				at.Cursor, at.Site = next, w.Site()
				out.NextCursor, err = t.Door.Cursor(ctx, getName, at)
			}
			return out, err
		},
	})
	return out, getText(out), err
}

func where(ctx context.Context, t *tool.Set, in getIn) (position, error) {
	limit, err := arguments.Within("limit", in.Limit, 25, 1, 100)
	if err != nil {
		return position{}, err
	}
	if in.Cursor != "" {
		var at position
		err := t.Door.OpenCursor(ctx, getName, in.Cursor, &at)
		return at, err
	}
	status, err := arguments.OneOf("status", in.Status, "incomplete", "complete", "any")
	if err != nil {
		return position{}, err
	}
	if status == "any" {
		status = ""
	}
	from, err := date("due_from", in.DueFrom)
	if err != nil {
		return position{}, err
	}
	to, err := date("due_to", in.DueTo)
	if err != nil {
		return position{}, err
	}
	if !to.IsZero() {
		to = to.AddDate(0, 0, 1).Add(-time.Millisecond)
	}
	return position{
		Query: tasks.Query{Page: string(in.Page), Space: in.Space, Assignee: in.Assignee, Status: status, DueFrom: from, DueTo: to},
		Site:  in.Site, Limit: limit,
	}, nil
}

// date reads a day; "" is none.
func date(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be a date such as 2026-05-01", name), "")
	}
	return day, nil
}

// maxText is how many characters of a task are shown.
const maxText = 500

func shown(t tasks.Task) task {
	text := "(text that cannot be shown)"
	if doc, err := markup.ToMarkdown(t.Body, markup.Options{}); err == nil {
		text = tool.Clip(strings.Join(strings.Fields(doc.Markdown), " "), maxText)
	}
	due := ""
	if !t.Due.IsZero() {
		due = t.Due.UTC().Format(time.DateOnly)
	}
	return task{t.ID, text, t.Status, t.AssignedTo, due, t.PageID, t.Space, t.URL}
}

func getText(out getOut) string {
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n")
	if len(out.Tasks) == 0 {
		b.WriteString("No such tasks on site " + out.Site + ".\n")
	}
	for _, t := range out.Tasks {
		box := "[ ]"
		if t.Status == "complete" {
			box = "[x]"
		}
		fmt.Fprintf(&b, "- %s %s (task %s on page %s in space %s", box, t.Text, t.ID, t.Page, t.Space)
		if t.Assignee != "" {
			b.WriteString(", for " + t.Assignee)
		}
		if t.Due != "" {
			b.WriteString(", due " + t.Due)
		}
		b.WriteString(")\n  " + t.URL + "\n")
	}
	tool.More(&b, out.NextCursor)
	return b.String()
}

type setIn struct {
	Task   arguments.Ref `json:"task" jsonschema:"id of a task, from confluence_get_tasks"`
	Status string        `json:"status,omitempty" jsonschema:"complete (default) or incomplete"`
	Site   string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

type setOut struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Page    string `json:"page"`
	URL     string `json:"url"`
	Message string `json:"message"`
}

var setTool = tool.Spec[setIn, setOut]{
	Name: setName, Title: "Complete a Confluence task",
	Description: "Tick a task on a Confluence page off, or open it again.",
	Toolset:     toolset, Write: true,
	Run: set,
}

func set(ctx context.Context, t *tool.Set, in setIn) (setOut, string, error) {
	var err error
	if in.Status, err = arguments.OneOf("status", in.Status, "complete", "incomplete"); err != nil {
		return setOut{}, "", err
	}
	// The second time changes nothing, so settling is doing it again.
	run := func(ctx context.Context, w *guard.Wiki) (setOut, error) {
		found, err := tasks.Get(ctx, w, string(in.Task))
		if err != nil {
			return setOut{}, err
		}
		if found.Status == in.Status {
			return done(found, "The task is "+in.Status+"."), nil
		}
		if found, err = tasks.Set(ctx, w, found, in.Status); err != nil {
			return setOut{}, err
		}
		return done(found, "The task is now "+in.Status+"."), nil
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[setOut]{
		Tool: setName, Site: in.Site, Input: in, Run: run,
		Settle: func(ctx context.Context, w *guard.Wiki, _ time.Time) (setOut, error) { return run(ctx, w) },
		Check:  "Look at the task with confluence_get_tasks; setting it again does no harm",
	})
	return out, fmt.Sprintf("%s (task %s on page %s)\n%s\n", out.Message, out.ID, out.Page, out.URL), err
}

func done(t tasks.Task, message string) setOut {
	return setOut{t.ID, t.Status, t.PageID, t.URL, message}
}
