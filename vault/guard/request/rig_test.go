package request_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/request"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// rig is a door to a Confluence that answers what a test says.
type rig struct {
	t       *testing.T
	door    *guard.Door
	answers map[string]string // by path; a number is a status
	then    map[string]string // what a path answers from the second time on
	asked   []string
	entry   audit.Entry // the last
}

// newRig has page 1 and blog post 2 in ENG (space 10), and page 9 in LEGAL
// (space 90), which policy denies.
func newRig(t *testing.T) *rig { return newRigWith(t, policy.Attachments{}) }

// newRigWith is newRig with rules about files.
func newRigWith(t *testing.T, files policy.Attachments) *rig {
	t.Helper()
	rules, err := policy.New(policy.Rules{Access: policy.Access{DeniedSpaces: []string{"LEGAL"}}, Attachments: files})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, answers: map[string]string{
		"/api/v2/spaces/10":   `{"id":"10","key":"ENG","name":"Engineering"}`,
		"/api/v2/spaces/90":   `{"id":"90","key":"LEGAL","name":"Legal"}`,
		"/api/v2/pages/1":     `{"id":"1","spaceId":"10","title":"One","status":"current","version":{"number":1}}`,
		"/api/v2/blogposts/2": `{"id":"2","spaceId":"10","title":"Two","status":"current","version":{"number":1}}`,
		"/api/v2/pages/9":     `{"id":"9","spaceId":"90","title":"SECRET","status":"current","version":{"number":1}}`,
		"/api/v2/pages":       `{"results":[{"id":"1","spaceId":"10"},{"id":"9","spaceId":"90"}]}`,
		"/api/v2/blogposts":   `{"results":[{"id":"2","spaceId":"10"}]}`,
	}}
	r.door = guard.New(guard.Config{
		Policy: func() *policy.Policy { return rules }, Grants: grants{}, Audit: r,
		HTTP: &http.Client{Transport: r}, APIBase: func(identity.TenantID) string { return "https://api.example" },
		Live: func(context.Context, identity.Caller) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	return r
}

type grants struct{ guard.Grants }

func (grants) Token(context.Context, identity.PersonID, identity.TenantID) (grant.Token, error) {
	return grant.Token{Value: secret.New("t"), Grant: "g_1", Sites: []grant.Site{{Name: "acme", CloudID: "c1", URL: "https://acme.atlassian.net"}}}, nil
}

func (r *rig) Record(_ context.Context, e audit.Entry) error {
	r.entry = e
	return nil
}

// RoundTrip is Confluence.
func (r *rig) RoundTrip(req *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(req.URL.Path, "/ex/confluence/c1/wiki")
	r.asked = append(r.asked, req.Method+" "+path+"?"+req.URL.RawQuery)
	text, ok := r.answers[path]
	if next := r.then[path]; next != "" {
		r.answers[path] = next
	}
	status := http.StatusOK
	switch {
	case !ok:
		status, text = http.StatusNotFound, "{}"
	case len(text) == 3:
		_, _ = fmt.Sscan(text, &status)
		text = "{}"
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: req}, nil
}

// ask asks a path as somebody.
func (r *rig) ask(path string, parameters map[string]any) (request.Answer, error) {
	r.t.Helper()
	caller := identity.Caller{Person: "p_ada", Tenant: "acme", Device: "d", Session: "s_1", Stream: "st", Call: fmt.Sprint(time.Now())}
	return guard.Do(identity.With(r.t.Context(), caller), r.door, guard.Op[request.Answer]{
		Tool: "confluence_request",
		Run: func(ctx context.Context, w *guard.Wiki) (request.Answer, error) {
			return request.Ask(ctx, w, request.Question{Path: path, Parameters: parameters})
		},
	})
}

func encode(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
