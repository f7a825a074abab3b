// Package view shows the simulated wiki to people: pages as a browser displays
// them at the addresses that the API names. It is there so that the links in
// an assistant's answer lead somewhere.
package view

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

//go:embed view.html
var layout string

// Prefix is the path below which pages are shown.
const Prefix = "/wiki/"

// Site is one site's wiki, as somebody who has signed in sees it.
type Site struct {
	Wiki   *wiki.Wiki
	People *directory.Directory
	Cloud  string // id
	Who    directory.Person
}

type entry struct{ Title, Address string }

type shown struct {
	Title, Space, SpaceAddress, Author, When, Person string
	Version                                          int
	Above, Below                                     []entry
	Body                                             template.HTML
}

// ServeHTTP implements http.Handler.
func (s Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	view, ok := s.find(r.URL)
	status := http.StatusOK
	if !ok {
		view, status = shown{Title: "Not found", Body: "<p>There is no such page, or you may not see it.</p>"}, http.StatusNotFound
	}
	view.Person = s.Who.DisplayName
	var b bytes.Buffer
	if err := template.Must(template.New("").Parse(layout)).Execute(&b, view); err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone: nothing to do
}

// find is what an address shows: a space, or a page by id, short code or
// title.
func (s Site) find(u *url.URL) (shown, bool) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), Prefix), "/")
	for i, p := range parts {
		text, err := url.PathUnescape(p)
		if err != nil {
			return shown{}, false
		}
		parts[i] = text
	}
	switch {
	case len(parts) >= 4 && parts[0] == "spaces" && parts[2] == "pages":
		return s.page(parts[3])
	case len(parts) >= 7 && parts[0] == "spaces" && parts[2] == "blog":
		return s.page(parts[6])
	case len(parts) >= 2 && parts[0] == "spaces":
		return s.space(parts[1])
	case len(parts) == 2 && parts[0] == "x":
		return s.page(decode(parts[1]))
	case len(parts) == 3 && parts[0] == "display":
		return s.titled(parts[1], strings.ReplaceAll(parts[2], "+", " "))
	case len(parts) == 1 && parts[0] == "":
		return s.overview(), true
	}
	return shown{}, false
}

// decode is the id in a short link.
func decode(code string) string {
	if len(code) > 11 {
		return ""
	}
	text := strings.NewReplacer("-", "/", "_", "+").Replace(code) + strings.Repeat("A", 11-len(code)) + "="
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 8 {
		return ""
	}
	return strconv.FormatUint(binary.LittleEndian.Uint64(raw), 10)
}

func (s Site) titled(key, title string) (shown, bool) {
	for _, p := range s.Wiki.Pages(s.Cloud, s.Who, func(p *wiki.Page) bool { return p.Status == "current" }) {
		if p.Newest().Title == title && s.Wiki.KeyOf(s.Cloud, p.Space) == key {
			return s.show(p), true
		}
	}
	return shown{}, false
}

func (s Site) space(key string) (shown, bool) {
	for _, space := range s.Wiki.Spaces(s.Cloud, s.Who) {
		if space.Key == key {
			return s.page(strconv.FormatInt(space.Homepage, 10))
		}
	}
	return shown{}, false
}

func (s Site) overview() shown {
	view := shown{Title: "Spaces"}
	for _, space := range s.Wiki.Spaces(s.Cloud, s.Who) {
		view.Below = append(view.Below, entry{space.Name, Prefix + "spaces/" + url.PathEscape(space.Key)})
	}
	return view
}

func (s Site) page(id string) (shown, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return shown{}, false
	}
	p, err := s.Wiki.Page(s.Cloud, s.Who, n)
	if err != nil || p.Status == "trashed" {
		return shown{}, false
	}
	return s.show(p), true
}

func (s Site) show(p wiki.Page) shown {
	key := s.Wiki.KeyOf(s.Cloud, p.Space)
	v := p.Newest()
	view := shown{
		Title: v.Title, Space: key, SpaceAddress: Prefix + "spaces/" + url.PathEscape(key), Author: s.name(v.Author),
		When: v.Created.Format("2 January 2006"), Version: v.Number, Body: Body(v.Body, key, s.name),
	}
	above, _ := s.Wiki.Ancestors(s.Cloud, s.Who, p.ID) // p was found a moment ago: if it has gone, it has none
	below, _ := s.Wiki.Children(s.Cloud, s.Who, p.ID)
	for _, a := range above {
		view.Above = append(view.Above, s.entry(key, a))
	}
	for _, b := range below {
		view.Below = append(view.Below, s.entry(key, b))
	}
	return view
}

func (s Site) entry(key string, p wiki.Page) entry {
	return entry{p.Newest().Title, Prefix + "spaces/" + url.PathEscape(key) + "/pages/" + strconv.FormatInt(p.ID, 10)}
}

func (s Site) name(account string) string {
	if p, ok := s.People.Person(account); ok {
		return p.DisplayName
	}
	return "somebody"
}
