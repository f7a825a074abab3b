package guard_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/search"
)

const opsPage = `{"id":"101","status":"current","title":"Plan","spaceId":"7","version":{"number":3},"body":{"storage":{"value":"<p>CONTENT</p>"}}}`

func (r *rig) wiki() {
	r.answers["GET /api/v2/spaces/7"] = `{"id":"7","key":"OPS","name":"Ops"}`
	r.answers["GET /api/v2/spaces/8"] = `{"id":"8","key":"LEGAL","name":"Legal"}`
	r.answers["GET /api/v2/pages/101"] = opsPage
	r.answers["GET /api/v2/pages/102"] = strings.NewReplacer("101", "102", `"7"`, `"8"`).Replace(opsPage)
}

func page(ref string) func(context.Context, *guard.Wiki) (string, error) {
	return func(ctx context.Context, w *guard.Wiki) (string, error) {
		p, err := w.Page(ctx, ref)
		return p.Body, err
	}
}

func TestPagesOfDeniedSpacesAreNotThere(t *testing.T) {
	r := newRig(t)
	r.wiki()
	got, err := read(as(t, ada()), r, page("101"))
	if got != "<p>CONTENT</p>" || err != nil || r.last(t).Objects[0] != "page:101@OPS" {
		t.Errorf("%q, %v, %+v", got, err, r.last(t))
	}
	_, denied := read(as(t, ada()), r, page("102"))
	if e := r.last(t); e.Event != "call.denied" || e.Detail != "denied: page:102@LEGAL" || len(e.Objects) != 0 {
		t.Errorf("%+v", e)
	}
	_, missing := read(as(t, ada()), r, page("999"))
	if got, want := text(denied), strings.Replace(text(missing), "999", "102", 1); got != want {
		t.Errorf("%q differs from %q", got, want)
	}
	// An unknown space is a denied one.
	r.answers["GET /api/v2/pages/103"] = strings.NewReplacer("101", "103", `"7"`, `"9"`).Replace(opsPage)
	if _, err := read(as(t, ada()), r, page("103")); usererr.CodeOf(err) != usererr.NotFound {
		t.Errorf("%v", err)
	}
	r.answers["GET /api/v2/spaces/9"] = `{"id":"9","key":"","name":"no key"}`
	if _, err := read(as(t, ada()), r, page("103")); err == nil {
		t.Error("a page of a space without a key was shown")
	}
	// What was allowed a moment ago is not, once the rules say so.
	r.rules.Access.DeniedSpaces = []string{"ops"}
	if _, err := read(as(t, ada()), r, page("101")); usererr.CodeOf(err) != usererr.NotFound {
		t.Errorf("%v", err)
	}
}

// What one person sees is not remembered for another.
func TestSpacesAreRememberedForOnePerson(t *testing.T) {
	r := newRig(t)
	r.wiki()
	count := func() (n int) {
		for _, path := range r.asked {
			if strings.Contains(path, "/spaces/") {
				n++
			}
		}
		return n
	}
	ben := ada()
	ben.Person = "p_ben"
	for i, caller := range []struct {
		ctx  context.Context
		want int
	}{{as(t, ada()), 1}, {as(t, ada()), 1}, {as(t, ben), 2}} {
		if _, err := read(caller.ctx, r, page("101")); err != nil || count() != caller.want {
			t.Errorf("%d: %v, spaces asked for %d times", i, err, count())
		}
	}
}

