package atlassian_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	goodMe    = `{"account_type":"atlassian","account_id":"712020:ab-cd","email":"ada@acme.example","name":"Ada Berger","account_status":"active"}`
	goodSites = `[{"id":"c1","url":"https://acme.atlassian.net","scopes":["read:jira-work"]},
		{"id":"c1","url":"https://ACME.atlassian.net/","scopes":["read:page:confluence"]},
		{"id":"c2","url":"https://other.atlassian.net","scopes":["read:page:confluence"]}]`
)

func (s *server) says(me, sites string) {
	s.serve = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer := sites
		if r.URL.Path == "/me" {
			answer = me
		}
		if r.Header.Get("Authorization") != "Bearer the-access" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, answer)
	}
}

func TestAccount(t *testing.T) {
	s := newServer(t)
	s.says(goodMe, goodSites)
	who, sites, err := s.app(t).Account(t.Context(), secret.New("the-access"))
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Person{ID: identity.NewPersonID(s.URL, "712020:ab-cd"), Issuer: s.URL, Subject: "712020:ab-cd", Name: "Ada Berger", Email: "ada@acme.example"}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Errorf("the person (-want +got):\n%s", diff)
	}
	// Jira's entry of the same site, and sites that nobody configured, do not
	// count.
	if diff := cmp.Diff([]grant.Site{{Name: "wiki", CloudID: "c1", URL: "https://acme.atlassian.net"}}, sites); diff != "" {
		t.Errorf("the sites (-want +got):\n%s", diff)
	}
	if _, _, err := s.app(t).Account(t.Context(), secret.New("other")); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("with a token that is refused it said %v", err)
	}
}

func TestAccountsThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		me, sites string
		want      usererr.Code
	}{
		"no site":            {goodMe, `[]`, usererr.Denied},
		"another site":       {goodMe, `[{"id":"c2","url":"https://other.atlassian.net","scopes":["read:page:confluence"]}]`, usererr.Denied},
		"a site like ours":   {goodMe, `[{"id":"c2","url":"https://acme.atlassian.net.evil.example","scopes":["read:page:confluence"]}]`, usererr.Denied},
		"without TLS":        {goodMe, `[{"id":"c2","url":"http://acme.atlassian.net","scopes":["read:page:confluence"]}]`, usererr.Denied},
		"Jira only":          {goodMe, `[{"id":"c1","url":"https://acme.atlassian.net","scopes":["read:jira-work"]}]`, usererr.Denied},
		"an id with a path":  {goodMe, `[{"id":"../c1","url":"https://acme.atlassian.net","scopes":["read:page:confluence"]}]`, usererr.Denied},
		"not a list":         {goodMe, `{"id":"` + canary + `"}`, usererr.Unavailable},
		"not JSON":           {goodMe, canary, usererr.Unavailable},
		"nobody":             {`{}`, goodSites, usererr.Internal},
		"strange account id": {`{"account_id":"a\u202eb"}`, goodSites, usererr.Internal},
		"long account id":    {`{"account_id":"` + strings.Repeat("a", 500) + `"}`, goodSites, usererr.Internal},
		"closed account":     {strings.Replace(goodMe, `"active"`, `"closed"`, 1), goodSites, usererr.Denied},
		"me is HTML":         {"<h1>" + canary, goodSites, usererr.Unavailable},
		"me is long":         {`{"x":"` + strings.Repeat("x", 2<<20) + `"}`, goodSites, usererr.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.says(test.me, test.sites)
			_, _, err := s.app(t).Account(t.Context(), secret.New("the-access"))
			if got := usererr.CodeOf(err); got != test.want {
				t.Errorf("the code is %q, want %q: %v", got, test.want, err)
			}
			clean(t, err)
		})
	}
}
