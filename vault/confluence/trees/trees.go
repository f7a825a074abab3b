// Package trees asks what stands above and below a page. Errors are those of
// package confluence.
package trees

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Limits of what is asked at once.
const (
	MaxDepth = 10
	most     = "250"
)

// Node is a page, folder, whiteboard, database or embed of a tree.
type Node struct {
	ID, Title, Type, ParentID string
	SpaceID                   string // "" where the answer does not say
	Depth                     int    // 1 for a child
	Position                  int
}

type nodeJSON struct {
	ID            confluence.ID `json:"id"`
	Status        string        `json:"status"`
	Title         string        `json:"title"`
	Type          string        `json:"type"`
	SpaceID       confluence.ID `json:"spaceId"`
	ParentID      confluence.ID `json:"parentId"`
	Depth         int           `json:"depth"`
	ChildPosition *int          `json:"childPosition"`
	Position      *int          `json:"position"`
}

func (n nodeJSON) node() Node {
	node := Node{ID: string(n.ID), Title: n.Title, Type: n.Type, SpaceID: string(n.SpaceID), ParentID: string(n.ParentID), Depth: n.Depth}
	switch {
	case n.ChildPosition != nil:
		node.Position = *n.ChildPosition
	case n.Position != nil:
		node.Position = *n.Position
	}
	if node.Type == "" {
		node.Type = "page"
	}
	return node
}

func list(ctx context.Context, c *confluence.Client, path string, query url.Values) ([]Node, string, error) {
	found, next, err := confluence.List[nodeJSON](ctx, c, path, query)
	if err != nil {
		return nil, "", err
	}
	nodes := make([]Node, 0, len(found))
	for _, n := range found {
		if !confluence.ValidPageID(string(n.ID)) {
			return nil, "", &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
		}
		if n.Status == "" || n.Status == "current" {
			nodes = append(nodes, n.node())
		}
	}
	return nodes, next, nil
}

func withCursor(query url.Values, cursor string) url.Values {
	query.Set("limit", most)
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}

// Below lists what stands below a page down to a depth, and the cursor to go on.
func Below(ctx context.Context, c *confluence.Client, id string, depth int, cursor string) ([]Node, string, error) {
	if !confluence.ValidPageID(id) {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return list(ctx, c, "/api/v2/pages/"+id+"/descendants", withCursor(url.Values{"depth": {strconv.Itoa(depth)}}, cursor))
}

// Roots lists the pages without a parent of a space, and the cursor to go on.
func Roots(ctx context.Context, c *confluence.Client, spaceID, cursor string) ([]Node, string, error) {
	if !confluence.ValidPageID(spaceID) {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return list(ctx, c, "/api/v2/spaces/"+spaceID+"/pages", withCursor(url.Values{"depth": {"root"}, "status": {"current"}}, cursor))
}

// Above lists the ids of what stands above a page, the highest first. Confluence
// gives them in parts from below, without a cursor.
func Above(ctx context.Context, c *confluence.Client, id string) ([]Node, error) {
	var all []Node
	for range MaxDepth {
		if !confluence.ValidPageID(id) {
			return nil, &confluence.Error{Kind: confluence.KindNotFound}
		}
		part, _, err := confluence.List[nodeJSON](ctx, c, "/api/v2/pages/"+id+"/ancestors", url.Values{"limit": {most}})
		if err != nil {
			return nil, err
		}
		nodes := make([]Node, 0, len(part)+len(all))
		for _, n := range part {
			nodes = append(nodes, n.node())
		}
		all = append(nodes, all...)
		if limit, _ := strconv.Atoi(most); len(part) < limit || part[0].Type != "page" { // most is a number
			break
		}
		id = string(part[0].ID)
	}
	return all, nil
}

// Pages asks for the titles and spaces of pages by their ids, at most 250.
// Unknown ids are left out.
func Pages(ctx context.Context, c *confluence.Client, ids []string) ([]Node, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, _, err := list(ctx, c, "/api/v2/pages", url.Values{"id": {strings.Join(ids, ",")}, "limit": {most}})
	return found, err
}
