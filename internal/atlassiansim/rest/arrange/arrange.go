// Package arrange moves, copies and archives pages of the simulated Confluence,
// shows the tree below them, and has its templates and long-running tasks.
package arrange

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Scopes: any one of a list will do.
const (
	writing   = "write:confluence-content write:page:confluence"
	copying   = "write:confluence-content read:content-details:confluence write:page:confluence"
	archiving = "write:confluence-content read:content.metadata:confluence write:page:confluence"
	watching  = "read:confluence-space.summary read:content.metadata:confluence"
	templated = "read:confluence-content.summary read:template:confluence read:content-details:confluence"
)

// Add adds the operations.
func Add(add op.Add) {
	add("GET "+op.V2+"/pages/{id}/descendants", "read:hierarchical-content:confluence", descendants)
	add("PUT "+op.V1+"/content/{id}/move/{position}/{target}", writing, move)
	add("POST "+op.V1+"/content/{id}/copy", copying, copyPage)
	add("POST "+op.V1+"/content/{id}/pagehierarchy/copy", archiving, copyTree)
	add("POST "+op.V1+"/content/archive", archiving, archive)
	add("GET "+op.V1+"/longtask/{id}", watching, task)
	add("GET "+op.V1+"/template/page", templated, templates)
	add("GET "+op.V1+"/template/{id}", templated, template)
}

type below struct {
	ID            string `json:"id"`
	Status        string `json:"status"`
	Title         string `json:"title"`
	Type          string `json:"type"`
	ParentID      string `json:"parentId"`
	Depth         int    `json:"depth"`
	ChildPosition int    `json:"childPosition"`
}

func descendants(c *op.Call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	depth := 2
	if text := c.URL.Query().Get("depth"); text != "" {
		if depth, err = strconv.Atoi(text); err != nil || depth < 1 || depth > 10 {
			return nil, op.BadParameter("depth", text)
		}
	}
	all, err := c.Wiki.Descendants(c.Cloud(), c.Who, n, depth)
	if err != nil {
		return nil, err
	}
	return op.Cut(c, all, func(p wiki.Below) below {
		return below{op.ID(p.ID), p.Status, p.Newest().Title, p.Type, op.ID(p.Parent), p.Depth, p.Position}
	})
}

func move(c *op.Call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	target, err := c.Number("target")
	if err != nil {
		return nil, err
	}
	position := c.PathValue("position")
	if position != "before" && position != "after" && position != "append" {
		return nil, wiki.Bad("Unknown position " + position)
	}
	if err := c.Wiki.Move(c.Cloud(), c.Who, n, position, target); err != nil {
		return nil, err
	}
	return map[string]string{"pageId": op.ID(n)}, nil
}

