package oauth

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

//go:embed pages.html
var pages string

type loginView struct {
	Continue string
	People   []directory.Person
}

type scopeView struct{ Name, Words string }

type consentView struct {
	ID, App, Continue string
	Person            directory.Person
	Scopes            []scopeView
	Sites             []directory.Site
}

func page(name string) *template.Template {
	return template.Must(template.New("").Parse(pages)).Lookup(name)
}

func loginPage() *template.Template   { return page("login") }
func consentPage() *template.Template { return page("consent") }

// errorPage tells the person in the browser what is wrong; the app learns
// nothing.
func errorPage(w http.ResponseWriter, text string) {
	show(w, http.StatusBadRequest, page("error"), text)
}

func show(w http.ResponseWriter, status int, t *template.Template, view any) {
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Frame-Options", "DENY")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone: nothing to do
}
