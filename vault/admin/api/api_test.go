package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/admin/api"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

func TestEverythingThatIsDescribedIsThere(t *testing.T) {
	r := newRig(t)
	r.populate()
	described := get[map[string]any](r, "/openapi.json")
	if described["openapi"] != "3.1.0" {
		t.Errorf("openapi = %v", described["openapi"])
	}
	for _, operation := range r.spec.Operations() {
		method, path, _ := strings.Cut(operation, " ")
		path = strings.TrimPrefix(strings.ReplaceAll(path, "{id}", "nothing"), api.Root)
		want := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[strings.HasSuffix(path, "nothing")]
		switch {
		case strings.HasSuffix(path, "/verifications"):
			want = http.StatusAccepted
		case method == "POST":
			r.send(request(method, path, opsKey, `{"person":"p_nobody"}`), want)
			continue
		}
		w := r.send(request(method, path, opsKey, ""), want)
		if want == http.StatusNotFound && strings.Contains(w.Body.String(), "nothing at this address") {
			t.Errorf("%s is described and not there", operation)
		}
	}
	r.send(request("GET", "/nothing", opsKey, ""), http.StatusNotFound)
	r.send(request("GET", "", opsKey, ""), http.StatusNotFound)
	if w := r.send(request("DELETE", "/sessions", opsKey, ""), http.StatusMethodNotAllowed); w.Header().Get("Allow") != "GET" {
		t.Errorf("Allow = %q", w.Header().Get("Allow"))
	}
}

func TestLooking(t *testing.T) {
	r := newRig(t)
	r.populate()
	people := get[view.Page[view.Person]](r, "/people")
	if len(people.Items) != 2 || people.Items[0].Name != "ADA" || people.Items[0].Sessions != 2 || people.Items[0].Grants != 1 || people.Items[1].Accounts[0] != "a-p_ben" {
		t.Errorf("people = %+v", people)
	}
	if found := get[view.Page[view.Person]](r, "/people?match=BEN%40acme"); len(found.Items) != 1 || found.Items[0].ID != "p_ben" {
		t.Errorf("people who match = %+v", found)
	}
	ada := get[view.WholePerson](r, "/people/p_ada")
	if len(ada.SessionList) != 2 || len(ada.GrantList) != 1 || ada.SessionList[0].ID != "s_desktop" {
		t.Errorf("a person = %+v", ada)
	}
	if s := get[view.Session](r, "/sessions/s_laptop"); s.Host != "h-laptop" || s.KeyClass != "file" || s.Platform != "linux" || s.Shim != "v1" || s.State != "live" || s.Address != "192.0.2.7" {
		t.Errorf("a session = %+v", s)
	}
	if d := get[view.Device](r, "/devices/phone"); d.ID != "phone" || d.Session.ID != "s_phone" {
		t.Errorf("a device = %+v", d)
	}
	if g := get[view.Grant](r, "/grants/g_ben"); g.State != "live" || g.NextRefresh == nil || g.LastError != "none" || len(g.Sites) != 1 {
		t.Errorf("a grant = %+v", g)
	}
	for path, want := range map[string]int{
		"/sessions?person=p_ada": 2, "/sessions?device=phone": 1, "/sessions?tenant=other": 0, "/sessions?live=true": 3,
		"/devices": 3, "/devices?person=p_ben": 1, "/grants?state=live": 2, "/grants?state=revoked": 0, "/grants?person=p_ben&tenant=acme": 1,
	} {
		if got := get[view.Page[json.RawMessage]](r, path); len(got.Items) != want {
			t.Errorf("%s has %d", path, len(got.Items))
		}
	}
	if h := get[view.Health](r, "/health"); h.Ready || len(h.Checks) != 2 {
		t.Errorf("health = %+v", h)
	}
}

func TestPages(t *testing.T) {
	r := newRig(t)
	r.populate()
	for path, want := range map[string]int{"/people": 2, "/sessions": 3, "/devices": 3, "/grants": 2} {
		seen := map[string]bool{}
		for cursor := ""; ; {
			p := get[view.Page[struct{ ID string }]](r, path+"?limit=1&cursor="+cursor)
			if len(p.Items) != 1 {
				t.Fatalf("%s: a page of %d", path, len(p.Items))
			}
			seen[p.Items[0].ID] = true
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %d of %d, page by page", path, len(seen), want)
		}
	}
}

