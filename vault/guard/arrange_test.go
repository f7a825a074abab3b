package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/content"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/templates"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/versions"
)

// Neither source nor target of what is arranged may be in a denied space,
// wherever a caller has got the page from, and Confluence is not even asked.
func TestNothingIsArrangedInDeniedSpaces(t *testing.T) {
	open := guard.Page{ID: "101", Type: "page", Status: "current", Space: "OPS", SpaceID: "7", ParentID: "1"}
	denied := guard.Page{ID: "102", Type: "page", Status: "current", Space: "LEGAL", SpaceID: "8", ParentID: "1"}
	trashed, draft := denied, denied
	trashed.Status, draft.Status = "trashed", "draft"
	for name, act := range map[string]func(context.Context, *guard.Wiki) error{
		"move from": func(ctx context.Context, w *guard.Wiki) error {
			return only(pages.Move(ctx, w, denied, open, pages.Below))
		},
		"move to": func(ctx context.Context, w *guard.Wiki) error {
			return only(pages.Move(ctx, w, open, denied, pages.Before))
		},
		"copy from": func(ctx context.Context, w *guard.Wiki) error { return only(pages.Copy(ctx, w, denied, open, "T")) },
		"copy to":   func(ctx context.Context, w *guard.Wiki) error { return only(pages.Copy(ctx, w, open, denied, "T")) },
		"tree from": func(ctx context.Context, w *guard.Wiki) error { return only(pages.CopyTree(ctx, w, denied, open, "T")) },
		"tree to":   func(ctx context.Context, w *guard.Wiki) error { return only(pages.CopyTree(ctx, w, open, denied, "T")) },
		"archive":   func(ctx context.Context, w *guard.Wiki) error { return only(pages.Archive(ctx, w, denied)) },
		"trash":     func(ctx context.Context, w *guard.Wiki) error { return pages.Trash(ctx, w, denied) },
		"purge":     func(ctx context.Context, w *guard.Wiki) error { return pages.Purge(ctx, w, trashed) },
		"discard":   func(ctx context.Context, w *guard.Wiki) error { return pages.Discard(ctx, w, draft) },
		"untrash":   func(ctx context.Context, w *guard.Wiki) error { return only(pages.Untrash(ctx, w, trashed)) },
		"history": func(ctx context.Context, w *guard.Wiki) error {
			_, _, err := versions.List(ctx, w, denied, 5, "")
			return err
		},
		"space":     func(ctx context.Context, w *guard.Wiki) error { return only(trees.Space(ctx, w, "LEGAL", 2)) },
		"templates": func(ctx context.Context, w *guard.Wiki) error { return only(templates.List(ctx, w, "LEGAL")) },
		"posts":     func(ctx context.Context, w *guard.Wiki) error { return only(pages.PostsByTitle(ctx, w, "LEGAL", "T")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.wiki()
			_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) { return "", act(ctx, w) })
			if usererr.CodeOf(err) != usererr.NotFound || len(r.asked) > 0 || r.last(t).Event != "call.denied" {
				t.Errorf("%v after %q, %+v", err, r.asked, r.last(t))
			}
		})
	}
}

func only[T any](_ T, err error) error { return err }

