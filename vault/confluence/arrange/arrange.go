// Package arrange moves, copies and archives pages: what v2 of the API lacks,
// done with v1, which OAuth tokens still reach. Errors are those of package
// confluence.
package arrange

import (
	"context"
	"net/http"
	"regexp"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

const content = "/rest/api/content/"

// Positions of a moved page.
const (
	Before = "before"
	After  = "after"
	Below  = "append"
)

// Move puts a page before, after or below another, with all below it.
func Move(ctx context.Context, c *confluence.Client, id, position, target string) error {
	if !confluence.ValidPageID(id) || !confluence.ValidPageID(target) {
		return &confluence.Error{Kind: confluence.KindNotFound}
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodPut, Path: content + id + "/move/" + position + "/" + target}, nil)
	return err
}

// Copy copies a page below Parent, or without parent into Space.
type Copy struct {
	ID, Parent, Space, Title string
}

// along adds what of a page is copied with it: not who may see it, which is another
// person's decision in another place.
func along(body map[string]any) map[string]any {
	body["copyAttachments"], body["copyLabels"], body["copyProperties"], body["copyCustomContents"] = true, true, true, true
	body["copyPermissions"] = false
	return body
}

// One copies one page and returns the id of the copy.
func One(ctx context.Context, c *confluence.Client, from Copy) (string, error) {
	if !confluence.ValidPageID(from.ID) || from.Parent != "" && !confluence.ValidPageID(from.Parent) {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	to := map[string]any{"type": "space", "value": from.Space}
	if from.Parent != "" {
		to = map[string]any{"type": "parent_page", "value": from.Parent}
	}
	body := along(map[string]any{"destination": to, "pageTitle": from.Title})
	var answer struct {
		ID confluence.ID `json:"id"`
	}
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodPost, Path: content + from.ID + "/copy", Body: body}, &answer); err != nil {
		return "", err
	}
	if !confluence.ValidPageID(string(answer.ID)) {
		return "", &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return string(answer.ID), nil
}

// Tree copies a page and all below it to below another; prefix comes before the
// titles of the copies. It returns the id of a task.
func Tree(ctx context.Context, c *confluence.Client, id, parent, prefix string) (string, error) {
	if !confluence.ValidPageID(id) || !confluence.ValidPageID(parent) {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	body := along(map[string]any{"destinationPageId": parent, "copyDescendants": true})
	if prefix != "" {
		body["titleOptions"] = map[string]any{"prefix": prefix}
	}
	return start(ctx, c, content+id+"/pagehierarchy/copy", body)
}

// Archive archives a page. It returns the id of a task.
func Archive(ctx context.Context, c *confluence.Client, id string) (string, error) {
	n, err := strconv.ParseInt(id, 10, 64) // a number here, unlike everywhere else
	if err != nil {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return start(ctx, c, content+"archive", map[string]any{"pages": []map[string]any{{"id": n}}})
}

// start begins what takes long.
func start(ctx context.Context, c *confluence.Client, path string, body any) (string, error) {
	var answer struct {
		ID confluence.ID `json:"id"`
	}
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodPost, Path: path, Body: body}, &answer); err != nil {
		return "", err
	}
	if answer.ID == "" {
		return "", &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusAccepted, Unsure: true}
	}
	return string(answer.ID), nil
}

// Task is work that Confluence does by and by.
type Task struct {
	Percent  int
	Done, OK bool
	Pages    int    // to be copied; 0 if not known
	Copy     string // id of the page that came of it; "" if not known
}

var taskID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Look asks how far a task is. The link that Confluence gives for that leads
// nowhere.
func Look(ctx context.Context, c *confluence.Client, id string) (Task, error) {
	if !taskID.MatchString(id) {
		return Task{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	var answer struct {
		Percent  int  `json:"percentageComplete"`
		Finished bool `json:"finished"`
		OK       bool `json:"successful"`
		Details  struct {
			Copy  confluence.ID `json:"destinationId"`
			Pages int           `json:"totalPageNeedToCopy"`
		} `json:"additionalDetails"`
	}
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: "/rest/api/longtask/" + id}, &answer); err != nil {
		return Task{}, err
	}
	t := Task{Percent: min(max(answer.Percent, 0), 100), Done: answer.Finished, OK: answer.OK, Pages: max(answer.Details.Pages, 0)}
	if confluence.ValidPageID(string(answer.Details.Copy)) {
		t.Copy = string(answer.Details.Copy)
	}
	return t, nil
}
