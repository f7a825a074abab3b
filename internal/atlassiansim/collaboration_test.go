package atlassiansim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// commented makes a footer comment and an inline one on a page and returns
// their ids.
func (r *rig) commented(token, page, quote string) (footer, inline string) {
	r.t.Helper()
	var made struct {
		ID string `json:"id"`
	}
	r.api(token, "POST", "/api/v2/footer-comments", map[string]any{"pageId": page, "body": storage("<p>first</p>")}).into(r.t, &made)
	footer = made.ID
	r.api(token, "POST", "/api/v2/inline-comments", map[string]any{
		"pageId": page, "body": storage("<p>why?</p>"),
		"inlineCommentProperties": map[string]any{"textSelection": quote, "textSelectionMatchCount": 1, "textSelectionMatchIndex": 0},
	}).into(r.t, &made)
	return footer, made.ID
}

// collaboration is what people do beside writing pages.
func (r *rig) collaboration(token string) []wanted {
	page := r.CreatePages("ENG", 1)[0]
	footer, inline := r.commented(token, page.ID, "Written by the reporting job.")
	number := func(n int, more map[string]any) map[string]any {
		more["version"] = map[string]any{"number": n}
		return more
	}
	group := "00000000-0000-4000-8000-000000000000"
	ada, _ := r.Person("ada")
	v2, v1 := "/api/v2", "/rest/api"
	return []wanted{
		{"GET", v2 + "/pages/" + page.ID + "/footer-comments?body-format=storage&limit=5&sort=-created-date", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "/inline-comments?body-format=storage&resolution-status=open&resolution-status=reopened", nil, 200},
		{"GET", v2 + "/blogposts/1/footer-comments", nil, 404},
		{"POST", v2 + "/footer-comments", map[string]any{"parentCommentId": footer, "body": storage("<p>reply</p>")}, 201},
		{"POST", v2 + "/footer-comments", map[string]any{"pageId": "1", "body": storage("<p>x</p>")}, 404},
		{"GET", v2 + "/footer-comments/" + footer + "?body-format=storage", nil, 200},
		{"GET", v2 + "/footer-comments/" + footer + "/children?body-format=storage", nil, 200},
		{"PUT", v2 + "/footer-comments/" + footer, number(2, map[string]any{"body": storage("<p>second</p>")}), 200},
		{"POST", v2 + "/inline-comments", map[string]any{"parentCommentId": inline, "body": storage("<p>reply</p>")}, 201},
		{"POST", v2 + "/inline-comments", map[string]any{
			"pageId": page.ID, "body": storage("<p>x</p>"), "inlineCommentProperties": map[string]any{"textSelection": "no such text", "textSelectionMatchCount": 1, "textSelectionMatchIndex": 0},
		}, 400},
		{"GET", v2 + "/inline-comments/" + inline, nil, 200},
		{"GET", v2 + "/inline-comments/" + inline + "/children", nil, 200},
		{"PUT", v2 + "/inline-comments/" + inline, number(2, map[string]any{"body": storage("<p>why?</p>"), "resolved": true}), 200},
		{"GET", v2 + "/inline-comments/" + footer, nil, 404},
		{"DELETE", v2 + "/inline-comments/" + inline, nil, 204},
		{"DELETE", v2 + "/footer-comments/" + footer, nil, 204},
		{"POST", v1 + "/content/" + page.ID + "/label", []map[string]any{{"prefix": "global", "name": "one"}, {"prefix": "global", "name": "two"}}, 200},
		{"DELETE", v1 + "/content/" + page.ID + "/label?name=one", nil, 204},
		{"DELETE", v1 + "/content/" + page.ID + "/label/two", nil, 204},
		{"GET", v2 + "/labels?limit=2", nil, 200},
		{"GET", v2 + "/spaces/1/content/labels", nil, 404},
		{"GET", v1 + "/search/user?cql=" + url.QueryEscape(`user.fullname ~ "Ada"`), nil, 200},
		{"GET", v1 + "/group?limit=1", nil, 200},
		{"GET", v1 + "/group/picker?query=admin", nil, 200},
		{"GET", v1 + "/group/by-id?id=" + group, nil, 404},
		{"GET", v1 + "/group/" + group + "/membersByGroupId", nil, 200},
		{"GET", v1 + "/user/memberof?accountId=" + ada.AccountID, nil, 200},
		{"POST", v2 + "/spaces", map[string]any{"key": "NEWONE", "name": "New", "description": map[string]any{"value": "d", "representation": "plain"}}, 201},
		{"POST", v1 + "/space", map[string]any{"key": "NEWTWO", "name": "New"}, 200},
		{"GET", v2 + "/spaces/65540/permissions?limit=2", nil, 200},
		{"GET", v2 + "/spaces/65540?include-labels=true&description-format=plain", nil, 200},
		{"GET", v2 + "/spaces?labels=team&favorited-by=" + url.QueryEscape(ada.AccountID), nil, 200},
	}
}