func TestWhatIsWrongWithARequest(t *testing.T) {
	r := newRig(t)
	next := get[view.Page[json.RawMessage]](r, "/audit/records").Next
	for _, path := range []string{
		"/people?limit=0", "/people?limit=201", "/people?limit=many", "/people?limit=1&limit=2", "/people?nonsense=1", "/people?cursor=!!", "/people?cursor=" + strings.Repeat("A", 30_000),
		"/people?%zz", "/people?a;b", "/sessions?live=perhaps", "/sessions?key=" + opsKey[:3], "/grants?state=dead", "/audit/records?since=yesterday", "/audit/records?until=2026-01-31",
		"/sessions?cursor=eyJrIjoicGVvcGxlIn0", "/health?x=1", "/people/p_ada?x", "/audit/chains?x=1", "/sessions?cursor=" + next + "x",
	} {
		r.send(request("GET", path, opsKey, ""), http.StatusBadRequest)
	}
	for body, want := range map[string]int{
		`{}`: 400, `{"everything":true}`: 400, `{"everything":true,"confirm":"yes"}`: 400, `{"everything":true,"person":"p","confirm":"everything"}`: 400,
		`{"session":"s","person":"p"}`: 400, `{"site":"acme"}`: 400, `{"persn":"p"}`: 400, `{"person":"p"} {}`: 400, `[]`: 400, `CANARY`: 400,
		`{"session":"s_x"}`: 404, `{"grant":"g_x"}`: 404, `{"device":"d_x"}`: 404, `{"person":"` + strings.Repeat("x", 20<<10) + `"}`: 413,
	} {
		r.send(request("POST", "/revocations", opsKey, body), want)
	}
	req := request("POST", "/revocations", opsKey, `{"person":"p_ada"}`)
	req.Header.Set("Content-Type", "text/plain")
	r.send(req, http.StatusBadRequest)
	if events := r.entries(""); slices.ContainsFunc(events, func(e audit.Entry) bool { return strings.HasPrefix(e.Event, "revocation") }) {
		t.Errorf("something was ordered: %+v", events)
	}
}

func TestRevoking(t *testing.T) {
	r := newRig(t)
	r.populate()
	would := r.revoke("?dry_run=true", `{"tenant":"acme"}`)
	if !would.DryRun || would.Sessions != 3 || would.Grants != 2 || would.People != 2 || would.Upstream != nil {
		t.Errorf("it would end %+v", would)
	}
	if live := get[view.Page[view.Session]](r, "/sessions?live=true"); len(live.Items) != 3 {
		t.Fatalf("the dry run left %d sessions", len(live.Items))
	}
	done := r.revoke("", `{"session":"s_laptop"}`)
	if done.DryRun || !slices.Equal(done.SessionIDs, []string{"s_laptop"}) || done.Grants != 0 {
		t.Errorf("a session: %+v", done)
	}
	r.ended["g_ada"] = nil
	done = r.revoke("", `{"grant":"g_ada"}`)
	want := view.Revocation{
		Scope: "the grant g_ada", Sessions: 1, Grants: 1, People: 1, SessionIDs: []string{"s_desktop"}, GrantIDs: []string{"g_ada"},
		Upstream: &view.Upstream{Ended: 1}, ConnectedApps: "https://id.atlassian.com/manage-profile/apps",
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("a grant (-want +got):\n%s", diff)
	}
	r.ended["g_ben"] = errUpstream
	if done = r.revoke("", `{"everything":true,"confirm":"everything"}`); done.Sessions != 1 || done.Grants != 1 || done.Upstream.Failed != 1 {
		t.Errorf("everything: %+v", done)
	}
	if row, err := r.db.GrantGet(t.Context(), "g_ben"); err != nil || row.Key != nil || row.Refresh != nil || row.State != "revoked" {
		t.Errorf("the grant is %+v, %v", row, err)
	}
	var events []string
	for _, e := range r.entries("acme") {
		if e.By != "key:ops" && e.Event != "admin.look" || !strings.Contains(e.Detail, "over the administrative API") || e.Address != "192.0.2.1" {
			t.Errorf("a record: %+v", e)
		}
		events = append(events, e.Event+" "+e.Outcome)
	}
	// The order over everything is in the vault's own chain.
	if diff := cmp.Diff([]string{
		"revocation.ordered ok", "session.revoked ok",
		"revocation.ordered ok", "grant.revoked ok", "session.revoked ok", "grant.revoked_upstream ok",
		"grant.revoked ok", "session.revoked ok", "grant.revoked_upstream error",
	}, events); diff != "" {
		t.Errorf("the records of acme (-want +got):\n%s", diff)
	}
}