func copyPage(c *op.Call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	var in struct {
		CopyLabels  bool   `json:"copyLabels"`
		PageTitle   string `json:"pageTitle"`
		Destination *struct {
			Type  string      `json:"type"`
			Value op.Flexible `json:"value"`
		} `json:"destination"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	if in.Destination == nil {
		return nil, wiki.Bad("destination must be specified")
	}
	var space, parent int64
	switch in.Destination.Type {
	case "parent_page":
		if parent, err = op.Number("value", string(in.Destination.Value)); err != nil {
			return nil, err
		}
	case "space":
		found, ok := c.Wiki.SpaceByKey(c.Cloud(), string(in.Destination.Value))
		if !ok {
			return nil, wiki.NotFound()
		}
		space = found.ID
	default:
		return nil, wiki.Bad("destination.type is invalid")
	}
	title := func(old string) string { return cmp.Or(in.PageTitle, old) }
	p, err := c.Wiki.Copy(c.Cloud(), c.Who, wiki.Copied{ID: n, Space: space, Parent: parent, Title: title, Labels: in.CopyLabels})
	if err != nil {
		return nil, err
	}
	web := "/spaces/" + url.PathEscape(c.Wiki.KeyOf(c.Cloud(), p.Space)) + "/pages/" + op.ID(p.ID) + "/" + url.QueryEscape(p.Newest().Title)
	return map[string]any{
		"id": op.ID(p.ID), "type": p.Type, "status": p.Status, "title": p.Newest().Title,
		"_links": map[string]string{"webui": web, "base": c.Site.URL + "/wiki"},
	}, nil
}

func copyTree(c *op.Call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	var in struct {
		CopyLabels  bool        `json:"copyLabels"`
		Destination op.Flexible `json:"destinationPageId"`
		Titles      struct {
			Prefix, Replace, Search string
		} `json:"titleOptions"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	parent, err := op.Number("destinationPageId", string(in.Destination))
	if err != nil {
		return nil, err
	}
	title := func(old string) string {
		if in.Titles.Search != "" {
			old = strings.ReplaceAll(old, in.Titles.Search, in.Titles.Replace)
		}
		return in.Titles.Prefix + old
	}
	made, pages, err := c.Wiki.CopyTree(c.Cloud(), c.Who, wiki.Copied{ID: n, Parent: parent, Title: title, Labels: in.CopyLabels})
	if err != nil && pages == 0 {
		return nil, err
	}
	return started(c.Wiki.StartTask(c.Cloud(), wiki.Task{Copied: made.ID, Pages: pages, Failed: err != nil})), nil
}

func archive(c *op.Call) (any, error) {
	var in struct {
		Pages []struct {
			ID op.Flexible `json:"id"`
		} `json:"pages"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	var ids []int64
	for _, p := range in.Pages {
		n, err := op.Number("id", string(p.ID))
		if err != nil {
			return nil, err
		}
		ids = append(ids, n)
	}
	if len(ids) == 0 || len(ids) > 300 {
		return nil, wiki.Bad("From 1 to 300 pages can be archived at once.")
	}
	if err := c.Wiki.Archive(c.Cloud(), c.Who, ids); err != nil {
		return nil, err
	}
	return started(c.Wiki.StartTask(c.Cloud(), wiki.Task{Pages: len(ids)})), nil
}

// started is the answer to what takes long. Its link lacks /wiki, as the real
// one does.
func started(t wiki.Task) any {
	return op.Answer{Status: http.StatusAccepted, Body: map[string]any{
		"id": t.ID, "ari": "ari:cloud:confluence::long-task/" + t.ID, "links": map[string]string{"status": "/rest/api/longtask/" + t.ID},
	}}
}

// task shows work that is half done at the first look and done at the second.
func task(c *op.Call) (any, error) {
	t, ok := c.Wiki.LookAtTask(c.Cloud(), c.PathValue("id"))
	if !ok {
		return nil, wiki.NotFound()
	}
	percent := min(50*t.Looks, 100)
	details := map[string]any{"totalPageNeedToCopy": t.Pages}
	if t.Copied != 0 {
		details["destinationId"] = op.ID(t.Copied)
	}
	return map[string]any{
		"id": t.ID, "name": map[string]any{"key": "com.atlassian.confluence.extra.flyingpdf.progress.bar", "args": []any{}},
		"elapsedTime": time.Since(t.Started).Milliseconds(), "percentageComplete": percent, "successful": percent == 100 && !t.Failed,
		"finished": percent == 100, "messages": []any{}, "errors": []any{}, "additionalDetails": details,
		"_links": map[string]string{"base": c.Site.URL + "/wiki", "context": "/wiki", "self": c.Site.URL + "/wiki/rest/api/longtask/" + t.ID},
	}, nil
}

func showTemplate(c *op.Call, t wiki.Template, body bool) any {
	answer := map[string]any{
		"templateId": t.ID, "name": t.Name, "description": t.Description, "labels": []any{}, "templateType": "page", "editorVersion": "v2",
		"_expandable": map[string]string{"body": ""}, "_links": map[string]string{"self": c.Site.URL + "/wiki/rest/api/template/" + t.ID},
	}
	if t.Space != 0 {
		answer["space"] = map[string]any{"id": t.Space, "key": c.Wiki.KeyOf(c.Cloud(), t.Space)}
	}
	if body {
		answer["body"] = map[string]any{"storage": op.Body{Representation: "storage", Value: t.Body}}
	}
	return answer
}

func templates(c *op.Call) (any, error) {
	var space int64
	if key := c.URL.Query().Get("spaceKey"); key != "" {
		found, ok := c.Wiki.SpaceByKey(c.Cloud(), key)
		if _, err := c.Wiki.Space(c.Cloud(), c.Who, found.ID); !ok || err != nil {
			return nil, &wiki.Error{Status: http.StatusForbidden, Title: "No permission to view the templates."}
		}
		space = found.ID
	}
	results := []any{}
	for _, t := range c.Wiki.Templates(c.Cloud(), space) {
		results = append(results, showTemplate(c, t, strings.Contains(c.URL.Query().Get("expand"), "body")))
	}
	return map[string]any{
		"results": results, "start": 0, "limit": 25, "size": len(results),
		"_links": map[string]string{"base": c.Site.URL + "/wiki", "context": "/wiki", "self": c.Site.URL + "/wiki/rest/api/template/page"},
	}, nil
}

func template(c *op.Call) (any, error) {
	t, ok := c.Wiki.Template(c.Cloud(), c.Who, c.PathValue("id"))
	if !ok {
		return nil, &wiki.Error{Status: http.StatusForbidden, Title: "There is no template with the given ID."}
	}
	return showTemplate(c, t, true), nil
}
