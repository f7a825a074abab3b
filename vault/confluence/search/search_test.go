package search_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/confluencetest"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/search"
)

const searchBody = `{"results":[
 {"content":{"id":"101","type":"page","status":"current","title":"Plan","space":{"key":"OPS","name":"Ops"},"_links":{"webui":"/spaces/OPS/pages/101/Plan"}},
  "title":"@@@hl@@@Plan@@@endhl@@@","excerpt":"the @@@hl@@@plan@@@endhl@@@ &amp;\n more","url":"/spaces/OPS/pages/101/Plan",
  "resultGlobalContainer":{"title":"Ops","displayUrl":"/spaces/OPS"},"lastModified":"2026-05-02T10:00:00.000Z","score":1.5},
 {"content":{"id":102,"type":"page","title":"Two spaces","space":{"key":"OPS"}},"resultGlobalContainer":{"displayUrl":"/spaces/LEGAL"}},
 {"content":{"id":"103","type":"page","title":"Only a link","_expandable":{"space":"/rest/api/space/HR"}}},
 {"user":{"accountId":"x"},"title":"Somebody"}],
 "start":0,"limit":2,"size":4,"totalSize":40,"_links":{"base":"https://acme.example/wiki","context":"/wiki","next":"/rest/api/search?next=true&cursor=_f_MjU&limit=2&start=2&cql=space%3DEVIL"}}`

const asks = "GET /rest/api/search"

// Traps 2 and 3: search is v1 /search, nothing else of v1 content. Trap 10:
// v1 links have no /wiki, and the query in them is not believed.
func TestFind(t *testing.T) {
	site := &confluencetest.Site{Answers: map[string]string{asks: searchBody}}
	c := site.Client(t)
	got, err := search.Find(t.Context(), c, search.Query{CQL: "type = page", Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := search.Hits{Total: 40, Cursor: "_f_MjU", Start: 2, Hits: []search.Hit{
		{ID: "101", Type: "page", Status: "current", Title: "Plan", SpaceKey: "OPS", SpaceName: "Ops", Excerpt: "the plan & more",
			Modified: time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC), Path: "/spaces/OPS/pages/101/Plan"},
		{ID: "102", Type: "page", Title: "Two spaces"},
		{ID: "103", Type: "page", Title: "Only a link", SpaceKey: "HR"},
		{Title: "Somebody"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := search.Find(t.Context(), c, search.Query{CQL: "type = page", Limit: 2, Cursor: got.Cursor, Start: got.Start}); err != nil {
		t.Fatal(err)
	}
	asked := []string{
		asks + "?cql=type+%3D+page&excerpt=highlight&expand=content.space&limit=2",
		asks + "?cql=type+%3D+page&cursor=_f_MjU&excerpt=highlight&expand=content.space&limit=2&next=true&start=2",
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
}

// A link to the next page that is not one of this search is an error, not the end.
func TestALinkToElsewhere(t *testing.T) {
	site := &confluencetest.Site{Answers: map[string]string{asks: `{"results":[],"_links":{"next":"/rest/api/content?cursor=a"}}`}}
	if hits, err := search.Find(t.Context(), site.Client(t), search.Query{CQL: "x", Limit: 1}); !confluence.Is(err, confluence.KindProtocol) {
		t.Errorf("%+v, %v", hits, err)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(searchBody)
	f.Add(`{"totalSize":-4,"results":[{"content":{"id":1e9,"space":{"key":"A"}},"url":"/spaces/%ZZ"}]}`)
	f.Add("null")
	f.Fuzz(func(t *testing.T, answer string) {
		site := &confluencetest.Site{Answers: map[string]string{asks: answer}}
		hits, err := search.Find(t.Context(), site.Client(t), search.Query{CQL: "x", Limit: 1})
		if err == nil && hits.Total < -1 || err != nil && len(hits.Hits) > 0 {
			t.Errorf("%+v, %v", hits, err)
		}
	})
}
