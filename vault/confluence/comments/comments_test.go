package comments_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/confluencetest"
)

// live is a comment as it was seen, with names that the description has not.
const live = `{"id":"7","status":"current","pageId":42,"version":{"number":2,"authorId":"a","createdAt":"2026-05-01T10:00:00.000Z","x":1},
 "body":{"storage":{"representation":"storage","value":"<p>c</p>"}},"resolutionStatus":"reopened",
 "properties":{"inline-marker-ref":"r","inline-original-selection":"quoted"},"ari":"x",
 "_links":{"webui":"https://evil.example/wiki/spaces/ENG/pages/42?focusedCommentId=7"}}`

func want() comments.Comment {
	return comments.Comment{
		ID: "7", PageID: "42", Inline: true, Status: "current", Body: "<p>c</p>", State: "reopened", Quote: "quoted",
		Version: confluence.Version{Number: 2, AuthorID: "a", Created: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)},
		Path:    "/spaces/ENG/pages/42?focusedCommentId=7",
	}
}

func TestReading(t *testing.T) {
	site := &confluencetest.Site{Answers: map[string]string{
		"GET /api/v2/inline-comments/7":           live,
		"GET /api/v2/pages/42/inline-comments":    `{"results":[` + live + `],"_links":{"next":"/wiki/api/v2/pages/42/inline-comments?cursor=abc&limit=1"}}`,
		"GET /api/v2/blogposts/9/footer-comments": `{"results":[]}`,
		"GET /api/v2/inline-comments/7/children":  `{"results":[{"id":"8","version":{"number":1}}]}`,
	}}
	c := site.Client(t)
	got, err := comments.Get(t.Context(), c, "7", true)
	if diff := cmp.Diff(want(), got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	list, next, err := comments.Of(t.Context(), c, comments.Query{ID: "42", Inline: true, States: []string{"open", "reopened"}, Limit: 1, Cursor: "before"})
	if diff := cmp.Diff([]comments.Comment{want()}, list); diff != "" || next != "abc" || err != nil {
		t.Error(err, next, diff)
	}
	if list, next, err = comments.Of(t.Context(), c, comments.Query{ID: "9", Post: true, Limit: 5}); len(list) != 0 || next != "" || err != nil {
		t.Error(list, next, err)
	}
	if list, _, err = comments.Replies(t.Context(), c, got, 10, ""); err != nil || len(list) != 1 || list[0].ID != "8" {
		t.Error(list, err)
	}
	asked := []string{
		"GET /api/v2/inline-comments/7?body-format=storage",
		"GET /api/v2/pages/42/inline-comments?body-format=storage&cursor=before&limit=1&resolution-status=open&resolution-status=reopened",
		"GET /api/v2/blogposts/9/footer-comments?body-format=storage&limit=5",
		"GET /api/v2/inline-comments/7/children?body-format=storage&limit=10",
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
}

func TestWriting(t *testing.T) {
	site := &confluencetest.Site{Answers: map[string]string{
		"POST /api/v2/inline-comments": live, "POST /api/v2/footer-comments": live, "PUT /api/v2/inline-comments/7": live, "DELETE /api/v2/inline-comments/7": "204",
	}}
	c := site.Client(t)
	resolved := true
	for _, n := range []comments.New{
		{PageID: "42", Body: "<p>c</p>", Inline: true, Quote: "quoted", Matches: 3, Match: 2},
		{Parent: "7", Body: "<p>c</p>", Inline: true},
		{PostID: "9", Body: "<p>c</p>"},
	} {
		if _, err := comments.Create(t.Context(), c, n); err != nil {
			t.Error(err)
		}
	}
	if _, err := comments.Update(t.Context(), c, want(), comments.Edit{Number: 3, Body: "<p>d</p>", Resolved: &resolved}); err != nil {
		t.Error(err)
	}
	if err := comments.Delete(t.Context(), c, want()); err != nil {
		t.Error(err)
	}
	body := `"body":{"representation":"storage","value":"\u003cp\u003ec\u003c/p\u003e"}`
	asked := []string{
		`POST /api/v2/inline-comments {` + body + `,"inlineCommentProperties":{"textSelection":"quoted","textSelectionMatchCount":3,"textSelectionMatchIndex":2},"pageId":"42"}`,
		`POST /api/v2/inline-comments {` + body + `,"parentCommentId":"7"}`,
		`POST /api/v2/footer-comments {"blogPostId":"9",` + body + `}`,
		`PUT /api/v2/inline-comments/7 {"body":{"representation":"storage","value":"\u003cp\u003ed\u003c/p\u003e"},"resolved":true,"version":{"number":3}}`,
		`DELETE /api/v2/inline-comments/7`,
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
}

// An answer to a write that cannot be understood leaves open whether it was
// made; an id that is none asks nothing.
func TestWhatCannotBeUnderstood(t *testing.T) {
	site := &confluencetest.Site{Answers: map[string]string{
		"POST /api/v2/footer-comments": `{"id":"x"}`, "PUT /api/v2/inline-comments/7": `{"id":"7","version":{}}`,
		"GET /api/v2/pages/42/footer-comments": `{"results":[{"id":"1/../2","version":{"number":1}}]}`,
	}}
	c := site.Client(t)
	if _, err := comments.Create(t.Context(), c, comments.New{PageID: "42"}); !confluence.Unsure(err) || !confluence.Is(err, confluence.KindProtocol) {
		t.Error(err)
	}
	if _, err := comments.Update(t.Context(), c, want(), comments.Edit{Number: 3}); !confluence.Unsure(err) {
		t.Error(err)
	}
	if _, _, err := comments.Of(t.Context(), c, comments.Query{ID: "42", Limit: 1}); !confluence.Is(err, confluence.KindProtocol) || confluence.Unsure(err) {
		t.Error(err)
	}
	before := len(site.Asked())
	bad := comments.Comment{ID: "7/../8"}
	_, err1 := comments.Get(t.Context(), c, "7/../8", false)
	_, _, err2 := comments.Of(t.Context(), c, comments.Query{ID: "42?x", Limit: 1})
	_, _, err3 := comments.Replies(t.Context(), c, bad, 1, "")
	_, err4 := comments.Update(t.Context(), c, bad, comments.Edit{})
	for _, err := range []error{err1, err2, err3, err4, comments.Delete(t.Context(), c, bad)} {
		if !confluence.Is(err, confluence.KindNotFound) {
			t.Error(err)
		}
	}
	if asked := site.Asked()[before:]; len(asked) != 0 {
		t.Error(asked)
	}
}
