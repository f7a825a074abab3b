package request_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// TestFilesThatPolicyDenies: what the company's rules say of files holds here as
// well, in lists, within other things, and for the file that a path names.
func TestFilesThatPolicyDenies(t *testing.T) {
	r := newRigWith(t, policy.Attachments{DeniedTypes: []string{".exe", "video/*"}, MaxMiB: 1})
	good := `{"id":"att1","title":"a.txt","mediaType":"text/plain","fileSize":10,"pageId":"1"}`
	r.answers["/api/v2/pages/1/attachments"] = `{"results":[` + good + `,
		{"id":"att2","title":"SECRET.exe","mediaType":"text/plain","fileSize":10,"pageId":"1"},
		{"id":"att3","title":"SECRET","mediaType":"video/mp4","fileSize":10,"pageId":"1"},
		{"id":"att4","title":"SECRET.txt","mediaType":"text/plain","fileSize":2000000,"pageId":"1"}]}`
	r.answers["/rest/api/search"] = `{"results":[
		{"content":{"id":"att1","type":"attachment","title":"a.txt","space":{"key":"ENG"},"extensions":{"mediaType":"text/plain","fileSize":10}}},
		{"content":{"id":"att3","type":"attachment","title":"SECRET","space":{"key":"ENG"},"extensions":{"mediaType":"video/mp4","fileSize":10}}},
		{"content":{"id":"att5","type":"attachment","title":"SECRET","space":{"key":"ENG"}},"excerpt":"of unknown kind"}]}`
	r.answers["/api/v2/attachments/att1"] = good
	r.answers["/api/v2/attachments/att2"] = `{"id":"att2","title":"SECRET.exe","mediaType":"text/plain","fileSize":10,"pageId":"1"}`
	r.answers["/api/v2/attachments/att2/labels"] = `{"results":[{"id":"7","name":"SECRET"}]}`
	for path, parameters := range map[string]map[string]any{
		"/api/v2/pages/1/attachments": nil, "/rest/api/search": {"cql": "type = attachment"},
	} {
		got, err := r.ask(path, parameters)
		if text := encode(t, got); err != nil || len(got.Items) != 1 || !strings.Contains(text, "a.txt") || strings.Contains(text, "SECRET") {
			t.Errorf("%s: %s, %v", path, text, err)
		}
	}
	if _, err := r.ask("/api/v2/attachments/att1", nil); err != nil {
		t.Errorf("a file that is allowed: %v", err)
	}
	for _, path := range []string{"/api/v2/attachments/att2", "/api/v2/attachments/att2/labels"} {
		if got, err := r.ask(path, nil); usererr.CodeOf(err) != usererr.NotFound || r.entry.Event != "call.denied" {
			t.Errorf("%s: %s, %v, on record as %s", path, encode(t, got), err, r.entry.Event)
		}
	}
}
