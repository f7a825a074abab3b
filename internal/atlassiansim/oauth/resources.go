package oauth

import (
	"net/http"
	"slices"
	"strings"
)

// unauthorized is the gateway's answer to a token it does not like.
func unauthorized(w http.ResponseWriter) {
	send(w, http.StatusUnauthorized, map[string]any{"code": 401, "message": "Unauthorized"})
}

// bearer finds the access of a request.
func (s *Server) bearer(r *http.Request) (Access, bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Access{}, false
	}
	return s.Check(token)
}

// me is GET /me.
func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	a, ok := s.bearer(r)
	if !ok {
		unauthorized(w)
		return
	}
	if !a.Can(readMe) {
		w.Header().Set("X-Failure-Category", "FAILURE_CLIENT_SCOPE_CHECK")
		send(w, http.StatusUnauthorized, map[string]any{"code": 401, "message": "Unauthorized; scope does not match"})
		return
	}
	p := a.Person
	send(w, http.StatusOK, map[string]any{
		"account_type": "atlassian", "account_id": p.AccountID, "email": p.Email, "name": p.DisplayName,
		"picture":        "https://avatar-management--avatars.example/" + p.Name + ".png",
		"account_status": "active", "nickname": p.Nickname, "zoneinfo": "Europe/Berlin", "locale": "en-US",
		"extended_profile": map[string]string{"job_title": p.JobTitle, "organization": "Acme"},
	})
}

type resource struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	AvatarURL string   `json:"avatarUrl"`
}

// resources is GET /oauth/token/accessible-resources. Jira and Confluence of
// one site are two entries with the same id, Jira first.
func (s *Server) resources(w http.ResponseWriter, r *http.Request) {
	a, ok := s.bearer(r)
	if !ok {
		unauthorized(w)
		return
	}
	list := []resource{}
	for _, site := range s.cfg.Directory.Sites() {
		if !slices.Contains(a.Sites, site.CloudID) || !site.Has(a.Person.Name) {
			continue
		}
		wiki, jira := []string{}, []string{}
		for _, scope := range a.Scopes {
			switch {
			case ofConfluence(scope):
				wiki = append(wiki, scope)
			case strings.Contains(scope, ":jira"):
				jira = append(jira, scope)
			}
		}
		entry := resource{ID: site.CloudID, URL: site.URL, Name: site.Name, Scopes: jira, AvatarURL: "https://site-admin-avatar-cdn.example/avatars/240/flag.png"}
		list = append(list, entry)
		if entry.Scopes = wiki; len(wiki) > 0 {
			list = append(list, entry)
		}
	}
	send(w, http.StatusOK, list)
}

// discovery describes Atlassian's own tenant more than what 3LO apps may use;
// so does the real one.
func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	origin := "http://" + r.Host
	if r.TLS != nil {
		origin = "https://" + r.Host
	}
	send(w, http.StatusOK, map[string]any{
		"issuer": origin, "authorization_endpoint": origin + "/authorize", "token_endpoint": origin + "/oauth/token",
		"revocation_endpoint": origin + "/oauth/revoke", "code_challenge_methods_supported": []string{"S256"},
		"response_types_supported":              []string{"code"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"scopes_supported":                      []string{"openid", "profile", "offline_access", "name", "email", "picture"},
	})
}
