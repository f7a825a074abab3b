package vault_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// TestGrantsEndAtAtlassianToo: with the refresh token that was sealed, in
// bounded time, and whatever it says the grant is gone here.
func TestGrantsEndAtAtlassianToo(t *testing.T) {
	onEachStore(t, 3, func(r *keyRig) {
		var mu sync.Mutex
		var sent []string
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, req.URL.Path+" "+req.PostFormValue("token")+" "+req.PostFormValue("client_secret"))
			if req.PostFormValue("token") == "refresh-2" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		defer upstream.Close()
		tenant := r.cfg.Settings.Tenants["acme"]
		tenant.OAuth.Endpoints.Token = upstream.URL + "/oauth/token"
		r.cfg.Settings.Tenants["acme"] = tenant
		var logged bytes.Buffer
		r.cfg.Log = slog.New(slog.NewTextHandler(&logged, nil))
		a := r.admin()
		done, err := a.Revoke(r.t.Context(), a.Who, admin.Scope{Tenant: "acme"})
		if err != nil || len(done.Grants) != 3 || done.Upstream.Ended != 2 || done.Upstream.Failed != 1 || done.Upstream.Left != 0 {
			r.t.Fatalf("%d grants, %+v, %v", len(done.Grants), done.Upstream, err)
		}
		slices.Sort(sent)
		want := []string{"/oauth/revoke refresh-1 CANARY-secret", "/oauth/revoke refresh-2 CANARY-secret", "/oauth/revoke refresh-3 CANARY-secret"}
		if diff := cmp.Diff(want, sent); diff != "" {
			r.t.Errorf("sent (-want +got):\n%s", diff)
		}
		for _, g := range done.Grants {
			if row, err := r.db.GrantGet(r.t.Context(), g.ID); err != nil || row.State != grant.Revoked || row.Key != nil || row.Refresh != nil {
				r.t.Errorf("%+v, %v", row, err)
			}
		}
		page, err := a.Records(r.t.Context(), a.Who, admin.RecordQuery{Event: "grant.revoked_upstream"})
		outcomes := map[string]int{}
		for _, record := range page.Items {
			outcomes[record.Entry.Outcome]++
		}
		if err != nil || outcomes["ok"] != 2 || outcomes["error"] != 1 || strings.Contains(logged.String(), "refresh-") {
			r.t.Errorf("%v, %v, the log says %s", outcomes, err, &logged)
		}
		again, err := a.Revoke(r.t.Context(), a.Who, admin.Scope{Tenant: "acme"})
		if err != nil || len(again.Grants)+again.Upstream.Ended != 0 || len(sent) != 3 {
			r.t.Errorf("again: %+v, %v, %d sent", again, err, len(sent))
		}
	})
}

// TestGrantsEndWithoutTheKey: who has no key ends them here, and hears that
// Atlassian was not asked.
func TestGrantsEndWithoutTheKey(t *testing.T) {
	onEachStore(t, 1, func(r *keyRig) {
		r.cfg.Settings.Keys.KEK = "file:elsewhere"
		a := r.admin()
		done, err := a.Revoke(r.t.Context(), a.Who, admin.Scope{Everything: true})
		if err != nil || len(done.Grants) != 1 || done.Upstream.Left != 1 {
			r.t.Errorf("%+v, %v", done, err)
		}
	})
}

const opsKey = "CANARY-ops-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b"

func TestAdministrationOfAVault(t *testing.T) {
	cfg := config(t, free(t), "")
	url, stop := run(t, cfg)
	for _, path := range []string{"/v1/admin", "/v1/admin/", "/v1/admin/health", "/v1/admin/openapi.json", "/v1/admin/sessions"} {
		if status, _, text := get(t, url+path); status != http.StatusNotFound || !strings.Contains(text, "nothing at this address") {
			t.Errorf("without keys %s = %d %s", path, status, text)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	cfg.Settings.Network.Listen = free(t)
	cfg.Settings.Network.PublicURL = "http://" + cfg.Settings.Network.Listen
	cfg.Settings.Audit.Checkpoints = "checkpoints"
	cfg.Settings.Admin.Keys = map[string]settings.AdminKey{"ops": {Role: "administrator", Secret: secret.New(opsKey)}}
	url, stop = run(t, cfg)
	if status, header, text := get(t, url+"/v1/admin/health"); status != http.StatusUnauthorized || header.Get("Content-Type") != "application/problem+json" || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("without a key: %d %v %s", status, header, text)
	}
	ask := func(method, path string, into any) int {
		req, err := http.NewRequestWithContext(t.Context(), method, url+"/v1/admin"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+opsKey)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || json.Unmarshal(text, into) != nil {
			t.Errorf("%s: %v %s", path, err, text)
		}
		return res.StatusCode
	}
	var health view.Health
	if status := ask("GET", "/health", &health); status != 200 || !health.Ready || len(health.Checks) < 2 || health.Store != "sqlite" || health.Schema < 7 || health.Version != "test" {
		t.Errorf("health: %d %+v", status, health)
	}
	var v view.Verification
	if status := ask("POST", "/audit/verifications", &v); status != http.StatusAccepted {
		t.Errorf("a verification: %d", status)
	}
	for deadline := time.Now().Add(20 * time.Second); v.State == admin.Running && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ask("GET", "/audit/verifications/"+v.ID, &v)
	}
	if v.State != admin.Intact {
		t.Errorf("it found %+v", v)
	}
	var chains struct {
		Key string `json:"checkpoint_key"`
	}
	if ask("GET", "/audit/chains", &chains); !strings.HasPrefix(chains.Key, "coatcheck-vault+") {
		t.Errorf("the key of the checkpoints is %q", chains.Key)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
