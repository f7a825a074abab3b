package signin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/signin/rights"
)

//go:embed web
var web embed.FS

// pages writes HTML. It is not changed after newPages.
type pages struct {
	set           *template.Template
	icon          []byte
	policy        string
	style         template.CSS
	mark          template.HTML
	name, company string
}

// newPages reads the templates and everything that goes into every page.
func newPages(name, company string) (*pages, error) {
	set, err := template.ParseFS(web, "web/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the sign-in pages: %w", err)
	}
	style, err := web.ReadFile("web/style.css")
	if err != nil {
		return nil, err
	}
	mark, err := web.ReadFile("web/mark.svg")
	if err != nil {
		return nil, err
	}
	icon, err := web.ReadFile("web/icon.svg")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(style)
	return &pages{
		set:  set,
		icon: icon,
		// Everything is forbidden but this very style sheet, our own picture and
		// forms that come back to us.
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		style:   template.CSS(style), //nolint:gosec // our own file
		mark:    template.HTML(mark), //nolint:gosec // our own file
		name:    name,
		company: company,
	}, nil
}

// frame is what every page has.
type frame struct {
	Title, Name, Company string
	Style                template.CSS
	Mark                 template.HTML
	Icon                 string
	// Refresh is the content of the meta element that goes on by itself.
	Refresh string
	Body    any
}

// question is the consent page.
type question struct {
	Action, Form string
	Host, User   string // what the machine says of itself
	Address      string // where its request came from
	Here         string // the browser's address, if it is another one
	Minutes      int
	Sites        string
	Choices      []choice // of tenants, if there is a choice
	Company      bool     // its sign-in comes next
	StepUp       bool     // the person signs in anew for something that needs it
	ByCode       bool     // the last page shows a code for a terminal
	Rights       []rights.Right
}

// choice is a tenant to sign in to.
type choice struct{ Name, Sites string }

// note is a page that tells one thing.
type note struct {
	Status int
	Kind   string // good, no, bad or wait: chooses the sign
	Title  string
	Text   []string
	Facts  []fact
	Hint   string
	// Again makes the page look again by itself.
	Again bool
}

// fact is a line of the list on a note.
type fact struct{ Name, Value string }

// consent asks the person.
func (p *pages) consent(w http.ResponseWriter, q question) {
	title := "Connect Confluence"
	if q.Host != "" {
		title += " on " + q.Host
	}
	p.write(w, http.StatusOK, "consent", frame{Title: title, Body: q})
}

// choose asks which tenant it is to be.
func (p *pages) choose(w http.ResponseWriter, q question) {
	p.write(w, http.StatusOK, "choose", frame{Title: "Where do you want to work?", Body: q})
}

// way is where a browser goes on.
type way struct{ Title, Text, Button, Address string }

// onward is a page and not a redirect, because form-action 'self' forbids a
// form to end at another origin.
func (p *pages) onward(w http.ResponseWriter, to way) {
	p.write(w, http.StatusOK, "onward", frame{Title: to.Title, Refresh: "0;url=" + to.Address, Body: to})
}

// note tells the person one thing.
func (p *pages) note(w http.ResponseWriter, n note) {
	f := frame{Title: n.Title, Body: n}
	if n.Again {
		f.Refresh = "2"
	}
	if n.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(10))
	}
	p.write(w, n.Status, "note", f)
}

// write makes the whole page before the first byte leaves, so that a page is
// never cut.
func (p *pages) write(w http.ResponseWriter, status int, name string, f frame) {
	f.Name, f.Company, f.Style, f.Mark, f.Icon = p.name, p.company, p.style, p.mark, markPath
	var page bytes.Buffer
	if err := p.set.ExecuteTemplate(&page, name, f); err != nil {
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	head := w.Header()
	head.Set("Content-Security-Policy", p.policy)
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	head.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the browser has gone: nothing to do
}
