// Package trees shows what stands above and below a page with the guard's
// leave. What stands below a page is in the space of the page; where Confluence
// names another, that one is checked as well.
package trees

import (
	"cmp"
	"context"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const (
	scopeBelow = "read:hierarchical-content:confluence"
	scopeAbove = "read:content.metadata:confluence"
	scopePages = "read:page:confluence"

	// MaxDepth is how far down one call looks. One level more is asked for, to
	// see what has children.
	MaxDepth = trees.MaxDepth - 1
	// maxParts limits the requests of one call, of 250 nodes each.
	maxParts = 8
	// maxRoots limits the pages at the top of a space that are looked below.
	maxRoots = 5
)

// Node is something in a tree.
type Node struct {
	ID, Title, Type string
	Depth           int // 1 for a child, 0 for the page itself
	Children        bool
}

// Tree is nodes in the order in which people see them, each parent before its
// children.
type Tree struct {
	Nodes []Node
	More  bool // there is more than was looked at
}

// Below shows what stands below a page, down to a depth.
func Below(ctx context.Context, w *guard.Wiki, page guard.Page, depth int) (Tree, error) {
	found, more, err := below(ctx, w, page.ID, depth+1, maxParts)
	if err != nil {
		return Tree{}, err
	}
	if found, err = allowed(ctx, w, found, page.Space); err != nil {
		return Tree{}, err
	}
	return Tree{ordered(page.ID, found, depth), more}, nil
}

func below(ctx context.Context, w *guard.Wiki, id string, depth, parts int) (all []trees.Node, more bool, err error) {
	cursor := ""
	for range parts {
		var part []trees.Node
		err := w.Ask(ctx, "What is below the page "+id, scopeBelow, func(c *confluence.Client) (err error) {
			part, cursor, err = trees.Below(ctx, c, id, depth, cursor)
			return err
		})
		if err != nil {
			return nil, false, err
		}
		if all = append(all, part...); cursor == "" {
			return all, false, nil
		}
	}
	return all, true, nil
}

// Count counts what stands below a page, as far as one request tells.
func Count(ctx context.Context, w *guard.Wiki, page guard.Page) (n int, more bool, err error) {
	all, more, err := below(ctx, w, page.ID, trees.MaxDepth, 1)
	return len(all), more, err
}

// allowed leaves out and counts what policy denies, and notes the rest.
func allowed(ctx context.Context, w *guard.Wiki, all []trees.Node, space string) ([]trees.Node, error) {
	kept := all[:0]
	withheld := 0
	for _, n := range all {
		key, err := w.KeyOf(ctx, n.SpaceID, space)
		if err != nil {
			return nil, err
		}
		if !w.Allowed(key) {
			withheld++
			continue
		}
		w.Note(n.Type, n.ID, key)
		kept = append(kept, n)
	}
	w.Withhold(withheld)
	return kept, nil
}

// ordered puts what is below root into the order of the tree, down to a depth.
func ordered(root string, all []trees.Node, depth int) []Node {
	kids := map[string][]trees.Node{}
	for _, n := range all {
		parent := n.ParentID
		if n.Depth == 1 {
			parent = root
		}
		kids[parent] = append(kids[parent], n)
	}
	for _, of := range kids {
		slices.SortStableFunc(of, func(a, b trees.Node) int { return cmp.Compare(a.Position, b.Position) })
	}
	nodes := make([]Node, 0, len(all))
	var walk func(id string, at int)
	walk = func(id string, at int) {
		of := kids[id]
		delete(kids, id) // an answer that goes in circles ends
		for _, n := range of {
			nodes = append(nodes, Node{ID: n.ID, Title: n.Title, Type: n.Type, Depth: at, Children: len(kids[n.ID]) > 0})
			if at < depth {
				walk(n.ID, at+1)
			}
		}
	}
	walk(root, 1)
	return nodes
}

// Space shows the pages at the top of a space, and below the first few of them
// what stands there, down to a depth; depth 1 is the top alone.
func Space(ctx context.Context, w *guard.Wiki, key string, depth int) (Tree, error) {
	space, err := w.Space(ctx, key)
	if err != nil {
		return Tree{}, err
	}
	var roots []trees.Node
	next := ""
	err = w.Ask(ctx, "The space "+space.Key, scopePages, func(c *confluence.Client) (err error) {
		roots, next, err = trees.Roots(ctx, c, space.ID, "")
		return err
	})
	if err != nil {
		return Tree{}, err
	}
	if roots, err = allowed(ctx, w, roots, space.Key); err != nil {
		return Tree{}, err
	}
	slices.SortStableFunc(roots, func(a, b trees.Node) int { return cmp.Compare(a.Position, b.Position) })
	tree := Tree{More: next != ""}
	for i, root := range roots {
		node := Node{ID: root.ID, Title: root.Title, Type: root.Type, Depth: 1}
		if i >= maxRoots {
			tree.Nodes, tree.More = append(tree.Nodes, node), tree.More || depth > 1
			continue
		}
		under, err := Below(ctx, w, guard.Page{ID: root.ID, Space: space.Key}, max(depth-1, 1))
		if err != nil {
			return Tree{}, err
		}
		node.Children = len(under.Nodes) > 0
		tree.Nodes = append(tree.Nodes, node)
		for _, n := range under.Nodes {
			if n.Depth++; n.Depth <= depth {
				tree.Nodes = append(tree.Nodes, n)
			}
		}
		tree.More = tree.More || under.More
	}
	return tree, nil
}

// Above shows what stands above a page, the highest first and the page itself
// last. What cannot be seen is left out.
func Above(ctx context.Context, w *guard.Wiki, page guard.Page) (Tree, error) {
	var above, titled []trees.Node
	err := w.Ask(ctx, "What is above the page "+page.ID, scopeAbove, func(c *confluence.Client) (err error) {
		above, err = trees.Above(ctx, c, page.ID)
		return err
	})
	if err != nil {
		return Tree{}, err
	}
	var ids []string
	var others []trees.Node // which have no titles here
	for _, n := range above {
		if n.Type == "page" {
			ids = append(ids, n.ID)
		} else {
			others = append(others, n)
		}
	}
	err = w.Ask(ctx, "What is above the page "+page.ID, scopePages, func(c *confluence.Client) (err error) {
		titled, err = trees.Pages(ctx, c, ids)
		return err
	})
	if err != nil {
		return Tree{}, err
	}
	known, err := allowed(ctx, w, append(titled, others...), page.Space)
	if err != nil {
		return Tree{}, err
	}
	var tree Tree
	for _, n := range above {
		i := slices.IndexFunc(known, func(k trees.Node) bool { return k.ID == n.ID })
		if i < 0 {
			continue
		}
		n.Title = known[i].Title
		tree.Nodes = append(tree.Nodes, Node{ID: n.ID, Title: n.Title, Type: n.Type, Depth: len(tree.Nodes), Children: true})
	}
	tree.Nodes = append(tree.Nodes, Node{ID: page.ID, Title: page.Title, Type: page.Type, Depth: len(tree.Nodes)})
	return tree, nil
}
