package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/openapi"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/api"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

const (
	opsKey     = "CANARY-ops-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b"
	auditorKey = "CANARY-aud-2c26b46b68ffc68ff99b453c1d30413413422d706483"
)

// rig is the API over a real store, whose answers are held against the
// description.
type rig struct {
	*testing.T
	db      *store.DB
	log     *audit.Log
	desk    *admin.Desk
	spec    *openapi.Spec
	handler http.Handler
	logged  bytes.Buffer
	ended   map[identity.GrantID]error // what Atlassian says
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite::memory:", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, db: db, log: audit.New(audit.Config{Sink: db}), ended: map[identity.GrantID]error{}}
	if r.spec, err = openapi.Parse(text, api.Root); err != nil {
		t.Fatal(err)
	}
	r.spec.Strict = true
	r.desk = admin.New(admin.Config{
		Store: db.Desk(), Sink: db, Audit: r.log,
		Upstream: func(context.Context, []grant.Grant) func(context.Context) map[identity.GrantID]error {
			return func(context.Context) map[identity.GrantID]error { return r.ended }
		},
		Verify: func(ctx context.Context) (int64, error) {
			chains, err := r.log.Verify(ctx)
			return int64(len(chains)), err
		},
		Signed: func() (string, map[identity.TenantID]audit.Head) {
			return "coatcheck-vault+1+A", map[identity.TenantID]audit.Head{"acme": {Seq: 1}}
		},
	})
	r.handler = api.New(api.Config{
		Desk: r.desk, Log: slog.New(slog.NewTextHandler(&r.logged, nil)),
		Who: api.NewKeys([]api.Key{
			{Name: "ops", Role: identity.Administrator, Secret: secret.New(opsKey)},
			{Name: "aud", Role: identity.Auditor, Secret: secret.New(auditorKey)},
		}),
		Health: func(context.Context) view.Health {
			return view.Health{Ready: false, Checks: []view.Check{{Name: "store", OK: true}, {Name: "keys", Detail: "gone"}}, Version: "v1", Started: time.Now(), Schema: 7, Store: "sqlite"}
		},
		Address: func(r *http.Request) netip.Addr {
			at, _ := netip.ParseAddrPort(r.RemoteAddr)
			return at.Addr()
		},
	})
	return r
}

// populate adds three sessions and two grants of two people.
func (r *rig) populate() {
	r.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i, device := range []identity.DeviceID{"laptop", "desktop", "phone"} {
		person := identity.PersonID("p_ada")
		if device == "phone" {
			person = "p_ben"
		}
		err := r.db.SessionStart(r.Context(), session.Session{
			ID: identity.SessionID("s_" + string(device)), Device: device, Person: person, Tenant: "acme", Created: now.Add(time.Duration(i) * time.Second),
			Used: now, IdleUntil: now.Add(time.Hour), Until: now.Add(2 * time.Hour),
			Shown: session.Shown{Name: strings.ToUpper(string(person[2:])), Email: string(person[2:]) + "@acme.example", Host: "h-" + string(device), User: "u", OS: "linux", Version: "v1", KeyClass: "file", Address: "192.0.2.7"},
		})
		if err != nil {
			r.Fatal(err)
		}
	}
	for _, person := range []identity.PersonID{"p_ada", "p_ben"} {
		_, err := r.db.GrantPut(r.Context(), grant.Row{
			Grant: grant.Grant{
				ID: identity.GrantID("g_" + string(person[2:])), Person: person, Tenant: "acme", State: grant.Live, Account: "a-" + string(person), Scopes: []string{"read:page:confluence"},
				Sites:  []grant.Site{{Name: "wiki", CloudID: "c1", URL: "https://acme.atlassian.net"}},
				Issued: now, Refreshed: now, Used: now, TokenExpires: now.Add(time.Hour), Expires: now.Add(time.Hour), NextRefresh: now.Add(time.Minute), LastError: "none",
			},
			Version: 1, Key: []byte("CANARY-key"), Access: []byte("CANARY-access"), Refresh: []byte("CANARY-refresh"),
		})
		if err != nil {
			r.Fatal(err)
		}
	}
}

// send sends a request and wants a status and what is described.
func (r *rig) send(req *http.Request, want int) *httptest.ResponseRecorder {
	r.Helper()
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	if w.Code != want {
		r.Fatalf("%s %s = %d %s, want %d", req.Method, req.URL, w.Code, w.Body, want)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Access-Control-Allow-Origin") != "" || len(w.Result().Cookies()) > 0 {
		r.Errorf("%s %s has %v", req.Method, req.URL, w.Header())
	}
	kind := "application/json"
	if want >= 400 {
		kind = "application/problem+json"
	}
	if got := w.Header().Get("Content-Type"); got != kind {
		r.Errorf("%s %s is %s", req.Method, req.URL, got)
	}
	if want < 400 || want == http.StatusForbidden || want == http.StatusUnauthorized {
		for _, wrong := range r.spec.CheckExchange(req, body, w.Code, w.Body.Bytes()) {
			r.Error(wrong)
		}
	} else {
		r.problem(req, w)
	}
	if strings.Contains(w.Body.String(), "CANARY") {
		r.Errorf("%s %s shows a secret: %s", req.Method, req.URL, w.Body)
	}
	return w
}

// problem checks an answer to a request that is not as described.
func (r *rig) problem(req *http.Request, w *httptest.ResponseRecorder) {
	r.Helper()
	described := httptest.NewRequest(http.MethodGet, api.Root+"/health", nil)
	status := w.Code
	if status == http.StatusMethodNotAllowed || status == http.StatusConflict || status == http.StatusRequestEntityTooLarge {
		status = http.StatusBadRequest // the same schema
	}
	for _, wrong := range r.spec.CheckExchange(described, nil, status, w.Body.Bytes()) {
		r.Errorf("%s %s: %v", req.Method, req.URL, wrong)
	}
	var p view.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Detail == "" || p.Code == "" {
		r.Errorf("%s %s: %v %s", req.Method, req.URL, err, w.Body)
	}
}

func request(method, path, key, body string) *http.Request {
	var req *http.Request
	if body == "" {
		req = httptest.NewRequest(method, api.Root+path, nil)
	} else {
		req = httptest.NewRequest(method, api.Root+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req
}

// get asks as an auditor and reads the answer into into.
func get[T any](r *rig, path string) T {
	r.Helper()
	var into T
	w := r.send(request("GET", path, auditorKey, ""), 200)
	if err := json.Unmarshal(w.Body.Bytes(), &into); err != nil {
		r.Fatal(err)
	}
	return into
}

// revoke orders a revocation as an administrator.
func (r *rig) revoke(query, body string) view.Revocation {
	r.Helper()
	var done view.Revocation
	w := r.send(request("POST", "/revocations"+query, opsKey, body), 200)
	if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil {
		r.Fatal(err)
	}
	return done
}

// entries are all records of a chain, the oldest first.
func (r *rig) entries(tenant identity.TenantID) []audit.Entry {
	r.Helper()
	list, err := r.log.List(r.Context(), tenant, 0, 0)
	if err != nil {
		r.Fatal(err)
	}
	var all []audit.Entry
	for _, record := range list {
		e, err := record.Entry()
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

var errUpstream = errors.New("the revocation endpoint answered 503")

func record(r *rig, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w
}