// What stands in a denied space is left out of trees and counted, should
// Confluence ever put it there.
func TestTreesLeaveOutDeniedSpaces(t *testing.T) {
	r := newRig(t)
	r.wiki()
	r.answers["GET /api/v2/pages/101/descendants"] = `{"results":[{"id":"5","title":"Open","depth":1,"parentId":"101","spaceId":"7","childPosition":2},
		{"id":"6","title":"SECRET","depth":1,"parentId":"101","spaceId":"8"},{"id":"9","title":"First","depth":1,"parentId":"101","childPosition":1},{"id":"10","title":"Under","depth":2,"parentId":"9"}]}`
	r.answers["GET /api/v2/pages/101/ancestors"] = `{"results":[{"id":"8","type":"folder","title":"SECRET","spaceId":"8"},{"id":"102","type":"page"},{"id":"3","type":"folder"},{"id":"4","type":"page"}]}`
	r.answers["GET /api/v2/pages"] = `{"results":[{"id":"102","title":"SECRET","spaceId":"8"},{"id":"4","title":"Home","spaceId":"7"}]}`
	show := func(look func(context.Context, *guard.Wiki, guard.Page) (trees.Tree, error)) string {
		got, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
			page, err := w.Page(ctx, "101")
			if err != nil {
				return "", err
			}
			tree, err := look(ctx, w, page)
			var all []string
			for _, n := range tree.Nodes {
				all = append(all, fmt.Sprintf("%d %s %t", n.Depth, n.Title, n.Children))
			}
			return strings.Join(all, ", "), err
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	below := show(func(ctx context.Context, w *guard.Wiki, p guard.Page) (trees.Tree, error) {
		return trees.Below(ctx, w, p, 1)
	})
	if below != "1 First true, 1 Open false" || !strings.Contains(r.last(t).Detail, "1 results withheld") {
		t.Errorf("%s, %+v", below, r.last(t))
	}
	above := show(trees.Above)
	if above != "0  true, 1 Home true, 2 Plan false" || !strings.Contains(r.last(t).Detail, "2 results withheld") || !slices.Contains(r.last(t).Objects, "folder:3@OPS") {
		t.Errorf("%s, %+v", above, r.last(t))
	}
	for _, e := range r.audited {
		if strings.Contains(strings.Join(e.Objects, " "), "@LEGAL") {
			t.Errorf("%+v", e)
		}
	}
}

// A tree that goes in circles ends.
func TestTreesInCircles(t *testing.T) {
	r := newRig(t)
	r.wiki()
	r.answers["GET /api/v2/pages/101/descendants"] = `{"results":[{"id":"5","title":"A","depth":1,"parentId":"101"},{"id":"101","title":"B","depth":2,"parentId":"5"},{"id":"5","title":"C","depth":3,"parentId":"101"}]}`
	_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
		_, err := trees.Below(ctx, w, guard.Page{ID: "101", Space: "OPS"}, 9)
		return "", err
	})
	if err != nil {
		t.Error(err)
	}
}

// A page may be made below a folder, of the same space and not of a denied one.
func TestPagesBelowFolders(t *testing.T) {
	for space, want := range map[string]usererr.Code{"7": "", "8": usererr.NotFound, "9": usererr.BadInput} {
		r := newRig(t)
		r.wiki()
		r.answers["GET /api/v2/spaces"] = `{"results":[{"id":"7","key":"OPS","name":"Ops"}]}`
		r.answers["GET /api/v2/spaces/9"] = `{"id":"9","key":"ENG","name":"Eng"}`
		r.answers["POST /api/v2/content/convert-ids-to-types"] = `{"results":{"5":"folder"}}`
		r.answers["GET /api/v2/folders/5"] = `{"id":"5","title":"F","type":"folder","status":"current","spaceId":"` + space + `","version":{"number":1}}`
		r.answers["POST /api/v2/pages"] = opsPage
		_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
			return "", only(pages.Create(ctx, w, pages.New{Space: "OPS", Parent: "5", Title: "T"}))
		})
		if usererr.CodeOf(err) != want {
			t.Errorf("in space %s: %v after %q", space, err, r.asked)
		}
	}
}

