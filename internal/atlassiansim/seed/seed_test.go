package seed_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/seed"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

func company(t *testing.T) (*wiki.Wiki, *directory.Directory, string) {
	t.Helper()
	people := directory.New(seed.People(), []directory.Site{{Name: "acme"}})
	w := wiki.New(people.Sites())
	seed.Fill(w, people, people.Sites()[0].CloudID)
	return w, people, people.Sites()[0].CloudID
}

// Every file is read, is well-formed and becomes a page of its space.
func TestEveryPageIsThere(t *testing.T) {
	w, people, site := company(t)
	ada, _ := people.Person("ada")
	want := map[string]int{"ENG": 10, "OPS": 6, "HR": 5, "LEGAL": 3, "FIN": 3}
	for key, n := range want {
		if got := len(w.All(site, key)); got < n {
			t.Errorf("%s has %d pages, want at least %d", key, got, n)
		}
	}
	for _, p := range w.All(site, "") {
		v := p.Newest()
		if strings.Contains(v.Body, `ri:account-id="@`) {
			t.Errorf("%s mentions somebody who does not work here", v.Title)
		}
		if len(v.Plain()) < 40 {
			t.Errorf("%s says next to nothing: %q", v.Title, v.Plain())
		}
		for i, v := range p.Versions {
			if v.Number != i+1 || i > 0 && !v.Created.After(p.Versions[i-1].Created) {
				t.Errorf("%s: version %d at place %d, of %v", v.Title, v.Number, i, v.Created)
			}
		}
	}
	if spaces := w.Spaces(site, ada); len(spaces) != 5 {
		t.Errorf("ada sees %d spaces, want all but Finance", len(spaces))
	}
}

// The links between pages lead somewhere, as a visitor of the demo may follow
// them.
func TestLinksLeadSomewhere(t *testing.T) {
	w, _, site := company(t)
	titles := map[string]bool{"@home": true}
	for _, p := range w.All(site, "") {
		titles[p.Newest().Title] = true
	}
	for _, p := range w.All(site, "") {
		for _, part := range strings.Split(p.Newest().Body, `ri:content-title="`)[1:] {
			title, _, _ := strings.Cut(part, `"`)
			if !titles[title] {
				t.Errorf("%s links to %q, which is not there", p.Newest().Title, title)
			}
		}
	}
}

func TestAnotherCompany(t *testing.T) {
	people := directory.New([]directory.Person{{Name: "zoe"}}, []directory.Site{{Name: "other"}})
	w := wiki.New(people.Sites())
	seed.Fill(w, people, people.Sites()[0].CloudID)
	if len(w.All(people.Sites()[0].CloudID, "ENG")) == 0 {
		t.Error("a company of other people has no wiki")
	}
}
