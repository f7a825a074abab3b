package trees_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/trees"
)

// client asks a Confluence that answers as answer says.
func client(t *testing.T, answer func(r *http.Request) string) *confluence.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, answer(r)) }))
	t.Cleanup(server.Close)
	return confluence.New(confluence.Config{HTTP: server.Client(), Base: server.URL, Token: secret.New("t"), Log: slog.New(slog.DiscardHandler)})
}

func TestBelow(t *testing.T) {
	var asked string
	c := client(t, func(r *http.Request) string {
		asked = r.URL.String()
		return `{"results":[{"id":"5","status":"current","title":"A","type":"folder","parentId":"1","depth":1,"childPosition":2},{"id":6,"title":"B","depth":2,"childPosition":null},
			{"id":"7","status":"archived","title":"gone","depth":1}],"_links":{"next":"/wiki/api/v2/pages/1/descendants?depth=3&cursor=c2"}}`
	})
	got, next, err := trees.Below(t.Context(), c, "1", 3, "c1")
	want := []trees.Node{{ID: "5", Title: "A", Type: "folder", ParentID: "1", Depth: 1, Position: 2}, {ID: "6", Title: "B", Type: "page", Depth: 2}}
	if diff := cmp.Diff(want, got); diff != "" || next != "c2" || err != nil {
		t.Errorf("%s, %v\n%s", next, err, diff)
	}
	if asked != "/api/v2/pages/1/descendants?cursor=c1&depth=3&limit=250" {
		t.Error(asked)
	}
}

func TestNodesWithoutAnIDAreRefused(t *testing.T) {
	c := client(t, func(*http.Request) string { return `{"results":[{"title":"A"}]}` })
	if _, _, err := trees.Below(t.Context(), c, "1", 3, ""); !confluence.Is(err, confluence.KindProtocol) {
		t.Error(err)
	}
	if _, _, err := trees.Roots(t.Context(), c, "../1", ""); !confluence.Is(err, confluence.KindNotFound) {
		t.Error(err)
	}
}

// What is above comes in parts of 250, from below; the parts are put together,
// and a Confluence that never ends is left.
func TestAboveInParts(t *testing.T) {
	calls := 0
	c := client(t, func(r *http.Request) string {
		calls++
		if !strings.HasSuffix(r.URL.Path, "/ancestors") {
			t.Error(r.URL)
		}
		size := 250
		if calls == 2 {
			size = 3
		}
		var list []string
		for i := range size {
			list = append(list, fmt.Sprintf(`{"id":"%d","type":"page"}`, calls*1000+i))
		}
		return `{"results":[` + strings.Join(list, ",") + `]}`
	})
	got, err := trees.Above(t.Context(), c, "1")
	if err != nil || len(got) != 253 || got[0].ID != "2000" || got[252].ID != "1249" || calls != 2 {
		t.Errorf("%d nodes after %d calls, %v", len(got), calls, err)
	}
	calls = 2
	if _, err := trees.Above(t.Context(), c, "1"); err != nil || calls != 12 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