func TestAuditorsChangeNothing(t *testing.T) {
	r := newRig(t)
	r.populate()
	r.send(request("POST", "/revocations", auditorKey, `{"person":"p_ada"}`), http.StatusForbidden)
	if live := get[view.Page[view.Session]](r, "/sessions?live=true"); len(live.Items) != 3 {
		t.Errorf("%d sessions are left", len(live.Items))
	}
	all := r.entries("")
	if e := all[0]; e.Event != "admin.denied" || e.By != "key:aud" || e.Objects[0] != "revoking p_ada" {
		t.Errorf("the record is %+v", e)
	}
	r.send(request("POST", "/revocations?dry_run=true", auditorKey, `{"person":"p_ada"}`), http.StatusOK)
}

func TestRecords(t *testing.T) {
	r := newRig(t)
	begin := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	for i := range 60 {
		e := audit.Entry{Time: begin.Add(time.Duration(i) * 3 * time.Minute), Event: []string{"call", "grant.refreshed", "grant.revoked"}[i%3], Outcome: "ok", Tenant: "acme", Person: "p_ada"}
		if i%2 == 1 {
			e.Tenant, e.Person = "other", "p_ben"
		}
		if err := r.log.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	at := func(minutes int) string {
		return url.QueryEscape(begin.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339))
	}
	for query, want := range map[string]int{
		"tenant=acme": 30, "tenant=none": 0, "person=p_ben": 30, "event=grant": 40, "event=grant.revoked": 20, "event=gran": 0, "person=p_ada&event=call": 10,
		"since=" + at(90) + "&event=call": 10, "until=" + at(9) + "&tenant=acme": 2, "since=" + at(6) + "&until=" + at(12): 3, "outcome=denied": 0, "by=key:ops": 0,
	} {
		count, last := 0, time.Now().Add(time.Hour)
		for cursor := ""; ; {
			p := get[view.Page[view.Record]](r, "/audit/records?limit=7&cursor="+cursor+"&"+query)
			for _, record := range p.Items {
				if record.Entry.Time.After(last) {
					t.Errorf("%s: not in order", query)
				}
				last = record.Entry.Time
			}
			count += len(p.Items)
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if count != want {
			t.Errorf("%s: %d records, want %d", query, count, want)
		}
	}
	own := get[view.Page[view.Record]](r, "/audit/records?tenant=-&limit=1")
	if len(own.Items) != 1 || own.Items[0].Chain != "-" || own.Items[0].Entry.Event != "admin.look" || own.Items[0].Entry.By != "key:aud" {
		t.Errorf("the vault's own chain: %+v", own)
	}
	ends := get[struct {
		Key    string     `json:"checkpoint_key"`
		Chains []view.End `json:"chains"`
	}](r, "/audit/chains")
	if len(ends.Chains) != 3 || ends.Key == "" || ends.Chains[1].Chain != "acme" || ends.Chains[1].Seq != 30 || ends.Chains[1].Signed != 1 {
		t.Errorf("the ends: %+v", ends)
	}
}

func TestVerifying(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	begin := func() view.Verification {
		w := r.send(request("POST", "/audit/verifications", auditorKey, ""), http.StatusAccepted)
		var v view.Verification
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || v.State != "running" || w.Header().Get("Location") != api.Root+"/audit/verifications/"+v.ID {
			t.Fatalf("%v %s, Location %s", err, w.Body, w.Header().Get("Location"))
		}
		return v
	}
	v := begin()
	r.send(request("POST", "/audit/verifications", auditorKey, ""), http.StatusConflict)
	if got := get[view.Verification](r, "/audit/verifications/"+v.ID); got.State != "running" {
		t.Errorf("before it ran: %+v", got)
	}
	go func() { done <- r.desk.Run(ctx) }()
	for {
		if got := get[view.Verification](r, "/audit/verifications/"+v.ID); got.State != "running" {
			if got.State != "intact" || got.Ended == nil || got.By != "key:aud" || !strings.Contains(got.Detail, "1 records, all intact") {
				t.Errorf("it found %+v", got)
			}
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.send(request("GET", "/audit/verifications/v_nothing", auditorKey, ""), http.StatusNotFound)
}
