package oauth

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

const (
	cookieName = "sim_session"
	audience   = "api.atlassian.com"
	// maxPending bounds what a browser that never answers leaves behind.
	maxPending = 10_000
)

// SignedIn finds the person who uses this browser.
func (s *Server) SignedIn(r *http.Request) (directory.Person, bool) {
	name, ok := s.signedIn(r)
	if !ok {
		return directory.Person{}, false
	}
	return s.cfg.Directory.Person(name)
}

// LoginAddress is where a browser logs in before it goes on to a path of this
// server.
func LoginAddress(path string) string {
	return "/login?" + url.Values{"continue": {path}}.Encode()
}

// signedIn finds the name of who uses this browser.
func (s *Server) signedIn(r *http.Request) (string, bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := s.logins[c.Value]
	return name, ok
}

// authorize is GET /authorize. As with the real one, parameters are looked at
// only after the login, and most errors never reach the app.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	name, ok := s.signedIn(r)
	if !ok {
		http.Redirect(w, r, LoginAddress(r.URL.RequestURI()), http.StatusFound)
		return
	}
	person, ok := s.cfg.Directory.Person(name)
	if !ok {
		errorPage(w, "This account no longer exists.")
		return
	}
	req, problem := s.read(r.URL.Query())
	if problem != "" {
		errorPage(w, problem)
		return
	}
	req.person = person.Name
	s.mu.Lock()
	if s.deny {
		s.mu.Unlock()
		refuse(w, r, req)
		return
	}
	id := rand.Text()
	if len(s.pending) >= maxPending {
		clear(s.pending)
	}
	s.pending[id] = req
	s.mu.Unlock()
	view := consentView{ID: id, App: req.app.Name, Person: person, Continue: r.URL.RequestURI()}
	for _, scope := range req.scopes {
		view.Scopes = append(view.Scopes, scopeView{scope, words(scope)})
	}
	for _, site := range s.cfg.Directory.Sites() {
		if site.Has(person.Name) {
			view.Sites = append(view.Sites, site)
		}
	}
	show(w, http.StatusOK, consentPage(), view)
}

// read checks the parameters of an authorize request and says in words what is
// wrong with them.
func (s *Server) read(q url.Values) (request, string) {
	app, ok := s.app(q.Get("client_id"))
	req := request{
		app: app, redirect: q.Get("redirect_uri"), state: q.Get("state"),
		challenge: q.Get("code_challenge"), scopes: strings.Fields(q.Get("scope")),
	}
	switch {
	case !ok:
		return req, "The app's client_id is unknown."
	case q.Get("audience") != audience:
		return req, "The parameter audience must be " + audience + "."
	case q.Get("response_type") != "code":
		return req, "The parameter response_type must be code."
	case q.Get("prompt") != "consent":
		return req, "The parameter prompt must be consent."
	case req.redirect != app.Callback:
		return req, "redirect_uri is not registered for client: " + req.redirect
	case len(req.scopes) == 0:
		return req, "The parameter scope is missing."
	case req.challenge != "" && (q.Get("code_challenge_method") != "S256" || len(req.challenge) != 43):
		return req, "code_challenge_method must be S256, with a challenge of 43 characters."
	}
	for _, scope := range req.scopes {
		// openid, profile and email exist elsewhere and end here all the same.
		if !exists(scope) {
			return req, "The requested scope " + scope + " does not exist."
		}
		if app.Scopes != nil && scope != offline && !slices.Contains(app.Scopes, scope) {
			return req, "The requested scope " + scope + " is not enabled for this app."
		}
	}
	slices.Sort(req.scopes)
	req.scopes = slices.Compact(req.scopes)
	return req, ""
}

// consent is POST /consent, from the buttons of the consent page.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequest)
	name, ok := s.signedIn(r)
	id := r.PostFormValue("request")
	s.mu.Lock()
	req, known := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	switch {
	case !ok || !known || req.person != name:
		errorPage(w, "This page is too old, or another account has signed in meanwhile. Go back to the app and start again.")
	case r.PostFormValue("decision") != "allow":
		refuse(w, r, req)
	default:
		s.allow(w, r, req)
	}
}

func (s *Server) allow(w http.ResponseWriter, r *http.Request, req request) {
	c := &code{request: req, expires: time.Now().Add(s.cfg.CodeLife)}
	s.mu.Lock()
	for _, id := range s.sitesOf(req.person) {
		if slices.Contains(r.PostForm["site"], id) {
			c.sites = append(c.sites, id)
		}
	}
	text := forge(codeSize, s.cfg.Canary, map[string]any{"aud": req.app.ClientID, "iss": "https://auth.atlassian.com"})
	s.codes[text] = c
	s.seen = append(s.seen, text)
	s.mu.Unlock()
	back(w, r, req, url.Values{"code": {text}})
}

// refuse sends the browser back with the person's no.
func refuse(w http.ResponseWriter, r *http.Request, req request) {
	back(w, r, req, url.Values{"error": {"access_denied"}, "error_description": {"User did not authorize the request"}})
}

// back sends the browser to the app.
func back(w http.ResponseWriter, r *http.Request, req request, q url.Values) {
	if req.state != "" {
		q.Set("state", req.state)
	}
	separator := "?"
	if strings.Contains(req.redirect, "?") {
		separator = "&"
	}
	http.Redirect(w, r, req.redirect+separator+q.Encode(), http.StatusFound)
}

// onward keeps of a continue parameter only our own authorize endpoint and the
// pages of the wiki.
func onward(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host == "" && u.Scheme == "" && (u.Path == "/authorize" || strings.HasPrefix(u.Path, "/wiki/")) {
		return u.RequestURI()
	}
	return "/login"
}

// loginPage is GET /login: everybody in the company, as buttons.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	show(w, http.StatusOK, loginPage(), loginView{Continue: onward(r.URL.Query().Get("continue")), People: s.cfg.Directory.People()})
}

// login is POST /login. There are no passwords here.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequest)
	person, ok := s.cfg.Directory.Person(r.PostFormValue("person"))
	if !ok {
		errorPage(w, "There is no such account.")
		return
	}
	id := rand.Text()
	s.mu.Lock()
	if len(s.logins) >= maxPending {
		clear(s.logins)
	}
	s.logins[id] = person.Name
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
	http.Redirect(w, r, onward(r.PostFormValue("continue")), http.StatusSeeOther)
}