func TestResultsOfDeniedSpacesAreDropped(t *testing.T) {
	r := newRig(t)
	hit := func(id, space string) map[string]any {
		return map[string]any{"content": map[string]any{"id": id, "type": "page", "title": "T" + id, "space": map[string]any{"key": space}}, "excerpt": "E" + id}
	}
	answer := func(total int, hits ...map[string]any) {
		data, _ := json.Marshal(map[string]any{"results": hits, "totalSize": total})
		r.answers["GET /rest/api/search"] = string(data)
	}
	var got search.Hits
	find := func() {
		t.Helper()
		if _, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (_ string, err error) {
			got, err = search.Find(ctx, w, search.Query{CQL: "type = page OR space = LEGAL", Limit: 10})
			return "", err
		}); err != nil {
			t.Fatal(err)
		}
	}
	answer(2, hit("1", "OPS"), hit("2", "HR"))
	if find(); len(got.Hits) != 2 || got.Total != 2 {
		t.Errorf("%+v", got)
	}
	if want := `cql=%28type+%3D+page+OR+space+%3D+LEGAL%29+AND+space+NOT+IN+%28%22LEGAL%22%29`; !strings.Contains(r.asked[0], want) {
		t.Errorf("asked %s", r.asked[0])
	}
	// The index lags, or somebody is cleverer than we are.
	answer(4, hit("1", "OPS"), hit("2", "LEGAL"), hit("3", "legal"), hit("4", ""))
	want := search.Hits{Total: -1, Hits: []search.Hit{{ID: "1", Type: "page", Title: "T1", Space: "OPS", Excerpt: "E1"}}}
	find()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if e := r.last(t); e.Detail != "3 results withheld by policy" || len(e.Objects) != 1 {
		t.Errorf("%+v", e)
	}
}

// Keys that were renamed still lead to the space: what counts is its key now.
func TestAliasesOfDeniedSpacesAreDenied(t *testing.T) {
	r := newRig(t)
	r.answers["GET /api/v2/spaces"] = `{"results":[{"id":"8","key":"LEGAL","name":"Legal"}]}`
	_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
		s, err := w.Space(ctx, "OLDKEY")
		return s.Name, err
	})
	if usererr.CodeOf(err) != usererr.NotFound || r.last(t).Outcome != "denied" {
		t.Errorf("%v, %+v", err, r.last(t))
	}
}

// A rejected token is exchanged once; a missing scope never is.
func TestTokensAreExchangedOnce(t *testing.T) {
	r := newRig(t)
	r.answers["GET /api/v2/pages/101"] = "401"
	if _, err := read(as(t, ada()), r, page("101")); usererr.CodeOf(err) != usererr.Denied || r.rejected != 1 || len(r.asked) != 2 {
		t.Errorf("%v after %d exchanges and %v", err, r.rejected, r.asked)
	}
	r.answers["GET /api/v2/pages/101"] = "403"
	if _, err := read(as(t, ada()), r, page("101")); usererr.CodeOf(err) != usererr.Denied || r.rejected != 1 {
		t.Errorf("%v after %d exchanges", err, r.rejected)
	}
}

// Nothing is written in a space that policy denies, whatever a caller has
// read before.
func TestNoWriteInDeniedSpaces(t *testing.T) {
	r := newRig(t)
	r.wiki()
	for _, write := range []func(context.Context, *guard.Wiki) (guard.Page, error){
		func(ctx context.Context, w *guard.Wiki) (guard.Page, error) {
			return updated(pages.Update(ctx, w, guard.Page{ID: "102", Type: "page", Status: "current", Space: "LEGAL"}, pages.Edit{Number: 4}))
		},
		func(ctx context.Context, w *guard.Wiki) (guard.Page, error) {
			return pages.Create(ctx, w, pages.New{Space: "LEGAL", Title: "T"})
		},
		func(ctx context.Context, w *guard.Wiki) (guard.Page, error) {
			return pages.Create(ctx, w, pages.New{Space: "OPS", Parent: "102", Title: "T"})
		},
	} {
		_, err := read(as(t, ada()), r, func(ctx context.Context, w *guard.Wiki) (string, error) {
			_, err := write(ctx, w)
			return "", err
		})
		if usererr.CodeOf(err) != usererr.NotFound {
			t.Errorf("%v", err)
		}
	}
	for _, request := range r.asked {
		if !strings.HasPrefix(request, "GET ") {
			t.Errorf("asked %s", request)
		}
	}
}

func updated(page guard.Page, _ bool, err error) (guard.Page, error) { return page, err }
