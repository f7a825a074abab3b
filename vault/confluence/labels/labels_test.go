package labels_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/confluencetest"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/labels"
)

func TestLabels(t *testing.T) {
	const found = `{"results":[{"id":"1","name":"plan","prefix":"global"},{"id":"2","name":"todo","prefix":"my"}]}`
	site := &confluencetest.Site{Answers: map[string]string{
		"GET /api/v2/pages/42/labels": found, "GET /api/v2/blogposts/9/labels": found, "GET /api/v2/spaces/65/content/labels": found,
		"POST /rest/api/content/42/label": found, "DELETE /rest/api/content/42/label": "204",
	}}
	c := site.Client(t)
	want := []string{"plan", "my:todo"}
	got1, err1 := labels.Of(t.Context(), c, "42", false)
	got2, err2 := labels.Of(t.Context(), c, "9", true)
	got3, next, err3 := labels.InSpace(t.Context(), c, "65", 10, "c1")
	got4, err4 := labels.Add(t.Context(), c, "42", []string{"plan", `a"b`})
	for i, err := range []error{err1, err2, err3, err4, labels.Remove(t.Context(), c, "42", "a/b&c")} {
		if err != nil {
			t.Error(i, err)
		}
	}
	if diff := cmp.Diff([][]string{want, want, want, want}, [][]string{got1, got2, got3, got4}); diff != "" || next != "" {
		t.Error(next, diff)
	}
	asked := []string{
		"GET /api/v2/pages/42/labels?limit=250", "GET /api/v2/blogposts/9/labels?limit=250", "GET /api/v2/spaces/65/content/labels?cursor=c1&limit=10",
		`POST /rest/api/content/42/label [{"name":"plan","prefix":"global"},{"name":"a\"b","prefix":"global"}]`,
		"DELETE /rest/api/content/42/label?name=a%2Fb%26c",
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
	_, err1 = labels.Of(t.Context(), c, "x", false)
	_, err2 = labels.Add(t.Context(), c, "42/child", nil)
	for _, err := range []error{err1, err2, labels.Remove(t.Context(), c, "", "x")} {
		if !confluence.Is(err, confluence.KindNotFound) {
			t.Error(err)
		}
	}
}