// What an inline comment is about is marked on the page, through bold and
// links; it dangles when the text goes.
func TestInlineComments(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	page := r.AnyPage("ENG")
	write := func(version int, body string) {
		t.Helper()
		got := r.api(token, "PUT", "/api/v2/pages/"+page.ID, map[string]any{
			"id": page.ID, "status": "current", "title": page.Title, "body": storage(body), "version": map[string]any{"number": version},
		})
		if got.Status != http.StatusOK {
			t.Fatal(got.Text)
		}
	}
	write(page.Version+1, `<p>Ask <strong>Ada &amp; Ben</strong> today. Ask Ada.</p><ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[Ask Ada]]></ac:plain-text-body></ac:structured-macro>`)
	comment := func(text string, count, index int) answer {
		return r.api(token, "POST", "/api/v2/inline-comments", map[string]any{
			"pageId": page.ID, "body": storage("<p>c</p>"),
			"inlineCommentProperties": map[string]any{"textSelection": text, "textSelectionMatchCount": count, "textSelectionMatchIndex": index},
		})
	}
	for _, wrong := range []answer{comment("Ask Ada", 1, 0), comment("Ask Ada", 2, 2), comment("Ask Eve", 1, 0), comment("today. Ask Ada.Ask", 1, 0), comment("", 1, 0)} {
		if wrong.Status != http.StatusBadRequest {
			t.Errorf("%d %s", wrong.Status, wrong.Text)
		}
	}
	var made struct {
		ID         string `json:"id"`
		Status     string `json:"resolutionStatus"`
		Properties struct {
			Ref string `json:"inline-marker-ref"`
		} `json:"properties"`
	}
	got := comment("Ask Ada & Ben", 1, 0)
	got.into(t, &made)
	now, _ := r.PageByID(page.ID)
	marker := `<ac:inline-comment-marker ac:ref="` + made.Properties.Ref + `">`
	want := `<p>` + marker + `Ask </ac:inline-comment-marker><strong>` + marker + `Ada &amp; Ben</ac:inline-comment-marker></strong> today. Ask Ada.</p>`
	if !strings.HasPrefix(now.Body, want) || now.Version != page.Version+1 || made.Status != "open" {
		t.Fatalf("%s %d %s", now.Body, now.Version, made.Status)
	}
	write(page.Version+2, "<p>gone</p>")
	if r.api(token, "GET", "/api/v2/inline-comments/"+made.ID, nil).into(t, &made); made.Status != "dangling" {
		t.Error(made.Status)
	}
	resolve := map[string]any{"version": map[string]any{"number": 2}, "resolved": true}
	if got := r.api(token, "PUT", "/api/v2/inline-comments/"+made.ID, resolve); got.Status != http.StatusBadRequest {
		t.Errorf("a dangling comment is resolved: %d %s", got.Status, got.Text)
	}
}