// Of an object that is denied nobody learns what it is, or that it is.
func TestObjectsOfDeniedSpacesAreNotThere(t *testing.T) {
	find := func(r *rig, kind content.Kind) string {
		_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
			return "", only(content.Find(ctx, w, "102", kind))
		})
		return text(err)
	}
	for _, kind := range []string{"folder", "whiteboard", "page"} {
		r := newRig(t)
		r.wiki()
		r.answers["POST /api/v2/content/convert-ids-to-types"] = `{"results":{"102":null}}`
		missing, named := find(r, ""), find(r, content.Kind(kind))
		r.answers["POST /api/v2/content/convert-ids-to-types"] = `{"results":{"102":"` + kind + `"}}`
		for _, space := range []string{"8", "99"} {
			r.answers["GET /api/v2/"+kind+"s/102"] = `{"id":"102","title":"SECRET","status":"current","spaceId":"` + space + `","version":{"number":1}}`
			if got := find(r, ""); got != missing {
				t.Errorf("a %s in space %s: %s\nmissing: %s", kind, space, got, missing)
			}
			if got := find(r, content.Kind(kind)); kind != "page" && got != named {
				t.Errorf("a %s in space %s: %s\nmissing: %s", kind, space, got, named)
			}
		}
	}
}

// What stands in a denied space is left out above and below objects too.
func TestObjectsLeaveOutDeniedSpaces(t *testing.T) {
	r := newRig(t)
	r.wiki()
	const nodes = `{"results":[{"id":"6","title":"SECRET","type":"page","depth":1,"spaceId":"8"},{"id":"9","title":"Open","type":"page","depth":1}]}`
	r.answers["GET /api/v2/folders/5/descendants"], r.answers["GET /api/v2/folders/5/ancestors"] = nodes, nodes
	_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
		folder := content.Object{Kind: "folder", ID: "5", Space: "OPS", SpaceID: "7"}
		below, _, err1 := content.Below(ctx, w, folder, content.Tree{Depth: 1, Limit: 10})
		above, err2 := content.Above(ctx, w, folder)
		if len(below) != 1 || len(above) != 1 || below[0].ID != "9" || above[0].ID != "9" {
			t.Errorf("below %v, above %v", below, above)
		}
		return "", errors.Join(err1, err2)
	})
	if e := r.last(t); err != nil || e.Detail != "2 results withheld by policy" || strings.Join(e.Objects, " ") != "page:9@OPS" {
		t.Errorf("%v, %+v", err, e)
	}
}

// What was written and cannot be read afterwards is settled: nobody is told that
// it failed.
func TestWhatCannotBeReadAfterwardsIsSettled(t *testing.T) {
	from := guard.Page{ID: "101", Type: "page", Status: "current", Space: "OPS", SpaceID: "7", ParentID: "1"}
	to := guard.Page{ID: "103", Type: "page", Status: "current", Space: "OPS", SpaceID: "7", ParentID: "1"}
	for name, act := range map[string]func(context.Context, *guard.Wiki) error{
		"copy": func(ctx context.Context, w *guard.Wiki) error { return only(pages.Copy(ctx, w, from, to, "T")) },
		"move": func(ctx context.Context, w *guard.Wiki) error { return only(pages.Move(ctx, w, from, to, pages.Below)) },
		"create": func(ctx context.Context, w *guard.Wiki) error {
			return only(content.Create(ctx, w, content.New{Kind: "folder", Space: "OPS", Title: "T"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.answers["GET /api/v2/spaces"] = `{"results":[{"id":"7","key":"OPS","name":"Ops"}]}`
			r.answers["POST /rest/api/content/101/copy"] = `{"id":"300"}`
			r.answers["PUT /rest/api/content/101/move/append/103"] = `{}`
			r.answers["POST /api/v2/folders"] = `{"id":"5","title":"T","status":"current","spaceId":"9","version":{"number":1}}`
			got, err := guard.Do(as(t, ada()), r.Door, guard.Op[string]{
				Tool: "tool", Input: name, Check: "Look at it",
				Run:    func(ctx context.Context, w *guard.Wiki) (string, error) { return "", act(ctx, w) },
				Settle: func(context.Context, *guard.Wiki, time.Time) (string, error) { return "settled", nil },
			})
			if got != "settled" || err != nil {
				t.Errorf("%q, %v after %q", got, err, r.asked)
			}
		})
	}
}
