package atlassiansim_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// The main job: consent, code, token, page, search.
func TestFromConsentToPage(t *testing.T) {
	r := newRig(t, atlassiansim.Options{Canary: "CNR7"})
	q := r.consent("ada", true)
	if q.Get("state") != "state-1" || len(q.Get("code")) < 1000 {
		t.Fatalf("back with %v", q)
	}
	got := r.redeem(q.Get("code"))
	if got.Status != 200 || got.Access == "" || got.Refresh == "" || got.Expires != 3600 {
		t.Fatalf("%+v", got)
	}
	for _, text := range []string{q.Get("code"), got.Access, got.Refresh} {
		if !strings.Contains(text, "CNR7") || !slices.Contains(r.Secrets(), text) {
			t.Errorf("no canary in %q, or not among the secrets", text)
		}
	}
	if !slices.Contains(r.Secrets(), verifier) {
		t.Error("the verifier is not among the secrets")
	}

	var sites []struct {
		ID, URL string
		Scopes  []string
	}
	r.ask(got.Access, "GET", "/oauth/token/accessible-resources", nil).into(t, &sites)
	if len(sites) != 2 || sites[0].ID != sites[1].ID || sites[1].URL != r.SiteURL("acme") || len(sites[1].Scopes) != len(scopes())-2 {
		t.Errorf("sites %+v", sites)
	}
	var me struct {
		AccountID string `json:"account_id"`
	}
	r.ask(got.Access, "GET", "/me", nil).into(t, &me)
	if ada, _ := r.Person("ada"); me.AccountID != ada.AccountID {
		t.Errorf("me %+v", me)
	}

	wanted := r.AnyPage("ENG")
	var page struct {
		ID, Title string
		Body      struct {
			Storage struct{ Value string }
		}
	}
	r.api(got.Access, "GET", "/api/v2/pages/"+wanted.ID+"?body-format=storage", nil).into(t, &page)
	if page.Title != wanted.Title || page.Body.Storage.Value != wanted.Body {
		t.Errorf("page %+v", page)
	}
	for _, word := range []string{"deployment", "release"} {
		var hits struct{ TotalSize int }
		r.api(got.Access, "GET", "/rest/api/search?cql="+url.QueryEscape(`text ~ "`+word+`" AND space = ENG`), nil).into(t, &hits)
		if hits.TotalSize < 2 {
			t.Errorf("%d pages about %s", hits.TotalSize, word)
		}
	}
}

func TestTheRefusalComesBack(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	q := r.consent("ben", false)
	if q.Get("error") != "access_denied" || q.Get("state") != "state-1" || q.Has("code") {
		t.Errorf("back with %v", q)
	}
	r.SetDeny(true)
	if q := r.consent("ben", true); q.Get("error") != "access_denied" {
		t.Errorf("back with %v", q)
	}
}

func TestJournal(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	space := r.api(token, "GET", "/api/v2/spaces?keys=ENG", nil)
	var spaces struct{ Results []struct{ ID string } }
	space.into(t, &spaces)
	made := r.api(token, "POST", "/api/v2/pages", map[string]any{
		"spaceId": spaces.Results[0].ID, "status": "current", "title": "New", "body": map[string]string{"representation": "storage", "value": "<p>x</p>"},
	})
	if made.Status != 200 || r.CountPages("ENG", "New") != 1 {
		t.Fatalf("%+v", made)
	}
	r.refresh("nonsense")
	writes, asked := r.Writes(), r.TokenRequests()
	if len(writes) != 1 || writes[0].Status != 200 || !writes[0].Auth || !strings.Contains(writes[0].Body, "New") {
		t.Errorf("writes %+v", writes)
	}
	if len(asked) != 1 || asked[0].Status != 403 {
		t.Errorf("token requests %+v", asked)
	}
	if len(r.Requests()) != 3 {
		t.Errorf("%d requests", len(r.Requests()))
	}
}

func TestRecord(t *testing.T) {
	var seen []atlassiansim.Exchange
	r := newRig(t, atlassiansim.Options{Record: func(e atlassiansim.Exchange) { seen = append(seen, e) }})
	page := r.AnyPage("ENG")
	r.api(r.as("ada"), "GET", "/api/v2/pages/"+page.ID, nil)
	if len(seen) != 1 || seen[0].Status != 200 || !json.Valid(seen[0].Answer) || seen[0].Request.URL.Path == "" {
		t.Errorf("recorded %+v", seen)
	}
}
